/*
 * The VFS of our connections: the system's own, plus read-ahead and cancel for long sequential
 * reads. Not a lock or a write is changed on the way. connect.c opens databases and images with it.
 */
#include <store/sqlite/internal.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <core/job.h>

#define FCNTL_READER                                                                     \
    0x626b01 /* hangs a struct bk__reader onto the file; SQLite leaves > 100 */
#define WINDOW_FIRST (16 * 1024)
#define WINDOW_MOST (512 * 1024)
#define GAP_MOST (64 * 1024) /* pages that were read from the WAL leave gaps this small */
#define CHECK_EVERY (1 << 20)

/* The system's file follows in the same memory. */
struct file {
    sqlite3_file base;
    struct bk__reader *reader;
    unsigned char *ahead; /* bytes [at, at + size) of the file */
    sqlite3_int64 at;
    sqlite3_int64 size;
    sqlite3_int64 window; /* how much is read at the next miss */
    sqlite3_int64 last;   /* where the last read began */
    sqlite3_int64 next;   /* and where it ended */
    int64_t check_at;     /* reader->done at which the job is asked again */
    sqlite3_file *system;
};

static sqlite3_vfs *system_vfs;
static sqlite3_vfs read_vfs;
static int registered;

/* Page 1 as it is read, from the database or from its WAL: SQLite has no call that gives it. */
static _Thread_local struct {
    unsigned char *page;
    int size;
    bool seen;
} watched;

static void watch(const void *bytes, int amount) {
    static const char magic[16] = "SQLite format 3";

    if (watched.page != NULL && amount == watched.size &&
        memcmp(bytes, magic, sizeof(magic)) == 0) {
        memcpy(watched.page, bytes, (size_t)amount);
        watched.seen = true;
    }
}

bool bk__sqlite_watch(unsigned char *page, int size) {
    bool seen = watched.seen;

    watched.page = page;
    watched.size = size;
    watched.seen = false;
    return seen;
}

static sqlite3_file *below(sqlite3_file *file) {
    return ((struct file *)file)->system;
}

static int on_close(sqlite3_file *file) {
    struct file *f = (struct file *)file;

    free(f->ahead);
    f->ahead = NULL;
    return f->system->pMethods->xClose(f->system);
}

/* Where a buffer of that size begins which goes on from the last read: forwards, or backwards, as
   quick_check walks through a table. -1: the read is somewhere else. */
static sqlite3_int64 follow(const struct file *f, int amount, sqlite3_int64 at,
                            sqlite3_int64 size) {
    sqlite3_int64 end = at + amount;

    if (at >= f->next && at <= f->next + GAP_MOST) {
        return at;
    }
    if (end <= f->last && end >= f->last - GAP_MOST) {
        return end > size ? end - size : 0;
    }
    return -1;
}

/* Fills the buffer with the wanted bytes and what is likely to be read next. Anything odd is left
   to the plain read. */
static bool fill(struct file *f, int amount, sqlite3_int64 at) {
    sqlite3_int64 size = f->window < WINDOW_MOST ? 2 * f->window : WINDOW_MOST;
    sqlite3_int64 from = follow(f, amount, at, size);
    sqlite3_int64 end;

    f->window = from < 0 ? WINDOW_FIRST : size;
    if (from < 0 || size < amount ||
        f->system->pMethods->xFileSize(f->system, &end) != SQLITE_OK) {
        return false;
    }
    if (size > end - from) {
        size = end - from;
    }
    f->size = 0;
    if (at + amount > from + size ||
        f->system->pMethods->xRead(f->system, f->ahead, (int)size, from) != SQLITE_OK) {
        return false;
    }
    f->at = from;
    f->size = size;
    return true;
}

/* A job that is cancelled ends a walk through a large file at the next page. */
static int account(struct file *f, int amount) {
    struct bk__reader *r = f->reader;

    r->done += amount;
    if (r->done < f->check_at) {
        return SQLITE_OK;
    }
    f->check_at = r->done + CHECK_EVERY;
    if (r->phase != NULL) {
        bk__job_progress(r->job, r->phase, r->done < r->total ? r->done : r->total,
                         r->total);
    }
    if (bk__job_check(r->job) != 0) {
        f->check_at = 0; /* and so does each read after this one */
        return SQLITE_INTERRUPT;
    }
    return SQLITE_OK;
}

static int read_ahead(struct file *f, void *into, int amount, sqlite3_int64 at) {
    bool hit = at >= f->at && at + amount <= f->at + f->size;

    if (!hit && !fill(f, amount, at)) {
        return f->system->pMethods->xRead(f->system, into, amount, at);
    }
    memcpy(into, f->ahead + (at - f->at), (size_t)amount);
    return SQLITE_OK;
}

static int on_read(sqlite3_file *file, void *into, int amount, sqlite3_int64 at) {
    struct file *f = (struct file *)file;
    unsigned char *bytes = into;
    int rc;

    if (f->reader == NULL) {
        rc = f->system->pMethods->xRead(f->system, into, amount, at);
        if (rc == SQLITE_OK) {
            watch(into, amount);
        }
        return rc;
    }
    rc = account(f, amount);
    if (rc == SQLITE_OK) {
        rc = read_ahead(f, into, amount, at);
        if (rc != SQLITE_OK && rc != SQLITE_IOERR_SHORT_READ && f->reader->failed == 0) {
            f->reader->failed = rc;
        }
        f->last = at;
        f->next = at + amount;
    }
    /* Bytes 18 and 19 of a database say whether it is used with a WAL. */
    if (rc == SQLITE_OK && f->reader->journal != 0 && at == 0 && amount >= 20) {
        bytes[18] = bytes[19] = (unsigned char)f->reader->journal;
    }
    return rc;
}

