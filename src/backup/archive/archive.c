/*
 * Reading an archive: what is inside it, and whether that is what its manifest says. Packing: pack.c.
 * Not naming, publishing or deleting: create.c and prune.c do. Never a live database's files.
 * Called by whoever reads what a backup holds, most of all chain.c.
 */
#include <backup/archive/archive.h>

#include <inttypes.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <os/thread.h>
#include <backup/archive/codec.h>
#include <backup/seal/encryption.h>
#include <backup/catalogue/manifest.h>
#include <backup/archive/pass.h>
#include <backup/archive/pipeline.h>
#include <backup/seal/sealed.h>

static void note_place(const struct bk__archive_sink *sink, int64_t from, int64_t to) {
    if (sink->damage != NULL) {
        *sink->damage = (struct bk__damage){from, to};
    }
}

static int damaged(const struct bk__pass *pass, int64_t at, const char *why) {
    note_place(pass->sink, at, pass->total);
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged at byte %" PRId64 " of %" PRId64
                    ": %s. The database "
                    "was not touched. Use another backup, and look at the disk.",
                    pass->sink->what, at, pass->total, why);
}

/* The next bytes of the archive: hashed and summed by place. */
static int64_t take(struct bk__pass *pass, unsigned char *bytes, size_t room) {
    int64_t got = bk__pass_read(pass, bytes, room);
    if (got > 0) {
        bk__places_add(&pass->places, bytes, (size_t)got);
    }
    return got;
}

static int read_blame(struct bk__pass *pass, int64_t at, enum bk__codec_why why) {
    return damaged(pass, at, bk__codec_why_text(why));
}

static int take_out(struct bk__pass *pass, const unsigned char *out, size_t size) {
    if ((int64_t)size > pass->sink->database_bytes - pass->out_bytes) {
        return damaged(pass, pass->in_bytes, "it holds more than its manifest says");
    }
    bk__job_progress(pass->job, pass->sink->phase, pass->out_bytes,
                     pass->sink->database_bytes);
    int rc = bk__pass_write(pass, out, size);
    if (rc == 0 && pass->sink->take != NULL && size > 0) {
        rc = pass->sink->take(pass->sink->context, out, size);
    }
    return rc;
}

static int block_drain(void *context, const struct bk__block *block) {
    struct bk__pass *pass = context;
    if (pass->ended) {
        return read_blame(pass, block->at, BK__CODEC_LONG);
    }
    pass->ended = block->out_size == 0 && pass->coding.codec->ends;
    if (pass->coding.codec == &bk__codec_shut) {
        bk__job_progress(pass->job, pass->sink->phase, pass->in_bytes, pass->total);
        return bk__job_check(pass->job);
    }
    return take_out(pass, block->out, block->out_size);
}

static int block_blame(void *context, const struct bk__block *block, int why) {
    const struct bk__pass *pass = context;
    int rc = read_blame(context, block->at, (enum bk__codec_why)why);
    note_place(pass->sink, block->at, block->at + (int64_t)block->in_size);
    return rc;
}

/* No whole block begins here. That may be because the one before told a wrong size: those on their
   way are judged first, and only when all are good is this place to blame. */
static int no_block(struct bk__pass *pass, int64_t at, enum bk__codec_why why) {
    pass->stuck_at = at;
    pass->stuck = why;
    return 0;
}

/* One whole block. The first bytes of it tell how long it is; where there are none, a block is
   what there is. */
static int block_fill(void *context, struct bk__block *block) {
    struct bk__pass *pass = context;
    const struct bk__codec *codec = pass->coding.codec;
    block->at = pass->in_bytes;
    int64_t got = take(pass, block->in, codec->head > 0 ? codec->head : codec->room);
    if (got <= 0 || codec->head == 0) {
        block->in_size = got > 0 ? (size_t)got : 0;
        return got < 0 ? (int)got : got > 0;
    }
    size_t size = (size_t)got < codec->head ? 0 : codec->size(block->in);
    if (size < codec->head || size > codec->room) {
        return no_block(pass, block->at, BK__CODEC_FRAME);
    }
    got = take(pass, block->in + codec->head, size - codec->head);
    if (got >= 0 && (size_t)got < size - codec->head) {
        return no_block(pass, block->at, BK__CODEC_SHORT);
    }
    block->in_size = size;
    return got < 0 ? (int)got : 1;
}

