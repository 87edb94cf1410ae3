/*
 * A store: one thing that holds the bot's data, behind one interface. Features see only this; the
 * drivers (store/sqlite, ...) are named in api/tables.c. Everything here runs on a guest thread
 * (or in the helper process), never on a host thread.
 */
#ifndef BK_STORE_STORE_H
#define BK_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <base/hash.h>

struct bk__growth;
struct bk__job;
struct json_object;
struct bk__store;

/* A store's whole state at one instant, as a file of its own (for SQLite: a database file). */
#define BK__FINGERPRINT_SIZE 320

struct bk__image {
    int64_t bytes;
    int64_t pages;
    int page_size;
    int64_t
        waited_ms; /* from the call until the instant whose state it is, where that is told */
    /* What driver->fingerprint says for as long as the store holds this very state; "": that
       cannot be told. */
    char fingerprint[BK__FINGERPRINT_SIZE];
};

/* Where a statement of a script failed. */
struct bk__script_error {
    int line;       /* of the statement's first token, from 1 */
    int statement;  /* from 1 */
    char text[256]; /* the statement's beginning */
    char why[512];  /* the engine's own message */
};

/* A question to an image, and how far it may go. */
struct bk__question {
    const char *sql; /* one statement that only reads */
    struct json_object
        *parameters;  /* a list of text/int/number/null, or NULL; borrowed */
    int64_t rows;     /* at most so many are given */
    int64_t bytes;    /* and about so many, counted as JSON */
    int64_t limit_ms; /* how long it may take; 0: for ever */
};

/* What goes from an image into a file of its own: a whole table, or what a question finds. */
struct bk__portion {
    const char *table; /* NULL: the question */
    const char *query;
    int64_t limit_ms;
};

struct bk__store_driver {
    const char *name;    /* "sqlite" */
    const char *content; /* what its images are called: "db" */
    /* restore keeps what was there, whole and under another name: no backup is made before it. */
    bool keeps;
    bool (*accepts)(const char *database); /* is this option value mine? */
    /* Whether a value that is mine can be understood; touches nothing. NULL: any can. */
    int (*check)(const char *database);
    /* Opens the store read-write, never creating it: BK_ENOTFOUND (missing), BK_ECORRUPT (not a
       database, zero bytes), BK_EDENIED, BK_EINVAL (a folder). create: an empty one may be made
       (migrate.up from nothing). */
    int (*open)(struct bk__store **ret, struct bk__job *job, const char *database,
                bool create);
    void (*close)(struct bk__store *store); /* NULL is fine */

    /* Reads a page and reports, where it has them: {path, bytes, wal_bytes, page_size, pages,
       journal_mode, schema_version, same_file, tables, response_ms, server_version, client,
       kept_databases}. */
    int (*probe)(struct bk__store *store, struct json_object *ret_report);

    /* A short text that is the same only while the committed state is the same, without reading all
       of it; "" when the store cannot tell. To be compared with an image's fingerprint, not with
       an earlier one of its own. NULL: the driver has none. */
    int (*fingerprint)(struct bk__store *store, char ret[BK__FINGERPRINT_SIZE]);

    /* The whole state under one read transaction into a new file at path (0600, not fsynced). May
       tell store->growth what the file will be and how far it is final, and gives it up when that
       proves wrong. */
    int (*snapshot)(struct bk__store *store, const char *path, struct bk__image *ret);

    /* Restores an image into the live store as one transaction; open connections go on and see
       it. A store that keeps what was there under another name says so in *ret_kept (the caller
       frees; NULL: nothing is kept). BK_EBUSY, BK_EUNSUPPORTED (page size differs under WAL, ...). */
    int (*restore)(struct bk__store *store, const char *image_path, char **ret_kept);
    /* Whether restore() would be refused: 0 or its error. Touches nothing, so that of several stores
       none is restored before all can be. NULL: only restore() itself finds out. */
    int (*ready)(struct bk__store *store, const char *image_path);

    /* Transactions for migrations, all NULL where the store has none: bk__store_migrates() is asked
       before. begin takes the write lock (waits busy.wait, cancellable) with
       foreign keys off; commit looks whether more of them are broken than before. After a commit
       that failed the transaction has been rolled back. */
    int (*begin)(struct bk__store *store);
    int (*commit)(struct bk__store *store);    /* BK_EMIGRATION: foreign keys violated */
    void (*rollback)(struct bk__store *store); /* no error when there is no transaction */
    int (*script)(struct bk__store *store, const char *sql, bool in_transaction,
                  struct bk__script_error *ret_error);
    /* One statement with text/int/null parameters (a JSON list or NULL, borrowed); rows (a JSON
       list of objects, may be NULL) are appended to ret_rows. */
    int (*query)(struct bk__store *store, const char *sql, struct json_object *parameters,
                 struct json_object *ret_rows);
    /* 1, 0 or an error: a history that cannot be read must not look like none. */
    int (*has_table)(struct bk__store *store, const char *table);