static int hang(struct file *f, struct bk__reader *reader) {
    f->reader = reader;
    f->size = f->last = f->next = 0;
    f->window = WINDOW_FIRST;
    f->check_at = 0;
    if (reader == NULL) {
        free(f->ahead);
        f->ahead = NULL;
        return SQLITE_OK;
    }
    if (f->ahead == NULL) {
        f->ahead = malloc(WINDOW_MOST);
    }
    if (f->ahead == NULL) {
        f->reader = NULL;
        return SQLITE_NOMEM;
    }
    return SQLITE_OK;
}

static int on_file_control(sqlite3_file *file, int op, void *arg) {
    if (op == FCNTL_READER) {
        return hang((struct file *)file, arg);
    }
    return below(file)->pMethods->xFileControl(below(file), op, arg);
}

static int on_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 at) {
    return below(file)->pMethods->xWrite(below(file), bytes, amount, at);
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size) {
    return below(file)->pMethods->xTruncate(below(file), size);
}

static int on_sync(sqlite3_file *file, int flags) {
    return below(file)->pMethods->xSync(below(file), flags);
}

static int on_file_size(sqlite3_file *file, sqlite3_int64 *ret) {
    return below(file)->pMethods->xFileSize(below(file), ret);
}

static int on_lock(sqlite3_file *file, int level) {
    return below(file)->pMethods->xLock(below(file), level);
}

static int on_unlock(sqlite3_file *file, int level) {
    return below(file)->pMethods->xUnlock(below(file), level);
}

static int on_check_reserved(sqlite3_file *file, int *ret) {
    return below(file)->pMethods->xCheckReservedLock(below(file), ret);
}

static int on_sector_size(sqlite3_file *file) {
    return below(file)->pMethods->xSectorSize(below(file));
}

static int on_characteristics(sqlite3_file *file) {
    return below(file)->pMethods->xDeviceCharacteristics(below(file));
}

static int on_shm_map(sqlite3_file *file, int page, int size, int extend,
                      void volatile **ret) {
    return below(file)->pMethods->xShmMap(below(file), page, size, extend, ret);
}

static int on_shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    return below(file)->pMethods->xShmLock(below(file), offset, n, flags);
}

static void on_shm_barrier(sqlite3_file *file) {
    below(file)->pMethods->xShmBarrier(below(file));
}

static int on_shm_unmap(sqlite3_file *file, int remove) {
    return below(file)->pMethods->xShmUnmap(below(file), remove);
}

/* Version 2: shared memory, but no memory mapping of the file, which would count as our memory. */
#define METHODS(version)                                                                 \
    {                                                                                    \
        version, on_close, on_read, on_write, on_truncate, on_sync, on_file_size,        \
            on_lock, on_unlock, on_check_reserved, on_file_control, on_sector_size,      \
            on_characteristics, on_shm_map, on_shm_lock, on_shm_barrier, on_shm_unmap,   \
            NULL, NULL,                                                                  \
    }
static const sqlite3_io_methods methods = METHODS(2);
static const sqlite3_io_methods methods_no_shm = METHODS(1);

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                   int *ret_flags) {
    struct file *f = (struct file *)file;
    int rc;

    (void)vfs;
    if ((flags & (SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_WAL)) == 0) {
        return system_vfs->xOpen(system_vfs, name, file, flags, ret_flags);
    }
    memset(f, 0, sizeof(*f));
    f->system = (sqlite3_file *)(f + 1);
    rc = system_vfs->xOpen(system_vfs, name, f->system, flags, ret_flags);
    if (f->system->pMethods != NULL) {
        bool shm =
            f->system->pMethods->iVersion >= 2 && f->system->pMethods->xShmMap != NULL;
        f->base.pMethods = shm ? &methods : &methods_no_shm;
    }
    return rc;
}

static void initialize(void) {
    /* Paths are paths: a database called "file:x" is no URI unless we say so. Our connections
       are used by one thread each; SQLite's own books need no counting. */
    sqlite3_config(SQLITE_CONFIG_URI, 0);
    sqlite3_config(SQLITE_CONFIG_MULTITHREAD);
    sqlite3_config(SQLITE_CONFIG_MEMSTATUS, 0);
    registered = sqlite3_initialize();
    system_vfs = sqlite3_vfs_find(NULL);
    if (registered == SQLITE_OK && system_vfs == NULL) {
        registered = SQLITE_ERROR;
    }
    if (registered != SQLITE_OK) {
        return;
    }
    read_vfs = *system_vfs;
    read_vfs.zName = BK__VFS_READ;
    read_vfs.szOsFile = (int)sizeof(struct file) + system_vfs->szOsFile;
    read_vfs.xOpen = on_open;
    read_vfs.pNext = NULL;
    registered = sqlite3_vfs_register(&read_vfs, 0);
    if (registered == SQLITE_OK) {
        registered = bk__sqlite_sink_register(system_vfs);
    }
}

int bk__sqlite_vfs(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, initialize);
    return registered;
}

int bk__sqlite_read(sqlite3 *db, struct bk__reader *reader) {
    return sqlite3_file_control(db, "main", FCNTL_READER, reader);
}
