/*
 * Packing an image into an archive, and reading an archive back to compare it with its manifest.
 * Not naming, publishing or deleting: create.c and prune.c do. Never a live database's files.
 * Called by create.c, verify.c, restore.c and apply.c.
 */
#include <backup/archive.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <os/thread.h>
#include <backup/gzip.h>
#include <backup/manifest.h>
#include <backup/pipeline.h>

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

static void *gzip_begin(void) {
    return bk__gzip_new();
}

static void gzip_end(void *state) {
    bk__gzip_free(state);
}

/* ---- packing -------------------------------------------------------------------------- */

static int64_t pack_fill(void *context, unsigned char *in, int64_t *ret_at) {
    struct pass *pass = context;
    *ret_at = pass->in_bytes;
    return pass_read(pass, in, BK__GZIP_BLOCK);
}

static int pack_work(void *state, struct bk__block *block) {
    block->out_size = bk__gzip_deflate(state, block->in, block->in_size, block->out);
    return block->out_size == 0;
}

static int pack_drain(void *context, const unsigned char *out, size_t size) {
    struct pass *pass = context;
    bk__job_progress(pass->job, "compress", pass->in_bytes, pass->total);
    return pass_write(pass, out, size);
}

static int pack_blame(void *context, int64_t at, int why) {
    (void)context;
    return bk__fail(BK_EINTERNAL,
                    "The block at byte %" PRId64 " could not be compressed (%d). "
                    "No backup was made; the database is untouched. "
                    "Please report it.",
                    at, why);
}

static int pack_run(struct pass *pass, const char *image, const char *archive) {
    const struct bk__pipeline plan = {.context = pass,
                                      .in_room = BK__GZIP_BLOCK,
                                      .out_room = BK__GZIP_ROOM,
                                      .fill = pack_fill,
                                      .drain = pack_drain,
                                      .blame = pack_blame,
                                      .begin = gzip_begin,
                                      .work = pack_work,
                                      .end = gzip_end};
    int rc = pass_open(pass, image);
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
                     struct bk__archive_facts *ret) {
    struct pass pass = {.job = job, .in_fd = -1, .out_path = archive};
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

static int read_drain(void *context, const unsigned char *out, size_t size) {
    struct pass *pass = context;
    if ((int64_t)size > pass->sink->database_bytes - pass->out_bytes) {
        return damaged(pass, pass->in_bytes, "it holds more than its manifest says");
    }
    bk__job_progress(pass->job, pass->sink->phase, pass->out_bytes,
                     pass->sink->database_bytes);
    return pass_write(pass, out, size);
}

static int read_blame(void *context, int64_t at, int why) {
    return damaged(context, at, bk__gzip_why_text((enum bk__gzip_why)why));
}

/* One whole member of ours. The first bytes of it tell how long it is. */
static int64_t read_fill(void *context, unsigned char *in, int64_t *ret_at) {
    struct pass *pass = context;
    *ret_at = pass->in_bytes;
    int64_t got = pass_read(pass, in, BK__GZIP_HEAD);
    if (got <= 0) {
        return got;
    }
    size_t size = got < BK__GZIP_HEAD ? 0 : bk__gzip_member_size(in);
    if (size == 0) {
        return read_blame(pass, *ret_at, BK__GZIP_FRAME);
    }
    got = pass_read(pass, in + BK__GZIP_HEAD, size - BK__GZIP_HEAD);
    if (got >= 0 && (size_t)got < size - BK__GZIP_HEAD) {
        return read_blame(pass, *ret_at, BK__GZIP_SHORT);
    }
    return got < 0 ? got : (int64_t)size;
}

static int read_work(void *state, struct bk__block *block) {
    return (int)bk__gzip_inflate(state, block->in, block->in_size, block->out,
                                 &block->out_size);
}

static int read_members(struct pass *pass) {
    const struct bk__pipeline plan = {.context = pass,
                                      .in_room = BK__GZIP_ROOM,
                                      .out_room = BK__GZIP_BLOCK,
                                      .fill = read_fill,
                                      .drain = read_drain,
                                      .blame = read_blame,
                                      .begin = gzip_begin,
                                      .work = read_work,
                                      .end = gzip_end};
    return bk__pipeline_run(&plan, worker_count());
}

/* What read_foreign's callbacks failed with: their text is set already. */
struct foreign_read {
    struct pass *pass;
    int rc;
};

static int64_t foreign_source(void *context, unsigned char *bytes, size_t room) {
    struct foreign_read *read = context;
    int64_t got = pass_read(read->pass, bytes, room);
    read->rc = got < 0 ? (int)got : read->rc;
    return got;
}

static int foreign_sink(void *context, const unsigned char *bytes, size_t size) {
    struct foreign_read *read = context;
    read->rc = read_drain(read->pass, bytes, size);
    return read->rc;
}

static int read_foreign(struct pass *pass) {
    int64_t at = 0;
    struct foreign_read read = {.pass = pass};
    const struct bk__gzip_pipe pipe = {&read, foreign_source, foreign_sink};
    enum bk__gzip_why why = bk__gzip_foreign(&pipe, &at);
    if (why == BK__GZIP_STOP) {
        return read.rc;
    }
    if (why == BK__GZIP_MEMORY) {
        return bk__fail_memory();
    }
    return why == BK__GZIP_FINE ? 0 : read_blame(pass, at, (int)why);
}

/* Nothing is compressed: the archive is the image. */
static int read_plain(struct pass *pass, unsigned char *piece, size_t room) {
    int64_t got = 0;
    int rc = 0;
    do {
        got = pass_read(pass, piece, room);
        rc = got < 0 ? (int)got : 0;
        if (got > 0) {
            rc = read_drain(pass, piece, (size_t)got);
        }
    } while (rc == 0 && got > 0);
    return rc;
}

static int read_any(struct pass *pass, const struct bk__form *form) {
    unsigned char piece[65536];
    if (form->compression == BK__PLAIN) {
        return read_plain(pass, piece, sizeof piece);
    }
    int64_t got = bk__file_pread(pass->in_fd, piece, BK__GZIP_HEAD, 0);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", pass->in_path, NULL);
    }
    bool ours = got == BK__GZIP_HEAD && bk__gzip_member_size(piece) != 0;
    return ours ? read_members(pass) : read_foreign(pass);
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
        pass_sums(&pass, ret->archive_sha256, ret->sha256);
    }
    pass_close(&pass);
    return rc;
}

static int compare(const struct bk__archive_facts *found,
                   const struct bk__manifest *manifest) {
    const char *what = NULL;
    if (found->bytes != manifest->bytes ||
        found->database_bytes != manifest->database_bytes) {
        what = "it has another size than its manifest says";
    } else if (strcmp(found->archive_sha256, manifest->archive_sha256) != 0) {
        what = "the SHA-256 of the file is not the one in its manifest";
    } else if (strcmp(found->sha256, manifest->sha256) != 0) {
        what = "the SHA-256 of the database inside is not the one in its manifest";
    }
    if (what == NULL) {
        return 0;
    }
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged somewhere in its %" PRId64
                    " bytes: %s. The database "
                    "was not touched. Use another backup, and look at the disk.",
                    manifest->name, found->bytes, what);
}

int bk__archive_check(struct bk__job *job, const char *path,
                      const struct bk__manifest *manifest, struct bk__archive_sink sink) {
    struct bk__archive_facts found = {0};
    sink.what = manifest->name;
    sink.database_bytes = manifest->database_bytes;
    int rc = bk__archive_read(job, path, &manifest->form, &sink, &found);
    return rc != 0 ? rc : compare(&found, manifest);
}
