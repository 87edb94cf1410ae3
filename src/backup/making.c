/*
 * The steps of a backup that make bytes: the snapshot, packed or compared while it is made, its proof,
 * the archive, read back. Not their order, names and publishing: make.c, which calls them.
 * consolidate.c makes an archive without a snapshot.
 */
#include <backup/making.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/folder.h>
#include <backup/make.h>
#include <backup/seal/encryption.h>

/* What is not bigger is not worth compressing, nor a thread that packs along. */
#define SMALL (INT64_C(1) << 20)

/* ---- what it will be ------------------------------------------------------------------ */

enum bk__compression bk__making_compression(const struct bk__making *m, int64_t bytes) {
    enum bk__compression choice = BK__PLAIN;
    if (!bk__compression_parse(m->request->compress, &choice)) { /* "auto" */
        choice = bytes > SMALL ? BK__GZIP : BK__PLAIN;
    }
    return choice;
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

static bool is_delta(const struct bk__making *m) {
    return m->facts.payload_bytes > 0;
}

static int64_t held_bytes(const struct bk__making *m) {
    return is_delta(m) ? m->facts.payload_bytes : m->facts.database_bytes;
}

/* The snapshot becomes the archive as it is. */
static bool is_plain(const struct bk__making *m) {
    return m->facts.form.compression == BK__PLAIN && !m->encrypted && !is_delta(m);
}

/* The parts of a set, and what other tools made, are always full. */
static bool may_differ(const struct bk__making *m) {
    return bk__differ_is_wanted(m->job) && m->request->stem == NULL &&
           m->request->adopted == NULL;
}

/* ---- the seal ------------------------------------------------------------------------- */

int bk__making_seal(struct bk__making *m) {
    struct bk__seal_facts facts;
    m->encrypted = bk__encryption_wanted(bk__job_config(m->job));
    m->facts.form.encrypted = m->encrypted;
    if (!m->encrypted) {
        return 0;
    }
    if (m->folder->scratch.path == NULL) {
        return bk__fail(BK_EINTERNAL, "The plain copy of an encrypted backup would lie "
                                      "among the backups. None was made; the database is "
                                      "untouched. Please report it.");
    }
    int rc = bk__encryption_begin(m->job, &m->sealing.seal);
    if (rc == 0 && bk__seal_facts(m->sealing.seal.header, &facts) == NULL) {
        m->facts.encryption = facts.mode;
        memcpy(m->facts.key_id, facts.key_id, sizeof facts.key_id);
    }
    return rc;
}

/* ---- packing, beside whatever comes next ---------------------------------------------- */

/* The sealing must live as long as the coding. */
static struct bk__coding coding_for(struct bk__making *m) {
    struct bk__coding coding = {.codec = bk__codec_for(&m->facts.form)};
    if (m->encrypted) {
        m->sealing.inner = coding.codec;
        bk__sealed_coding(&m->sealing, &coding);
    }
    return coding;
}

/* growth: of what is packed; NULL: it is whole. */
static int begin_packing(struct bk__making *m, const char *what,
                         struct bk__growth *growth) {
    char name[BK__NAME_SIZE];
    bk__making_name(m, &m->facts.form, name);
    m->packed = bk__folder_temp(m->folder, name, "");
    if (m->packed == NULL) {
        return BK_ENOMEM;
    }
    const struct bk__coding coding = coding_for(m);
    const struct bk__packing packing = {
        .image = what, .growth = growth, .archive = m->packed, .coding = &coding};
    bk__ahead_begin(&m->ahead, m->job, &packing);
    return 0;
}

/* Whoever reads the snapshot along has nothing of it. */
static void give_up(struct bk__making *m) {
    if (m->growing) {
        bk__growth_end(&m->growth, false);
    }
}

static void remove_packed(struct bk__making *m) {
    bk__aside_drop(&m->ahead.aside);
    if (m->packed != NULL && m->packed != m->scratch) {
        bk__file_remove(m->packed);
        free(m->packed);
    }
    m->packed = NULL;
}

/* What is packed instead needs a seal of its own: no two archives may share one. */
static int pack_anew(struct bk__making *m) {
    if (m->packed == NULL) {
        return 0;
    }
    give_up(m);
    remove_packed(m);
    bk__seal_wipe(&m->sealing.seal);
    return bk__making_seal(m);
}

/* ---- the snapshot --------------------------------------------------------------------- */

/* What can be done with the snapshot while it is made, as far as can be told before. */
static int read_along(struct bk__making *m) {
    bool differs = may_differ(m);
    m->facts.form.compression = bk__making_compression(m, m->expected);
    bk__growth_begin(&m->growth);
    m->growing = true;
    m->store->growth = &m->growth;
    if (differs) {
        m->differ = (struct bk__differ){.job = m->job,
                                        .folder = m->folder,
                                        .store = m->store->driver->name,
                                        .image = m->scratch,
                                        .growth = &m->growth,
                                        .facts = &m->facts};
        bk__differ_begin(&m->differ);
    }
    if (m->expected <= SMALL || is_plain(m) ||
        (differs && bk__differ_is_likely(m->job))) {
        return 0;
    }
    return begin_packing(m, m->scratch, &m->growth);
}

int bk__making_snapshot(struct bk__making *m, struct bk__image *ret) {
    int rc = read_along(m);
    if (rc == 0) {
        rc = m->store->driver->snapshot(m->store, m->scratch, ret);
    }
    m->store->growth = NULL;
    bk__growth_end(&m->growth, rc == 0);
    return rc;
}

/* What was packed along stays where it is what is wanted, in the form that is. */
int bk__making_decide(struct bk__making *m) {
    int rc = bk__differ_end(&m->differ, &m->facts);
    enum bk__compression compression = bk__making_compression(m, held_bytes(m));
    bool changed = compression != m->facts.form.compression || is_delta(m) ||
                   m->growth.state == BK__GIVEN_UP;
    m->facts.form.compression = compression;
    return rc == 0 && changed ? pack_anew(m) : rc;
}

/* ---- its proof ------------------------------------------------------------------------ */

static int prove(void *context) {
    struct bk__making *m = context;
    return m->store->driver->prove(m->job, m->scratch, m->report);
}

int bk__making_prove(struct bk__making *m) {
    if (m->proving != 0) {
        return 0;
    }
    m->report = bk__json_object();
    if (m->report == NULL) {
        return bk__fail_memory();
    }
    m->proving = bk__job_mono(m->job);
    bk__aside_begin(&m->proof, "bk-prove", prove, m);
    return 0;
}

/* What the proof counted must be what the snapshot said it wrote. */
static int take_report(struct bk__making *m) {
    if (bk__json_int(m->report, "pages", -1) != m->facts.pages ||
        bk__json_int(m->report, "page_size", -1) != m->facts.page_size ||
        bk__json_int(m->report, "bytes", -1) != m->facts.database_bytes) {
        return bk__making_mismatch(m, "its pages are not those of the snapshot");
    }
    struct json_object *tables = bk__json_member(m->report, "tables");
    if (!json_object_is_type(tables, json_type_object)) {
        return bk__fail(BK_EINTERNAL,
                        "The store's proof has no tables. Please report it.");
    }
    m->facts.tables = json_object_get(tables);
    const char *remark = bk__json_text(m->report, "remark", NULL);
    m->facts.remark = remark == NULL ? NULL : strdup(remark);
    return remark == NULL || m->facts.remark != NULL ? 0 : bk__fail_memory();
}

int bk__making_proven(struct bk__making *m) {
    int rc = bk__aside_end(&m->proof);
    if (rc == BK_ECORRUPT) {
        char *found = strdup(bk__error_text());
        rc = bk__fail(
            rc,
            "The database is damaged, so no backup of it was made; earlier ones stay. "
            "Restore the newest good one with backup.restore. What was found: %s",
            found != NULL ? found : "out of memory");
        free(found);
    }
    return rc != 0 ? rc : take_report(m);
}

/* ---- the archive ---------------------------------------------------------------------- */

int bk__making_mismatch(const struct bk__making *m, const char *what) {
    return bk__fail(BK_EIO,
                    "The new backup did not read back as it was written: %s. It was "
                    "thrown away; the database and earlier backups are untouched. "
                    "Look at the disk of %s.",
                    what, m->folder->path);
}

static int flush(const char *path) {
    int fd = bk__file_open_read(path);
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot open", path, NULL);
    }
    int rc = bk__file_sync(fd);
    int closed = bk__file_close(fd);
    rc = rc == 0 ? closed : rc;
    return rc == 0 ? 0 : bk__fail_errno(rc, "cannot flush to the disk", path, NULL);
}

