/*
 * The steps of a backup that make bytes: the snapshot, packed while it is made where that can be,
 * then the archive, read back. Not its proof, its name and its publishing: make.c.
 * Called by make.c.
 */
#include <backup/making.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/seal/encryption.h>
#include <backup/catalogue/folder.h>
#include <backup/make.h>

/* What is not bigger is not worth compressing, nor a thread that packs along. */
#define SMALL (INT64_C(1) << 20)

enum bk__compression bk__making_compression(const struct bk__making *m, int64_t bytes) {
    enum bk__compression choice = BK__PLAIN;
    if (!bk__compression_parse(m->request->compress, &choice)) { /* "auto" */
        choice = bytes > SMALL ? BK__GZIP : BK__PLAIN;
    }
    return choice;
}

int bk__making_encrypt(struct bk__making *m) {
    m->encrypted = bk__encryption_wanted(bk__job_config(m->job));
    if (m->encrypted && m->folder->scratch.path == NULL) {
        return bk__fail(BK_EINTERNAL, "The plain copy of an encrypted backup would lie "
                                      "among the backups. None was made; the database is "
                                      "untouched. Please report it.");
    }
    return m->encrypted ? bk__encryption_begin(m->job, &m->sealing.seal) : 0;
}

static void note_encryption(struct bk__making *m) {
    struct bk__seal_facts facts;
    m->facts.form.encrypted = m->encrypted;
    if (m->encrypted && bk__seal_facts(m->sealing.seal.header, &facts) == NULL) {
        m->facts.encryption = facts.mode;
        memcpy(m->facts.key_id, facts.key_id, sizeof facts.key_id);
    }
}

/* How the archive is coded. The sealing must live as long as the coding. */
static struct bk__coding coding_for(struct bk__making *m, const struct bk__form *form) {
    struct bk__coding coding = {.codec = bk__codec_for(form)};
    if (m->encrypted) {
        m->sealing.inner = coding.codec;
        bk__sealed_coding(&m->sealing, &coding);
    }
    return coding;
}

/* Two stores of a set may be of one kind: each has its own name from the beginning. */
void bk__making_name(const struct bk__making *m, const struct bk__form *form,
                     char ret[BK__NAME_SIZE]) {
    if (m->request->stem != NULL) {
        bk__name_join(ret, m->request->stem, form);
    } else {
        bk__name_make(ret, m->request->kind, m->facts.created_ms, 1, form);
    }
}

/* Packs the snapshot while it is made, as far as can be told before how it will be packed. */
static int begin_ahead(struct bk__making *m) {
    char name[BK__NAME_SIZE];
    struct bk__form *form = &m->facts.form;
    form->compression = bk__making_compression(m, m->expected);
    form->encrypted = m->encrypted;
    if (bk__differ_is_likely(m->job) || m->expected <= SMALL ||
        (form->compression == BK__PLAIN && !m->encrypted)) {
        return 0;
    }
    bk__making_name(m, form, name);
    m->packed = bk__folder_temp(m->folder, name, "");
    if (m->packed == NULL) {
        return BK_ENOMEM;
    }
    struct bk__coding coding = coding_for(m, form);
    bk__ahead_begin(&m->ahead, m->job, m->scratch, m->packed, &coding);
    m->store->growth = m->ahead.begun ? &m->ahead.growth : NULL;
    return 0;
}

/* Nothing that was packed ahead stays. What is packed instead needs a seal of its own: no two
   archives may share one. */
static int drop_ahead(struct bk__making *m) {
    if (m->packed == NULL) {
        return 0;
    }
    bk__ahead_drop(&m->ahead);
    bk__file_remove(m->packed);
    free(m->packed);
    m->packed = NULL;
    bk__seal_wipe(&m->sealing.seal);
    return bk__making_encrypt(m);
}

int bk__making_snapshot(struct bk__making *m, struct bk__image *ret) {
    int rc = begin_ahead(m);
    if (rc == 0) {
        rc = m->store->driver->snapshot(m->store, m->scratch, ret);
    }
    if (m->ahead.begun) {
        bk__growth_end(&m->ahead.growth, rc == 0);
    }
    m->store->growth = NULL;
    enum bk__compression compression = bk__making_compression(m, ret->bytes);
    if (rc == 0 && compression != m->facts.form.compression) {
        rc = drop_ahead(m);
        m->facts.form.compression = compression;
    }
    note_encryption(m);
    return rc;
}

int bk__making_prove(struct bk__making *m) {
    if (m->proving) {
        return 0;
    }
    int rc = bk__proof_begin(&m->proof, m->job, m->store->driver, m->scratch);
    m->proving = rc == 0;
    return rc;
}

