/*
 * A set as one tar file: packed from its folder and published, and read as a stream in which every
 * part is hashed on the way.
 * Not tar itself (tar.c, set_stream.c), not packing (pack.c). Called by set.c and set_read.c.
 */
#include <backup/set/set_tar.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/archive/archive.h>
#include <backup/archive/codec.h>
#include <backup/seal/encryption.h>
#include <backup/catalogue/folder.h>
#include <backup/make.h>
#include <backup/catalogue/manifest.h>
#include <backup/set/set_stream.h>

#define MANIFEST "manifest.json"
#define SLACK (INT64_C(1) << 20) /* the manifests, headers, the file system's own needs */

/* ---- reading -------------------------------------------------------------------------- */

struct reading {
    const struct bk__manifest *set;
    const struct bk__set_tar_out *out;
    char stem[BK__NAME_SIZE];
    struct bk__tar tar;
    const struct bk__manifest *part; /* the one that is read */
    struct bk__hash *hash;
    bool seen[BK__MANIFEST_PARTS];
    bool done; /* the part that is wanted is out and sound: the rest is not read */
    int rc;    /* of what the tar's callbacks failed with; its text is set */
};

static int damaged(struct reading *r, const char *name, const char *what) {
    r->rc = bk__fail(BK_ECORRUPT,
                     "Backup %s is damaged at byte %" PRId64
                     " of what is packed in it, in %s: %s. The database was not touched. "
                     "Use another backup, and look at the disk.",
                     r->set->name, r->tar.header_at, name, what);
    return r->rc;
}

static const struct bk__manifest *find_part(struct reading *r, const char *file) {
    for (size_t i = 0; i < r->set->part_count; i++) {
        const struct bk__manifest *part = &r->set->parts[i];
        if (part->name[0] != '\0' && strcmp(part->name, file) == 0 && !r->seen[i]) {
            r->seen[i] = true;
            return part;
        }
    }
    return NULL;
}

static int on_begin(void *context, const char *name, int64_t size) {
    struct reading *r = context;
    size_t stem = strlen(r->stem);
    const char *file = name + stem + 1;
    if (strncmp(name, r->stem, stem) != 0 || name[stem] != '/') {
        return damaged(r, name, "it is not of this set");
    }
    if (*file == '\0' || strcmp(file, MANIFEST) == 0) {
        return 0;
    }
    r->part = find_part(r, file);
    if (r->part == NULL) {
        return damaged(r, name, "the manifest names no such part");
    }
    if (size != r->part->bytes) {
        return damaged(r, name, "it has another size than its manifest says");
    }
    r->hash = bk__hash_new();
    r->rc = r->hash == NULL ? bk__fail_memory() : 0;
    return r->rc;
}

static int on_data(void *context, const unsigned char *bytes, size_t size) {
    struct reading *r = context;
    if (r->part == NULL) {
        return 0;
    }
    bk__hash_add(r->hash, bytes, size);
    if (r->part == r->out->part) {
        int err = bk__file_write(r->out->fd, bytes, size);
        r->rc = err == 0 ? 0 : bk__fail_errno(err, "cannot write", r->out->path, NULL);
    }
    return r->rc;
}

static int on_end(void *context) {
    struct reading *r = context;
    const struct bk__manifest *part = r->part;
    char sum[BK__SHA256_HEX];
    if (part == NULL) {
        return 0;
    }
    bk__hash_end(r->hash, sum);
    r->hash = NULL;
    r->part = NULL;
    if (strcmp(sum, part->archive_sha256) != 0) {
        return damaged(r, part->name, "its SHA-256 is not the one in the manifest");
    }
    r->done = part == r->out->part;
    return r->done;
}

static int on_piece(void *context, const unsigned char *bytes, size_t size) {
    struct reading *r = context;
    enum bk__tar_why why = bk__tar_push(&r->tar, bytes, size);
    if (why == BK__TAR_FINE || why == BK__TAR_STOPPED) {
        return r->done ? 1 : r->rc;
    }
    return damaged(r, "the tar", bk__tar_why_text(why));
}

