/*
 * One backup, in the data's way: snapshot, proof beside packing, reading back, publishing. The steps
 * in their order stand at the end. Not retention and not the record of failures: create.c adds these.
 * Called by create.c, set.c, restore_stores.c and adopt.c, all under the folder's lock.
 */
#include <backup/make.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/archive/archive.h>
#include <backup/catalogue/catalogue.h>
#include <backup/catalogue/folder.h>
#include <backup/making.h>

#define SLACK (INT64_C(1) << 20) /* manifests, folders, the file system's own needs */
#define MOST_IN_A_SECOND 100000

/* ---- space ---------------------------------------------------------------------------- */

/* Which server it was, and what program dumps it: a restore in some years may want to know. */
static void note_versions(struct bk__making *m, struct json_object *report) {
    struct json_object *client = bk__json_member(report, "client");
    snprintf(m->facts.server_version, sizeof m->facts.server_version, "%s",
             bk__json_text(report, "server_version", ""));
    snprintf(m->facts.client_version, sizeof m->facts.client_version, "%s",
             bk__json_text(client, "version", ""));
}

/* The snapshot's size, and half of it again for a compressed archive; what turns out to be worse
   ends as a full disk, which is cleaned up after. */
static int check_space(struct bk__making *m) {
    struct json_object *report = bk__json_object();
    if (report == NULL) {
        return bk__fail_memory();
    }
    int rc = m->store->driver->probe(m->store, report);
    if (rc == BK_EBUSY) {
        /* The probe gives up soon; the snapshot waits for a writer as long as busy.wait says. */
        rc = 0;
    } else if (rc == 0) {
        int64_t pages = bk__json_int(report, "pages", 0);
        /* A store without pages: its dump is rarely larger than it is with its indexes. */
        int64_t bytes = pages > 0 ? pages * bk__json_int(report, "page_size", 0)
                                  : bk__json_int(report, "bytes", 0);
        bool packs = bk__making_compression(m, bytes) != BK__PLAIN;
        note_versions(m, report);
        m->expected = bytes;
        int64_t archive = packs ? bytes / 2 : m->encrypted ? bytes : 0;
        rc = bk__folder_room(m->folder, bytes, archive + SLACK, "a backup");
    }
    json_object_put(report);
    return rc;
}

/* ---- snapshot ------------------------------------------------------------------------- */

static int snapshot(struct bk__making *m) {
    struct bk__image image = {0};
    struct bk__form plain = {.compression = BK__PLAIN};
    char name[BK__NAME_SIZE];
    m->began = bk__job_mono(m->job);
    m->facts.created_ms =
        m->request->created_ms != 0 ? m->request->created_ms : bk__job_wall(m->job);
    snprintf(plain.content, sizeof plain.content, "%s", m->store->driver->content);
    memcpy(m->facts.form.content, plain.content, sizeof plain.content);
    bk__making_name(m, &plain, name);
    m->scratch = bk__folder_scratch(m->folder, name, "");
    if (m->scratch == NULL) {
        return BK_ENOMEM;
    }
    int rc = bk__making_snapshot(m, &image);
    if (rc != 0) {
        return rc;
    }
    m->facts.created_ms += m->request->created_ms == 0 ? image.waited_ms : 0;
    m->facts.snapshot_ms = bk__job_mono(m->job) - m->began;
    m->facts.database_bytes = image.bytes;
    m->facts.pages = image.pages;
    m->facts.page_size = image.page_size;
    if (m->request->ret_fingerprint != NULL) {
        memcpy(m->request->ret_fingerprint, image.fingerprint, sizeof image.fingerprint);
    }
    return 0;
}

/* ---- is it wanted --------------------------------------------------------------------- */

/* What is compared page by page is proven meanwhile; else the proof waits until it is known that a
   backup is wanted at all. */
static int decide(struct bk__making *m) {
    int rc = m->differ.aside.begun ? bk__making_prove(m) : 0;
    return rc == 0 ? bk__making_decide(m) : rc;
}

