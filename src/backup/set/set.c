/*
 * Making a set: the steps of one backup for each store side by side in one unfinished folder,
 * which one rename turns into the set.
 * Not how a store is saved: make.c. Not what the manifest says: set_facts.c. Not the tar: set_tar.c.
 * Called by create.c and restore.c.
 */
#include <backup/set/setting.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <botkeep.h>
#include <base/buf.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/catalogue.h>
#include <backup/seal/encryption.h>
#include <backup/catalogue/folder.h>
#include <backup/make.h>
#include <backup/catalogue/manifest.h>
#include <backup/set/set_tar.h>
#include <backup/unchanged.h>

#define MANIFEST "manifest.json"
#define MOST_AT_ONCE 100000

/* ---- stores that fail --------------------------------------------------------------------- */

/* Keeps why a store failed. 0: the others go on. */
static int note(struct bk__set_store *store, int rc) {
    store->rc = rc;
    if (rc == 0 || rc == BK_ECANCELLED || rc == BK_ENOMEM) {
        return rc;
    }
    store->why = strdup(bk__error_text());
    return store->why == NULL ? bk__fail_memory() : 0;
}

int bk__set_open(struct bk__job *job, struct bk__set *set) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < set->count; i++) {
        struct bk__set_store *store = &set->stores[i];
        rc = note(store, bk__store_open_at(&store->store, job, store->site.url, false));
    }
    return rc;
}

void bk__set_close(struct bk__set *set) {
    for (size_t i = 0; i < set->count; i++) {
        struct bk__set_store *store = &set->stores[i];
        bk__store_close(store->store);
        free(store->why);
        store->store = NULL;
        store->why = NULL;
    }
}

static size_t count_good(const struct bk__setting *s) {
    size_t good = 0;
    for (size_t i = 0; i < s->count; i++) {
        good += s->stores[i].rc == 0;
    }
    return good;
}

char *bk__setting_failed(const struct bk__setting *s) {
    struct bk__buf text = {0};
    for (size_t i = 0; i < s->count; i++) {
        if (s->stores[i].rc != 0) {
            bk__buf_printf(&text, "%s%s: %s", text.size > 0 ? " " : "",
                           s->stores[i].site.name, s->stores[i].why);
        }
    }
    return bk__buf_take(&text);
}

/* Whether the set still makes sense; otherwise the error of it all. */
static int check_failed(const struct bk__setting *s) {
    size_t good = count_good(s);
    if (good == s->count || (good > 0 && !s->whole)) {
        return 0;
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->count; i++) {
        rc = s->stores[i].rc;
    }
    char *why = bk__setting_failed(s);
    rc = why == NULL ? bk__fail_memory()
                     : bk__fail(rc, "No backup of the set was made. %s", why);
    free(why);
    return rc;
}

int bk__set_fail_partial(const struct bk__manifest *set) {
    struct bk__buf saved = {0};
    for (size_t i = 0; i < set->part_count; i++) {
        if (set->parts[i].name[0] != '\0') {
            bk__buf_printf(&saved, "%s%s", saved.size > 0 ? ", " : "",
                           set->parts[i].part);
        }
    }
    char *list = bk__buf_take(&saved);
    int rc = list == NULL || set->error == NULL
                 ? bk__fail_memory()
                 : bk__fail(BK_EPARTIAL,
                            "Backup %s holds only a part of the bot's data. Saved and "
                            "restorable: %s. Not saved: %s",
                            set->name, list, set->error);
    free(list);
    return rc;
}

/* ---- the folder it is made in ------------------------------------------------------------- */