static int check_end(struct reading *r) {
    enum bk__tar_why why = bk__tar_finish(&r->tar);
    if (why != BK__TAR_FINE) {
        return damaged(r, "the tar", bk__tar_why_text(why));
    }
    for (size_t i = 0; i < r->set->part_count; i++) {
        const struct bk__manifest *part = &r->set->parts[i];
        if (part->name[0] != '\0' && !r->seen[i]) {
            return damaged(r, part->name, "it is missing");
        }
    }
    return 0;
}

/* Damage of the packing has its place, but no part: says which parts came before it. */
static int place_damage(const struct reading *r) {
    const char *from = NULL;
    for (size_t i = 0; from == NULL && i < r->set->part_count; i++) {
        const struct bk__manifest *part = &r->set->parts[i];
        if (part->name[0] != '\0' && (!r->seen[i] || part == r->part)) {
            from = part->name;
        }
    }
    char *why = strdup(bk__error_text());
    int rc = why == NULL ? bk__fail_memory()
                         : bk__fail(BK_ECORRUPT, "%s It could not be read from %s on.",
                                    why, from != NULL ? from : MANIFEST);
    free(why);
    return rc;
}

/* A part's own sum says that something in it is wrong; the sums of the file's parts say where. */
static int place_member(struct bk__job *job, const char *path, const struct reading *r) {
    const struct bk__archive_facts known = {.bytes = r->set->bytes,
                                            .places = r->set->places};
    struct bk__damage damage = {0, 0};
    char *why = strdup(bk__error_text());
    int rc =
        why == NULL ? bk__fail_memory() : bk__archive_reread(job, path, &known, &damage);
    if (rc == 0) {
        rc = damage.to == 0 ? bk__fail(BK_ECORRUPT, "%s", why)
                            : bk__fail(BK_ECORRUPT,
                                       "%s The file differs between bytes %" PRId64
                                       " and %" PRId64 ".",
                                       why, damage.from, damage.to);
    }
    if (rc == BK_ECORRUPT && r->out->damage != NULL) {
        *r->out->damage = damage;
    }
    free(why);
    return rc;
}

int bk__set_tar_read(struct bk__job *job, const char *path,
                     const struct bk__manifest *set, const struct bk__set_tar_out *out) {
    struct reading r = {.set = set, .out = out};
    const struct bk__tar_sink parts = {&r, on_begin, on_data, on_end};
    const struct bk__archive_sink sink = {.phase = out->phase,
                                          .out_fd = -1,
                                          .take = on_piece,
                                          .context = &r,
                                          .damage = out->damage};
    bk__name_stem(set->name, r.stem);
    bk__tar_begin(&r.tar, &parts);
    int rc = bk__archive_check(job, path, set, sink);
    if (r.done) {
        rc = 0;
    } else if (rc == 0) {
        rc = check_end(&r);
    } else if (rc == BK_ECORRUPT) {
        rc = r.rc == 0 ? place_damage(&r) : place_member(job, path, &r);
    }
    bk__hash_drop(r.hash);
    return rc;
}

/* ---- publishing ----------------------------------------------------------------------- */

/* One file on its way. */
struct packing {
    struct bk__job *job;
    const struct bk__folder *folder;
    struct bk__manifest *facts;
    char *packed, *sheet;
};

static bool are_sealed(const struct bk__manifest *set) {
    bool sealed = true;
    for (size_t i = 0; i < set->part_count; i++) {
        const struct bk__manifest *part = &set->parts[i];
        sealed = sealed && (part->name[0] == '\0' || part->form.encrypted);
    }
    return sealed;
}

