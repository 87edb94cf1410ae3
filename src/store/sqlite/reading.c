/*
 * An image opened for statements that come from outside: they can read it and do nothing else, for
 * as long as they may. Not what is done with the rows: ask.c and portion.c, which call it.
 */
#include <store/sqlite/internal.h>

#include <string.h>
#include <strings.h>

#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>

#define STEPS_BETWEEN_CHECKS 200 /* one step may make a value of many megabytes */
#define ONLY_READS "only statements that read are allowed here"

static int on_step(void *context) {
    struct bk__reading *reading = context;

    if (reading->ends != 0 && bk__clock_mono() >= reading->ends) {
        reading->late = true;
    }
    return reading->late || bk__job_check(reading->link.job) != 0;
}

/* Pragmas that tell of the schema and change nothing, whatever their argument. */
static bool is_telling(const char *pragma) {
    static const char *const telling[] = {
        "table_info",     "table_xinfo", "table_list",       "index_list",   "index_info",
        "index_xinfo",    "page_count",  "foreign_key_list", "encoding",     "page_size",
        "freelist_count", "quick_check", "integrity_check",  "data_version", NULL};
    for (int i = 0; telling[i] != NULL; i++) {
        if (strcasecmp(pragma, telling[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool bk__reading_forbids(const char *function) {
    return strcasecmp(function, "load_extension") == 0 ||
           strcasecmp(function, "fts3_tokenizer") == 0;
}

/* What would write rows is not refused here: virtual tables (FTS5, rtree) prepare such statements for
   themselves when they are first read. That the caller's own reads alone bk__reading_prepare() sees
   to, and the file is open for nothing else. */
static const char *refusal(int action, const char *first, const char *second) {
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_READ:
    case SQLITE_RECURSIVE:
    case SQLITE_INSERT:
    case SQLITE_UPDATE:
    case SQLITE_DELETE:
        return NULL;
    case SQLITE_FUNCTION:
        return second != NULL && bk__reading_forbids(second)
                   ? "load_extension() and fts3_tokenizer() are not allowed here"
                   : NULL;
    case SQLITE_PRAGMA:
        return first != NULL && is_telling(first)
                   ? NULL
                   : "of the pragmas only those that tell of the schema are allowed here";
    case SQLITE_ATTACH:
    case SQLITE_DETACH:
        return "ATTACH and DETACH are not allowed here";
    default:
        return ONLY_READS;
    }
}

static int on_authorize(void *context, int action, const char *first, const char *second,
                        const char *database, const char *trigger) {
    struct bk__reading *reading = context;
    const char *why = refusal(action, first, second);

    (void)database;
    (void)trigger;
    if (why == NULL) {
        return SQLITE_OK;
    }
    reading->refused = why;
    return SQLITE_DENY;
}

int bk__reading_open(struct bk__reading *ret, struct bk__job *job, const char *image_path,
                     int64_t limit_ms) {
    int rc;
    int code;

    memset(ret, 0, sizeof(*ret));
    code = bk__link_open(&ret->link, job, image_path, BK__LINK_IMAGE);
    if (code != 0) {
        return code;
    }
    ret->ends = limit_ms > 0 ? bk__clock_mono() + limit_ms : 0;
    rc = bk__link_exec(&ret->link, BK__SMALL_CACHE);
    sqlite3_limit(ret->link.db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_progress_handler(ret->link.db, STEPS_BETWEEN_CHECKS, on_step, ret);
    if (rc == SQLITE_OK) {
        rc = sqlite3_set_authorizer(ret->link.db, on_authorize, ret);
    }
    if (rc != SQLITE_OK) {
        code = bk__reading_fail(ret, rc);
        bk__reading_close(ret);
    }
    return code;
}

void bk__reading_close(struct bk__reading *reading) {
    bk__link_close(&reading->link);
}

int bk__reading_fail(struct bk__reading *reading, int rc) {
    int primary = rc & 0xff;

    if (bk__job_check(reading->link.job) != 0) {
        return BK_ECANCELLED;
    }
    if (reading->late) {
        return bk__fail(BK_EBUSY,
                        "The statement did not end in time and was stopped. Nothing was "
                        "changed. Ask for less, or give it more time.");
    }
    if (primary == SQLITE_NOMEM) {
        return bk__fail_memory();
    }
    if (primary == SQLITE_CORRUPT || primary == SQLITE_NOTADB ||
        primary == SQLITE_IOERR || primary == SQLITE_CANTOPEN || primary == SQLITE_FULL) {
        return bk__link_fail(&reading->link, rc, "cannot read");
    }
    return bk__fail(
        BK_EINVAL, "The statement cannot be run: %s. Nothing was changed. Correct it.",
        reading->refused != NULL ? reading->refused : sqlite3_errmsg(reading->link.db));
}

/* Nothing but blanks, comments and semicolons. */
static bool is_blank(const char *sql) {
    for (;;) {
        sql += strspn(sql, " \t\r\n\f\v;");
        if (sql[0] == '-' && sql[1] == '-') {
            sql += strcspn(sql, "\n");
        } else if (sql[0] == '/' && sql[1] == '*') {
            const char *end = strstr(sql + 2, "*/");
            sql = end == NULL ? sql + strlen(sql) : end + 2;
        } else {
            return *sql == '\0';
        }
    }
}

int bk__reading_prepare(struct bk__reading *reading, const char *sql,
                        sqlite3_stmt **ret) {
    const char *tail = NULL;
    const char *why = NULL;
    int rc = sqlite3_prepare_v2(reading->link.db, sql, -1, ret, &tail);

    if (rc != SQLITE_OK) {
        return bk__reading_fail(reading, rc);
    }
    if (*ret == NULL) {
        why = "it is empty";
    } else if (!is_blank(tail)) {
        why = "there is more than one";
    } else if (!sqlite3_stmt_readonly(*ret)) {
        why = ONLY_READS;
    } else if (sqlite3_column_count(*ret) == 0) {
        why = "it gives no rows";
    }
    if (why == NULL) {
        return 0;
    }
    sqlite3_finalize(*ret);
    *ret = NULL;
    return bk__fail(BK_EINVAL,
                    "The statement cannot be run: %s. Nothing was changed. Give one "
                    "statement that reads.",
                    why);
}