static void *block_begin(void *context) {
    return bk__pass_worker_new(context, false);
}

static int block_work(void *state, struct bk__block *block) {
    const struct bk__pass_worker *worker = state;
    return (int)worker->codec->unpack(worker->state, block);
}

static int read_blocks(struct bk__pass *pass) {
    const struct bk__pipeline plan = {.context = pass,
                                      .room = bk__pass_room(pass),
                                      .fill = block_fill,
                                      .drain = block_drain,
                                      .blame = block_blame,
                                      .begin = block_begin,
                                      .work = block_work,
                                      .end = bk__pass_worker_free};
    unsigned char prefix[BK__CODEC_PREFIX];
    int64_t got = take(pass, prefix, pass->coding.prefix_size);
    if (got < 0) {
        return (int)got;
    }
    int rc = bk__pipeline_run(&plan, bk__cpu_count());
    if (rc == 0 && pass->stuck != BK__CODEC_FINE) {
        rc = read_blame(pass, pass->stuck_at, pass->stuck);
    }
    if (rc == 0 && pass->coding.codec->ends && !pass->ended) {
        rc = read_blame(pass, pass->in_bytes, BK__CODEC_SHORT);
    }
    return rc;
}

/* What read_foreign's callbacks failed with: their text is set already. */
struct foreign_read {
    struct bk__pass *pass;
    int rc;
};

static int64_t foreign_source(void *context, unsigned char *bytes, size_t room) {
    struct foreign_read *read = context;
    int64_t got = take(read->pass, bytes, room);
    read->rc = got < 0 ? (int)got : read->rc;
    return got;
}

static int foreign_sink(void *context, const unsigned char *bytes, size_t size) {
    struct foreign_read *read = context;
    read->rc = take_out(read->pass, bytes, size);
    return read->rc;
}

static int read_foreign(struct bk__pass *pass) {
    int64_t at = 0;
    struct foreign_read read = {.pass = pass};
    const struct bk__codec_pipe pipe = {&read, foreign_source, foreign_sink};
    enum bk__codec_why why = pass->coding.codec->foreign(&pipe, &at);
    if (why == BK__CODEC_STOP) {
        return read.rc;
    }
    if (why == BK__CODEC_MEMORY) {
        return bk__fail_memory();
    }
    return why == BK__CODEC_FINE ? 0 : read_blame(pass, at, why);
}

/* The seal for the header the archive begins with. 1: there is no key for it. */
static int find_seal(struct bk__pass *pass, const unsigned char *header) {
    struct bk__seal_facts facts;
    const struct bk__archive_sink *sink = pass->sink;
    const char *why = bk__seal_facts(header, &facts);
    if (why == NULL && sink->key_id != NULL && strcmp(facts.key_id, sink->key_id) != 0) {
        why = "its header names another key than its manifest";
    }
    if (why != NULL) {
        return damaged(pass, 0, why);
    }
    return bk__encryption_open(pass->job, sink->what, header, &pass->sealing.seal);
}

/* Frames around the inner row's blocks, or frames alone where they cannot be opened. */
static int find_frames(struct bk__pass *pass) {
    unsigned char header[BK__SEAL_HEADER];
    int64_t got = bk__pass_peek(pass, header, sizeof header);
    if (got < BK__SEAL_HEADER) {
        return got < 0 ? (int)got : read_blame(pass, got, BK__CODEC_SHORT);
    }
    int rc = find_seal(pass, header);
    if (rc < 0 || (rc == 1 && !pass->sink->may_be_shut)) {
        return rc < 0 ? rc : BK_EDENIED;
    }
    pass->sealing.inner = pass->coding.codec;
    bk__sealed_coding(&pass->sealing, &pass->coding);
    if (rc == 1) {
        pass->coding.codec = &bk__codec_shut;
    }
    return 0;
}

