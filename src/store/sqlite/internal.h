/*
 * What the files of the SQLite driver share: one connection of ours (a link), the open store,
 * and the functions of the driver's table. Nobody outside src/store/sqlite includes it.
 */
#ifndef BK_STORE_SQLITE_INTERNAL_H
#define BK_STORE_SQLITE_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <store/store.h>

/* ---- vfs.c: how our connections read files ---------------------------------------------- */

#define BK__VFS_READ                                                                     \
    "bk-read" /* the system's VFS, with read-ahead and cancel on demand */
#define BK__VFS_SINK                                                                     \
    "bk-sink" /* a new file written once, in large pieces, without locks */

/*
 * Hung onto a connection's main file by bk__sqlite_read(). While it is there, sequential reads
 * are served from a read-ahead buffer, and a cancelled job makes reads fail. That is safe only
 * inside one read transaction: what SQLite reads from the main file then cannot change.
 */
struct bk__reader {
    struct bk__job *job;
    const char *phase; /* of the progress that reading makes; NULL: none */
    int64_t total;     /* bytes that will be read, by estimate */
    int64_t done;
    int failed;  /* the first SQLite code of a read that failed, else 0 */
    int journal; /* 1 or 2: page 1 is shown with this file format version; 0: as it is */
};

int bk__sqlite_vfs(void); /* registers both, once; a SQLite code */
/* Hangs a reader onto the main file, or takes it off (NULL). A SQLite code. */
int bk__sqlite_read(sqlite3 *db, struct bk__reader *reader);
/* From now on (page not NULL) page 1 is kept there when this thread reads it, if it has this size.
   Ends with NULL: true when one was seen. */
bool bk__sqlite_watch(unsigned char *page, int size);
int bk__sqlite_sink_register(sqlite3_vfs *system);
/* Page 1 of the state that is copied into a sink, and who is told how far it is final. It is written
   first; the page 1 that SQLite writes last is left out when only its counters differ. */
struct bk__front {
    unsigned char *page;
    int size;
    bool seen;
    struct bk__growth *growth; /* NULL: nobody */
};
int bk__sqlite_sink_front(sqlite3 *db, const struct bk__front *front); /* it lives on */
/* Writes out what the sink still holds. A SQLite code; the errno is sqlite3_system_errno(). */
int bk__sqlite_sink_flush(sqlite3 *db);

/* ---- connect.c: one connection of ours --------------------------------------------------- */

enum bk__link_kind {
    BK__LINK_LIVE,   /* the bot's database: read-write, never created */
    BK__LINK_CREATE, /* the same, created when it is missing */
    BK__LINK_IMAGE,  /* a file that nobody changes: read-only, no locks */
    BK__LINK_TARGET, /* a new file for a snapshot: no journal, no locks, no fsync */
};

/* A database may carry a huge default_cache_size in its header; this wins over it. */
#define BK__SMALL_CACHE "PRAGMA cache_size = -1024"

struct bk__link {
    sqlite3 *db;
    struct bk__job *job;
    char *path;
    int64_t wait_ms;      /* how long a lock is waited for */
    int64_t wait_end;     /* when the present wait ends */
    sqlite3_file *locked; /* by bk__link_lock() */
};

/* 0, or an error with its text set. path is kept as it is. */
int bk__link_open(struct bk__link *ret, struct bk__job *job, const char *path,
                  enum bk__link_kind kind);
void bk__link_close(struct bk__link *link); /* {0} and a closed one are fine */
/* Sets (again) what waits for locks, what a cancelled job stops, and that nothing checkpoints. */
void bk__link_guard(struct bk__link *link);

/*
 * The exclusive lock on the file itself, whatever is in it: SQLITE_BUSY at once when anyone has it
 * open in WAL mode or is at work on it. Nothing else may be done with the link until it is
 * unlocked. One that is not locked is fine to unlock.
 */
int bk__link_lock(struct bk__link *link);
void bk__link_unlock(struct bk__link *link);

/* These give SQLite's codes; the latter two read the first column of the first row. */
int bk__link_exec(struct bk__link *link, const char *sql);
int bk__link_int(struct bk__link *link, const char *sql, int64_t *ret);
int bk__link_text(struct bk__link *link, const char *sql, char *ret, size_t size);

/* ---- error.c ------------------------------------------------------------------------------ */

/*
 * Turns SQLite's code into one of ours with its text; BK_ECANCELLED when the job is cancelled.
 * doing reads like "cannot back up"; the path follows it.
 */
int bk__link_fail(struct bk__link *link, int rc, const char *doing);
/* The same for a scratch file of ours: what cannot be written there is the disk's fault. */
int bk__link_fail_scratch(struct bk__link *link, int rc, const char *doing);

/* ---- copy.c: SQLite's backup API, page by page -------------------------------------------- */

struct bk__copy {
    struct bk__link *to;
    struct bk__link *from;
    const char *phase;
    const char *doing;
    int page_size;
    int (*between)(
        void *context); /* asked between steps; not 0 ends the copy; NULL: none */
    void *context;
};

