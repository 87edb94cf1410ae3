/*
 * Connecting and asking, both in small waits so that a cancel is heard and nothing hangs on a dead
 * network; SQLSTATEs as our errors. Not libpq itself (pq.c) nor what is asked.
 * The other files of this driver call it.
 */
#include <store/postgres/link.h>

#include <ctype.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>
#include <store/postgres/target.h>

#define CONNECT_MS 15000
#define PIECE_MS 50
#define CANCEL_MS 5000 /* for the server to give up a question */

/* ---- errors ----------------------------------------------------------------------------- */

/* States by their beginning; the first that fits. */
static const struct {
    const char *state;
    int code;
    const char *advice;
} meanings[] = {
    {"3D000", BK_ENOTFOUND, "Check the database's name in the URL."},
    {"28", BK_EDENIED,
     "Check user and password in the URL, and the server's pg_hba.conf."},
    {"42501", BK_EDENIED, "Give this user the right, or use the database's owner."},
    {"25006", BK_EUNSUPPORTED,
     "It only reads: a standby, or default_transaction_read_only. Restore into the "
     "server that is written to, as a user who may write."},
    {"53100", BK_ENOSPC, "Free space on the server's disk."},
    {"53300", BK_EBUSY, "Close other connections, or raise max_connections."},
    {"57P03", BK_EBUSY, "Try again when the server has started."},
    {"55P03", BK_EBUSY, "Try again when what holds it has ended, or raise busy.wait."},
    {"55", BK_EBUSY, "Try again when what holds it has ended."},
    {"40", BK_EBUSY, "Try again."},
    {"XX001", BK_ECORRUPT, "Restore the newest backup, and look at the server's disk."},
    {"XX002", BK_ECORRUPT, "Restore the newest backup, and look at the server's disk."},
    {"", BK_EIO, "Look at the server and its log."},
};

/* One line, without the place in the server's sources that a verbose message ends with. */
static char *tidy(const char *message) {
    struct bk__buf line = {0};
    for (const char *at = message; *at != '\0';) {
        size_t size = strcspn(at, "\n");
        if (size > 0 && !bk__text_starts(at, "LOCATION: ")) {
            bk__buf_text(&line, line.size > 0 ? "; " : "");
            bk__buf_add(&line, at, size);
        }
        at += size;
        at += *at == '\n';
    }
    char *text = bk__buf_take(&line);
    char *clean = text == NULL ? NULL : bk__text_clean(text);
    bk__buf_free(&line);
    free(text);
    return clean;
}

/* A failed connection gives its state only inside a verbose message: "FATAL:  28P01: ...". */
static void find_state(const char *message, char ret[6]) {
    for (const char *at = strstr(message, ":  "); at != NULL;
         at = strstr(at + 1, ":  ")) {
        size_t size = 0;
        while (isdigit((unsigned char)at[3 + size]) ||
               isupper((unsigned char)at[3 + size])) {
            size++;
        }
        if (size == 5 && at[8] == ':') {
            snprintf(ret, 6, "%.5s", at + 3);
            return;
        }
    }
}

static int fail(struct bk__pg_link *link, const char *doing, const char *message) {
    size_t i = 0;
    while (!bk__text_starts(link->state, meanings[i].state)) {
        i++;
    }
    char *why = tidy(message);
    int rc = bk__fail(meanings[i].code, "%s %.300s: %.900s. %s", doing, link->shown,
                      why == NULL ? "out of memory" : why, meanings[i].advice);
    free(why);
    return rc;
}

bool bk__pg_state_is(const struct bk__pg_link *link, const char *state) {
    return strcmp(link->state, state) == 0;
}

/* ---- connecting --------------------------------------------------------------------------- */

static int too_late(struct bk__pg_link *link, int64_t waited) {
    return bk__fail(BK_EIO,
                    "The server of %.300s did not answer in %lld s. Nothing was changed. "
                    "Look whether it runs and the network leads there.",
                    link->shown, (long long)(waited / 1000));
}

static int poll_connection(struct bk__pg_link *link) {
    int64_t start = bk__clock_mono();
    int64_t most = link->patience_ms > 0 ? link->patience_ms : CONNECT_MS;
    PostgresPollingStatusType step = PGRES_POLLING_WRITING;
    while (step != PGRES_POLLING_OK && step != PGRES_POLLING_FAILED) {
        struct pollfd wait = {.fd = link->pq.socket(link->conn),
                              .events = step == PGRES_POLLING_READING ? POLLIN : POLLOUT};
        int rc = link->job == NULL ? 0 : bk__job_check(link->job);
        if (rc != 0) {
            return rc;
        }
        if (poll(&wait, 1, PIECE_MS) > 0) {
            step = link->pq.connectPoll(link->conn);
        } else if (bk__clock_mono() - start > most) {
            return too_late(link, most);
        }
    }
    if (step == PGRES_POLLING_OK) {
        return 0;
    }
    const char *message = link->pq.errorMessage(link->conn);
    find_state(message, link->state);
    if (link->pq.connectionNeedsPassword(link->conn)) {
        return bk__fail(BK_EDENIED,
                        "Cannot connect to %.300s: the server wants a password, and none "
                        "was found. Nothing was touched. Give it in the URL, or in "
                        "~/.pgpass, which only its owner may read (chmod 600).",
                        link->shown);
    }
    return fail(link, "Cannot connect to", message);
}

