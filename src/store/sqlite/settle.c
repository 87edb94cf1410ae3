/*
 * A copied database and what was copied beside it become one file, by SQLite's own recovery. Not
 * for a database that anybody has open. Backup calls it through store.h for other tools' copies.
 */
#include <store/sqlite/beside.h>
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

/* Reading rolls a hot journal back and takes in what is whole in the -wal. */
static int read_all(struct bk__link *link, int *ret_frames) {
    int64_t ignored = 0;
    /* Nobody else has the copy: the index of the -wal needs no file. */
    int rc = bk__link_exec(link, "PRAGMA locking_mode = EXCLUSIVE; " BK__SMALL_CACHE);

    if (rc == SQLITE_OK) {
        rc = bk__link_int(link, "SELECT count(*) FROM sqlite_schema", &ignored);
    }
    return rc != SQLITE_OK
               ? rc
               : sqlite3_wal_checkpoint_v2(link->db, NULL, SQLITE_CHECKPOINT_PASSIVE,
                                           ret_frames, NULL);
}

/* The header's "WAL" stays, as the bot's own database has it. */
static int recover(struct bk__link *link, const char *path, bool *ret_more) {
    int frames = 0;
    int rc = read_all(link, &frames);
    char *wal = rc == SQLITE_OK ? bk__text_printf("%s-wal", path) : NULL;

    if (rc == SQLITE_OK && wal == NULL) {
        return bk__fail_memory();
    }
    if (rc == SQLITE_OK) {
        *ret_more = bk__beside_wal(wal, frames < 0 ? 0 : frames);
        rc = sqlite3_wal_checkpoint_v2(link->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
                                       NULL);
    }
    free(wal);
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

static int check_journal(const char *path) {
    char *journal = bk__text_printf("%s-journal", path);
    const char *why = journal == NULL ? NULL : bk__beside_journal(journal);

    if (journal == NULL) {
        return bk__fail_memory();
    }
    free(journal);
    return why == NULL ? 0
                       : bk__fail(BK_ECORRUPT,
                                  "the copy cannot be recovered: %s. The bot's database "
                                  "was not touched. Use another backup.",
                                  why);
}

int bk__sqlite_settle(struct bk__job *job, const char *path, bool *ret_more) {
    struct bk__link link = {0};
    int code = check_journal(path);

    if (code == 0) {
        code = bk__link_open(&link, job, path, BK__LINK_LIVE);
    }
    if (code == 0) {
        code = recover(&link, path, ret_more);
    }
    bk__link_close(&link);
    return code != 0 ? code : clear_beside(path);
}
