/*
 * Packing an image into an archive, and reading an archive back to compare it with its manifest.
 * Not naming, publishing or deleting: create.c and prune.c do. Never a live database's files.
 * Called by create.c, verify.c, restore.c and apply.c.
 */
#include <backup/archive.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <os/thread.h>
#include <backup/codec.h>
#include <backup/encryption.h>
#include <backup/manifest.h>
#include <backup/pipeline.h>
#include <backup/sealed.h>

/* One pass over a file: where it reads, what it hashes, where it writes. */
struct pass {
    struct bk__job *job;
    const struct bk__archive_sink *sink;
    const char *in_path;
    const char *out_path;
    int in_fd, out_fd;
    struct bk__hash *in_hash, *out_hash;
    int64_t in_bytes, out_bytes;
    int64_t total; /* of the file that is read */
    struct bk__coding coding;
    struct bk__places places;   /* of the archive, whichever side it is */
    bool ended;                 /* the coding's last block was read */
    struct bk__sealing sealing; /* of an encrypted archive that is read */
};

static int pass_open(struct pass *pass, const char *in_path) {
    pass->in_path = in_path;
    pass->in_fd = bk__file_open_read(in_path);
    if (pass->in_fd < 0) {
        return bk__fail_errno(pass->in_fd, "cannot open", in_path, NULL);
    }
    pass->total = bk__file_size(pass->in_fd);
    if (pass->total < 0) {
        return bk__fail_errno((int)pass->total, "cannot read the size of", in_path, NULL);
    }
    pass->in_hash = bk__hash_new();
    pass->out_hash = bk__hash_new();
    if (pass->in_hash == NULL || pass->out_hash == NULL) {
        return bk__fail_memory();
    }
    return 0;
}

static void pass_close(struct pass *pass) {
    if (pass->in_fd >= 0) {
        bk__file_close(pass->in_fd);
    }
    bk__hash_drop(pass->in_hash);
    bk__hash_drop(pass->out_hash);
    bk__seal_wipe(&pass->sealing.seal);
}

/* Reads up to room bytes of the input into the running hash. */
static int64_t pass_read(struct pass *pass, unsigned char *bytes, size_t room) {
    int64_t got = bk__file_read(pass->in_fd, bytes, room);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", pass->in_path, NULL);
    }
    bk__hash_add(pass->in_hash, bytes, (size_t)got);
    pass->in_bytes += got;
    return got;
}

static int pass_write(struct pass *pass, const unsigned char *bytes, size_t size) {
    int rc = bk__job_check(pass->job);
    if (rc != 0) {
        return rc;
    }
    bk__hash_add(pass->out_hash, bytes, size);
    pass->out_bytes += (int64_t)size;
    if (pass->out_fd >= 0) {
        rc = bk__file_write(pass->out_fd, bytes, size);
        if (rc != 0) {
            return bk__fail_errno(rc, "cannot write", pass->out_path, NULL);
        }
    }
    return 0;
}

/* Ends both hashes into text; the pass can only be closed after it. */
static void pass_sums(struct pass *pass, char in_hex[BK__SHA256_HEX],
                      char out_hex[BK__SHA256_HEX]) {
    bk__hash_end(pass->in_hash, in_hex);
    bk__hash_end(pass->out_hash, out_hex);
    pass->in_hash = NULL;
    pass->out_hash = NULL;
}

static int worker_count(void) {
    return bk__cpu_count();
}

/* A worker's state is the codec's own, and which codec it is. */
struct worker {
    const struct bk__codec *codec;
    void *state;
};

static void *worker_begin(void *context) {
    const struct pass *pass = context;
    struct worker *worker = malloc(sizeof *worker);
    if (worker == NULL) {
        return NULL;
    }
    worker->codec = pass->coding.codec;
    worker->state = worker->codec->begin(pass->coding.with);
    if (worker->state == NULL) {
        free(worker);
        return NULL;
    }
    return worker;
}

