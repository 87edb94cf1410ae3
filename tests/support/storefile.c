/*
 * The bot's side of tests of the store room. The child is this same program, started anew: a fork
 * would share the books of the parent's SQLite. Tests of the store room use it.
 */
#include "storefile.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void need(bool good, const char *what, const char *why) {
    if (!good) {
        fprintf(stderr, "storefile: %s: %s\n", what, why);
        exit(99);
    }
}

sqlite3 *storefile_open(const char *path) {
    sqlite3 *db = NULL;
    int rc =
        sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix");

    need(rc == SQLITE_OK, path, sqlite3_errmsg(db));
    /* Waiting for a lock in SQLite is not fair: beside a loop of checkpoints a writer has starved for
       ten seconds. */
    sqlite3_busy_timeout(db, 100000);
    /* The tests kill processes, not machines. */
    need(sqlite3_exec(db, "PRAGMA synchronous = OFF", NULL, NULL, NULL) != SQLITE_NOMEM,
         path, "out of memory");
    return db;
}

void storefile_exec(sqlite3 *db, const char *sql) {
    char *why = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        need(false, sql, why);
    }
}

static sqlite3_stmt *first_row(sqlite3 *db, const char *sql) {
    sqlite3_stmt *row = NULL;

    need(sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK, sql,
         sqlite3_errmsg(db));
    need(sqlite3_step(row) == SQLITE_ROW, sql, sqlite3_errmsg(db));
    return row;
}

int64_t storefile_int(sqlite3 *db, const char *sql) {
    sqlite3_stmt *row = first_row(db, sql);
    int64_t value = sqlite3_column_int64(row, 0);

    sqlite3_finalize(row);
    return value;
}

void storefile_text(sqlite3 *db, const char *sql, char *ret, size_t size) {
    sqlite3_stmt *row = first_row(db, sql);

    snprintf(ret, size, "%s", (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
}

void storefile_make(const char *path, const char *sql) {
    sqlite3 *db = storefile_open(path);

    storefile_exec(db, sql);
    sqlite3_close(db);
}

int64_t storefile_read(const char *path, const char *sql) {
    sqlite3 *db = storefile_open(path);
    int64_t value = storefile_int(db, sql);

    sqlite3_close(db);
    return value;
}

static const char *beside(const char *path, const char *side) {
    static char name[4200];

    snprintf(name, sizeof(name), "%s%s", path, side);
    return name;
}

bool storefile_exists(const char *path, const char *side) {
    return access(beside(path, side), F_OK) == 0;
}

int64_t storefile_size(const char *path, const char *side) {
    struct stat st;

    return stat(beside(path, side), &st) == 0 ? st.st_size : -1;
}

uint64_t storefile_sum(const char *path, const char *side) {
    uint64_t sum = 14695981039346656037u;
    FILE *file = fopen(beside(path, side), "rb");
    int c;

    need(file != NULL, path, strerror(errno));
    while ((c = getc(file)) != EOF) {
        sum = (sum ^ (uint64_t)c) * 1099511628211u;
    }
    fclose(file);
    return sum;
}

void storefile_write(const char *path, const char *bytes, size_t size) {
    FILE *file = fopen(path, "wb");

    need(file != NULL && fwrite(bytes, 1, size, file) == size && fclose(file) == 0, path,
         "cannot be written");
}

void storefile_copy(const char *from, const char *to) {
    FILE *in = fopen(from, "rb");
    FILE *out = fopen(to, "wb");
    char piece[65536];
    size_t got;

    need(in != NULL && out != NULL, from, "cannot be copied");
    while ((got = fread(piece, 1, sizeof(piece), in)) > 0) {
        need(fwrite(piece, 1, got, out) == got, to, "cannot be written");
    }
    fclose(in);
    need(fclose(out) == 0, to, "cannot be written");
}

/* ---- the child ---------------------------------------------------------------------- */

static void say_ready(void) {
    need(write(STDOUT_FILENO, "r", 1) == 1, "child", "nobody listens");
}

static void write_for_ever(sqlite3 *db) {
    for (int i = 0;; i++) {
        storefile_exec(db,
                       "BEGIN IMMEDIATE; UPDATE counter SET n = n + 1; INSERT INTO log "
                       "SELECT n, randomblob(300) FROM counter; COMMIT");
        if (i == 20) {
            say_ready();
        }
    }
}

/* Two pages change in each transaction, and checkpoints of every kind run all the time. */
static void transfer_for_ever(sqlite3 *db) {
    static const char *const checkpoints[] = {"PASSIVE", "FULL", "RESTART", "TRUNCATE"};
    char sql[300];

    storefile_exec(db, "PRAGMA wal_autocheckpoint = 20");
    sqlite3_busy_timeout(db, 0);
    for (unsigned i = 0;; i++) {
        snprintf(sql, sizeof(sql),
                 "BEGIN IMMEDIATE; UPDATE account SET v = v - 1 WHERE id = %u; UPDATE "
                 "account SET "
                 "v = v + 1 WHERE id = %u; COMMIT",
                 1 + i * 7919 % 3000, 1 + i * 104729 % 3000);
        storefile_exec(db, sql);
        if (i % 50 == 0) {
            snprintf(sql, sizeof(sql), "PRAGMA wal_checkpoint(%s)",
                     checkpoints[i / 50 % 4]);
            sqlite3_exec(db, sql, NULL, NULL, NULL); /* readers may be in its way */
        }
        if (i == 100) {
            say_ready();
        }
    }
}

void storefile_child(int argc, char **argv) {
    sqlite3 *db;

    if (argc != 3 || strncmp(argv[1], "--child-", 8) != 0) {
        return;
    }
    db = storefile_open(argv[2]);
    if (strcmp(argv[1], "--child-write") == 0) {
        write_for_ever(db);
    }
    if (strcmp(argv[1], "--child-transfer") == 0) {
        transfer_for_ever(db);
    }
    storefile_int(db, "SELECT count(*) FROM sqlite_schema");
    if (strcmp(argv[1], "--child-lock") == 0) {
        storefile_exec(db, "BEGIN EXCLUSIVE");
    }
    say_ready();
    for (;;) {
        pause();
    }
}

pid_t storefile_start(const char *what, const char *path) {
    char mode[32];
    char ready;
    int ends[2];
    pid_t child;

    snprintf(mode, sizeof(mode), "--child-%s", what);
    need(pipe(ends) == 0, "pipe", strerror(errno));
    child = fork();
    need(child >= 0, "fork", strerror(errno));
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execl("/proc/self/exe", "child", mode, path, (char *)NULL);
        _exit(98);
    }
    close(ends[1]);
    need(read(ends[0], &ready, 1) == 1, what, "the child did not start");
    close(ends[0]);
    return child;
}

void storefile_kill(pid_t child) {
    int status = 0;

    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    need(WIFSIGNALED(status), "child", "it ended before it was killed");
}