static void ignore_notice(void *context, const char *message) {
    (void)context;
    (void)message;
}

/* No packet was sent yet: it is the URL, or there is no such host. */
static int cannot_begin(struct bk__pg_link *link, const char *message) {
    if (strstr(message, "invalid ") == NULL && strstr(message, "service") == NULL) {
        return fail(link, "Cannot connect to", message);
    }
    char *why = tidy(message);
    int rc = bk__fail(BK_EINVAL,
                      "Cannot connect to %.300s: %.300s. Nothing was touched. Correct "
                      "the option database.",
                      link->shown, why == NULL ? "out of memory" : why);
    free(why);
    return rc;
}

static int connect(struct bk__pg_link *link, const struct bk__pg_target *target,
                   const char *database) {
    const char *keywords[BK__PG_KEYWORDS + 3] = {"fallback_application_name"};
    const char *values[BK__PG_KEYWORDS + 3] = {"botkeep"};
    int count = 1;
    for (int i = 0; i < target->count; i++) {
        if (database == NULL || strcmp(target->keywords[i], "dbname") != 0) {
            keywords[count] = target->keywords[i];
            values[count++] = target->values[i];
        }
    }
    if (database != NULL) {
        keywords[count] = "dbname";
        values[count] = database;
    }
    link->conn = link->pq.connectStartParams(keywords, values, 0);
    if (link->conn == NULL) {
        return bk__fail_memory();
    }
    if (link->pq.status(link->conn) == CONNECTION_BAD) {
        return cannot_begin(link, link->pq.errorMessage(link->conn));
    }
    link->pq.setNoticeProcessor(link->conn, ignore_notice, NULL);
    link->pq.setErrorVerbosity(link->conn, PQERRORS_VERBOSE);
    int rc = poll_connection(link);
    if (rc == 0) {
        link->pq.setErrorVerbosity(link->conn, PQERRORS_DEFAULT);
    }
    return rc;
}

int bk__pg_link_open(struct bk__pg_link *ret, struct bk__job *job,
                     const struct bk__pg_target *target, const char *database) {
    struct bk__pg_link link = {
        .job = job, .shown = target->shown, .patience_ms = ret->patience_ms};
    int rc = bk__pq_load(&link.pq);
    if (rc == 0) {
        rc = connect(&link, target, database);
    }
    if (rc == 0) {
        rc = bk__pg_do(&link,
                       "SET client_encoding = 'UTF8'; SET search_path = ''; "
                       "SET standard_conforming_strings = on; SET row_security = off; "
                       "SET statement_timeout = 0; SET extra_float_digits = 3; "
                       "SET idle_in_transaction_session_timeout = 0");
    }
    if (rc != 0) {
        memcpy(ret->state, link.state, sizeof ret->state);
        bk__pg_link_close(&link);
        return rc;
    }
    *ret = link;
    return 0;
}

void bk__pg_link_close(struct bk__pg_link *link) {
    if (link->conn != NULL) {
        link->pq.finish(link->conn);
        link->conn = NULL;
    }
}

/* ---- asking ------------------------------------------------------------------------------- */

static void stop_asking(struct bk__pg_link *link) {
    char why[256];
    PGcancel *cancel = link->pq.getCancel(link->conn);
    if (cancel != NULL) {
        link->pq.cancel(cancel, why, sizeof why);
        link->pq.freeCancel(cancel);
    }
}

/* Why the wait for an answer should end early: 0, or what the question then returns. */
static int interrupted(struct bk__pg_link *link, int64_t start) {
    int rc = link->job == NULL ? 0 : bk__job_check(link->job);
    if (rc == 0 && link->meanwhile != NULL) {
        rc = link->meanwhile(link->context);
    }
    if (rc == 0 && link->patience_ms > 0 &&
        bk__clock_mono() - start > link->patience_ms) {
        rc = too_late(link, link->patience_ms);
    }
    return rc;
}

/* Waits until a result can be taken. A question that is given up is cancelled at the server, whose
   last word is still waited for, so that the connection can be used again. */