    /* --- on files that are nobody's live store --------------------------------------------- */

    /* Proves an image file: header, page count, quick_check, rows per table.
       {page_size, pages, bytes, tables:{name:rows}}; page_size and pages are 0 where a store has no
       pages. remark, where it is there: a text that goes into the manifest. BK_ECORRUPT says
       where. */
    int (*prove)(struct bk__job *job, const char *image_path,
                 struct json_object *ret_report);

    /* The proof of a rehearsal: all that can be found out without hurry, up to restoring the image
       into something that is thrown away. The report of prove(). NULL: prove() is all there is. */
    int (*rehearse)(struct bk__job *job, const char *image_path,
                    struct json_object *ret_report);

    /* Puts a copy of an image in the place of a store that cannot be opened (missing, zero bytes,
       not a database) or that nobody has open; the image itself stays. The old files are set aside
       as *ret_kept (the caller frees; NULL: there were none). Stale -wal, -shm and -journal files
       never win. Killed anywhere, the old or the new state is there, and a second call finishes.
       BK_EBUSY: someone has the store open. NULL: such a store is never replaced. */
    int (*replace)(struct bk__job *job, const char *database, const char *image_path,
                   char **ret_kept);

    /* --- on images, for looking into them; NULL where an image cannot be asked ------------- */

    /* Reads from an image: {columns:[name], rows:[[value]], truncated}. Nothing can be written,
       attached or loaded by it. BK_EINVAL: the statement; BK_EBUSY: out of time. */
    int (*ask)(struct bk__job *job, const char *image_path,
               const struct bk__question *question, struct json_object *ret_answer);
    /* The same into an image of its own at path, an empty file: {table, rows, columns, indexes:
       [name], left_out:[text]}. */
    int (*portion)(struct bk__job *job, const char *image_path,
                   const struct bk__portion *portion, const char *path,
                   struct json_object *ret_report);

    /* --- on copies of what other tools made; NULL where there is nothing like it ------------ */

    /* A copied database with copies of what stood beside it (-wal, -journal): takes that in, as
       the engine itself would after a crash. Afterwards it is one file. *ret_more: the -wal held more
       than that, of a transaction that is not whole in it. BK_ECORRUPT: they do not fit together. */
    int (*settle)(struct bk__job *job, const char *path, bool *ret_more);
    /* Runs a text dump of this engine into path, an empty file. BK_ECORRUPT: the dump is cut off
       or does not run, and why. */
    int (*load)(struct bk__job *job, const char *script_path, const char *path);
};

/* What every driver's open store begins with. */
struct bk__store {
    const struct bk__store_driver *driver;
    struct bk__growth
        *growth; /* who reads a snapshot along while it is made; NULL: nobody */
};

/* Defined in api/tables.c; NULL ends it. */
extern const struct bk__store_driver *const bk__store_drivers[];

/* The driver for the option "database", or NULL with the error set (BK_EINVAL, BK_EUNSUPPORTED). */
const struct bk__store_driver *bk__store_driver_for(const char *database);

/* The driver whose images are called so ("db"), or NULL without an error: this build has none. */
const struct bk__store_driver *bk__store_driver_of(const char *content);
/* The driver of that name, as manifests have it; NULL: this build has none. */
const struct bk__store_driver *bk__store_driver_named(const char *name);

/* The stores of a keeper: the options that name one and are set. The first is the one that is
   meant where no other is named. */
#define BK__STORES 2 /* at most */
struct bk__store_site {
    const char *name; /* the option: "database", "redis" */
    const char *url;  /* its value; lives as long as the job */
};
size_t bk__store_sites(struct bk__job *job, struct bk__store_site ret[BK__STORES]);

/* The driver found and the store opened: that of the option "database" (of "redis" where only that
   is set), or another. */
int bk__store_open(struct bk__store **ret, struct bk__job *job, bool create);
int bk__store_open_at(struct bk__store **ret, struct bk__job *job, const char *database,
                      bool create);
void bk__store_close(struct bk__store *store);

/* 0, or BK_EUNSUPPORTED: migrations cannot run on the store of the option "database". */
int bk__store_migrates(struct bk__job *job);

#endif