/* What a plain archive holds is known only when it is read, which is its reading back as well. */
static int keep_plain(struct bk__making *m) {
    const struct bk__archive_sink sink = {.phase = "verify",
                                          .what = m->facts.name,
                                          .out_fd = -1,
                                          .database_bytes = m->facts.database_bytes};
    m->packed = m->scratch;
    int rc = flush(m->packed);
    if (rc == 0) {
        rc = bk__archive_read(m->job, m->packed, &m->facts.form, &sink, &m->written);
        rc = rc == BK_ECORRUPT ? bk__making_mismatch(m, "its size changed") : rc;
    }
    return rc;
}

int bk__making_pack(struct bk__making *m) {
    int rc = 0;
    if (is_plain(m)) {
        return keep_plain(m);
    }
    if (m->packed == NULL) {
        rc = begin_packing(m, is_delta(m) ? m->differ.payload : m->scratch, NULL);
    }
    return rc == 0 ? bk__ahead_end(&m->ahead, &m->written) : rc;
}

/* Giving the space of a large file back takes the system a while. */
static int remove_snapshot(void *context) {
    const struct bk__making *m = context;
    bk__folder_drop(m->scratch);
    return 0;
}

/* The blocks of a packed archive were unpacked and compared when they were packed, so that only its
   bytes are compared with those that were written. */
