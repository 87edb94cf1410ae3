/*
 * A script of SQL, statement by statement, split by SQLite's own parser. Not which scripts run, nor
 * their transaction: migrate and transaction.c. Migrate calls it through store.h.
 */
#include <store/sqlite/internal.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>

/* Where a script is, and what its statements may not do. */
struct run {
    struct bk__link *link;
    const char *begin;   /* of the whole script */
    const char *at;      /* of the present statement's first token */
    const char *tail;    /* what SQLite has not read yet */
    const char *counted; /* lines are counted up to here */
    int line;
    int statement;
    bool in_transaction;
    const char *refused; /* why the authorizer said no, NULL: it did not */
};

static const char *refusal(const struct run *run, int action, const char *argument) {
    if (action == SQLITE_TRANSACTION && run->in_transaction) {
        return "a migration must not BEGIN, COMMIT or ROLLBACK: the whole file already "
               "runs in "
               "one transaction";
    }
    /* VACUUM attaches a file without a name. */
    if ((action == SQLITE_ATTACH && (argument == NULL || *argument != '\0')) ||
        action == SQLITE_DETACH) {
        return "a migration must not ATTACH, DETACH or VACUUM INTO: it works on the "
               "bot's "
               "database alone";
    }
    return NULL;
}

static int on_authorize(void *context, int action, const char *first, const char *second,
                        const char *database, const char *trigger) {
    struct run *run = context;
    const char *why = refusal(run, action, first);

    (void)second;
    (void)database;
    (void)trigger;
    if (why == NULL) {
        return SQLITE_OK;
    }
    run->refused = why;
    return SQLITE_DENY;
}

/* Over blanks, comments and empty statements to the first token of the next statement. */
static const char *first_token(const char *sql) {
    for (;;) {
        const char *end;

        sql += strspn(sql, " \t\r\n\f\v;");
        if (sql[0] == '-' && sql[1] == '-') {
            sql += strcspn(sql, "\n");
        } else if (sql[0] == '/' && sql[1] == '*') {
            end = strstr(sql + 2, "*/");
            sql = end == NULL ? sql + strlen(sql) : end + 2;
        } else {
            return sql;
        }
    }
}

static int line_of(struct run *run, const char *place) {
    int line = run->line;
    const char *c;

    for (c = run->counted; c < place; c++) {
        line += *c == '\n';
    }
    return line;
}

/*
 * Where the statement that failed ends, its semicolon and blanks left out. Where SQLite could not
 * read it, tail is the place at which it gave up.
 */
static const char *end_of(const char *at, const char *tail) {
    if (tail <= at) {
        return at; /* behind the last statement */
    }
    if (tail[-1] != ';') {
        tail += strcspn(tail, ";");
    }
    while (tail > at && strchr("; \t\r\n", tail[-1]) != NULL) {
        tail--;
    }
    return tail;
}

/* The statement's beginning on one line, cut between characters. */
static void quote(const char *from, const char *end, char *ret, size_t size) {
    size_t length = (size_t)(end - from);
    size_t n = 0;

    while (n < length && n < size - 1) {
        ret[n] = iscntrl((unsigned char)from[n]) ? ' ' : from[n];
        n++;
    }
    if (n < length) {
        while (n > 0 && ((unsigned char)from[n] & 0xc0) == 0x80) {
            n--;
        }
    }
    ret[n] = '\0';
}

static int fail_statement(struct run *run, struct bk__script_error *ret) {
    return bk__fail(
        BK_EMIGRATION,
        "statement %d at line %d failed: %s. What ran in its transaction was rolled "
        "back. Correct the file and run it again.",
        run->statement, run->line, ret->why);
}

