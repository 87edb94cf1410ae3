/*
 * Chains of backups: a full one, and changes upon changes to it, put together into one image.
 * Not the bytes of an archive: archive.c and delta.c. Nothing here writes into backup.dir.
 * Called by extract.c and verify.c. Which backup needs which: lineage.c.
 */
#include <backup/delta/chain.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/catalogue.h>
#include <backup/catalogue/folder.h>
#include <backup/catalogue/lineage.h>
#include <backup/catalogue/scratch.h>
#include <backup/delta/delta.h>
#include <backup/set/set_read.h>

#define SLACK (INT64_C(1) << 20)

/* ---- putting one together ------------------------------------------------------------- */

/* One archive of changes on its way into the image. */
struct apply {
    const struct bk__manifest *manifest;
    const char *path; /* of the image */
    int fd;
    struct bk__delta_reader reader;
};

static int damaged(const struct bk__manifest *manifest, const char *why) {
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged: %s. The database was not touched. Use another "
                    "backup, and look at the disk.",
                    manifest->name, why);
}

static int put(void *context, const unsigned char *bytes, size_t size, int64_t at) {
    struct apply *apply = context;
    int err = bk__file_pwrite(apply->fd, bytes, size, at);
    return err == 0 ? 0 : bk__fail_errno(err, "cannot write", apply->path, NULL);
}

/* The header is judged as soon as it is known: nothing is written by one of another image. */
static const char *differs(const struct apply *apply) {
    const struct bk__delta *found = &apply->reader.found;
    const struct bk__manifest *manifest = apply->manifest;
    if (found->page_size == 0) {
        return NULL;
    }
    return found->page_size != manifest->page_size || found->pages != manifest->pages ||
                   strcmp(found->parent_sha256, manifest->parent_sha256) != 0
               ? "its changes are those of another backup"
               : NULL;
}

static int take(void *context, const unsigned char *bytes, size_t size) {
    struct apply *apply = context;
    size_t head = size < BK__DELTA_HEADER ? size : BK__DELTA_HEADER;
    const char *why = bk__delta_feed(&apply->reader, bytes, head);
    why = why == NULL ? differs(apply) : why;
    why = why == NULL ? bk__delta_feed(&apply->reader, bytes + head, size - head) : why;
    if (apply->reader.rc != 0) {
        return apply->reader.rc;
    }
    return why == NULL ? 0 : damaged(apply->manifest, why);
}

static int read_archive(struct bk__job *job, const char *dir,
                        const struct bk__manifest *manifest,
                        struct bk__archive_sink sink) {
    char *path = bk__file_join(dir, manifest->name);
    if (path == NULL) {
        return bk__fail_memory();
    }
    int rc = bk__archive_check(job, path, manifest, sink);
    free(path);
    return rc;
}

/* The image becomes as long as it will be, the pages go where they belong. */
static int apply_one(struct bk__job *job, const char *dir,
                     const struct bk__manifest *manifest, struct bk__archive_sink sink) {
    struct apply apply = {.manifest = manifest, .path = sink.out_path, .fd = sink.out_fd};
    apply.reader.put = put;
    apply.reader.context = &apply;
    if (ftruncate(sink.out_fd, manifest->database_bytes) != 0) {
        return bk__fail_errno(errno, "cannot change the size of", sink.out_path, NULL);
    }
    sink.take = take;
    sink.context = &apply;
    sink.out_fd = -1;
    int rc = read_archive(job, dir, manifest, sink);
    if (rc != 0) {
        return rc;
    }
    const char *why = bk__delta_ended(&apply.reader);
    if (why == NULL && strcmp(apply.reader.found.sha256, manifest->sha256) != 0) {
        why = "its changes lead to another image than its manifest says";
    }
    return why == NULL ? 0 : damaged(manifest, why);
}

/* The whole image is read again: that all archives are good says little about their sum. */
static int check_image(struct bk__job *job, const struct bk__manifest *manifest,
                       const struct bk__archive_sink *sink) {
    enum { PIECE = 1 << 16 };
    unsigned char piece[PIECE];
    char sum[BK__SHA256_HEX];
    int64_t at = 0;
    int64_t got = 1;
    int rc = 0;
    struct bk__hash *hash = bk__hash_new();
    if (hash == NULL) {
        return bk__fail_memory();
    }
    while (rc == 0 && got > 0) {
        got = bk__file_pread(sink->out_fd, piece, sizeof piece, at);
        if (got > 0) {
            bk__hash_add(hash, piece, (size_t)got);
            at += got;
            bk__job_progress(job, sink->phase, at, manifest->database_bytes);
        }
        rc = bk__job_check(job);
    }
    bk__hash_end(hash, sum);
    if (rc == 0 && got < 0) {
        rc = bk__fail_errno((int)got, "cannot read", sink->out_path, NULL);
    }
    if (rc == 0 &&
        (at != manifest->database_bytes || strcmp(sum, manifest->sha256) != 0)) {
        rc = damaged(manifest, "with all that it is made of it does not give the image "
                               "whose SHA-256 is in its manifest");
    }
    return rc;
}

