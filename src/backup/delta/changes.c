/*
 * Reading an image once, for three ends: its SHA-256, the sums of its pages, and a payload of those
 * that changed. Not packing the payload, nor whether a backup is made of it: making.c and differ.c.
 */
#include <backup/delta/changes.h>

#include <errno.h>
#include <stdlib.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/growth.h>
#include <backup/delta/pages.h>

#define PIECE ((size_t)1 << 20) /* a multiple of every page size */

struct walk {
    struct bk__changes *changes;
    int image_fd, payload_fd;
    struct bk__hash *hash, *payload_hash;
    unsigned char *piece;
    int64_t page; /* the number of the piece's first one, from 1 */
    bool writes;  /* the payload is still worth it */
};

static int put(struct walk *w, const unsigned char *bytes, size_t size) {
    struct bk__changes *c = w->changes;
    c->payload_bytes += (int64_t)size;
    if (c->payload_bytes > c->payload_most) {
        w->writes = false;
        return 0;
    }
    bk__hash_add(w->payload_hash, bytes, size);
    int err = bk__file_write(w->payload_fd, bytes, size);
    return err == 0 ? 0 : bk__fail_errno(err, "cannot write", c->payload, NULL);
}

/* Pages of the piece, from one index up to another. */
static int put_run(struct walk *w, size_t from, size_t to) {
    unsigned char head[BK__DELTA_RUN];
    size_t page_size = (size_t)w->changes->delta.page_size;
    if (from == to || !w->writes) {
        return 0;
    }
    bk__delta_run(w->page + (int64_t)from, (int64_t)(to - from), head);
    int rc = put(w, head, sizeof head);
    return rc == 0 && w->writes
               ? put(w, w->piece + from * page_size, (to - from) * page_size)
               : rc;
}

static int take_piece(struct walk *w, size_t size) {
    size_t page_size = (size_t)w->changes->delta.page_size;
    size_t count = size / page_size;
    size_t begun = 0; /* where the present run of changed pages began */
    int rc = 0;
    bk__hash_add(w->hash, w->piece, size);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        if (!bk__pages_changed(w->changes->pages, w->piece + i * page_size)) {
            rc = put_run(w, begun, i);
            begun = i + 1;
        }
    }
    rc = rc == 0 ? put_run(w, begun, count) : rc;
    w->page += (int64_t)count;
    return rc;
}

static int read_image(struct walk *w) {
    struct bk__changes *c = w->changes;
    int64_t total = c->delta.pages * c->delta.page_size;
    int64_t done = 0;
    int rc = 0;
    while (rc == 0 && done < total) {
        size_t size = total - done < (int64_t)PIECE ? (size_t)(total - done) : PIECE;
        if (!bk__growth_wait(c->growth, done + (int64_t)size)) {
            return BK__CHANGES_GIVEN_UP;
        }
        int64_t got = bk__file_read(w->image_fd, w->piece, size);
        if (got != (int64_t)size) {
            return bk__fail_errno(got < 0 ? (int)got : -EIO, "cannot read", c->image,
                                  NULL);
        }
        done += got;
        rc = take_piece(w, size);
        rc = rc == 0 ? bk__job_check(c->job) : rc;
    }
    return rc;
}

static int begin_payload(struct walk *w) {
    unsigned char header[BK__DELTA_HEADER];
    struct bk__changes *c = w->changes;
    if (c->payload == NULL) {
        return 0;
    }
    w->payload_fd = bk__file_create(c->payload);
    if (w->payload_fd < 0) {
        return bk__fail_errno(w->payload_fd, "cannot create", c->payload, NULL);
    }
    w->writes = true;
    bk__delta_header(&c->delta, header);
    return put(w, header, sizeof header);
}

static int end_payload(struct walk *w) {
    unsigned char end[BK__DELTA_END];
    struct bk__changes *c = w->changes;
    bool believed = bk__pages_end(c->pages);
    int rc = 0;
    if (w->writes) {
        bk__delta_end(&c->delta, end);
        rc = put(w, end, sizeof end);
    }
    c->useful = rc == 0 && w->writes && believed;
    return rc;
}

static int walk(struct walk *w) {
    struct bk__changes *c = w->changes;
    w->hash = bk__hash_new();
    w->payload_hash = bk__hash_new();
    w->piece = malloc(PIECE);
    if (w->hash == NULL || w->payload_hash == NULL || w->piece == NULL) {
        return bk__fail_memory();
    }
    w->image_fd = bk__file_open_read(c->image);
    if (w->image_fd < 0) {
        return bk__fail_errno(w->image_fd, "cannot open", c->image, NULL);
    }
    int rc = begin_payload(w);
    rc = rc == 0 ? read_image(w) : rc;
    if (rc != 0) {
        return rc;
    }
    bk__hash_end(w->hash, c->delta.sha256);
    w->hash = NULL;
    rc = end_payload(w);
    bk__hash_end(w->payload_hash, c->payload_sha256);
    w->payload_hash = NULL;
    return rc;
}

int bk__changes_find(struct bk__changes *changes) {
    struct walk w = {.changes = changes, .image_fd = -1, .payload_fd = -1, .page = 1};
    int rc = walk(&w);
    if (w.image_fd >= 0) {
        bk__file_close(w.image_fd);
    }
    if (w.payload_fd >= 0) {
        int err = bk__file_close(w.payload_fd);
        if (rc == 0 && err != 0) {
            rc = bk__fail_errno(err, "cannot finish writing", changes->payload, NULL);
        }
    }
    bk__hash_drop(w.hash);
    bk__hash_drop(w.payload_hash);
    free(w.piece);
    return rc;
}