/* What the fingerprint could not tell, as after a checkpoint, the bytes do. */
int bk__make_compare(struct bk__making *m, const struct bk__manifest *same) {
    struct bk__archive_facts found = {0};
    const struct bk__form plain = {.compression = BK__PLAIN};
    const struct bk__archive_sink sink = {.phase = "compare",
                                          .what = m->scratch,
                                          .out_fd = -1,
                                          .database_bytes = m->facts.database_bytes};
    int rc = decide(m);
    if (rc != 0 || same == NULL || same->database_bytes != m->facts.database_bytes) {
        return rc;
    }
    if (m->facts.sha256[0] != '\0') {
        return strcmp(m->facts.sha256, same->sha256) == 0 ? BK__MAKE_SAME : 0;
    }
    rc = bk__archive_read(m->job, m->scratch, &plain, &sink, &found);
    return rc == 0 && strcmp(found.sha256, same->sha256) == 0 ? BK__MAKE_SAME : rc;
}

/* ---- its name ------------------------------------------------------------------------- */

/* The archive's name: nothing else may have its stem, in whatever form, because a stem names one
   backup. */
static int choose_name(struct bk__making *m) {
    struct bk__manifest *facts = &m->facts;
    char stem[BK__NAME_SIZE];
    char **names = NULL;
    size_t count = 0;
    bool taken = true;
    if (m->request->stem != NULL) {
        bk__name_join(facts->name, m->request->stem, &facts->form);
        return 0;
    }
    int rc = bk__file_list(m->folder->path, &names, &count);
    if (rc != 0) {
        return bk__fail_errno(rc, "cannot list", m->folder->path, NULL);
    }
    for (int nth = 1; taken && nth < MOST_IN_A_SECOND; nth++) {
        bk__name_make(facts->name, m->request->kind, facts->created_ms, nth,
                      &facts->form);
        bk__name_stem(facts->name, stem);
        taken = bk__name_is_taken(stem, names, count);
    }
    bk__file_list_free(names, count);
    if (!taken) {
        return 0;
    }
    return bk__fail(BK_EBUSY,
                    "There is no free name left for this second in %s. No backup was "
                    "made. Try again.",
                    m->folder->path);
}

/* ---- publishing ----------------------------------------------------------------------- */

int bk__make_publish(const struct bk__folder *folder, const char *name,
                     const char *packed, const char *sheet) {
    char file[BK__NAME_SIZE + 8];
    snprintf(file, sizeof file, "%s.json", name);
    char *archive = bk__folder_file(folder, name);
    char *manifest = bk__folder_file(folder, file);
    int rc = archive == NULL || manifest == NULL ? BK_ENOMEM : 0;
    int err = 0;
    if (rc == 0) {
        err = bk__file_rename(sheet, manifest);
        err = err == 0 ? bk__file_rename(packed, archive) : err;
        err = err == 0 ? bk__file_sync_dir(folder->path) : err;
    }
    if (err != 0) {
        bk__file_remove(archive);
        bk__file_remove(manifest);
        rc = bk__fail_errno(err, "cannot publish the backup in", folder->path, NULL);
    }
    free(archive);
    free(manifest);
    return rc;
}

static bool copy_text(const char *text, char **ret) {
    *ret = text == NULL ? NULL : strdup(text);
    return text == NULL || *ret != NULL;
}

static int complete_facts(struct bk__making *m) {
    struct bk__manifest *facts = &m->facts;
    facts->verified = true;
    facts->verified_ms = bk__job_wall(m->job);
    facts->verify_ms = bk__job_mono(m->job) - m->proving;
    facts->total_ms = facts->snapshot_ms + facts->verify_ms;
    snprintf(facts->kind, sizeof facts->kind, "%s", m->request->kind);
    snprintf(facts->store, sizeof facts->store, "%s", m->store->driver->name);
    bool copied = copy_text(m->request->note, &facts->note) &&
                  copy_text(m->request->adopted, &facts->adopted);
    return copied ? 0 : bk__fail_memory();
}

/* A note or a list of tables beyond all bounds is not. */
int bk__make_check(const char *text) {
    struct bk__manifest again;
    char why[160] = "it is too long";
    if (strlen(text) > BK__MANIFEST_LIMIT ||
        !bk__manifest_parse(text, &again, why, sizeof why)) {
        return bk__fail(
            BK_EINVAL,
            "The backup's manifest could not be read back: %s. No backup was made; the "
            "database and earlier backups are untouched. Shorten the note.",
            why);
    }
    bk__manifest_clear(&again);
    return 0;
}