/* The parts of a set, and what other tools made, are always full. */
int bk__making_differ(struct bk__making *m) {
    if (!bk__differ_is_wanted(m->job) || m->request->stem != NULL ||
        m->request->adopted != NULL) {
        return 0;
    }
    m->differ = (struct bk__differ){.job = m->job,
                                    .folder = m->folder,
                                    .image = m->scratch,
                                    .store = m->store->driver->name,
                                    .facts = &m->facts};
    m->packing = bk__job_mono(m->job);
    int rc = bk__making_prove(m);
    if (rc == 0) {
        rc = bk__differ_find(&m->differ);
    }
    if (rc == 0 && m->facts.payload_bytes > 0) {
        m->facts.form.compression = bk__making_compression(m, m->facts.payload_bytes);
    }
    return rc;
}

/* Flushes the image, which becomes the archive as it is. */
static int flush_image(const char *path) {
    int fd = bk__file_open_read(path);
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot open", path, NULL);
    }
    int rc = bk__file_sync(fd);
    int closed = bk__file_close(fd);
    rc = rc == 0 ? closed : rc;
    return rc == 0 ? 0 : bk__fail_errno(rc, "cannot flush to the disk", path, NULL);
}

int bk__making_mismatch(const struct bk__making *m, const char *what) {
    return bk__fail(BK_EIO,
                    "The new backup did not read back as it was written: %s. It was "
                    "thrown away; the database and earlier backups are untouched. "
                    "Look at the disk of %s.",
                    what, m->folder->path);
}

/* Writes the archive's bytes to the disk and keeps what they should be. */
static int pack(struct bk__making *m, struct bk__archive_facts *ret) {
    bool delta = m->facts.payload_bytes > 0;
    if (m->facts.form.compression == BK__PLAIN && !m->encrypted && !delta) {
        m->packed = m->scratch;
        return flush_image(m->scratch);
    }
    int rc = delta ? 0 : bk__ahead_end(&m->ahead, ret);
    if (rc != 0) {
        return rc < 0 ? rc : 0;
    }
    rc = drop_ahead(m);
    note_encryption(m);
    m->packed = bk__folder_temp(m->folder, m->facts.name, "");
    if (rc != 0 || m->packed == NULL) {
        return rc != 0 ? rc : BK_ENOMEM;
    }
    struct bk__coding coding = coding_for(m, &m->facts.form);
    const struct bk__packing what = {.image = delta ? m->differ.payload : m->scratch,
                                     .archive = m->packed,
                                     .coding = &coding};
    return bk__archive_pack(m->job, &what, ret);
}

/* A plain archive: what it holds is known only now. */
static int read_plain(struct bk__making *m, struct bk__archive_facts *ret) {
    const struct bk__archive_sink sink = {.phase = "verify",
                                          .what = m->facts.name,
                                          .out_fd = -1,
                                          .database_bytes = m->facts.database_bytes};
    return bk__archive_read(m->job, m->packed, &m->facts.form, &sink, ret);
}

/* Reads the archive from its file. Of a packed one it is known already that its blocks hold the
   image, so that only its bytes are compared with those that were written. */
static int read_back(struct bk__making *m, struct bk__archive_facts *facts) {
    struct bk__damage differs = {0, 0};
    int rc = m->packed == m->scratch
                 ? read_plain(m, facts)
                 : bk__archive_reread(m->job, m->packed, facts, &differs);
    if (rc != 0 && rc != BK_ECORRUPT) {
        return rc;
    }
    if (differs.to > 0) {
        return bk__making_mismatch(m, "its bytes changed");
    }
    bool delta = m->facts.payload_bytes > 0;
    int64_t held = delta ? m->facts.payload_bytes : m->facts.database_bytes;
    const char *sum = delta ? m->differ.payload_sha256 : m->facts.sha256;
    if (rc != 0 || facts->database_bytes != held) {
        return bk__making_mismatch(m, "its size changed");
    }
    if (sum[0] != '\0' && strcmp(facts->sha256, sum) != 0) {
        return bk__making_mismatch(m, "what was packed changed");
    }
    m->facts.bytes = facts->bytes;
    m->facts.places = facts->places;
    if (!delta) {
        memcpy(m->facts.sha256, facts->sha256, sizeof facts->sha256);
    }
    memcpy(m->facts.archive_sha256, facts->archive_sha256, sizeof facts->archive_sha256);
    return 0;
}

int bk__making_pack(struct bk__making *m) {
    struct bk__archive_facts facts = {0};
    int rc = pack(m, &facts);
    return rc != 0 ? rc : read_back(m, &facts);
}

void bk__making_clear(struct bk__making *m) {
    if (m->proving) {
        bk__proof_end(&m->proof); /* it reads the snapshot */
    }
    bk__proof_free(&m->proof);
    bk__ahead_drop(&m->ahead);
    bk__differ_drop(&m->differ);
    bk__folder_drop(m->scratch);
    if (m->packed != NULL && m->packed != m->scratch) {
        bk__file_remove(m->packed);
    }
    if (m->sheet != NULL) {
        bk__file_remove(m->sheet);
    }
    if (m->packed != m->scratch) {
        free(m->packed);
    }
    free(m->scratch);
    free(m->sheet);
    bk__manifest_clear(&m->facts);
    bk__seal_wipe(&m->sealing.seal);
}
