/*
 * Rewriting one backup of changes as a full one. Killed at any point, the folder holds the old one,
 * both, or the new one; of both the catalogue shows the full one, and the next pruning removes the
 * other. Not deciding what goes: retention.c. Called by prune.c, under the folder's lock.
 */
#include <backup/consolidate.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/catalogue/catalogue.h>
#include <backup/extract.h>
#include <backup/catalogue/folder.h>
#include <backup/make.h>
#include <backup/making.h>
#include <backup/remove.h>

#define SLACK (INT64_C(1) << 20)

/* ---- which one ------------------------------------------------------------------------ */

static const struct bk__retain *parent_of(const struct bk__retain *items, size_t count,
                                          const struct bk__retain *item) {
    for (size_t i = 0; item->parent[0] != '\0' && i < count; i++) {
        char stem[BK__NAME_SIZE];
        bk__name_stem(items[i].name, stem);
        if (strcmp(stem, item->parent) == 0) {
            return &items[i];
        }
    }
    return NULL;
}

/* It is wanted for itself, and what it is made of only for others' sake. */
static bool frees(const struct bk__retain *items, size_t count,
                  const struct bk__retain *item) {
    const struct bk__retain *parent = parent_of(items, count, item);
    return item->verified && (item->stays & ~(unsigned)BK__STAY_BASE) != 0 &&
           parent != NULL && parent->stays == BK__STAY_BASE;
}

struct bk__retain *bk__consolidate_choose(struct bk__job *job, struct bk__retain *items,
                                          size_t count) {
    int64_t most = bk__config_int(bk__job_config(job), BK__OPT_BACKUP_DELTAS);
    int64_t held = 0;
    struct bk__retain *oldest = NULL;
    for (size_t i = 0; i < count; i++) {
        held += items[i].stays == BK__STAY_BASE;
    }
    for (size_t i = 0; held > most && i < count; i++) {
        oldest = frees(items, count, &items[i]) ? &items[i] : oldest;
    }
    return oldest;
}

/* ---- rewriting it --------------------------------------------------------------------- */

/* The facts of the full one: what the database is stays, how it is kept does not. Texts and tables
   are borrowed. */
static int begin(struct bk__making *m, const struct bk__manifest *delta) {
    char stem[BK__NAME_SIZE];
    struct bk__manifest *facts = &m->facts;
    const struct bk__store_driver *driver = bk__store_driver_named(delta->store);
    *facts = *delta;
    facts->parent[0] = facts->parent_sha256[0] = facts->key_id[0] = '\0';
    facts->payload_bytes = facts->chain = 0;
    facts->encryption = BK__KEY_NONE;
    facts->verified_ms = bk__job_wall(m->job);
    int rc = bk__making_seal(m);
    if (rc != 0) {
        return rc;
    }
    if (driver == NULL || (delta->form.encrypted && !m->encrypted)) {
        return bk__fail(BK_EUNSUPPORTED,
                        "It is encrypted, and the options ask for none; it is not "
                        "written plain.");
    }
    snprintf(facts->form.content, sizeof facts->form.content, "%s", driver->content);
    facts->form.compression = bk__making_compression(m, facts->database_bytes);
    bk__name_stem(delta->name, stem);
    bk__name_join(facts->name, stem, &facts->form);
    m->scratch = bk__folder_scratch(m->folder, delta->name, ".image");
    return m->scratch == NULL ? BK_ENOMEM : 0;
}

/* The image's SHA-256 is compared twice: by who puts it together, and by who packs it. */
static int rewrite(struct bk__making *m, const struct bk__manifest *delta) {
    int rc = begin(m, delta);
    if (rc == 0) {
        rc = bk__folder_room(m->folder, delta->database_bytes,
                             delta->database_bytes / 2 + SLACK, "a whole backup");
    }
    if (rc == 0) {
        rc = bk__extract_new(m->job, m->folder->path, delta, m->scratch);
    }
    if (rc == 0) {
        rc = bk__making_pack(m);
    }
    if (rc == 0) {
        rc = bk__making_read_back(m);
    }
    if (rc == 0) {
        rc = bk__make_announce(m);
    }
    if (rc == 0) {
        rc = bk__remove_backup(m->folder->path, delta->name);
    }
    return rc;
}

static int rewrite_one(struct bk__job *job, const struct bk__folder *folder,
                       const struct bk__manifest *delta) {
    const struct bk__make request = {
        .kind = delta->kind,
        .compress = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_COMPRESS)};
    struct bk__making *m = calloc(1, sizeof *m);
    if (m == NULL) {
        return bk__fail_memory();
    }
    m->job = job;
    m->folder = folder;
    m->request = &request;
    int rc = rewrite(m, delta);
    m->facts.note = m->facts.adopted = m->facts.error = NULL;
    m->facts.tables = NULL;
    bk__make_free(m);
    return rc;
}

int bk__consolidate(struct bk__job *job, const struct bk__folder *folder,
                    const struct bk__catalogue *catalogue, struct bk__retain *items) {
    const struct bk__retain *chosen =
        bk__consolidate_choose(job, items, catalogue->count);
    const struct bk__manifest *delta = NULL;
    for (size_t i = 0; chosen != NULL && i < catalogue->count; i++) {
        delta = strcmp(catalogue->items[i].name, chosen->name) == 0 ? &catalogue->items[i]
                                                                    : delta;
    }
    if (delta == NULL) {
        return 0;
    }
    if (rewrite_one(job, folder, delta) == 0) {
        bk__job_log(job, "info",
                    "Backup %s was made of changes to others and is a full one now",
                    delta->name);
        return 1;
    }
    bk__job_log(
        job, "warning",
        "Backup %s is made of changes to others, and could not be made a full one "
        "so that those can go; all of them stay: %s",
        delta->name, bk__error_text());
    return 0;
}
