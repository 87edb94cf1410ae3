/*
 * Choosing between a full backup and one of changes, and preparing the latter.
 * Not reading the image: changes.c. Not packing: make.c, which calls it.
 */
#include <backup/delta/differ.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/catalogue.h>
#include <backup/delta/chain.h>
#include <backup/delta/changes.h>
#include <backup/catalogue/folder.h>
#include <backup/delta/pages.h>

/* The backup whose pages are known, when changes to it are worth making: it is whole, verified, of
   the same kind of store, opened by the same key, and not too long a chain already. */
static bool find_parent(struct bk__differ *d, int64_t most) {
    const struct bk__pages_of *of = bk__pages_old(d->pages);
    struct bk__catalogue catalogue;
    struct bk__manifest *facts = d->facts;
    if (of == NULL || bk__catalogue_load(d->folder->path, &catalogue) != 0) {
        return false;
    }
    const struct bk__manifest *parent = bk__chain_find(&catalogue, of->stem, of->sha256);
    bool good = parent != NULL && parent->verified && parent->chain < most &&
                strcmp(parent->store, d->store) == 0 &&
                parent->page_size == facts->page_size && parent->pages == of->pages &&
                parent->encryption == facts->encryption &&
                strcmp(parent->key_id, facts->key_id) == 0;
    if (good) {
        memcpy(facts->parent, of->stem, sizeof of->stem);
        memcpy(facts->parent_sha256, of->sha256, sizeof of->sha256);
        facts->chain = parent->chain + 1;
    }
    bk__catalogue_free(&catalogue);
    return good;
}

/* Changes that are more than half of the image are not worth having to put them together. */
static int name_payload(struct bk__differ *d, struct bk__changes *changes) {
    char name[BK__NAME_SIZE];
    const struct bk__manifest *facts = d->facts;
    bk__name_make(name, "auto", facts->created_ms, 1, &facts->form);
    d->payload = bk__folder_scratch(d->folder, name, ".changes");
    changes->payload = d->payload;
    changes->payload_most = facts->database_bytes / 2;
    changes->delta.parent_pages = bk__pages_old(d->pages)->pages;
    memcpy(changes->delta.parent_sha256, facts->parent_sha256, BK__SHA256_HEX);
    return d->payload == NULL ? BK_ENOMEM : 0;
}

static void take_changes(struct bk__differ *d, const struct bk__changes *changes) {
    struct bk__manifest *facts = d->facts;
    memcpy(facts->sha256, changes->delta.sha256, sizeof facts->sha256);
    if (changes->useful) {
        facts->payload_bytes = changes->payload_bytes;
        memcpy(d->payload_sha256, changes->payload_sha256, sizeof d->payload_sha256);
        snprintf(facts->form.content, sizeof facts->form.content, "delta");
    } else {
        facts->parent[0] = facts->parent_sha256[0] = '\0';
        facts->chain = 0;
    }
}

bool bk__differ_is_wanted(struct bk__job *job) {
    return bk__config_int(bk__job_config(job), BK__OPT_BACKUP_DELTAS) > 0;
}

bool bk__differ_is_likely(struct bk__job *job) {
    return bk__differ_is_wanted(job) && bk__pages_exist(job);
}

/* Without them the backup is a full one: better than none, where state.dir cannot be written. */
static bool open_pages(struct bk__differ *d) {
    if (d->facts->pages == 0) {
        return false;
    }
    if (bk__pages_open(d->job, d->facts->page_size, &d->pages) == 0) {
        return true;
    }
    bk__job_log(
        d->job, "warning",
        "The pages of this backup cannot be noted, so it and the next hold all: %s",
        bk__error_text());
    return false;
}

int bk__differ_find(struct bk__differ *d) {
    struct bk__changes changes = {.job = d->job, .image = d->image};
    int64_t most = bk__config_int(bk__job_config(d->job), BK__OPT_BACKUP_DELTAS);
    int rc = 0;
    if (!open_pages(d)) {
        return 0;
    }
    if (find_parent(d, most)) {
        rc = name_payload(d, &changes);
    }
    if (rc != 0) {
        return rc;
    }
    changes.pages = d->pages;
    changes.delta.page_size = d->facts->page_size;
    changes.delta.pages = d->facts->pages;
    rc = bk__changes_find(&changes);
    if (rc == 0) {
        take_changes(d, &changes);
    }
    return rc;
}

void bk__differ_keep(struct bk__differ *d) {
    struct bk__pages_of of = {0};
    if (d->pages != NULL) {
        of.pages = d->facts->pages;
        bk__name_stem(d->facts->name, of.stem);
        memcpy(of.sha256, d->facts->sha256, sizeof of.sha256);
        bk__pages_keep(d->pages, &of);
    }
}

void bk__differ_drop(struct bk__differ *d) {
    bk__pages_free(d->pages);
    if (d->payload != NULL) {
        bk__file_remove(d->payload);
    }
    free(d->payload);
    d->pages = NULL;
    d->payload = NULL;
}