/* The name is the time to the millisecond: a later one while something has it. */
static int choose_name(struct bk__setting *s) {
    char **names = NULL;
    size_t count = 0;
    s->facts.form = (struct bk__form){.content = "set"};
    s->facts.created_ms = bk__job_wall(s->job);
    int rc = bk__file_list(s->folder->path, &names, &count);
    if (rc != 0) {
        return bk__fail_errno(rc, "cannot list", s->folder->path, NULL);
    }
    bool taken = true;
    for (int i = 0; taken && i < MOST_AT_ONCE; i++) {
        bk__name_set(s->facts.name, s->facts.created_ms + i, &s->facts.form);
        taken = bk__name_is_taken(s->facts.name, names, count);
        s->facts.created_ms += taken ? 0 : i;
    }
    bk__file_list_free(names, count);
    if (!taken) {
        return 0;
    }
    return bk__fail(BK_EBUSY,
                    "There is no free name left for this moment in %s. No backup was "
                    "made. Try again.",
                    s->folder->path);
}

static int make_folder(struct bk__setting *s) {
    int rc = choose_name(s);
    if (rc != 0) {
        return rc;
    }
    s->inside.path = bk__folder_temp(s->folder, s->facts.name, "");
    if (s->inside.path == NULL) {
        return BK_ENOMEM;
    }
    int err = bk__file_make_dir(s->inside.path);
    return err == 0 ? 0 : bk__fail_errno(err, "cannot make", s->inside.path, NULL);
}

/* ---- each store ----------------------------------------------------------------------------- */

/* A dump of Redis is packed by Redis; and what goes into a tar is packed there, unless it is
   encrypted before. */
static const char *chosen(const struct bk__setting *s, const struct bk__store *store) {
    bool sealed = bk__encryption_wanted(bk__job_config(s->job));
    bool packed = (s->tar && !sealed) || strcmp(store->driver->content, "rdb") == 0;
    return packed ? "none" : s->request->compress;
}

static int take_snapshots(struct bk__setting *s) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->count; i++) {
        struct bk__set_store *store = &s->stores[i];
        if (store->rc != 0) {
            continue;
        }
        bk__name_part(s->stems[i], s->facts.name, store->site.name);
        s->requests[i] = (struct bk__make){.kind = s->request->kind,
                                           .compress = chosen(s, store->store),
                                           .stem = s->stems[i],
                                           .ret_fingerprint = store->fingerprint};
        rc = note(store, bk__make_begin(s->job, &s->inside, store->store, &s->requests[i],
                                        &s->making[i]));
    }
    s->packing = bk__job_mono(s->job);
    return rc == 0 ? check_failed(s) : rc;
}

static int pack_each(struct bk__setting *s) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->count; i++) {
        if (s->stores[i].rc != 0) {
            continue;
        }
        int packed = bk__make_pack(s->making[i]);
        if (packed == 0) {
            packed = bk__make_place(s->making[i], &s->facts.parts[i]);
        }
        bk__make_free(s->making[i]);
        s->making[i] = NULL;
        rc = note(&s->stores[i], packed);
    }
    return rc == 0 ? check_failed(s) : rc;
}

/* ---- publishing ----------------------------------------------------------------------------- */

/* The manifest inside, understood again from the disk; and everything of the folder flushed. */
static int write_manifest(struct bk__setting *s) {
    char *path = bk__folder_file(&s->inside, MANIFEST);
    char *text = bk__manifest_print(&s->facts);
    int rc = path == NULL || text == NULL ? bk__fail_memory() : bk__make_check(text);
    if (rc == 0) {
        rc = bk__folder_write(path, text);
    }
    if (rc == 0) {
        int err = bk__file_sync_dir(s->inside.path);
        rc = err == 0 ? 0 : bk__fail_errno(err, "cannot flush", s->inside.path, NULL);
    }
    free(path);
    free(text);
    return rc;
}

/* One rename, and the folder is the set. Should that not reach the disk for certain, it is taken
   back: what was told to have failed must not appear later. */
static int publish_folder(struct bk__setting *s) {
    char *path = bk__folder_file(s->folder, s->facts.name);
    if (path == NULL) {
        return BK_ENOMEM;
    }
    int err = bk__file_rename(s->inside.path, path);
    if (err == 0) {
        err = bk__file_sync_dir(s->folder->path);
        if (err != 0) {
            bk__file_rename(path, s->inside.path);
        }
    }
    free(path);
    return err == 0 ? 0
                    : bk__fail_errno(err, "cannot publish the backup in", s->folder->path,
                                     NULL);
}

