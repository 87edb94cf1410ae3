/*
 * One connection to a PostgreSQL server: opened and asked without ever blocking a cancel. libpq is
 * opened with it, on first use. Not what is asked. The other files of this driver use it.
 */
#ifndef BK_STORE_POSTGRES_LINK_H
#define BK_STORE_POSTGRES_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include <postgresql/libpq-fe.h>

struct bk__job;
struct bk__pg_target;

/* The functions of libpq.so.5 that we call: return type, name without PQ, arguments. */
#define BK__PG_FUNCTIONS(F)                                                              \
    F(PGconn *, connectStartParams, (const char *const *, const char *const *, int))     \
    F(PostgresPollingStatusType, connectPoll, (PGconn *))                                \
    F(ConnStatusType, status, (const PGconn *))                                          \
    F(PGVerbosity, setErrorVerbosity, (PGconn *, PGVerbosity))                           \
    F(PQnoticeProcessor, setNoticeProcessor, (PGconn *, PQnoticeProcessor, void *))      \
    F(void, finish, (PGconn *))                                                          \
    F(PQconninfoOption *, conninfo, (PGconn *))                                          \
    F(void, conninfoFree, (PQconninfoOption *))                                          \
    F(int, connectionNeedsPassword, (const PGconn *))                                    \
    F(char *, errorMessage, (const PGconn *))                                            \
    F(int, socket, (const PGconn *))                                                     \
    F(int, serverVersion, (const PGconn *))                                              \
    F(const char *, parameterStatus, (const PGconn *, const char *))                     \
    F(char *, db, (const PGconn *))                                                      \
    F(char *, user, (const PGconn *))                                                    \
    F(char *, pass, (const PGconn *))                                                    \
    F(char *, host, (const PGconn *))                                                    \
    F(char *, hostaddr, (const PGconn *))                                                \
    F(char *, port, (const PGconn *))                                                    \
    F(int, sendQuery, (PGconn *, const char *))                                          \
    F(int, sendQueryParams,                                                              \
      (PGconn *, const char *, int, const Oid *, const char *const *, const int *,       \
       const int *, int))                                                                \
    F(int, consumeInput, (PGconn *))                                                     \
    F(int, isBusy, (PGconn *))                                                           \
    F(PGresult *, getResult, (PGconn *))                                                 \
    F(ExecStatusType, resultStatus, (const PGresult *))                                  \
    F(char *, resultErrorField, (const PGresult *, int))                                 \
    F(int, ntuples, (const PGresult *))                                                  \
    F(char *, getvalue, (const PGresult *, int, int))                                    \
    F(int, getisnull, (const PGresult *, int, int))                                      \
    F(void, clear, (PGresult *))                                                         \
    F(PGcancel *, getCancel, (PGconn *))                                                 \
    F(int, cancel, (PGcancel *, char *, int))                                            \
    F(void, freeCancel, (PGcancel *))

struct bk__pq {
#define F(type, name, arguments) type(*name) arguments;
    BK__PG_FUNCTIONS(F)
#undef F
};

/* 0, or BK_EUNSUPPORTED naming the package libpq5. */
int bk__pq_load(struct bk__pq *ret);

struct bk__pg_link {
    struct bk__pq pq;
    struct bk__job *job; /* NULL: cleaning up, which nobody cancels */
    PGconn *conn;        /* NULL: closed */
    const char *shown;   /* the URL for texts; the target's */
    int patience_ms;     /* for one answer; 0: as long as it takes */
    /* While an answer is awaited, some twenty times a second: 0 goes on, anything else ends the
       question and is what bk__pg_ask() returns. NULL: none. */
    int (*meanwhile)(void *context);
    void *context;
    char state[6]; /* the SQLSTATE of what failed last, "" for none */
};

/* database NULL: the target's own. The session reads and writes as a superuser would see it: UTF-8,
   no search_path, no row security. BK_ENOTFOUND: no such database; BK_EDENIED, BK_EBUSY, BK_EIO. */
int bk__pg_link_open(struct bk__pg_link *ret, struct bk__job *job,
                     const struct bk__pg_target *target, const char *database);
void bk__pg_link_close(struct bk__pg_link *link);

/* Runs one statement with text parameters (NULL: none, and then it may be several). Rows in *ret,
   to be cleared; ret may be NULL. On an error the transaction is as the server left it. */
int bk__pg_ask(struct bk__pg_link *link, const char *sql, const char *const *values,
               PGresult **ret);
int bk__pg_do(struct bk__pg_link *link, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* The one value of a question as text (malloc'd); NULL value: "". */
int bk__pg_text(struct bk__pg_link *link, const char *sql, const char *const *values,
                char **ret);
int bk__pg_int(struct bk__pg_link *link, const char *sql, const char *const *values,
               int64_t *ret);

/* "15.20" of the server; its series as bk__pg_series() counts. */
const char *bk__pg_server(const struct bk__pg_link *link);

/* What failed last had this SQLSTATE. */
bool bk__pg_state_is(const struct bk__pg_link *link, const char *state);

/* An identifier in quotes, a literal in quotes; NULL: out of memory, text set. */
char *bk__pg_name(const char *name);
char *bk__pg_literal(const char *text);

#endif