int bk__make_announce(struct bk__making *m) {
    int rc = 0;
    m->sheet = bk__folder_temp(m->folder, m->facts.name, ".json");
    char *text = bk__manifest_print(&m->facts);
    if (m->sheet == NULL || text == NULL) {
        rc = bk__fail_memory();
    } else {
        rc = bk__make_check(text);
    }
    if (rc == 0) {
        rc = bk__folder_write(m->sheet, text);
    }
    free(text);
    if (rc == 0) {
        rc = bk__job_check(m->job); /* the last moment to cancel without a trace */
    }
    return rc != 0 ? rc : bk__make_publish(m->folder, m->facts.name, m->packed, m->sheet);
}

/* ---- the steps ------------------------------------------------------------------------ */

int bk__make_begin(struct bk__job *job, const struct bk__folder *folder,
                   struct bk__store *store, const struct bk__make *request,
                   struct bk__making **ret) {
    struct bk__making *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return bk__fail_memory();
    }
    *m = (struct bk__making){
        .job = job, .folder = folder, .store = store, .request = request};
    int rc = bk__making_seal(m);
    if (rc == 0) {
        rc = check_space(m);
    }
    if (rc == 0) {
        rc = snapshot(m);
    }
    if (rc != 0) {
        bk__make_free(m);
        return rc;
    }
    *ret = m;
    return 0;
}

/* A damaged image is the cause, whatever else went wrong; but a failed packing of a sound image is
   told as it was. */
static int prove_and_pack(struct bk__making *m) {
    int rc = bk__making_prove(m);
    if (rc != 0) {
        return rc;
    }
    int packed = bk__making_pack(m);
    char *why = packed == 0 ? NULL : strdup(bk__error_text());
    rc = bk__making_proven(m);
    if (rc == 0 && packed != 0) {
        rc = bk__fail(packed, "%s", why != NULL ? why : "out of memory");
    }
    free(why);
    return rc;
}

int bk__make_pack(struct bk__making *m) {
    int rc = decide(m);
    if (rc == 0) {
        rc = choose_name(m);
    }
    if (rc == 0) {
        rc = prove_and_pack(m);
    }
    if (rc == 0) {
        rc = bk__making_read_back(m);
    }
    return rc == 0 ? complete_facts(m) : rc;
}

/* Hands the facts over: they are no longer this making's to free. */
static void give_facts(struct bk__making *m, struct bk__manifest *ret) {
    *ret = m->facts;
    m->facts = (struct bk__manifest){0};
}

int bk__make_place(struct bk__making *m, struct bk__manifest *ret) {
    char *archive = bk__folder_file(m->folder, m->facts.name);
    if (archive == NULL) {
        return BK_ENOMEM;
    }
    int err = bk__file_rename(m->packed, archive);
    free(archive);
    if (err != 0) {
        return bk__fail_errno(err, "cannot name a part of the backup in", m->folder->path,
                              NULL);
    }
    give_facts(m, ret);
    return 0;
}

void bk__make_free(struct bk__making *m) {
    if (m != NULL) {
        bk__making_clear(m);
        free(m);
    }
}

int bk__make_backup(struct bk__job *job, const struct bk__folder *folder,
                    struct bk__store *store, const struct bk__make *request,
                    struct bk__manifest *ret) {
    struct bk__making *m = NULL;
    int rc = bk__make_begin(job, folder, store, request, &m);
    if (rc == 0) {
        rc = bk__make_compare(m, request->same);
    }
    if (rc == 0) {
        rc = bk__make_pack(m);
    }
    if (rc == 0 && request->adopted == NULL) {
        rc = bk__catalogue_next(folder->path, &m->facts.sequence);
    }
    if (rc == 0) {
        rc = bk__make_announce(m);
    }
    if (rc == 0) {
        bk__differ_keep(&m->differ, &m->facts);
        give_facts(m, ret);
    }
    bk__make_free(m);
    return rc;
}