static int reread(struct bk__making *m) {
    struct bk__damage differs = {0, 0};
    if (m->packed == m->scratch) {
        return 0;
    }
    bk__aside_begin(&m->cleaning, "bk-clean", remove_snapshot, m);
    int rc = bk__archive_reread(m->job, m->packed, &m->written, &differs);
    return rc == 0 && differs.to > 0 ? bk__making_mismatch(m, "its bytes changed") : rc;
}

int bk__making_read_back(struct bk__making *m) {
    const struct bk__archive_facts *written = &m->written;
    struct bk__manifest *facts = &m->facts;
    const char *sum = is_delta(m) ? m->differ.changes.payload_sha256 : facts->sha256;
    int rc = reread(m);
    if (rc != 0) {
        return rc;
    }
    if (written->database_bytes != held_bytes(m)) {
        return bk__making_mismatch(m, "its size changed");
    }
    if (sum[0] != '\0' && strcmp(written->sha256, sum) != 0) {
        return bk__making_mismatch(m, "what was packed changed");
    }
    facts->bytes = written->bytes;
    facts->places = written->places;
    if (!is_delta(m)) {
        memcpy(facts->sha256, written->sha256, sizeof facts->sha256);
    }
    memcpy(facts->archive_sha256, written->archive_sha256, sizeof facts->archive_sha256);
    return 0;
}

/* ---- the end -------------------------------------------------------------------------- */

/* First those end that read the snapshot. */
void bk__making_clear(struct bk__making *m) {
    give_up(m);
    remove_packed(m);
    bk__differ_drop(&m->differ);
    bk__aside_drop(&m->proof);
    bk__aside_drop(&m->cleaning);
    bk__folder_drop(m->scratch);
    if (m->sheet != NULL) {
        bk__file_remove(m->sheet);
    }
    if (m->growing) {
        bk__growth_free(&m->growth);
    }
    json_object_put(m->report);
    free(m->scratch);
    free(m->sheet);
    bk__manifest_clear(&m->facts);
    bk__seal_wipe(&m->sealing.seal);
}
