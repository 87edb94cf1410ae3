/*
 * Copying and unpacking what another tool packed: gzip and zstd streams of any make, or none. The
 * place where it ends too early is told. Not our own archives: archive.c.
 * Called by examine.c.
 */
#include <backup/foreign/unpack.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/archive/codec.h>
#include <backup/catalogue/folder.h>
#include <backup/foreign/other.h>

#define HEAD 512
#define PIECE 65536
#define SPACE_EVERY (INT64_C(64) << 20) /* bytes between two looks at the free space */

/* One file on its way. */
struct way {
    struct bk__job *job;
    const struct bk__unpack *what;
    int in_fd, out_fd;
    int64_t total, in_bytes, out_bytes, spaced;
    unsigned char head[HEAD]; /* of what came out */
    int rc;                   /* what a callback failed with; its text is set */
};

enum bk__content bk__unpack_sniff(const unsigned char *bytes, size_t size) {
    if (size == 0) {
        return BK__EMPTY;
    }
    if (size >= 16 && memcmp(bytes, "SQLite format 3", 16) == 0) {
        return BK__SQLITE;
    }
    if (size >= 5 && memcmp(bytes, "PGDMP", 5) == 0) {
        return BK__PGDUMP;
    }
    if (size >= 9 && memcmp(bytes, "REDIS0", 6) == 0) {
        return BK__RDB;
    }
    if (size >= 262 && memcmp(bytes + 257, "ustar", 5) == 0) {
        return BK__TAR;
    }
    return memchr(bytes, '\0', size) == NULL ? BK__SQL : BK__STRANGE;
}

static int64_t source(void *context, unsigned char *bytes, size_t room) {
    struct way *way = context;
    int64_t got = bk__file_read(way->in_fd, bytes, room);
    if (got < 0) {
        way->rc = bk__fail_errno((int)got, "cannot read", way->what->path, NULL);
        return -1;
    }
    way->in_bytes += got;
    return got;
}

/* A stream that unpacks to far more than it is must not fill the disk. */
static int check_space(struct way *way) {
    if (way->out_bytes < way->spaced) {
        return 0;
    }
    char *dir = bk__file_dir(way->what->out);
    int rc = dir == NULL ? bk__fail_memory()
                         : bk__folder_space(dir, 2 * SPACE_EVERY, "unpacking the backup");
    free(dir);
    way->spaced = way->out_bytes + SPACE_EVERY;
    return rc;
}

static int sink(void *context, const unsigned char *bytes, size_t size) {
    struct way *way = context;
    way->rc = bk__job_check(way->job);
    if (way->rc == 0) {
        way->rc = check_space(way);
    }
    if (way->rc != 0) {
        return 1;
    }
    if (way->out_bytes < HEAD) {
        size_t room = (size_t)(HEAD - way->out_bytes);
        memcpy(way->head + way->out_bytes, bytes, size < room ? size : room);
    }
    int err = bk__file_write(way->out_fd, bytes, size);
    if (err != 0) {
        way->rc = bk__fail_errno(err, "cannot write", way->what->out, NULL);
        return 1;
    }
    way->out_bytes += (int64_t)size;
    bk__job_progress(way->job, "unpack", way->in_bytes, way->total);
    return 0;
}

static int copy_plain(struct way *way) {
    unsigned char piece[PIECE];
    int64_t got = 0;
    while ((got = source(way, piece, sizeof piece)) > 0) {
        if (sink(way, piece, (size_t)got) != 0) {
            return way->rc;
        }
    }
    return way->rc;
}

static int copy_stream(struct way *way, const struct bk__codec *codec) {
    int64_t at = 0;
    const struct bk__codec_pipe pipe = {way, source, sink};
    enum bk__codec_why why = codec->foreign(&pipe, &at);
    if (why == BK__CODEC_STOP || way->rc != 0) {
        return way->rc;
    }
    if (why == BK__CODEC_MEMORY) {
        return bk__fail_memory();
    }
    if (why == BK__CODEC_FINE) {
        return 0;
    }
    return bk__fail(BK_ECORRUPT,
                    "%s is torn at byte %" PRId64 " of %" PRId64
                    ": %s. Nothing was changed. Use another backup.",
                    way->what->name, at, way->total, bk__codec_why_text(why));
}

/* How it is packed, by its first bytes; NULL: not at all. */
static const struct bk__codec *codec_of(const unsigned char *bytes, int64_t size) {
    struct bk__form form = {.content = "db"};
    if (size >= 2 && bytes[0] == 0x1f && bytes[1] == 0x8b) {
        form.compression = BK__GZIP;
    } else if (size >= 4 && (memcmp(bytes, "\x28\xb5\x2f\xfd", 4) == 0 ||
                             (memcmp(bytes + 1, "\x2a\x4d\x18", 3) == 0 &&
                              (bytes[0] & 0xf0) == 0x50))) {
        form.compression = BK__ZSTD;
    } else {
        return NULL;
    }
    return bk__codec_for(&form);
}

static int copy(struct way *way) {
    unsigned char start[8] = {0};
    int64_t got = bk__file_pread(way->in_fd, start, sizeof start, 0);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", way->what->path, NULL);
    }
    const struct bk__codec *codec = codec_of(start, got);
    if (codec != NULL && codec->foreign == NULL) {
        return bk__fail(BK_EUNSUPPORTED,
                        "%s is packed in a way that this build cannot read. Nothing was "
                        "changed. Unpack it yourself.",
                        way->what->name);
    }
    return codec == NULL ? copy_plain(way) : copy_stream(way, codec);
}

/* Only the very file that was listed: no link, nothing that took its place. */
static int open_listed(const struct bk__unpack *what, int64_t *ret_size) {
    struct stat info;
    int fd = open(what->path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) {
        return bk__fail_errno(errno, "cannot open", what->path, NULL);
    }
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode) || info.st_dev != what->dev ||
        info.st_ino != what->ino) {
        bk__file_close(fd);
        return bk__fail(
            BK_EBUSY,
            "%s was replaced while it was looked at. Nothing was changed. Try "
            "again.",
            what->path);
    }
    *ret_size = info.st_size;
    return fd;
}

int bk__unpack(struct bk__job *job, const struct bk__unpack *what,
               struct bk__unpacked *ret) {
    struct way way = {.job = job, .what = what};
    way.in_fd = open_listed(what, &way.total);
    if (way.in_fd < 0) {
        return way.in_fd;
    }
    way.out_fd = bk__file_create(what->out);
    int rc = way.out_fd < 0 ? bk__fail_errno(way.out_fd, "cannot create", what->out, NULL)
                            : copy(&way);
    bk__file_close(way.in_fd);
    if (way.out_fd >= 0) {
        int closed = bk__file_close(way.out_fd);
        if (rc == 0 && closed != 0) {
            rc = bk__fail_errno(closed, "cannot finish writing", what->out, NULL);
        }
    }
    if (rc == 0) {
        ret->bytes = way.out_bytes;
        size_t size = way.out_bytes < HEAD ? (size_t)way.out_bytes : HEAD;
        ret->content = bk__unpack_sniff(way.head, size);
        bool known = ret->content != BK__SQL && ret->content != BK__STRANGE;
        ret->other = known ? NULL : bk__other_name(way.head, size);
    }
    return rc;
}
