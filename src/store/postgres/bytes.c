/*
 * A dump's bytes one after another, out of a file, or out of a pipe and into a file: numbers and texts
 * as pg_dump writes them, and where one that is damaged is so. Not what they mean: image.c calls it.
 */
#include <store/postgres/bytes.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/growth.h>
#include <store/postgres/internal.h>

#define PIECE ((size_t)1 << 20)
#define TEXT_LIMIT (INT64_C(1) << 30)

/* ---- where they come from ------------------------------------------------------------------- */

static int begin(struct bk__pg_bytes *in, const char *path, int fd) {
    in->path = path;
    in->fd = fd;
    in->piece = malloc(PIECE);
    return in->piece == NULL ? bk__fail_memory() : 0;
}

int bk__pg_bytes_open(struct bk__pg_bytes *in, const char *path) {
    int fd = bk__file_open_read(path);
    int rc = begin(in, path, fd);
    if (rc == 0 && fd < 0) {
        rc = bk__fail_errno(fd, "cannot open", path, NULL);
    }
    in->size = rc == 0 ? bk__file_size(fd) : 0;
    return in->size < 0 ? bk__fail_errno((int)in->size, "cannot read", path, NULL) : rc;
}

int bk__pg_bytes_follow(struct bk__pg_bytes *in, const struct bk__pg_stream *stream) {
    in->stream = stream;
    in->size = INT64_MAX; /* nobody knows yet */
    return begin(in, stream->path, stream->from_fd);
}

void bk__pg_bytes_close(struct bk__pg_bytes *in) {
    if (in->stream == NULL && in->fd >= 0) {
        bk__file_close(in->fd);
    }
    free(in->piece);
}

int bk__pg_bytes_damaged(struct bk__pg_bytes *in, const char *why) {
    if (in->rc == 0) {
        in->rc =
            bk__fail(BK_ECORRUPT,
                     "The PostgreSQL dump %s is damaged at byte %" PRId64 " of %" PRId64
                     ": %s. Nothing was restored from it. Use another "
                     "backup.",
                     in->path, in->done, in->stream == NULL ? in->size : in->got, why);
    }
    return in->rc;
}

/* ---- reading ------------------------------------------------------------------------------- */

/* What came out of a pipe, into its file. */
static int keep_piece(struct bk__pg_bytes *in, size_t size) {
    const struct bk__pg_stream *stream = in->stream;
    int rc = bk__file_write(stream->to_fd, in->piece, size);
    if (rc != 0) {
        return bk__fail_errno(rc, "cannot write", stream->path, NULL);
    }
    in->got += (int64_t)size;
    bk__growth_tell(stream->growth, in->got);
    return 0;
}

static bool refill(struct bk__pg_bytes *in) {
    int64_t got = in->rc == 0 ? bk__file_read(in->fd, in->piece, PIECE) : 0;
    if (in->rc == 0 && got < 0) {
        in->rc = bk__fail_errno((int)got, "cannot read", in->path, NULL);
    }
    if (in->rc == 0) {
        in->rc = bk__job_check(in->job);
    }
    if (in->rc == 0 && got > 0 && in->stream != NULL) {
        in->rc = keep_piece(in, (size_t)got);
    }
    in->at = 0;
    in->filled = got > 0 && in->rc == 0 ? (size_t)got : 0;
    return in->filled > 0;
}

bool bk__pg_bytes_at_end(struct bk__pg_bytes *in) {
    return in->rc != 0 || (in->at == in->filled && !refill(in));
}

int bk__pg_bytes_byte(struct bk__pg_bytes *in) {
    if (bk__pg_bytes_at_end(in)) {
        bk__pg_bytes_damaged(in, "it ends in the middle");
        return 0;
    }
    in->done++;
    return in->piece[in->at++];
}

/* As many bytes as lie together, at most size. NULL at the end. */
const unsigned char *bk__pg_bytes_run(struct bk__pg_bytes *in, int64_t size,
                                      size_t *ret) {
    if (bk__pg_bytes_at_end(in)) {
        bk__pg_bytes_damaged(in, "it ends in the middle");
        return NULL;
    }
    size_t there = in->filled - in->at;
    *ret = (int64_t)there < size ? there : (size_t)size;
    const unsigned char *run = in->piece + in->at;
    in->at += *ret;
    in->done += (int64_t)*ret;
    return run;
}

/* A sign, then the size's bytes, the lowest first. */
int64_t bk__pg_bytes_int(struct bk__pg_bytes *in) {
    bool negative = bk__pg_bytes_byte(in) != 0;
    uint64_t value = 0;
    for (int i = 0; i < in->int_size; i++) {
        value |= (uint64_t)bk__pg_bytes_byte(in) << (8 * i);
    }
    if (value > INT32_MAX) {
        bk__pg_bytes_damaged(in, "a number is out of range");
        return 0;
    }
    return negative ? -(int64_t)value : (int64_t)value;
}

void bk__pg_bytes_skip(struct bk__pg_bytes *in, int64_t size) {
    while (size > 0 && in->rc == 0) {
        size_t got = 0;
        if (bk__pg_bytes_run(in, size, &got) != NULL) {
            size -= (int64_t)got;
        }
    }
}

/* A text's size; -1: there is none. */
int64_t bk__pg_bytes_size(struct bk__pg_bytes *in) {
    int64_t size = bk__pg_bytes_int(in);
    if (size > in->size - in->done || size > TEXT_LIMIT) {
        bk__pg_bytes_damaged(in, "a text is longer than the rest of the file");
        return -1;
    }
    return size;
}

void bk__pg_bytes_skip_text(struct bk__pg_bytes *in) {
    bk__pg_bytes_skip(in, bk__pg_bytes_size(in));
}

/* malloc'd; NULL: there is none, or in->rc. */
char *bk__pg_bytes_text(struct bk__pg_bytes *in) {
    int64_t size = bk__pg_bytes_size(in);
    char *text = size < 0 || in->rc != 0 ? NULL : malloc((size_t)size + 1);
    char *to = text;
    if (text == NULL) {
        in->rc = in->rc == 0 && size >= 0 ? bk__fail_memory() : in->rc;
        return NULL;
    }
    while (size > 0 && in->rc == 0) {
        size_t got = 0;
        const unsigned char *run = bk__pg_bytes_run(in, size, &got);
        if (run != NULL) {
            memcpy(to, run, got);
            to += got;
            size -= (int64_t)got;
        }
    }
    *to = '\0';
    return text;
}

int bk__pg_bytes_rest(struct bk__pg_bytes *in) {
    while (!bk__pg_bytes_at_end(in)) {
        in->done += (int64_t)(in->filled - in->at);
        in->at = in->filled;
    }
    return in->rc;
}
