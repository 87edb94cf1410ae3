/*
 * A VFS for one purpose: a new file that our SQLite fills from front to back. It gathers pages into
 * large writes; there are no locks, no journal and no fsync. Only snapshots are written with it.
 */
#include <store/sqlite/internal.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <os/file.h>
#include <store/growth.h>

#define FCNTL_FLUSH 0x626b02
#define FCNTL_FRONT 0x626b03
#define ROOM (1024 * 1024)
#define PENDING 0x40000000 /* the page at this byte is that of the locks */

struct file {
    sqlite3_file base;
    int fd;
    int error;        /* errno of a write that failed; it stays */
    sqlite3_int64 at; /* held bytes belong at [at, at + held) */
    int held;
    sqlite3_int64 end; /* size of the file, with what is held */
    unsigned char *bytes;
    const struct bk__front *front; /* NULL: page 1 is written when SQLite writes it */
    sqlite3_int64 sure;            /* the first so many bytes are final */
};

static sqlite3_vfs sink_vfs;
static _Thread_local int last_errno;

static int failed(struct file *f, int error, int rc) {
    f->error = error;
    last_errno = error;
    return error == ENOSPC || error == EDQUOT ? SQLITE_FULL : rc;
}

/* The page with the locks is left out: a hole. */
static bool follows(const struct file *f) {
    sqlite3_int64 page = f->front->size;

    return f->at == f->sure ||
           (f->at == f->sure + page && f->sure == PENDING / page * page);
}

/* What was written from front to back is final: SQLite writes no page of a new file twice, but page
   1, which is here already. */
static void tell(struct file *f) {
    if (f->front != NULL && follows(f)) {
        f->sure = f->at + f->held;
        bk__growth_tell(f->front->growth, f->sure);
    }
}

static int flush(struct file *f) {
    int error;

    if (f->error != 0) {
        return failed(f, f->error, SQLITE_IOERR_WRITE);
    }
    error = f->held == 0 ? 0 : bk__file_pwrite(f->fd, f->bytes, (size_t)f->held, f->at);
    if (error != 0) {
        return failed(f, -error, SQLITE_IOERR_WRITE);
    }
    tell(f);
    f->at += f->held;
    f->held = 0;
    return SQLITE_OK;
}

/* Page 1, before SQLite writes it last of all. */
static int write_front(struct file *f) {
    const struct bk__front *front = f->front;
    int error = bk__file_pwrite(f->fd, front->page, (size_t)front->size, 0);

    f->at = f->sure = f->end = front->size;
    return error == 0 ? SQLITE_OK : failed(f, -error, SQLITE_IOERR_WRITE);
}

/* Bytes of page 1 that count changes and writers: who reads the image does not miss the new ones. */
static bool is_count(int at) {
    return (at >= 24 && at < 32) || (at >= 40 && at < 44) || (at >= 92 && at < 100);
}

/* Is that the page 1 that was written ahead? */
static bool is_front(const struct bk__front *front, const unsigned char *page,
                     int amount) {
    int i;

    for (i = 0; i < front->size && amount == front->size; i++) {
        if (page[i] != front->page[i] && !is_count(i)) {
            return false;
        }
    }
    return amount == front->size;
}

/* What is written over bytes that were called final: page 1 as it is already, or our mistake. 1:
   it need not be written. */
static int again(struct file *f, const void *bytes, int amount, sqlite3_int64 at) {
    if (f->front == NULL || at >= f->sure) {
        return 0;
    }
    if (at == 0 && is_front(f->front, bytes, amount)) {
        return 1;
    }
    bk__growth_end(f->front->growth, false);
    f->front = NULL;
    return 0;
}

static int on_write(sqlite3_file *file, const void *bytes, int amount, sqlite3_int64 at) {
    struct file *f = (struct file *)file;

    if (f->front != NULL && f->sure == 0) {
        int rc = write_front(f);
        if (rc != SQLITE_OK) {
            return rc;
        }
    }
    if (at != f->at + f->held || f->held + amount > ROOM) {
        int rc = flush(f);
        if (rc != SQLITE_OK || again(f, bytes, amount, at)) {
            return rc;
        }
        f->at = at;
    }
    memcpy(f->bytes + f->held, bytes, (size_t)amount);
    f->held += amount;
    if (at + amount > f->end) {
        f->end = at + amount;
    }
    return SQLITE_OK;
}

