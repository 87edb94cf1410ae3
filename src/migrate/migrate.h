/*
 * What the files of this room share: migrations as files, history as rows, and the plan
 * between the two. Not an interface for other rooms: they call the operations. In the
 * order of the data's way: files.c, section.c, checksum.c, history.c, plan.c, up.c,
 * apply.c, failure.c, status.c.
 */
#ifndef BK_MIGRATE_MIGRATE_H
#define BK_MIGRATE_MIGRATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <base/hash.h>

struct bk__job;
struct bk__store;
struct json_object;

/* The largest version: what a JSON number holds exactly. 14-digit timestamps fit. */
#define BK__VERSION_MAX INT64_C(9007199254740991)
#define BK__MIGRATION_LIMIT ((size_t)16 << 20)

/* ---- files.c, section.c, checksum.c: the folder ---- */

struct bk__migration {
    int64_t version;
    char *name;       /* what stands between the number and ".sql" */
    char *file;       /* the file's name in its folder */
    char *up;         /* the SQL to run */
    char *down;       /* the SQL to undo it, its marker line included; NULL: none */
    int up_line;      /* the line of the file on which up begins, from 1 */
    bool transaction; /* false: "-- migrate:up transaction:false" */
    char checksum[BK__SHA256_HEX];
};

struct bk__migrations {
    struct bk__migration *items; /* in numeric order of version, then by file name */
    size_t count;
};

/* Reads the folder. BK_ENOTFOUND: no such folder; BK_EMIGRATION, BK_EDENIED, BK_EIO name
 * a file. */
int bk__files_scan(const char *dir, struct bk__migrations *ret);
void bk__files_free(struct bk__migrations *files);

/* "0007_add_users.sql" into 7 and "add_users" (the caller frees it). NULL when it is a
   name, else what is wrong with it, a constant text. *ret_name may come back NULL: out of
   memory. */
const char *bk__files_name(const char *file, int64_t *ret_version, char **ret_name);

/* One file's text into m->up, down, up_line, transaction, checksum. m->file is set
   already and named in error texts. text has size bytes and a NUL after them. */
int bk__section_parse(struct bk__migration *m, const char *text, size_t size);

/* SHA-256 of a text that ignores a byte order mark, CR before LF, blanks at the ends of
   lines and empty lines at the end. false: out of memory. */
bool bk__checksum_text(const char *text, size_t size, char ret_hex[BK__SHA256_HEX]);

/* ---- history.c: the tables in the database ---- */

/* One row of botkeep_migrations. */
struct bk__applied {
    int64_t version;
    char *name;
    char *checksum;
    char *state; /* "applied"; "partial": a transaction:false file that began and has not
                    ended */
    char *applied_at;
    int64_t duration_ms;
};

struct bk__history {
    struct bk__applied *items; /* in numeric order */
    size_t count;
};

/* One row of botkeep_migration_log. Texts may be NULL; line and statement 0 when unknown.
 */
struct bk__attempt {
    int64_t version;
    const char *file;
    int64_t started_ms;
    int64_t ended_ms; /* 0: it has only begun */
    const char
        *outcome; /* "created" "started" "applied" "failed" "cancelled" "interrupted" */
    const char *error;
    int line;
    int statement;
    const char *statement_text;
    const char *backup;
};

/* Empty when there are no tables yet. BK_EUNSUPPORTED: written by a newer botkeep. */
int bk__history_read(struct bk__store *store, struct bk__history *ret);
void bk__history_free(struct bk__history *history);

/* These run inside the caller's transaction. prepare makes the tables where they are
   missing and brings older ones to this format. */
int bk__history_prepare(struct bk__store *store);
int bk__history_add(struct bk__store *store, const struct bk__migration *m,
                    const char *state, int64_t applied_ms, int64_t duration_ms);
int bk__history_log(struct bk__store *store, const struct bk__attempt *attempt);
int bk__history_drop(struct bk__store *store,
                     int64_t version); /* the row of botkeep_migrations */

/* Attempts that did not succeed, newest first, at most limit, appended to ret_list as
 * objects. */
int bk__history_attempts(struct bk__store *store, int limit,
                         struct json_object *ret_list);

/* What the log knows of a transaction:false file that began and has not ended. Texts are the
   caller's to free. */
struct bk__unfinished {
    int64_t started_ms;
    char *backup;  /* the batch's; NULL: there was none */
    char *outcome; /* "failed" "cancelled"; "started": the process died in it */
    char *error;   /* NULL: none */
};
void bk__unfinished_free(struct bk__unfinished *unfinished);
int bk__history_unfinished(struct bk__store *store, int64_t version,
                           struct bk__unfinished *ret);

/* ---- plan.c: files and history compared; pure ---- */

struct bk__problem {
    const char
        *code; /* "edited" "missing" "out_of_order" "newer_than_code" "duplicate" */
    int64_t version;
    const char *file; /* borrowed from the files; NULL: there is no file */
    char *message;
};

struct bk__migration_plan {
    const struct bk__migration **pending; /* borrowed from the files, in order */
    size_t pending_count;
    struct bk__problem *problems;
    size_t problem_count;
    const struct bk__applied *partial; /* borrowed from the history; NULL: none */
    size_t applied;
    int64_t current; /* the highest applied version; -1: none */
};

/* Borrows from both as long as the plan lives. false: out of memory. */
bool bk__plan_make(struct bk__migration_plan *ret, const struct bk__migrations *files,
                   const struct bk__history *history);
void bk__plan_free(struct bk__migration_plan *plan);

/* 0, or BK_EMIGRATION with every problem's message as the error text. */
int bk__plan_check(const struct bk__migration_plan *plan);

/* ---- status.c: what the operations have in common ---- */

/* The folder: the argument "dir", else the option migrate.dir. */
const char *bk__status_dir(struct bk__job *job);
/* Its files; BK_EUNSUPPORTED before anything is read where the store takes no migrations. */
int bk__status_scan(struct bk__job *job, struct bk__migrations *ret);

/* Opens the store for reading its history; *ret stays NULL when there is no database yet.
 */
int bk__status_open(struct bk__job *job, struct bk__store **ret);

/* {version, name, file, transaction}; NULL: out of memory. */
struct json_object *bk__status_pending(const struct bk__migration *m);

int bk__migrate_plan(struct bk__job *job);
int bk__migrate_status(struct bk__job *job);
int bk__migrate_up(struct bk__job *job);

#endif