static int publish(struct bk__setting *s) {
    int rc = bk__setting_facts(s);
    if (rc == 0) {
        rc = write_manifest(s);
    }
    if (rc == 0 && s->tar) {
        return bk__set_tar_publish(s->job, s->folder, s->inside.path,
                                   s->request->compress, &s->facts);
    }
    if (rc == 0) {
        rc = bk__job_check(s->job); /* the last moment to cancel without a trace */
    }
    return rc == 0 ? publish_folder(s) : rc;
}

/* Whether a store's snapshot is what its part of the older set holds. */
static int compare_one(struct bk__setting *s, size_t i) {
    const struct bk__set_store *store = &s->stores[i];
    const struct bk__manifest *part =
        bk__manifest_part(s->request->same, store->site.name);
    if (store->rc != 0 || part == NULL) {
        return 0;
    }
    return bk__unchanged_is_noted(store) ? BK__MAKE_SAME
                                         : bk__make_compare(s->making[i], part);
}

/* One store that changed, or of which it cannot be told, and the set is made of all. */
static int compare(struct bk__setting *s) {
    int rc = s->request->same != NULL ? BK__MAKE_SAME : 0;
    for (size_t i = 0; rc == BK__MAKE_SAME && i < s->count; i++) {
        rc = compare_one(s, i);
    }
    return rc;
}

static int make(struct bk__setting *s) {
    s->facts.parts = calloc(s->count, sizeof *s->facts.parts);
    if (s->facts.parts == NULL) {
        return bk__fail_memory();
    }
    s->facts.part_count = s->count;
    int rc = check_failed(s);
    if (rc == 0) {
        rc = make_folder(s);
    }
    if (rc == 0) {
        rc = take_snapshots(s);
    }
    if (rc == 0) {
        rc = compare(s);
    }
    if (rc == 0) {
        rc = pack_each(s);
    }
    return rc == 0 ? publish(s) : rc;
}

int bk__set_make(struct bk__job *job, const struct bk__folder *folder,
                 struct bk__set *set, const struct bk__make *request,
                 struct bk__manifest *ret) {
    const char *layout = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_SET);
    struct bk__setting s = {.job = job,
                            .folder = folder,
                            .request = request,
                            .stores = set->stores,
                            .count = set->count,
                            .whole = set->whole,
                            .tar = strcmp(layout, "tar") == 0,
                            .inside =
                                *folder, /* its other members hold for the parts too */
                            .began = bk__job_mono(job)};
    s.inside.path = NULL;
    s.inside.above = folder->path;
    s.inside.lock_fd = -1;
    int rc = make(&s);
    for (size_t i = 0; i < s.count; i++) {
        bk__make_free(s.making[i]);
    }
    if (s.inside.path != NULL && (rc != 0 || s.tar)) {
        bk__file_remove_dir(s.inside.path);
    }
    free(s.inside.path);
    if (rc != 0) {
        bk__manifest_clear(&s.facts);
        return rc;
    }
    *ret = s.facts;
    return 0;
}

bool bk__set_covers(struct bk__job *job, const struct bk__manifest *manifest) {
    struct bk__store_site sites[BK__STORES];
    size_t count = bk__store_sites(job, sites);
    bool covers = manifest->verified;
    for (size_t i = 0; covers && count > 1 && i < count; i++) {
        covers = bk__manifest_part(manifest, sites[i].name) != NULL;
    }
    return covers;
}

struct bk__manifest *bk__set_newest(struct bk__job *job,
                                    const struct bk__catalogue *catalogue) {
    for (size_t i = 0; i < catalogue->count; i++) {
        if (bk__set_covers(job, &catalogue->items[i])) {
            return &catalogue->items[i];
        }
    }
    return NULL;
}