static void worker_end(void *state) {
    struct worker *worker = state;
    worker->codec->end(worker->state);
    free(worker);
}

static size_t block_room(const struct pass *pass) {
    size_t room = pass->coding.codec->room;
    return room > BK__CODEC_BLOCK ? room : BK__CODEC_BLOCK;
}

/* ---- packing -------------------------------------------------------------------------- */

/* Bytes of the archive: hashed, summed by place, written. */
static int put(struct pass *pass, const unsigned char *bytes, size_t size) {
    bk__places_add(&pass->places, bytes, size);
    return pass_write(pass, bytes, size);
}

static int pack_fill(void *context, struct bk__block *block) {
    struct pass *pass = context;
    block->at = pass->in_bytes;
    int64_t got = pass_read(pass, block->in, BK__CODEC_BLOCK);
    if (got < 0) {
        return (int)got;
    }
    block->in_size = (size_t)got;
    bool last = got == 0 && pass->coding.codec->ends && !pass->ended;
    pass->ended = got == 0;
    return got > 0 || last;
}

static int pack_work(void *state, struct bk__block *block) {
    const struct worker *worker = state;
    return (int)worker->codec->pack(worker->state, block);
}

static int pack_drain(void *context, const struct bk__block *block) {
    struct pass *pass = context;
    bk__job_progress(pass->job, "compress", pass->in_bytes, pass->total);
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

static int pack_run(struct pass *pass, const char *image, const char *archive) {
    const struct bk__pipeline plan = {.context = pass,
                                      .room = block_room(pass),
                                      .fill = pack_fill,
                                      .drain = pack_drain,
                                      .blame = pack_blame,
                                      .begin = worker_begin,
                                      .work = pack_work,
                                      .end = worker_end};
    int rc = pass_open(pass, image);
    if (rc == 0) {
        rc = put(pass, pass->coding.prefix, pass->coding.prefix_size);
    }
    if (rc == 0) {
        rc = bk__pipeline_run(&plan, worker_count());
    }
    if (rc != 0) {
        return rc;
    }
    rc = bk__file_sync(pass->out_fd);
    return rc == 0 ? 0 : bk__fail_errno(rc, "cannot flush to the disk", archive, NULL);
}

int bk__archive_pack(struct bk__job *job, const char *image, const char *archive,
                     const struct bk__coding *coding, struct bk__archive_facts *ret) {
    struct pass pass = {.job = job, .in_fd = -1, .out_path = archive, .coding = *coding};
    if (bk__encryption_wanted(bk__job_config(job)) &&
        coding->codec != &bk__codec_sealed) {
        return bk__fail(BK_EINTERNAL, "A backup that was to be encrypted would have been "
                                      "written plain. None was made; the database is "
                                      "untouched. Please report it.");
    }
    pass.out_fd = bk__file_create(archive);
    if (pass.out_fd < 0) {
        return bk__fail_errno(pass.out_fd, "cannot create", archive, NULL);
    }
    int rc = pack_run(&pass, image, archive);
    int closed = bk__file_close(pass.out_fd);
    if (rc == 0 && closed != 0) {
        rc = bk__fail_errno(closed, "cannot finish writing", archive, NULL);
    }
    if (rc == 0) {
        ret->bytes = pass.out_bytes;
        ret->database_bytes = pass.in_bytes;
        ret->places = pass.places;
        pass_sums(&pass, ret->sha256, ret->archive_sha256);
    }
    pass_close(&pass);
    return rc;
}

/* ---- reading back --------------------------------------------------------------------- */

static int damaged(const struct pass *pass, int64_t at, const char *why) {
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged at byte %" PRId64 " of %" PRId64
                    ": %s. The database "
                    "was not touched. Use another backup, and look at the disk.",
                    pass->sink->what, at, pass->total, why);
}

/* The next bytes of the archive: hashed and summed by place. */
static int64_t take(struct pass *pass, unsigned char *bytes, size_t room) {
    int64_t got = pass_read(pass, bytes, room);
    if (got > 0) {
        bk__places_add(&pass->places, bytes, (size_t)got);
    }
    return got;
}

