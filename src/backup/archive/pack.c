/*
 * Packing an image into an archive, each block proven on the way, and reading the file again.
 * Not what an archive holds: archive.c reads that. Never a live database's files.
 * Called by ahead.c, making.c and set_tar.c.
 */
#include <backup/archive/archive.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <os/thread.h>
#include <store/growth.h>
#include <backup/archive/codec.h>
#include <backup/seal/encryption.h>
#include <backup/archive/pass.h>
#include <backup/archive/pipeline.h>

#define FLUSH_EVERY                                                                      \
    (INT64_C(8) << 20) /* so that the fsync at the end has little to wait for */

/* Bytes of the archive: hashed, summed by place, written. */
static int put(struct bk__pass *pass, const unsigned char *bytes, size_t size) {
    int64_t before = pass->out_bytes / FLUSH_EVERY;
    bk__places_add(&pass->places, bytes, size);
    int rc = bk__pass_write(pass, bytes, size);
    if (rc == 0 && pass->out_bytes / FLUSH_EVERY > before) {
        bk__file_sync_begin(pass->out_fd, before * FLUSH_EVERY, FLUSH_EVERY);
    }
    return rc;
}

/* Waits until the image has grown by a block, or is whole. */
static int await(const struct bk__pass *pass, int64_t size) {
    if (pass->growth == NULL || bk__growth_wait(pass->growth, pass->in_bytes + size)) {
        return 0;
    }
    return bk__fail(BK_ECANCELLED, "The snapshot was given up, and its archive with it.");
}

static int pack_fill(void *context, struct bk__block *block) {
    struct bk__pass *pass = context;
    int rc = await(pass, (int64_t)BK__CODEC_FILL);
    if (rc != 0) {
        return rc;
    }
    block->at = pass->in_bytes;
    int64_t got = bk__pass_read(pass, block->in, BK__CODEC_FILL);
    if (got < 0) {
        return (int)got;
    }
    block->in_size = (size_t)got;
    bool last = got == 0 && pass->coding.codec->ends && !pass->ended;
    pass->ended = got == 0;
    return got > 0 || last;
}

static void *pack_begin(void *context) {
    return bk__pass_worker_new(context, true);
}

/* Packs, and unpacks at once what came of it while it is in the processor's cache: half of the
   proof that the archive holds the image. That the disk holds the archive is the other. */
static int pack_work(void *state, struct bk__block *block) {
    const struct bk__pass_worker *worker = state;
    enum bk__codec_why why = worker->codec->pack(worker->state, block);
    if (why != BK__CODEC_FINE) {
        return (int)why;
    }
    struct bk__block copy = *block;
    copy.in = block->out;
    copy.in_size = block->out_size;
    if (worker->copy != NULL) {
        memcpy(worker->copy, block->out, block->out_size);
        copy.in = worker->copy;
    }
    copy.out = worker->again;
    why = worker->codec->unpack(worker->state, &copy);
    if (why == BK__CODEC_FINE && (copy.out_size != block->in_size ||
                                  memcmp(copy.out, block->in, block->in_size) != 0)) {
        why = BK__CODEC_DATA;
    }
    return (int)why;
}

static int pack_drain(void *context, const struct bk__block *block) {
    struct bk__pass *pass = context;
    if (pass->growth == NULL) {
        bk__job_progress(pass->job, "compress", pass->in_bytes, pass->total);
    }
    return put(pass, block->out, block->out_size);
}

static int pack_blame(void *context, const struct bk__block *block, int why) {
    (void)context;
    return bk__fail(BK_EINTERNAL,
                    "The block at byte %" PRId64 " could not be packed: %s. "
                    "No backup was made; the database is untouched. "
                    "Please report it.",
                    block->at, bk__codec_why_text((enum bk__codec_why)why));
}

