/*
 * What identifies the committed state of a database without reading it: the file's identity, size and
 * times, its header's counters and, where there is a WAL, which frames of it are committed. Not a
 * proof of equality for ever: what is too fresh to tell gives none. snapshot.c and backup call it.
 */
#include <store/sqlite/internal.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <base/bytes.h>
#include <base/text.h>
#include <core/error.h>

/* The wal-index: SQLite's "WAL-Index File Format", the first copy of its header. Native byte order. */
#define INDEX_REGION 32768
#define INDEX_VERSION 3007000
#define HEADER 100 /* of the database */

/* A file system may note times in steps of two seconds; a write within the same step as the last
   look would leave no trace in them. git calls such an entry racy. */
#define RACY_NS (INT64_C(2) * 1000000000)

/* The wal-index header as SQLite defines it; two copies of it begin the file. */
struct index_header {
    uint32_t version, unused, change;
    unsigned char is_init, big_endian_sums;
    uint16_t page_size;
    uint32_t frames; /* committed ones */
    uint32_t pages;
    uint32_t frame_sum[2]; /* of all frames up to the last one: it says what is in them */
    uint32_t salt[2];
    uint32_t sum[2];
};
_Static_assert(sizeof(struct index_header) == 48, "SQLite's wal-index header");

/* One look. */
struct look {
    struct stat file;
    struct stat log;
    bool has_log; /* committed frames stand in the WAL */
    unsigned char header[HEADER];
    struct index_header index;
};

static void copy_shared(void *to, const volatile void *from, size_t size) {
    const volatile unsigned char *bytes = from;
    unsigned char *out = to;

    for (size_t i = 0; i < size; i++) {
        out[i] = bytes[i];
    }
}

/* In the order in which SQLite's own readers do it: a writer writes the second copy first. */
static bool read_index(sqlite3_file *file, struct index_header *ret) {
    struct index_header again;
    void volatile *map = NULL;

    if (file->pMethods->iVersion < 2 || file->pMethods->xShmMap == NULL ||
        file->pMethods->xShmMap(file, 0, INDEX_REGION, 0, &map) != SQLITE_OK ||
        map == NULL) {
        return false;
    }
    copy_shared(ret, map, sizeof(*ret));
    file->pMethods->xShmBarrier(file);
    copy_shared(&again, (const volatile char *)map + sizeof(*ret), sizeof(again));
    return memcmp(ret, &again, sizeof(again)) == 0 && ret->is_init == 1 &&
           ret->version == INDEX_VERSION;
}

/* Without the time of its inode: SQLite run as root gives the WAL its owner whenever it opens it. What
   that time guards in the file, the sum over the frames guards here. */
static bool stat_log(const char *path, struct stat *ret) {
    char *wal = bk__text_printf("%s-wal", path);
    bool good = wal != NULL && stat(wal, ret) == 0;

    free(wal);
    ret->st_ctim = ret->st_mtim;
    return good;
}

static bool is_wal(const unsigned char *header) {
    return header[18] == 2;
}

/* Inside a read transaction: it keeps the journal mode as it is, and is why there is a wal-index. */
static bool look(struct bk__sqlite *sqlite, struct look *ret) {
    sqlite3 *db = sqlite->link.db;
    sqlite3_file *file = NULL;
    int moved = 1;

    memset(ret, 0, sizeof(*ret));
    if (sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file) != SQLITE_OK ||
        file == NULL || file->pMethods == NULL ||
        sqlite3_file_control(db, "main", SQLITE_FCNTL_HAS_MOVED, &moved) != SQLITE_OK ||
        moved != 0 || stat(sqlite->link.path, &ret->file) != 0 ||
        file->pMethods->xRead(file, ret->header, HEADER, 0) != SQLITE_OK) {
        return false;
    }
    if (!is_wal(ret->header)) {
        return true;
    }
    if (!read_index(file, &ret->index)) {
        return false;
    }
    ret->has_log = ret->index.frames > 0;
    return !ret->has_log || stat_log(sqlite->link.path, &ret->log);
}

static int print_file(char *to, size_t room, const struct stat *st) {
    return snprintf(to, room,
                    "%" PRIxMAX ".%" PRIxMAX ".%" PRIxMAX ".%" PRIxMAX ".%lx.%" PRIxMAX
                    ".%lx",
                    (uintmax_t)st->st_dev, (uintmax_t)st->st_ino, (uintmax_t)st->st_size,
                    (uintmax_t)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec,
                    (uintmax_t)st->st_ctim.tv_sec, (unsigned long)st->st_ctim.tv_nsec);
}

/* The change counter, the schema's cookie and, with a WAL, the committed frames: the sum over them
   differs when what stands in them does, also where they lie in the place of older ones. */
static void print(const struct look *l, char ret[BK__FINGERPRINT_SIZE]) {
    size_t room = BK__FINGERPRINT_SIZE;
    int at = snprintf(ret, room, "1 ");

    at += print_file(ret + at, room - (size_t)at, &l->file);
    at += snprintf(ret + at, room - (size_t)at, " %" PRIx64 ".%" PRIx64 ".%" PRIx64,
                   bk__get_be(l->header + 24, 4), bk__get_be(l->header + 28, 4),
                   bk__get_be(l->header + 40, 4));
    if (l->has_log) {
        const struct index_header *i = &l->index;
        at += snprintf(ret + at, room - (size_t)at, " %x.%x.%x.%x.%x.%x ", i->salt[0],
                       i->salt[1], i->frames, i->frame_sum[0], i->frame_sum[1], i->pages);
        print_file(ret + at, room - (size_t)at, &l->log);
    }
}

static int64_t nanoseconds(struct timespec at) {
    return (int64_t)at.tv_sec * 1000000000 + at.tv_nsec;
}

/* A time of the future, after the clock was set back, is never old enough. */
bool bk__sqlite_settled(const struct stat *file, int64_t now_ns) {
    return now_ns - nanoseconds(file->st_mtim) >= RACY_NS &&
           now_ns - nanoseconds(file->st_ctim) >= RACY_NS;
}

/* By the system's clock, whatever the keeper's is: it is the one that files' times come from. */
static bool has_settled(const struct look *l) {
    struct timespec now;

    if (clock_gettime(CLOCK_REALTIME, &now) != 0) {
        return false;
    }
    return bk__sqlite_settled(&l->file, nanoseconds(now)) &&
           (!l->has_log || bk__sqlite_settled(&l->log, nanoseconds(now)));
}

void bk__sqlite_look(struct bk__sqlite *sqlite, char ret[BK__FINGERPRINT_SIZE],
                     bool *ret_settled) {
    struct look l;

    ret[0] = '\0';
    *ret_settled = false;
    if (look(sqlite, &l)) {
        print(&l, ret);
        *ret_settled = has_settled(&l);
    }
}

/* For a comparison with an earlier one, which was settled: a change since then has newer times. */
int bk__sqlite_fingerprint(struct bk__store *store, char ret[BK__FINGERPRINT_SIZE]) {
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;
    int64_t ignored;
    bool settled;
    int rc;

    ret[0] = '\0';
    rc = bk__link_exec(&sqlite->link, "BEGIN");
    if (rc == SQLITE_OK) {
        rc = bk__link_int(&sqlite->link, "SELECT count(*) FROM sqlite_schema", &ignored);
    }
    if (rc == SQLITE_OK) {
        bk__sqlite_look(sqlite, ret, &settled);
    }
    bk__link_exec(&sqlite->link, "ROLLBACK");
    return rc == SQLITE_OK ? 0 : bk__link_fail(&sqlite->link, rc, "cannot look at");
}
