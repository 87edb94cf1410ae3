/*
 * A copied database and what was copied beside it become one file, by SQLite's own recovery. Not
 * for a database that anybody has open. Backup calls it through store.h for other tools' copies.
 */
#include <store/sqlite/internal.h>

#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>
#include <os/file.h>

#define DOING "cannot recover the copy"

/* What is damaged here is the copy, whatever the text for the bot's own database would say. */
static int fail(struct bk__link *link, int rc) {
    int primary = rc & 0xff;

    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB) {
        return bk__fail(
            BK_ECORRUPT,
            "the copy is no whole database together with what was copied beside "
            "it: %s. The bot's database was not touched. Use another backup.",
            sqlite3_errmsg(link->db));
    }
    return bk__link_fail_scratch(link, rc, DOING);
}

/* Reading rolls a hot journal back; the checkpoint takes the whole -wal in. The header's "WAL" stays,
   as the bot's own database has it. */
static int recover(struct bk__link *link) {
    int64_t ignored = 0;
    int64_t busy = 0;
    /* Nobody else has the copy: the index of the -wal needs no file. */
    int rc = bk__link_exec(link, "PRAGMA locking_mode = EXCLUSIVE; " BK__SMALL_CACHE);

    if (rc == SQLITE_OK) {
        rc = bk__link_int(link, "SELECT count(*) FROM sqlite_schema", &ignored);
    }
    if (rc == SQLITE_OK) {
        rc = bk__link_int(link, "PRAGMA wal_checkpoint(TRUNCATE)", &busy);
    }
    if (rc == SQLITE_OK && busy != 0) {
        rc = SQLITE_BUSY;
    }
    return rc == SQLITE_OK ? 0 : fail(link, rc);
}

/* Everything is in the main file now. */
static int clear_beside(const char *path) {
    static const char *const beside[] = {"-wal", "-shm", "-journal"};

    for (size_t i = 0; i < sizeof(beside) / sizeof(beside[0]); i++) {
        char *file = bk__text_printf("%s%s", path, beside[i]);
        int err = file == NULL ? 0 : bk__file_remove(file);
        int code = file == NULL ? bk__fail_memory()
                   : err == 0   ? 0
                                : bk__fail_errno(err, "cannot remove", file, NULL);

        free(file);
        if (code != 0) {
            return code;
        }
    }
    return 0;
}

/* A journal of a transaction over several databases ends with the path of a file that SQLite would
   look into, and delete: a path of the day and the place the copy was made. */
static int check_journal(const char *path) {
    static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9,
                                           0x20, 0xa1, 0x63, 0xd7};
    unsigned char end[sizeof(magic)] = {0};
    char *journal = bk__text_printf("%s-journal", path);
    int fd = journal == NULL ? -1 : bk__file_open_read(journal);
    int64_t size = fd < 0 ? 0 : bk__file_size(fd);

    if (size > (int64_t)sizeof(end) &&
        bk__file_pread(fd, end, sizeof(end), size - (int64_t)sizeof(end)) < 0) {
        memset(end, 0, sizeof(end));
    }
    if (fd >= 0) {
        bk__file_close(fd);
    }
    free(journal);
    /* A small journal is nothing but its header, which begins with the same bytes. */
    return size > 512 && memcmp(end, magic, sizeof(magic)) == 0
               ? bk__fail(
                     BK_ECORRUPT,
                     "the copy was made in the middle of a transaction over several "
                     "databases, and cannot be recovered alone. The bot's database was "
                     "not touched. Use another backup.")
               : 0;
}

int bk__sqlite_settle(struct bk__job *job, const char *path) {
    struct bk__link link = {0};
    int code = check_journal(path);

    if (code != 0) {
        return code;
    }
    code = bk__link_open(&link, job, path, BK__LINK_LIVE);

    if (code == 0) {
        code = recover(&link);
    }
    bk__link_close(&link);
    return code != 0 ? code : clear_beside(path);
}
