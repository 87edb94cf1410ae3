/*
 * What the files of the PostgreSQL driver share. In the data's way: target.c, pq.c and link.c
 * reach the server; tools.c and run.c its programs; image.c reads what they write; fresh.c,
 * restore.c, swap.c and settle.c put it back.
 */
#ifndef BK_STORE_POSTGRES_INTERNAL_H
#define BK_STORE_POSTGRES_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include <os/child.h>
#include <store/postgres/link.h>
#include <store/postgres/postgres.h>
#include <store/postgres/target.h>

#define BK__PG_NAME_MOST 63 /* bytes of a database's name */
#define BK__PG_FRESH                                                                     \
    "botkeep_restore_"         /* how a database on its way to be restored is called */
#define BK__PG_FORMAT_KNOWN 16 /* 1.16: the newest custom format we read ourselves */

/* ---- tools.c: pg_dump and pg_restore on this machine ---------------------------------- */

/* A folder that has both. Versions compare by series: 1500 for 15.x, 906 for 9.6.x. */
struct bk__pg_tools {
    char *dump; /* paths; NULL: none fits */
    char *restore;
    char version[32]; /* "15.20" */
    int series;
    int wanted;  /* the series it was looked for */
    char *found; /* all that were found, for texts: "/usr/bin/pg_dump 13.4, ..." */
};

/* The oldest pair not older than the series. BK_ENOMEM, BK_ECANCELLED; none is no error. */
int bk__pg_tools_find(struct bk__job *job, int series, struct bk__pg_tools *ret);
void bk__pg_tools_free(struct bk__pg_tools *tools); /* {0} is fine */
int bk__pg_series(const char *version);             /* 0: no version */
/* BK_EUNSUPPORTED: which version is needed, what was found, what to install. */
int bk__pg_tools_missing(const struct bk__pg_tools *tools, const char *why);

/* ---- driver.c: an open store ----------------------------------------------------------- */

struct bk__postgres {
    struct bk__store base;
    struct bk__job *job;
    struct bk__pg_target target;
    struct bk__pg_link link;
    struct bk__pg_tools tools; /* for this server */
};

/* ---- run.c: a program of PostgreSQL's beside us ------------------------------------------- */

/* Starts it with the server that link reached, in its environment, and with its password in
   memory that only it inherits. */
struct bk__pg_program {
    const char *const *argv; /* ends with NULL */
    const char *database;    /* the one it connects to */
    const char *name;        /* what the server sees it called; NULL: as it likes */
    bool pipes;              /* what it puts out is to be read from child->out_fd */
};
int bk__pg_run_start(const struct bk__pg_link *link, const struct bk__pg_program *program,
                     struct bk__child *ret);
/* It ended: 0, or an error made of what it said. doing: "Cannot back up". Frees the child. */
int bk__pg_run_end(struct bk__pg_link *link, struct bk__child *child, const char *doing);

/* ---- image.c: reading the custom format -------------------------------------------------- */

struct bk__pg_image {
    int64_t bytes;
    int minor;                  /* of the format: 1.14 is 14 */
    char server[64];            /* the version it was dumped from: "15.20 (Debian ...)" */
    char client[64];            /* the pg_dump that wrote it */
    char *create;               /* the statement that made the database, or NULL */
    char *owner;                /* its owner, or NULL */
    struct json_object *tables; /* rows by table, in the format's own words */
    bool counted;               /* false: it is packed or newer than we know; no rows */
};

/* Reads all of it. BK_ECORRUPT names the place; BK_EUNSUPPORTED: no such archive. */
int bk__pg_image_read(struct bk__job *job, const char *path, struct bk__pg_image *ret);
void bk__pg_image_free(struct bk__pg_image *image); /* {0} is fine */

/* One that comes out of a pipe, which is kept as a file on the way. */
struct bk__pg_stream {
    int from_fd;
    const char *path; /* of to_fd, a new file */
    int to_fd;
    struct bk__growth *growth; /* is told how much of it there is; NULL: nobody */
};
int bk__pg_image_take(struct bk__job *job, const struct bk__pg_stream *stream,
                      struct bk__pg_image *ret);

/* ---- intake.c: what pg_dump puts out, taken in beside it --------------------------------- */

struct bk__pg_intake;
/* Begins a thread that does so; from_fd is its from now on, whatever comes of it. */
int bk__pg_intake_begin(struct bk__pg_intake **ret, struct bk__job *job, int from_fd,
                        const char *path, struct bk__growth *growth);
/* Waits for the end of what comes, frees. 0, or the thread's error: BK_ECORRUPT where it is no whole
   dump. */
int bk__pg_intake_end(struct bk__pg_intake *intake, struct bk__pg_image *ret);

/* ---- counts.c: rows as the server counts them ------------------------------------------- */

/* Their names as shown: "users", "other.users"; a part with a dot of its own is quoted, so that no
   two tables share a name. SQL for n.nspname, c.relname; image.c does the same. */