/* How the archive is coded. */
static int find_coding(struct bk__pass *pass, const struct bk__form *form) {
    pass->coding.codec = bk__codec_for(form);
    if (pass->coding.codec == NULL) {
        return bk__fail(BK_EUNSUPPORTED,
                        "Backup %s is packed in a way this version cannot read. Nothing "
                        "was touched. Use a newer botkeep, or another backup.",
                        pass->sink->what);
    }
    return form->encrypted ? find_frames(pass) : 0;
}

static int read_any(struct bk__pass *pass, const struct bk__form *form) {
    unsigned char head[BK__CODEC_HEAD];
    int rc = find_coding(pass, form);
    if (rc != 0) {
        return rc;
    }
    const struct bk__codec *codec = pass->coding.codec;
    pass->same = codec == &bk__codec_plain && pass->coding.prefix_size == 0;
    if (codec->foreign == NULL) {
        return read_blocks(pass);
    }
    int64_t got = bk__pass_peek(pass, head, codec->head);
    if (got < 0) {
        return (int)got;
    }
    bool ours =
        pass->sink->ours || ((size_t)got == codec->head && codec->size(head) != 0);
    return ours ? read_blocks(pass) : read_foreign(pass);
}

int bk__archive_read(struct bk__job *job, const char *path, const struct bk__form *form,
                     const struct bk__archive_sink *sink, struct bk__archive_facts *ret) {
    struct bk__pass pass = {.job = job,
                            .sink = sink,
                            .out_fd = sink->out_fd,
                            .out_path = sink->out_path,
                            .in_fd = -1};
    int rc = bk__pass_open(&pass, path);
    if (rc == 0) {
        rc = read_any(&pass, form);
    }
    if (rc == 0) {
        ret->bytes = pass.in_bytes;
        ret->database_bytes = pass.out_bytes;
        ret->places = pass.places;
        ret->shut = pass.coding.codec == &bk__codec_shut;
        bk__pass_sums(&pass, ret->archive_sha256, ret->sha256);
    }
    bk__pass_close(&pass);
    return rc;
}

static int changed(const struct bk__archive_facts *found,
                   const struct bk__manifest *manifest,
                   const struct bk__archive_sink *sink) {
    int64_t from = 0;
    int64_t to = found->bytes;
    bool placed = bk__places_differ(&found->places, &manifest->places, &from, &to);
    note_place(sink, from, to);
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged %s bytes %" PRId64 " and %" PRId64
                    ": the SHA-256 of the file is not the one in its manifest. The "
                    "database was not touched. Use another backup, and look at the disk.",
                    sink->what, placed ? "between" : "somewhere between", from, to);
}

/* What is inside: the image, or changes to one, which the chain's reader looks into. */
static int64_t held_bytes(const struct bk__manifest *manifest) {
    return manifest->payload_bytes > 0 ? manifest->payload_bytes
                                       : manifest->database_bytes;
}

static int compare(const struct bk__archive_facts *found,
                   const struct bk__manifest *manifest,
                   const struct bk__archive_sink *sink) {
    const char *what = NULL;
    if (found->bytes != manifest->bytes ||
        (!found->shut && found->database_bytes != held_bytes(manifest))) {
        what = "it has another size than its manifest says";
    } else if (strcmp(found->archive_sha256, manifest->archive_sha256) != 0) {
        return changed(found, manifest, sink);
    } else if (!found->shut && manifest->payload_bytes == 0 &&
               strcmp(found->sha256, manifest->sha256) != 0) {
        what = "the SHA-256 of the database inside is not the one in its manifest";
    }
    if (what == NULL) {
        return found->shut;
    }
    note_place(sink, 0, found->bytes);
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged: of %" PRId64 " bytes, %s. The database "
                    "was not touched. Use another backup, and look at the disk.",
                    sink->what, found->bytes, what);
}

int bk__archive_check(struct bk__job *job, const char *path,
                      const struct bk__manifest *manifest, struct bk__archive_sink sink) {
    struct bk__archive_facts found = {0};
    sink.what = sink.what != NULL ? sink.what : manifest->name;
    sink.database_bytes = held_bytes(manifest);
    sink.ours = manifest->places.bytes > 0;
    sink.key_id = manifest->form.encrypted ? manifest->key_id : NULL;
    int rc = bk__archive_read(job, path, &manifest->form, &sink, &found);
    return rc != 0 ? rc : compare(&found, manifest, &sink);
}