/* Which link it was, where that is not the backup that was asked for. */
static int blame(const struct bk__manifest *link, const struct bk__manifest *asked,
                 int rc) {
    if (link == asked || rc == BK_ECANCELLED || rc == BK_ENOMEM) {
        return rc;
    }
    char *text = strdup(bk__error_text());
    rc = bk__fail(rc, "Backup %s is made of changes to %s. %s", asked->name, link->name,
                  text == NULL ? "out of memory" : text);
    free(text);
    return rc;
}

/* From the full one on: each parent first. */
static int fill_links(struct bk__job *job, const char *dir,
                      struct bk__manifest *const *links, size_t count,
                      const struct bk__archive_sink *sink) {
    const struct bk__manifest *asked = links[0];
    int rc = 0;
    for (size_t i = count; rc == 0 && i-- > 0;) {
        rc = bk__form_is_delta(&links[i]->form) ? apply_one(job, dir, links[i], *sink)
                                                : read_archive(job, dir, links[i], *sink);
        rc = rc < 0 ? blame(links[i], asked, rc) : rc;
    }
    return rc;
}

/* The backups it needs, itself first; the caller frees the list. */
static int list_links(const struct bk__catalogue *catalogue,
                      const struct bk__manifest *manifest, struct bk__manifest ***ret,
                      size_t *ret_count) {
    struct bk__manifest **links = calloc(catalogue->count + 1, sizeof(void *));
    struct bk__manifest *link =
        bk__lineage_find(catalogue, manifest->parent, manifest->parent_sha256);
    size_t count = 1;
    if (links == NULL) {
        return bk__fail_memory();
    }
    while (link != NULL && count <= catalogue->count) {
        links[count++] = link;
        link = bk__form_is_delta(&link->form)
                   ? bk__lineage_find(catalogue, link->parent, link->parent_sha256)
                   : NULL;
    }
    *ret = links;
    *ret_count = count;
    return count > 1 && !bk__form_is_delta(&links[count - 1]->form)
               ? 0
               : damaged(manifest, "what it is made of is not all there");
}

static int fill_delta(struct bk__job *job, const char *dir, struct bk__manifest *manifest,
                      const struct bk__archive_sink *sink) {
    struct bk__catalogue catalogue = {0};
    struct bk__manifest **links = NULL;
    size_t count = 0;
    int rc = bk__catalogue_load(dir, &catalogue);
    if (rc == 0) {
        rc = list_links(&catalogue, manifest, &links, &count);
    }
    if (rc == 0) {
        links[0] = manifest;
        rc = fill_links(job, dir, links, count, sink);
    }
    if (rc == 0) {
        rc = check_image(job, manifest, sink);
    }
    free(links);
    bk__catalogue_free(&catalogue);
    return rc;
}

int bk__chain_fill(struct bk__job *job, const char *dir,
                   const struct bk__manifest *manifest, struct bk__archive_sink sink) {
    struct bk__manifest own = *manifest; /* borrowed members, never cleared */
    return bk__form_is_delta(&manifest->form) ? fill_delta(job, dir, &own, &sink)
                                              : bk__set_read(job, dir, manifest, &sink);
}

/* ---- checking ------------------------------------------------------------------------- */

static int check_in(struct bk__job *job, const char *dir,
                    const struct bk__manifest *manifest, const char *path) {
    int fd = bk__file_create(path);
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot create", path, NULL);
    }
    const struct bk__archive_sink sink = {
        .phase = "verify", .out_fd = fd, .out_path = path};
    int rc = bk__chain_fill(job, dir, manifest, sink);
    bk__file_close(fd);
    return rc;
}

static int check_delta(struct bk__job *job, const char *dir,
                       const struct bk__manifest *manifest) {
    struct bk__scratch scratch = {0};
    int rc = bk__scratch_open(job, BK__SCRATCH_LOOK, &scratch);
    if (rc != 0) {
        return rc;
    }
    char *path = bk__scratch_file(&scratch, "chain.db");
    rc = path == NULL ? BK_ENOMEM
                      : bk__folder_space(scratch.path, manifest->database_bytes + SLACK,
                                         "a look at the whole chain");
    if (rc == 0) {
        rc = check_in(job, dir, manifest, path);
    }
    bk__scratch_close(&scratch);
    free(path);
    return rc;
}

int bk__chain_check(struct bk__job *job, const char *dir,
                    const struct bk__manifest *manifest, struct bk__damage *ret_damage) {
    const struct bk__archive_sink sink = {
        .phase = "verify", .out_fd = -1, .may_be_shut = true, .damage = ret_damage};
    int rc = read_archive(job, dir, manifest, sink);
    return rc == 0 && bk__form_is_delta(&manifest->form) ? check_delta(job, dir, manifest)
                                                         : rc;
}
