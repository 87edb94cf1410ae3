/*
 * One batch: everything one migrate.up is about, from the lock to the last commit. up.c
 * makes it, apply.c runs it, failure.c undoes it and says why. Nobody else includes this.
 */
#ifndef BK_MIGRATE_BATCH_H
#define BK_MIGRATE_BATCH_H

#include <stdbool.h>
#include <stdint.h>

#include <migrate/migrate.h>
#include <store/store.h>

struct bk__batch {
    struct bk__job *job;
    const char *database;
    int64_t to; /* the highest version to apply */
    int64_t started_mono;

    struct bk__migrations files;
    struct bk__store *store; /* NULL while it is closed for a restore */
    struct bk__history history;
    struct bk__migration_plan plan; /* as of the last look under the lock */

    bool created;   /* there was no database before */
    bool fresh;     /* it held no table before */
    bool committed; /* something of this batch has been committed */
    bool partial;   /* a transaction:false file has begun and not ended */
    char *backup;   /* its name; NULL: none was made */

    struct json_object *applied; /* {version, name, ms} of what is committed */
    int64_t total;

    /* Where it failed. */
    const struct bk__migration *first; /* of the open transaction */
    const struct bk__migration *at;    /* NULL: in no file */
    bool at_commit; /* not in a file: when all from first to at was committed */
    struct bk__script_error error;
    int64_t at_started_ms;
    char *why; /* the error's text, kept from being overwritten */
};

/* ---- up.c */

/* Reads the history again and plans again. BK_EMIGRATION when there are problems. */
int bk__batch_look(struct bk__batch *b);

/* How many pending migrations are to be applied now. */
size_t bk__batch_due(const struct bk__batch *b);

/* Keeps the thread's error text in b->why; returns code. */
int bk__batch_keep_error(struct bk__batch *b, int code);

/* ---- apply.c */

/* Applies all that is due. On failure what was open is rolled back and b says where it
 * failed. */
int bk__apply_due(struct bk__batch *b);

/* ---- failure.c */

/* Puts the state before the batch back, logs the attempt, sets the whole error text;
   returns the error for the operation. */
int bk__failure_undo(struct bk__batch *b, int code);

/* The process died in a transaction:false file: puts the state before that batch back. */
int bk__failure_recover(struct bk__batch *b);

#endif