/* Fills *ret and gives the error; rc is SQLite's, why replaces SQLite's message. */
static int failed(struct run *run, int rc, const char *why,
                  struct bk__script_error *ret) {
    int primary = rc & 0xff;

    ret->line = run->line;
    ret->statement = run->statement;
    quote(run->at, end_of(run->at, run->tail), ret->text, sizeof(ret->text));
    if (why == NULL) {
        why = run->refused != NULL ? run->refused : sqlite3_errmsg(run->link->db);
    }
    snprintf(ret->why, sizeof(ret->why), "%s", why);
    if (primary == SQLITE_ERROR || primary == SQLITE_CONSTRAINT ||
        primary == SQLITE_AUTH || primary == SQLITE_MISMATCH ||
        primary == SQLITE_TOOBIG || primary == SQLITE_RANGE || primary == SQLITE_ABORT ||
        primary == SQLITE_MISUSE) {
        return bk__job_check(run->link->job) != 0 ? BK_ECANCELLED
                                                  : fail_statement(run, ret);
    }
    return bk__link_fail(run->link, rc, "cannot migrate");
}

static int run_one(struct run *run, struct bk__script_error *ret_error) {
    sqlite3_stmt *statement = NULL;
    int rc;

    run->refused = NULL;
    rc = sqlite3_prepare_v2(run->link->db, run->at, -1, &statement, &run->tail);
    if (rc == SQLITE_OK && statement == NULL) {
        return 0;
    }
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(statement);
    }
    if (rc != SQLITE_DONE) {
        int code = failed(run, rc, NULL, ret_error);
        sqlite3_finalize(statement);
        return code;
    }
    sqlite3_finalize(statement);
    if (run->in_transaction && sqlite3_get_autocommit(run->link->db) != 0) {
        return failed(run, SQLITE_ERROR,
                      "the statement ended the migration's transaction", ret_error);
    }
    return 0;
}

static int run_all(struct run *run, struct bk__script_error *ret_error) {
    int64_t size = (int64_t)strlen(run->begin);
    int code = 0;

    while (code == 0) {
        code = bk__job_check(run->link->job);
        run->at = first_token(run->tail);
        if (code != 0 || *run->at == '\0') {
            break;
        }
        run->line = line_of(run, run->at);
        run->counted = run->at;
        run->statement++;
        bk__job_progress(run->link->job, "script", run->at - run->begin, size);
        code = run_one(run, ret_error);
    }
    if (code == 0 && !run->in_transaction && sqlite3_get_autocommit(run->link->db) == 0) {
        code = failed(run, SQLITE_ERROR,
                      "the script ends inside a transaction that it began", ret_error);
    }
    return code;
}

/* What a script may have set on our connection must not reach what runs after it. */
static void put_back(struct bk__link *link, bool keys, bool in_transaction) {
    sqlite3_set_authorizer(link->db, NULL, NULL);
    sqlite3_progress_handler(link->db, 0, NULL,
                             NULL); /* also when the job is cancelled */
    bk__link_exec(link, "PRAGMA query_only = OFF; PRAGMA writable_schema = OFF; "
                        "PRAGMA ignore_check_constraints = OFF; "
                        "PRAGMA legacy_alter_table = OFF; " BK__SMALL_CACHE);
    if (!in_transaction) {
        if (sqlite3_get_autocommit(link->db) == 0) {
            bk__link_exec(link, "ROLLBACK");
        }
        bk__link_exec(link, "PRAGMA synchronous = FULL");
        bk__link_exec(link,
                      keys ? "PRAGMA foreign_keys = ON" : "PRAGMA foreign_keys = OFF");
    }
    bk__link_guard(link);
}

int bk__sqlite_script(struct bk__store *store, const char *sql, bool in_transaction,
                      struct bk__script_error *ret_error) {
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;
    struct run run = {.link = &sqlite->link, .line = 1, .in_transaction = sqlite->ours};
    int64_t keys = 0;
    int code;

    memset(ret_error, 0, sizeof(*ret_error));
    if (in_transaction && !sqlite->ours) {
        return bk__fail(BK_EINTERNAL,
                        "a script was to run in a transaction, but none is open. "
                        "Nothing was changed. Please report this.");
    }
    if (strncmp(sql, "\xef\xbb\xbf", 3) == 0) {
        sql += 3; /* a byte order mark, as some editors leave it */
    }
    run.begin = run.counted = run.tail = sql;
    bk__link_int(&sqlite->link, "PRAGMA foreign_keys", &keys);
    sqlite3_set_authorizer(sqlite->link.db, on_authorize, &run);
    code = run_all(&run, ret_error);
    put_back(&sqlite->link, keys != 0, sqlite->ours);
    return code;
}
