/*
 * One pass: files opened, read, hashed and written, and the state of its workers.
 * Not blocks or codecs: archive.c and pack.c.
 * Called by these two.
 */
#include <backup/archive/pass.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/archive/archive.h>

static int open_input(struct bk__pass *pass) {
    const struct bk__archive_sink *sink = pass->sink;
    if (pass->source != NULL) {
        pass->total = pass->source->bytes;
        return 0;
    }
    pass->in_fd = bk__file_open_read(pass->in_path);
    if (pass->in_fd < 0) {
        return bk__fail_errno(pass->in_fd, "cannot open", pass->in_path, NULL);
    }
    if (sink != NULL && sink->size > 0) {
        pass->from = sink->from;
        pass->total = sink->size;
        return 0;
    }
    pass->total = bk__file_size(pass->in_fd);
    return pass->total >= 0 ? 0
                            : bk__fail_errno((int)pass->total, "cannot read the size of",
                                             pass->in_path, NULL);
}

int bk__pass_open(struct bk__pass *pass, const char *in_path) {
    pass->in_path = in_path;
    int rc = open_input(pass);
    pass->in_hash = bk__hash_new();
    pass->out_hash = bk__hash_new();
    if (rc == 0 && (pass->in_hash == NULL || pass->out_hash == NULL)) {
        rc = bk__fail_memory();
    }
    return rc;
}

void bk__pass_close(struct bk__pass *pass) {
    if (pass->in_fd >= 0) {
        bk__file_close(pass->in_fd);
    }
    bk__hash_drop(pass->in_hash);
    bk__hash_drop(pass->out_hash);
    bk__seal_wipe(&pass->sealing.seal);
}

/* From a file that is still growing, or whose archive is only a part of it. */
static int64_t read_at(struct bk__pass *pass, unsigned char *bytes, size_t room,
                       int64_t at) {
    if (pass->sink != NULL && pass->sink->size > 0 && (int64_t)room > pass->total - at) {
        room = (size_t)(pass->total - at);
    }
    int64_t got = bk__file_pread(pass->in_fd, bytes, room, pass->from + at);
    return got >= 0 ? got : bk__fail_errno((int)got, "cannot read", pass->in_path, NULL);
}

int64_t bk__pass_peek(struct bk__pass *pass, unsigned char *bytes, size_t room) {
    return read_at(pass, bytes, room, 0);
}

int64_t bk__pass_read(struct bk__pass *pass, unsigned char *bytes, size_t room) {
    const struct bk__archive_source *source = pass->source;
    int64_t got = source != NULL ? source->read(source->context, bytes, room)
                                 : read_at(pass, bytes, room, pass->in_bytes);
    if (got > 0) {
        bk__hash_add(pass->in_hash, bytes, (size_t)got);
        pass->in_bytes += got;
    }
    return got;
}

int bk__pass_write(struct bk__pass *pass, const unsigned char *bytes, size_t size) {
    int rc = bk__job_check(pass->job);
    if (rc != 0) {
        return rc;
    }
    if (!pass->same) {
        bk__hash_add(pass->out_hash, bytes, size);
    }
    pass->out_bytes += (int64_t)size;
    if (pass->out_fd >= 0) {
        rc = bk__file_write(pass->out_fd, bytes, size);
        if (rc != 0) {
            return bk__fail_errno(rc, "cannot write", pass->out_path, NULL);
        }
    }
    return 0;
}

void bk__pass_sums(struct bk__pass *pass, char in_hex[BK__SHA256_HEX],
                   char out_hex[BK__SHA256_HEX]) {
    bk__hash_end(pass->in_hash, in_hex);
    pass->in_hash = NULL;
    if (pass->same) {
        memcpy(out_hex, in_hex, BK__SHA256_HEX);
        return;
    }
    bk__hash_end(pass->out_hash, out_hex);
    pass->out_hash = NULL;
}

size_t bk__pass_room(const struct bk__pass *pass) {
    size_t room = pass->coding.codec->room;
    return room > BK__CODEC_BLOCK ? room : BK__CODEC_BLOCK;
}

void bk__pass_worker_free(void *state) {
    struct bk__pass_worker *worker = state;
    if (worker->state != NULL) {
        worker->codec->end(worker->state);
    }
    free(worker->again);
    free(worker->copy);
    free(worker);
}

struct bk__pass_worker *bk__pass_worker_new(const struct bk__pass *pass, bool packs) {
    struct bk__pass_worker *worker = calloc(1, sizeof *worker);
    if (worker == NULL) {
        return NULL;
    }
    worker->codec = pass->coding.codec;
    worker->state = worker->codec->begin(pass->coding.with);
    bool copies = packs && worker->codec->in_place;
    worker->again = packs ? malloc(bk__pass_room(pass)) : NULL;
    worker->copy = copies ? malloc(bk__pass_room(pass)) : NULL;
    if (worker->state == NULL || (packs && worker->again == NULL) ||
        (copies && worker->copy == NULL)) {
        bk__pass_worker_free(worker);
        return NULL;
    }
    return worker;
}