#define BK__PG_PART(name)                                                                \
    "CASE WHEN " name " ~ '[.\"]' THEN '\"' || replace(" name ", '\"', '\"\"') || '\"' " \
    "ELSE " name "::text END"
#define BK__PG_SHOWN                                                                     \
    "CASE n.nspname WHEN 'public' THEN '' ELSE " BK__PG_PART(                            \
        "n.nspname") " || '.' END || " BK__PG_PART("c.relname")
/* The bot's own tables, a row each: schema, table, shown name, kind, oid, relfilenode. */
#define BK__PG_TABLES                                                                    \
    "SELECT n.nspname, c.relname, " BK__PG_SHOWN                                         \
    " AS shown, c.relkind, c.oid, c.relfilenode "                                        \
    "FROM pg_catalog.pg_class c "                                                        \
    "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "                          \
    "WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' "                         \
    "AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%' "             \
    "AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d WHERE d.objid = c.oid "        \
    "AND d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.deptype = 'e')"
/* The smallest first. */
int bk__pg_tables(struct bk__pg_link *link, PGresult **ret);
int bk__pg_count(struct bk__pg_link *link, const char *schema, const char *table,
                 int64_t *ret);

/* ---- fresh.c: a new database like another ------------------------------------------------ */

/* Creates it through admin; like: the live one (then settings and rights are copied from it), or
   NULL: as the image says. */
int bk__pg_fresh_create(struct bk__pg_link *admin, const char *name, const char *like,
                        const struct bk__pg_image *image);
/* Gives it the other's rights, settings, comment and limit; what cannot be given is logged. */
int bk__pg_fresh_dress(struct bk__pg_link *admin, const char *name, const char *like);
/* No error when there is none. Connections to it are ended. */
int bk__pg_fresh_drop(struct bk__pg_link *admin, const char *name);
/* What the database of that name is called once a restore has taken its place: at most 63 bytes. */
void bk__pg_kept_name(const char *name, const char *stamp,
                      char ret[BK__PG_NAME_MOST + 1]);
int bk__pg_exists(struct bk__pg_link *admin, const char *name, bool *ret);
/* A connection to another database than name, to create and rename through. */
int bk__pg_admin_open(struct bk__pg_link *ret, struct bk__job *job,
                      const struct bk__pg_target *target, const char *name);

/* ---- swap.c: the moment of a restore --------------------------------------------------- */

struct bk__pg_note;
/* In one transaction: the live database is renamed to note->kept (where there is one), the fresh one
   to note->database, while connections to it are ended. *ret_done tells, whatever is returned,
   whether that has happened: a connection may be lost with the answer on its way. */
int bk__pg_swap(struct bk__job *job, const struct bk__pg_target *target,
                const struct bk__pg_note *note, bool *ret_done);

/* ---- settle.c: what a killed restore left ------------------------------------------------ */

/* The note in state.dir of a restore on its way, kept under its lock. */
struct bk__pg_note {
    char database[BK__PG_NAME_MOST + 1];
    char fresh[BK__PG_NAME_MOST + 1];
    char kept[BK__PG_NAME_MOST + 1]; /* "": there was no live database */
};
/* A descriptor to close; BK_EBUSY: another restore is running; or an error. */
int bk__pg_note_lock(struct bk__job *job, int64_t wait_ms);
int bk__pg_note_save(struct bk__job *job, const struct bk__pg_note *note);
int bk__pg_note_remove(struct bk__job *job);
/* Drops what a killed restore left. Nothing when one is still running; what fails is logged and
   tried again by the next operation. BK_ECANCELLED, BK_ENOMEM. */
int bk__pg_settle(struct bk__job *job, const struct bk__pg_target *target);
/* The same for who holds the lock; here a failure is an error, and the note stays. */
int bk__pg_settle_locked(struct bk__job *job, const struct bk__pg_target *target);

/* ---- the driver's functions ---------------------------------------------------------------- */

int bk__postgres_probe(struct bk__store *store, struct json_object *ret_report);
int bk__postgres_snapshot(struct bk__store *store, const char *path,
                          struct bk__image *ret);
int bk__postgres_prove(struct bk__job *job, const char *image_path,
                       struct json_object *ret_report);
int bk__postgres_rehearse(struct bk__job *job, const char *image_path,
                          struct json_object *ret_report);
int bk__postgres_fingerprint(struct bk__store *store, char ret[BK__FINGERPRINT_SIZE]);
/* The same in a transaction that is open: of the state that its snapshot sees. */
int bk__pg_fingerprint(struct bk__pg_link *link, char ret[BK__FINGERPRINT_SIZE]);
int bk__postgres_restore(struct bk__store *store, const char *image_path,
                         char **ret_kept);
int bk__postgres_ready(struct bk__store *store, const char *image_path);
int bk__postgres_replace(struct bk__job *job, const char *database,
                         const char *image_path, char **ret_kept);

#endif