static int read_blame(struct pass *pass, int64_t at, enum bk__codec_why why) {
    return damaged(pass, at, bk__codec_why_text(why));
}

static int take_out(struct pass *pass, const unsigned char *out, size_t size) {
    if ((int64_t)size > pass->sink->database_bytes - pass->out_bytes) {
        return damaged(pass, pass->in_bytes, "it holds more than its manifest says");
    }
    bk__job_progress(pass->job, pass->sink->phase, pass->out_bytes,
                     pass->sink->database_bytes);
    return pass_write(pass, out, size);
}

static int block_drain(void *context, const struct bk__block *block) {
    struct pass *pass = context;
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
    return read_blame(context, block->at, (enum bk__codec_why)why);
}

/* One whole block. The first bytes of it tell how long it is; where there are none, a block is
   what there is. */
static int block_fill(void *context, struct bk__block *block) {
    struct pass *pass = context;
    const struct bk__codec *codec = pass->coding.codec;
    block->at = pass->in_bytes;
    int64_t got = take(pass, block->in, codec->head > 0 ? codec->head : codec->room);
    if (got <= 0 || codec->head == 0) {
        block->in_size = got > 0 ? (size_t)got : 0;
        return got < 0 ? (int)got : got > 0;
    }
    size_t size = (size_t)got < codec->head ? 0 : codec->size(block->in);
    if (size < codec->head || size > codec->room) {
        return read_blame(pass, block->at, BK__CODEC_FRAME);
    }
    got = take(pass, block->in + codec->head, size - codec->head);
    if (got >= 0 && (size_t)got < size - codec->head) {
        return read_blame(pass, block->at, BK__CODEC_SHORT);
    }
    block->in_size = size;
    return got < 0 ? (int)got : 1;
}

static int block_work(void *state, struct bk__block *block) {
    const struct worker *worker = state;
    return (int)worker->codec->unpack(worker->state, block);
}

static int read_blocks(struct pass *pass) {
    const struct bk__pipeline plan = {.context = pass,
                                      .room = block_room(pass),
                                      .fill = block_fill,
                                      .drain = block_drain,
                                      .blame = block_blame,
                                      .begin = worker_begin,
                                      .work = block_work,
                                      .end = worker_end};
    unsigned char prefix[BK__CODEC_PREFIX];
    int64_t got = take(pass, prefix, pass->coding.prefix_size);
    if (got < 0) {
        return (int)got;
    }
    int rc = bk__pipeline_run(&plan, worker_count());
    if (rc == 0 && pass->coding.codec->ends && !pass->ended) {
        rc = read_blame(pass, pass->in_bytes, BK__CODEC_SHORT);
    }
    return rc;
}

