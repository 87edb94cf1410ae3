/*
 * Which SQLite the bot itself runs, told by the source id that every build of it carries: one with
 * the WAL-reset bug can lose commits when two connections checkpoint. Not our own copy, which never
 * checkpoints. doctor.c calls it.
 */
#include <doctor/findings.h>

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <os/loaded.h>

/* sqlite.org/wal.html: present from 3.7.0 to 3.51.2, mended in 3.51.3, 3.50.7 and 3.44.6, whose
   sources are all of this day or later. */
#define MENDED "2026-03-03"
#define PIECE ((size_t)1 << 20)
#define DATE_SIZE 11
#define SHAPE "0000-00-00 00:00:00 " /* 0: a digit; then the check-in's hash */
#define HASH_DIGITS 40

static bool is_source_id(const char *at) {
    const char *shape = SHAPE;
    for (size_t i = 0; shape[i] != '\0'; i++) {
        bool digit = isdigit((unsigned char)at[i]) != 0;
        if (shape[i] == '0' ? !digit : at[i] != shape[i]) {
            return false;
        }
    }
    for (size_t i = 0; i < HASH_DIGITS; i++) {
        if (!isxdigit((unsigned char)at[strlen(shape) + i])) {
            return false;
        }
    }
    return true;
}

/* Looks through one piece of a file; its last bytes are looked at with the next. */
static bool find_in(const char *bytes, size_t size, char ret_date[DATE_SIZE]) {
    size_t need = strlen(SHAPE) + HASH_DIGITS;
    const char *at = bytes;
    while (size >= need &&
           (at = memchr(at, '2', size - need + 1 - (size_t)(at - bytes)))) {
        if (is_source_id(at)) {
            snprintf(ret_date, DATE_SIZE, "%.10s", at);
            return true;
        }
        at++;
        if ((size_t)(at - bytes) > size - need) {
            break;
        }
    }
    return false;
}

/* The day of the SQLite inside a file, "" when there is none or the file cannot be read. */
static int find_date(struct bk__job *job, const char *path, char ret_date[DATE_SIZE]) {
    char *piece = malloc(2 * PIECE);
    int fd = piece == NULL ? -1 : bk__file_open_read(path);
    size_t kept = 0;
    int64_t got = fd < 0 ? 0 : 1;
    int rc = piece == NULL ? bk__fail_memory() : 0;
    ret_date[0] = '\0';
    while (rc == 0 && got > 0 && ret_date[0] == '\0') {
        got = bk__file_read(fd, piece + kept, PIECE);
        size_t size = got > 0 ? kept + (size_t)got : 0;
        find_in(piece, size, ret_date);
        kept = size < 128 ? size : 128;
        memmove(piece, piece + size - kept, kept);
        rc = bk__job_check(job);
    }
    if (fd >= 0) {
        bk__file_close(fd);
    }
    free(piece);
    return rc;
}

static int judge(struct bk__findings *findings, const char *path, const char *date) {
    if (strcmp(date, MENDED) >= 0) {
        return bk__find(findings, (struct bk__advice){"sqlite", BK__OK, ""},
                        "The bot's SQLite (%s, sources of %s) is sound.", path, date);
    }
    return bk__find(
        findings,
        (struct bk__advice){
            "sqlite_vulnerable", BK__WARNING,
            "Update it to 3.51.3, 3.50.7, 3.44.6 or newer: Python takes it "
            "from the system, better-sqlite3, Node and Bun carry their own."},
        "The bot's SQLite (%s, sources of %s) has the WAL-reset bug: a commit may be "
        "lost "
        "when two connections of the bot checkpoint at once, unless your distribution "
        "mended it.",
        path, date);
}

int bk__doctor_sqlite(struct bk__job *job, struct bk__findings *findings) {
    char **paths = NULL;
    size_t count = 0;
    char date[DATE_SIZE];
    int rc = bk__loaded_files(&paths, &count);
    if (rc != 0) {
        return 0; /* a system that does not tell is no finding */
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = find_date(job, paths[i], date);
        if (rc == 0 && date[0] != '\0') {
            rc = judge(findings, paths[i], date);
        }
    }
    bk__file_list_free(paths, count);
    return rc;
}
