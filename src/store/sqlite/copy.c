/*
 * SQLite's backup API from one connection of ours into another, in steps of about a megabyte, with
 * progress and cancel. Which of the two is the bot's database is the caller's business: snapshot.c
 * and restore.c.
 */
#include <store/sqlite/internal.h>

#include <core/job.h>

#define STEP_BYTES (1024 * 1024)

static void tell(const struct bk__copy *copy, sqlite3_backup *backup) {
    int64_t total = sqlite3_backup_pagecount(backup);
    int64_t done = total - sqlite3_backup_remaining(backup);

    bk__job_progress(copy->to->job, copy->phase, done * copy->page_size,
                     total * copy->page_size);
}

/* Ends with SQLITE_DONE, or with what went wrong; *ret_code is set when it was not SQLite. */
static int steps(const struct bk__copy *copy, sqlite3_backup *backup, int *ret_code) {
    int pages = STEP_BYTES / copy->page_size;
    int rc = SQLITE_OK;

    while (rc == SQLITE_OK) {
        *ret_code = bk__job_check(copy->to->job);
        if (*ret_code == 0 && copy->between != NULL) {
            *ret_code = copy->between(copy->context);
        }
        if (*ret_code != 0) {
            return SQLITE_ABORT;
        }
        rc = sqlite3_backup_step(backup, pages);
        tell(copy, backup);
    }
    return rc;
}

int bk__sqlite_copy(const struct bk__copy *copy) {
    sqlite3_backup *backup;
    int code = 0;
    int rc, end;

    backup = sqlite3_backup_init(copy->to->db, "main", copy->from->db, "main");
    if (backup == NULL) {
        return bk__link_fail(copy->to, sqlite3_extended_errcode(copy->to->db),
                             copy->doing);
    }
    rc = steps(copy, backup, &code);
    end = sqlite3_backup_finish(backup);
    if (code != 0) {
        return code;
    }
    if (rc == SQLITE_DONE && end == SQLITE_OK) {
        return 0;
    }
    return bk__link_fail(copy->to, rc == SQLITE_DONE ? end : rc, copy->doing);
}