int bk__sqlite_copy(const struct bk__copy *copy); /* 0, or an error with its text set */

/* ---- the open store ------------------------------------------------------------------------ */

struct bk__sqlite {
    struct bk__store base; /* first, so that a store pointer is one to this */
    struct bk__link link;
    bool alone_before; /* no -wal when we came: SQLite may clear away what we made */
    bool made;         /* the file itself was created by our open */
    bool ours;         /* a transaction of begin() is open */
    bool keys_before;  /* PRAGMA foreign_keys before begin() */
    struct json_object
        *violations; /* of foreign keys at begin(): counts by table and key */
};

int64_t bk__sqlite_wal_bytes(const struct bk__sqlite *sqlite); /* by stat(); 0: none */

bool bk__sqlite_accepts(const char *database);
int bk__sqlite_open(struct bk__store **ret, struct bk__job *job, const char *database,
                    bool create);
void bk__sqlite_close(struct bk__store *store);
int bk__sqlite_probe(struct bk__store *store, struct json_object *ret_report);
int bk__sqlite_fingerprint(struct bk__store *store, char ret[BK__FINGERPRINT_SIZE]);
int bk__sqlite_snapshot(struct bk__store *store, const char *path, struct bk__image *ret);
int bk__sqlite_restore(struct bk__store *store, const char *image_path, char **ret_kept);
int bk__sqlite_begin(struct bk__store *store);
int bk__sqlite_commit(struct bk__store *store);
void bk__sqlite_rollback(struct bk__store *store);
int bk__sqlite_script(struct bk__store *store, const char *sql, bool in_transaction,
                      struct bk__script_error *ret_error);
int bk__sqlite_query(struct bk__store *store, const char *sql,
                     struct json_object *parameters, struct json_object *ret_rows);
int bk__sqlite_has_table(struct bk__store *store, const char *table);
int bk__sqlite_prove(struct bk__job *job, const char *image_path,
                     struct json_object *ret_report);
int bk__sqlite_rehearse(struct bk__job *job, const char *image_path,
                        struct json_object *ret_report);
int bk__sqlite_replace(struct bk__job *job, const char *database, const char *image_path,
                       char **ret_kept);

int bk__sqlite_ask(struct bk__job *job, const char *image_path,
                   const struct bk__question *question, struct json_object *ret_answer);
int bk__sqlite_portion(struct bk__job *job, const char *image_path,
                       const struct bk__portion *portion, const char *path,
                       struct json_object *ret_report);
int bk__sqlite_settle(struct bk__job *job, const char *path, bool *ret_more);
int bk__sqlite_load(struct bk__job *job, const char *script_path, const char *path);

/* ---- unistr.c ------------------------------------------------------------------------------- */

void bk__sqlite_unistr(sqlite3_context *context, int count, sqlite3_value **values);

/* ---- query.c: parameters of a statement ---------------------------------------------------- */

/* A SQLite code; SQLITE_RANGE: more or fewer than the statement has; SQLITE_MISMATCH: one is of a kind
   that SQLite has not. */
int bk__sqlite_bind(sqlite3_stmt *statement, struct json_object *parameters);

/* ---- reading.c: an image for statements from outside --------------------------------------- */

struct bk__reading {
    struct bk__link link;
    int64_t ends;        /* when it must be done, by the monotonic clock; 0: never */
    bool late;           /* it was not */
    const char *refused; /* why the authorizer said no; NULL: it did not */
};

/* Opens it so that a statement can do nothing but read this one image. */
int bk__reading_open(struct bk__reading *ret, struct bk__job *job, const char *image_path,
                     int64_t limit_ms);
void bk__reading_close(struct bk__reading *reading);
/* One statement, and nothing behind it. BK_EINVAL with SQLite's own message. */
int bk__reading_prepare(struct bk__reading *reading, const char *sql, sqlite3_stmt **ret);
/* Functions that reach code outside of SQL: one loads a library, the other takes the address of a function
   out of a BLOB. */
bool bk__reading_forbids(const char *function);
/* The error for a code that a statement gave. */
int bk__reading_fail(struct bk__reading *reading, int rc);

/* ---- fingerprint.c: what identifies a state -------------------------------------------------- */

/* One look inside an open read transaction; "" when it cannot be told. settled: nothing was written
   so recently that a further write could hide behind it. */
void bk__sqlite_look(struct bk__sqlite *sqlite, char ret[BK__FINGERPRINT_SIZE],
                     bool *ret_settled);
bool bk__sqlite_settled(const struct stat *file, int64_t now_ns);

/* ---- keys.c: foreign keys around a migration ------------------------------------------------ */

int bk__sqlite_keys_before(
    struct bk__sqlite *sqlite); /* notes what is violated already */
int bk__sqlite_keys_after(
    struct bk__sqlite *sqlite); /* BK_EMIGRATION: more is violated now */

#endif