static int await(struct bk__pg_link *link, int *stopped) {
    int64_t start = bk__clock_mono();
    while (link->pq.isBusy(link->conn)) {
        struct pollfd from = {.fd = link->pq.socket(link->conn), .events = POLLIN};
        int ready = poll(&from, 1, PIECE_MS);
        if (ready > 0 && !link->pq.consumeInput(link->conn)) {
            return fail(link, "The connection was lost to",
                        link->pq.errorMessage(link->conn));
        }
        if (*stopped != 0 && bk__clock_mono() - start > CANCEL_MS) {
            return *stopped;
        }
        if (*stopped == 0 && ready <= 0) {
            *stopped = interrupted(link, start);
            if (*stopped != 0) {
                stop_asking(link);
                start = bk__clock_mono();
            }
        }
    }
    return 0;
}

static int judge(struct bk__pg_link *link, PGresult *result) {
    ExecStatusType status = link->pq.resultStatus(result);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK ||
        status == PGRES_EMPTY_QUERY) {
        return 0;
    }
    const char *state = link->pq.resultErrorField(result, PG_DIAG_SQLSTATE);
    snprintf(link->state, sizeof link->state, "%s", state == NULL ? "" : state);
    return fail(link, "The server refused a statement in",
                link->pq.errorMessage(link->conn));
}

/* All results of what was sent: the first error, else the last rows. */
static int collect(struct bk__pg_link *link, PGresult **ret) {
    PGresult *last = NULL;
    int rc = 0, stopped = 0;
    for (;;) {
        int lost = await(link, &stopped);
        PGresult *next = lost == 0 ? link->pq.getResult(link->conn) : NULL;
        if (next == NULL) {
            rc = rc == 0 ? lost : rc;
            break;
        }
        if (rc == 0 && stopped == 0) {
            rc = judge(link, next); /* what was given up keeps its own reason */
        }
        link->pq.clear(last);
        last = next;
    }
    if (stopped != 0) {
        rc = stopped;
    }
    if (rc != 0 || ret == NULL) {
        link->pq.clear(last);
    } else {
        *ret = last;
    }
    return rc;
}

int bk__pg_ask(struct bk__pg_link *link, const char *sql, const char *const *values,
               PGresult **ret) {
    int count = 0;
    while (values != NULL && values[count] != NULL) {
        count++;
    }
    link->state[0] = '\0';
    int sent = count > 0 ? link->pq.sendQueryParams(link->conn, sql, count, NULL, values,
                                                    NULL, NULL, 0)
                         : link->pq.sendQuery(link->conn, sql);
    if (!sent) {
        return fail(link, "The connection was lost to",
                    link->pq.errorMessage(link->conn));
    }
    return collect(link, ret);
}

int bk__pg_do(struct bk__pg_link *link, const char *format, ...) {
    struct bk__buf sql = {0};
    va_list args;
    va_start(args, format);
    bk__buf_vprintf(&sql, format, args);
    va_end(args);
    int rc = sql.failed ? bk__fail_memory() : bk__pg_ask(link, sql.data, NULL, NULL);
    bk__buf_free(&sql);
    return rc;
}

int bk__pg_text(struct bk__pg_link *link, const char *sql, const char *const *values,
                char **ret) {
    PGresult *rows = NULL;
    int rc = bk__pg_ask(link, sql, values, &rows);
    if (rc != 0) {
        return rc;
    }
    *ret = strdup(link->pq.ntuples(rows) > 0 ? link->pq.getvalue(rows, 0, 0) : "");
    link->pq.clear(rows);
    return *ret == NULL ? bk__fail_memory() : 0;
}

int bk__pg_int(struct bk__pg_link *link, const char *sql, const char *const *values,
               int64_t *ret) {
    char *text = NULL;
    int rc = bk__pg_text(link, sql, values, &text);
    *ret = 0;
    if (rc == 0 && *text != '\0' && !bk__text_int(text, ret)) {
        rc = bk__fail(BK_EINTERNAL,
                      "The server's answer \"%.40s\" is no number. Please "
                      "report it.",
                      text);
    }
    free(text);
    return rc;
}

const char *bk__pg_server(const struct bk__pg_link *link) {
    const char *version = link->pq.parameterStatus(link->conn, "server_version");
    return version == NULL ? "" : version;
}

/* ---- quoting ------------------------------------------------------------------------------ */

static char *quoted(const char *text, char sign) {
    struct bk__buf out = {0};
    bk__buf_add(&out, &sign, 1);
    for (; *text != '\0'; text++) {
        bk__buf_add(&out, text, 1);
        if (*text == sign) {
            bk__buf_add(&out, text, 1);
        }
    }
    bk__buf_add(&out, &sign, 1);
    char *whole = bk__buf_take(&out);
    bk__buf_free(&out);
    if (whole == NULL) {
        bk__fail_memory();
    }
    return whole;
}

char *bk__pg_name(const char *name) {
    return quoted(name, '"');
}

char *bk__pg_literal(const char *text) {
    return quoted(text, '\'');
}