static int on_read(sqlite3_file *file, void *into, int amount, sqlite3_int64 at) {
    struct file *f = (struct file *)file;
    int64_t got;
    int rc = flush(f);

    if (rc != SQLITE_OK) {
        return rc;
    }
    got = bk__file_pread(f->fd, into, (size_t)amount, at);
    if (got < 0) {
        return failed(f, (int)-got, SQLITE_IOERR_READ);
    }
    if (got < amount) {
        memset((unsigned char *)into + got, 0, (size_t)(amount - got));
        return SQLITE_IOERR_SHORT_READ;
    }
    return SQLITE_OK;
}

static int on_truncate(sqlite3_file *file, sqlite3_int64 size) {
    struct file *f = (struct file *)file;
    int rc = flush(f);

    if (rc == SQLITE_OK && ftruncate(f->fd, size) != 0) {
        return failed(f, errno, SQLITE_IOERR_TRUNCATE);
    }
    f->end = size;
    return rc;
}

static int on_close(sqlite3_file *file) {
    struct file *f = (struct file *)file;
    int error;

    flush(f); /* Who cares for the bytes has called bk__sqlite_sink_flush() before. */
    error = bk__file_close(f->fd);
    free(f->bytes);
    return error == 0 ? SQLITE_OK : SQLITE_IOERR_CLOSE;
}

static int on_file_size(sqlite3_file *file, sqlite3_int64 *ret) {
    *ret = ((struct file *)file)->end;
    return SQLITE_OK;
}

static int on_file_control(sqlite3_file *file, int op, void *arg) {
    struct file *f = (struct file *)file;

    if (op == FCNTL_FRONT) {
        f->front = arg;
        return SQLITE_OK;
    }
    return op == FCNTL_FLUSH ? flush(f) : SQLITE_NOTFOUND;
}

static int nothing(sqlite3_file *file, int level) {
    (void)file;
    (void)level;
    return SQLITE_OK;
}

static int not_reserved(sqlite3_file *file, int *ret) {
    (void)file;
    *ret = 0;
    return SQLITE_OK;
}

static int plain(sqlite3_file *file) {
    (void)file;
    return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 1,
    .xClose = on_close,
    .xRead = on_read,
    .xWrite = on_write,
    .xTruncate = on_truncate,
    .xSync = nothing,
    .xFileSize = on_file_size,
    .xLock = nothing,
    .xUnlock = nothing,
    .xCheckReservedLock = not_reserved,
    .xFileControl = on_file_control,
    .xSectorSize = plain,
    .xDeviceCharacteristics = plain,
};

static int on_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                   int *ret_flags) {
    struct file *f = (struct file *)file;

    (void)vfs;
    memset(f, 0, sizeof(*f));
    if ((flags & SQLITE_OPEN_MAIN_DB) == 0) {
        return SQLITE_CANTOPEN; /* A snapshot's target has no journal, by its pragmas. */
    }
    f->bytes = malloc(ROOM);
    if (f->bytes == NULL) {
        return SQLITE_NOMEM;
    }
    f->fd = bk__file_create(name);
    if (f->fd < 0) {
        last_errno = -f->fd;
        free(f->bytes);
        return SQLITE_CANTOPEN;
    }
    f->base.pMethods = &methods;
    if (ret_flags != NULL) {
        *ret_flags = flags;
    }
    return SQLITE_OK;
}

/* No side file of a new file exists, and none is to be removed. */
static int on_delete(sqlite3_vfs *vfs, const char *name, int sync) {
    (void)vfs;
    (void)name;
    (void)sync;
    return SQLITE_OK;
}

static int on_access(sqlite3_vfs *vfs, const char *name, int flags, int *ret) {
    (void)vfs;
    (void)name;
    (void)flags;
    *ret = 0;
    return SQLITE_OK;
}

static int on_last_error(sqlite3_vfs *vfs, int size, char *text) {
    (void)vfs;
    (void)size;
    (void)text;
    return last_errno;
}

int bk__sqlite_sink_register(sqlite3_vfs *system) {
    sink_vfs = *system;
    sink_vfs.zName = BK__VFS_SINK;
    sink_vfs.szOsFile = (int)sizeof(struct file);
    sink_vfs.pNext = NULL;
    sink_vfs.xOpen = on_open;
    sink_vfs.xDelete = on_delete;
    sink_vfs.xAccess = on_access;
    sink_vfs.xGetLastError = on_last_error;
    return sqlite3_vfs_register(&sink_vfs, 0);
}

int bk__sqlite_sink_flush(sqlite3 *db) {
    return sqlite3_file_control(db, "main", FCNTL_FLUSH, NULL);
}

int bk__sqlite_sink_front(sqlite3 *db, const struct bk__front *front) {
    return sqlite3_file_control(db, "main", FCNTL_FRONT, (void *)(uintptr_t)front);
}
