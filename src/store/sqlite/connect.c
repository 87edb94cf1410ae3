/*
 * Connections of ours: opened so that they never checkpoint the host's WAL, use little memory, wait
 * for locks only as long as they may, and stop when the job is cancelled. Not the checks of
 * the option's path: driver.c has them. Every file of the driver uses it.
 */
#include <store/sqlite/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>

#define OPERATIONS_BETWEEN_CHECKS                                                        \
    20000 /* of SQLite's virtual machine: some milliseconds */

/* SQLite asks this whenever it meets someone else's lock: 1 to try again, 0 to give up. */
static int on_busy(void *context, int count) {
    struct bk__link *link = context;
    int64_t now = bk__clock_mono();
    int64_t pause = count < 8 ? 1 + count : 20;

    if (count == 0) {
        link->wait_end = now + link->wait_ms;
    }
    if (now >= link->wait_end || bk__job_check(link->job) != 0) {
        return 0;
    }
    if (pause > link->wait_end - now) {
        pause = link->wait_end - now;
    }
    bk__clock_sleep((int)pause);
    return 1;
}

static int on_progress(void *context) {
    struct bk__link *link = context;

    return bk__job_check(link->job) != 0;
}

/* A file: URI for a path, with whatever could end or escape it written as %XX. */
static char *image_uri(const char *path) {
    struct bk__buf buf = {0};
    const char *c;

    bk__buf_text(&buf, "file:");
    for (c = path; *c != '\0'; c++) {
        if (strchr("%?#", *c) != NULL) {
            bk__buf_printf(&buf, "%%%02X", (unsigned char)*c);
        } else {
            bk__buf_add(&buf, c, 1);
        }
    }
    bk__buf_text(&buf, "?immutable=1");
    return bk__buf_take(&buf);
}

static int open_file(struct bk__link *link, enum bk__link_kind kind) {
    const int common =
        SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_PRIVATECACHE;
    const int write = common | SQLITE_OPEN_READWRITE;
    char *uri;
    int rc;

    switch (kind) {
    case BK__LINK_LIVE:
        return sqlite3_open_v2(link->path, &link->db, write, BK__VFS_READ);
    case BK__LINK_CREATE:
        return sqlite3_open_v2(link->path, &link->db, write | SQLITE_OPEN_CREATE,
                               BK__VFS_READ);
    case BK__LINK_TARGET:
        return sqlite3_open_v2(link->path, &link->db, write | SQLITE_OPEN_CREATE,
                               BK__VFS_SINK);
    case BK__LINK_IMAGE:
        break;
    }
    uri = image_uri(link->path);
    if (uri == NULL) {
        return SQLITE_NOMEM;
    }
    rc = sqlite3_open_v2(uri, &link->db, common | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
                         BK__VFS_READ);
    free(uri);
    return rc;
}

static int configure(struct bk__link *link, enum bk__link_kind kind) {
    sqlite3 *db = link->db;
    int rc;

    bk__link_guard(link);
    rc = sqlite3_db_config(db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    if (rc == SQLITE_OK) {
        rc = sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    }
    /* No pragma here that reads the bot's database: opening it must not wait for a lock. */
    if (rc == SQLITE_OK && kind == BK__LINK_TARGET) {
        rc = bk__link_exec(link, "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;"
                                 "PRAGMA locking_mode = EXCLUSIVE; " BK__SMALL_CACHE);
    }
    return rc;
}

void bk__link_guard(struct bk__link *link) {
    sqlite3_busy_handler(link->db, on_busy, link);
    sqlite3_wal_autocheckpoint(link->db, 0);
    sqlite3_progress_handler(link->db, OPERATIONS_BETWEEN_CHECKS, on_progress, link);
}

int bk__link_open(struct bk__link *ret, struct bk__job *job, const char *path,
                  enum bk__link_kind kind) {
    int rc, code;

    memset(ret, 0, sizeof(*ret));
    ret->job = job;
    ret->wait_ms = bk__config_int(bk__job_config(job), BK__OPT_BUSY_WAIT);
    ret->path = strdup(path);
    if (ret->path == NULL) {
        return bk__fail_memory();
    }
    rc = bk__sqlite_vfs();
    if (rc == SQLITE_OK) {
        rc = open_file(ret, kind);
    }
    if (rc == SQLITE_OK) {
        rc = configure(ret, kind);
    }
    if (rc == SQLITE_OK) {
        return 0;
    }
    code =
        bk__link_fail(ret, rc, kind == BK__LINK_TARGET ? "cannot create" : "cannot open");
    bk__link_close(ret);
    return code;
}

void bk__link_close(struct bk__link *link) {
    sqlite3_close(link->db);
    free(link->path);
    memset(link, 0, sizeof(*link));
}

int bk__link_exec(struct bk__link *link, const char *sql) {
    return sqlite3_exec(link->db, sql, NULL, NULL, NULL);
}

/* The first row of a query, or SQLITE_EMPTY. The caller finalizes *ret in any case. */
static int first_row(struct bk__link *link, const char *sql, sqlite3_stmt **ret) {
    int rc = sqlite3_prepare_v2(link->db, sql, -1, ret, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_step(*ret);
    }
    if (rc == SQLITE_DONE) {
        return SQLITE_EMPTY;
    }
    return rc == SQLITE_ROW ? SQLITE_OK : rc;
}

int bk__link_int(struct bk__link *link, const char *sql, int64_t *ret) {
    sqlite3_stmt *statement = NULL;
    int rc = first_row(link, sql, &statement);

    if (rc == SQLITE_OK) {
        *ret = sqlite3_column_int64(statement, 0);
    }
    sqlite3_finalize(statement);
    return rc;
}

int bk__link_text(struct bk__link *link, const char *sql, char *ret, size_t size) {
    sqlite3_stmt *statement = NULL;
    int rc = first_row(link, sql, &statement);

    if (rc == SQLITE_OK) {
        const unsigned char *text = sqlite3_column_text(statement, 0);
        snprintf(ret, size, "%s", text == NULL ? "" : (const char *)text);
    }
    sqlite3_finalize(statement);
    return rc;
}

int bk__link_lock(struct bk__link *link) {
    sqlite3_file *file = NULL;
    int rc = sqlite3_file_control(link->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);

    if (rc != SQLITE_OK) {
        return rc;
    }
    if (file == NULL || file->pMethods == NULL) {
        return SQLITE_CANTOPEN;
    }
    rc = file->pMethods->xLock(file, SQLITE_LOCK_SHARED);
    if (rc == SQLITE_OK) {
        rc = file->pMethods->xLock(file, SQLITE_LOCK_EXCLUSIVE);
    }
    if (rc != SQLITE_OK) {
        file->pMethods->xUnlock(file, SQLITE_LOCK_NONE);
        return (rc & 0xff) == SQLITE_BUSY ? SQLITE_BUSY : rc;
    }
    link->locked = file;
    return SQLITE_OK;
}

void bk__link_unlock(struct bk__link *link) {
    if (link->locked != NULL) {
        link->locked->pMethods->xUnlock(link->locked, SQLITE_LOCK_NONE);
        link->locked = NULL;
    }
}