/* What read_foreign's callbacks failed with: their text is set already. */
struct foreign_read {
    struct pass *pass;
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

static int read_foreign(struct pass *pass) {
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
static int find_seal(struct pass *pass, const unsigned char *header) {
    struct bk__seal_facts facts;
    const struct bk__archive_sink *sink = pass->sink;
    const char *why = bk__seal_facts(header, &facts);
    if (why == NULL && sink->key_id != NULL && strcmp(facts.key_id, sink->key_id) != 0) {
        why = "its header names another key than its manifest";
    }
    if (why != NULL) {
        return damaged(pass, 0, why);
    }
    if (sink->seal == NULL) {
        return bk__encryption_open(pass->job, sink->what, header, &pass->sealing.seal);
    }
    pass->sealing.seal = *sink->seal;
    return memcmp(header, sink->seal->header, BK__SEAL_HEADER) == 0
               ? 0
               : damaged(pass, 0, "its header is not the one that was written");
}

/* Frames around the inner row's blocks, or frames alone where they cannot be opened. */
static int find_frames(struct pass *pass) {
    unsigned char header[BK__SEAL_HEADER];
    int64_t got = bk__file_pread(pass->in_fd, header, sizeof header, 0);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", pass->in_path, NULL);
    }
    if (got < BK__SEAL_HEADER) {
        return read_blame(pass, got, BK__CODEC_SHORT);
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
static int find_coding(struct pass *pass, const struct bk__form *form) {
    pass->coding.codec = bk__codec_for(form);
    if (pass->coding.codec == NULL) {
        return bk__fail(BK_EUNSUPPORTED,
                        "Backup %s is packed in a way this version cannot read. Nothing "
                        "was touched. Use a newer botkeep, or another backup.",
                        pass->sink->what);
    }
    return form->encrypted ? find_frames(pass) : 0;
}

static int read_any(struct pass *pass, const struct bk__form *form) {
    unsigned char head[BK__CODEC_HEAD];
    int rc = find_coding(pass, form);
    if (rc != 0) {
        return rc;
    }
    const struct bk__codec *codec = pass->coding.codec;
    if (codec->foreign == NULL) {
        return read_blocks(pass);
    }
    int64_t got = bk__file_pread(pass->in_fd, head, codec->head, 0);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", pass->in_path, NULL);
    }
    bool ours = (size_t)got == codec->head && codec->size(head) != 0;
    return ours ? read_blocks(pass) : read_foreign(pass);
}

int bk__archive_read(struct bk__job *job, const char *path, const struct bk__form *form,
                     const struct bk__archive_sink *sink, struct bk__archive_facts *ret) {
    struct pass pass = {.job = job,
                        .sink = sink,
                        .out_fd = sink->out_fd,
                        .out_path = sink->out_path,
                        .in_fd = -1};
    int rc = pass_open(&pass, path);
    if (rc == 0) {
        rc = read_any(&pass, form);
    }
    if (rc == 0) {
        ret->bytes = pass.in_bytes;
        ret->database_bytes = pass.out_bytes;
        ret->places = pass.places;
        ret->shut = pass.coding.codec == &bk__codec_shut;
        pass_sums(&pass, ret->archive_sha256, ret->sha256);
    }
    pass_close(&pass);
    return rc;
}

static int changed(const struct bk__archive_facts *found,
                   const struct bk__manifest *manifest) {
    int64_t from = 0;
    int64_t to = found->bytes;
    bool placed = bk__places_differ(&found->places, &manifest->places, &from, &to);
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged %s bytes %" PRId64 " and %" PRId64
                    ": the SHA-256 of the file is not the one in its manifest. The "
                    "database was not touched. Use another backup, and look at the disk.",
                    manifest->name, placed ? "between" : "somewhere between", from, to);
}

static int compare(const struct bk__archive_facts *found,
                   const struct bk__manifest *manifest) {
    const char *what = NULL;
    if (found->bytes != manifest->bytes ||
        (!found->shut && found->database_bytes != manifest->database_bytes)) {
        what = "it has another size than its manifest says";
    } else if (strcmp(found->archive_sha256, manifest->archive_sha256) != 0) {
        return changed(found, manifest);
    } else if (!found->shut && strcmp(found->sha256, manifest->sha256) != 0) {
        what = "the SHA-256 of the database inside is not the one in its manifest";
    }
    if (what == NULL) {
        return found->shut;
    }
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged: of %" PRId64 " bytes, %s. The database "
                    "was not touched. Use another backup, and look at the disk.",
                    manifest->name, found->bytes, what);
}

int bk__archive_check(struct bk__job *job, const char *path,
                      const struct bk__manifest *manifest, struct bk__archive_sink sink) {
    struct bk__archive_facts found = {0};
    sink.what = manifest->name;
    sink.database_bytes = manifest->database_bytes;
    sink.key_id = manifest->form.encrypted ? manifest->key_id : NULL;
    int rc = bk__archive_read(job, path, &manifest->form, &sink, &found);
    return rc != 0 ? rc : compare(&found, manifest);
}