/* The folder as one archive, without a tar that is not packed between. */
static int pack(struct packing *p, const char *inside) {
    struct bk__archive_facts written = {0};
    struct bk__manifest *facts = p->facts;
    struct bk__set_stream tar;
    bk__set_stream_begin(&tar, inside, facts);
    const struct bk__archive_source source = {bk__set_stream_read, &tar, facts->bytes};
    const struct bk__coding coding = {.codec = bk__codec_for(&facts->form)};
    const struct bk__packing what = {.source = &source,
                                     .sealed = are_sealed(facts),
                                     .archive = p->packed,
                                     .coding = &coding};
    int rc = bk__archive_pack(p->job, &what, &written);
    bk__set_stream_end(&tar);
    if (rc == 0) {
        facts->bytes = written.bytes;
        facts->database_bytes = written.database_bytes;
        facts->places = written.places;
        memcpy(facts->sha256, written.sha256, sizeof written.sha256);
        memcpy(facts->archive_sha256, written.archive_sha256,
               sizeof written.archive_sha256);
    }
    return rc;
}

/* Not BK_ECORRUPT: the database is not to blame. */
static int read_back(struct packing *p) {
    const struct bk__set_tar_out nowhere = {.phase = "verify", .fd = -1};
    int rc = bk__set_tar_read(p->job, p->packed, p->facts, &nowhere);
    if (rc != BK_ECORRUPT) {
        return rc;
    }
    char *why = strdup(bk__error_text());
    rc = bk__fail(
        BK_EIO,
        "The new backup did not read back as it was written. It was thrown away; "
        "the database and earlier backups are untouched. Look at the disk of %s. "
        "What was found: %s",
        p->folder->path, why != NULL ? why : "out of memory");
    free(why);
    return rc;
}

static int write_sheet(struct packing *p) {
    char *text = bk__manifest_print(p->facts);
    int rc = text == NULL ? bk__fail_memory() : bk__make_check(text);
    if (rc == 0) {
        rc = bk__folder_write(p->sheet, text);
    }
    free(text);
    return rc;
}

/* As for a snapshot: half of it where it is packed. */
static int check_space(const struct packing *p) {
    int64_t bytes = p->facts->bytes;
    bool packs = p->facts->form.compression != BK__PLAIN;
    return bk__folder_space(p->folder->path, (packs ? bytes / 2 : bytes) + SLACK,
                            "the set as one file");
}

static int publish(struct packing *p, const char *inside) {
    int rc = check_space(p);
    if (rc == 0) {
        rc = pack(p, inside);
    }
    if (rc == 0) {
        rc = read_back(p);
    }
    if (rc == 0) {
        rc = write_sheet(p);
    }
    if (rc == 0) {
        rc = bk__job_check(p->job); /* the last moment to cancel without a trace */
    }
    return rc != 0 ? rc
                   : bk__make_publish(p->folder, p->facts->name, p->packed, p->sheet);
}

static void drop(char *path) {
    if (path != NULL) {
        bk__file_remove(path);
    }
    free(path);
}

int bk__set_tar_publish(struct bk__job *job, const struct bk__folder *folder,
                        const char *inside, const char *compress,
                        struct bk__manifest *facts) {
    struct packing p = {.job = job, .folder = folder, .facts = facts};
    facts->form = (struct bk__form){.content = "tar", .compression = BK__GZIP};
    bk__compression_parse(compress, &facts->form.compression); /* "auto" is gzip */
    if (bk__encryption_wanted(bk__job_config(job))) {
        facts->form.compression = BK__PLAIN; /* each part is packed and sealed already */
    }
    bk__name_set(facts->name, facts->created_ms, &facts->form);
    p.packed = bk__folder_temp(folder, facts->name, "");
    p.sheet = bk__folder_temp(folder, facts->name, ".json");
    int rc = p.packed != NULL && p.sheet != NULL ? publish(&p, inside) : BK_ENOMEM;
    drop(p.packed);
    drop(p.sheet);
    return rc;
}