static int pack_run(struct bk__pass *pass, const struct bk__packing *what) {
    const struct bk__pipeline plan = {.context = pass,
                                      .room = bk__pass_room(pass),
                                      .fill = pack_fill,
                                      .drain = pack_drain,
                                      .blame = pack_blame,
                                      .begin = pack_begin,
                                      .work = pack_work,
                                      .end = bk__pass_worker_free};
    int rc = await(pass, 1); /* the file is there */
    if (rc == 0) {
        rc = bk__pass_open(pass, what->image);
    }
    if (rc == 0) {
        rc = put(pass, pass->coding.prefix, pass->coding.prefix_size);
    }
    if (rc == 0) {
        rc = bk__pipeline_run(&plan, bk__cpu_count());
    }
    if (rc != 0) {
        return rc;
    }
    rc = bk__file_sync(pass->out_fd);
    return rc == 0 ? 0
                   : bk__fail_errno(rc, "cannot flush to the disk", what->archive, NULL);
}

int bk__archive_pack(struct bk__job *job, const struct bk__packing *what,
                     struct bk__archive_facts *ret) {
    const char *archive = what->archive;
    struct bk__pass pass = {.job = job,
                            .in_fd = -1,
                            .out_path = archive,
                            .coding = *what->coding,
                            .growth = what->growth,
                            .source = what->source};
    if (bk__encryption_wanted(bk__job_config(job)) && !what->sealed &&
        what->coding->codec != &bk__codec_sealed) {
        return bk__fail(
            BK_EINTERNAL,
            "A backup that should be encrypted would have been written unencrypted. None "
            "was made; the database is untouched. Please report it.");
    }
    pass.out_fd = bk__file_create(archive);
    if (pass.out_fd < 0) {
        return bk__fail_errno(pass.out_fd, "cannot create", archive, NULL);
    }
    int rc = pack_run(&pass, what);
    int closed = bk__file_close(pass.out_fd);
    if (rc == 0 && closed != 0) {
        rc = bk__fail_errno(closed, "cannot finish writing", archive, NULL);
    }
    if (rc == 0) {
        ret->bytes = pass.out_bytes;
        ret->database_bytes = pass.in_bytes;
        ret->places = pass.places;
        bk__pass_sums(&pass, ret->sha256, ret->archive_sha256);
    }
    bk__pass_close(&pass);
    return rc;
}

/* ---- reading the file again ------------------------------------------------------------- */

static int reread(struct bk__pass *pass, unsigned char *piece) {
    int64_t got = 0;
    do {
        int rc = bk__job_check(pass->job);
        got = rc != 0 ? rc : bk__file_read(pass->in_fd, piece, BK__CODEC_BLOCK);
        if (rc == 0 && got < 0) {
            return bk__fail_errno((int)got, "cannot read", pass->in_path, NULL);
        }
        if (got > 0) {
            bk__places_add(&pass->places, piece, (size_t)got);
        }
    } while (got > 0);
    return (int)got;
}

int bk__archive_reread(struct bk__job *job, const char *path,
                       const struct bk__archive_facts *written, struct bk__damage *ret) {
    struct bk__pass pass = {.job = job, .in_path = path};
    unsigned char *piece = malloc(BK__CODEC_BLOCK);
    if (piece == NULL) {
        return bk__fail_memory();
    }
    pass.in_fd = bk__file_open_read(path);
    int rc = pass.in_fd < 0 ? bk__fail_errno(pass.in_fd, "cannot open", path, NULL)
                            : reread(&pass, piece);
    if (pass.in_fd >= 0) {
        bk__file_close(pass.in_fd);
    }
    free(piece);
    *ret = (struct bk__damage){0, 0};
    int64_t bytes = pass.places.bytes;
    if (rc == 0 && bytes != written->bytes) {
        bool cut = bytes < written->bytes;
        *ret = (struct bk__damage){cut ? bytes : written->bytes,
                                   cut ? written->bytes : bytes};
    } else if (rc == 0) {
        bk__places_differ(&pass.places, &written->places, &ret->from, &ret->to);
    }
    return rc;
}
