/*
 * Choosing between a full backup and one of changes, and preparing the latter.
 * Not reading the image: changes.c. Not packing: making.c, which calls it.
 */
#include <backup/delta/differ.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/growth.h>
#include <backup/catalogue/catalogue.h>
#include <backup/catalogue/folder.h>
#include <backup/catalogue/lineage.h>
#include <backup/delta/pages.h>

static int64_t most_in_a_row(struct bk__job *job) {
    return bk__config_int(bk__job_config(job), BK__OPT_BACKUP_DELTAS);
}

bool bk__differ_is_wanted(struct bk__job *job) {
    return most_in_a_row(job) > 0;
}

bool bk__differ_is_likely(struct bk__job *job) {
    return bk__differ_is_wanted(job) && bk__pages_exist(job);
}

/* ---- beside the snapshot -------------------------------------------------------------- */

/* Without them the backup is a full one: better than none, where state.dir cannot be written. */
static bool open_pages(struct bk__differ *d) {
    struct bk__delta *delta = &d->changes.delta;
    if (!bk__growth_planned(d->growth, &delta->page_size, &delta->pages)) {
        return false;
    }
    if (bk__pages_open(d->job, delta->page_size, &d->pages) == 0) {
        return true;
    }
    bk__job_log(
        d->job, "warning",
        "The pages of this backup cannot be noted, so it and the next hold all: %s",
        bk__error_text());
    return false;
}

/* The backup whose pages are known, when changes to it are worth making: it is whole, verified, of
   the same kind of store, opened by the same key, and not too long a chain already. */
static bool find_parent(struct bk__differ *d) {
    const struct bk__pages_of *of = bk__pages_old(d->pages);
    struct bk__delta *delta = &d->changes.delta;
    struct bk__catalogue catalogue;
    if (of == NULL || bk__catalogue_load(d->folder->path, &catalogue) != 0) {
        return false;
    }
    const struct bk__manifest *parent =
        bk__lineage_find(&catalogue, of->stem, of->sha256);
    bool good =
        parent != NULL && parent->verified && parent->chain < most_in_a_row(d->job) &&
        strcmp(parent->store, d->store) == 0 && parent->page_size == delta->page_size &&
        parent->pages == of->pages && parent->encryption == d->facts->encryption &&
        strcmp(parent->key_id, d->facts->key_id) == 0;
    if (good) {
        memcpy(d->parent, of->stem, sizeof of->stem);
        memcpy(delta->parent_sha256, of->sha256, sizeof of->sha256);
        delta->parent_pages = of->pages;
        d->chain = parent->chain + 1;
    }
    bk__catalogue_free(&catalogue);
    return good;
}

static int name_payload(struct bk__differ *d) {
    static const char ending[] = ".changes";
    size_t size = strlen(d->image) + sizeof ending;
    d->payload = malloc(size);
    if (d->payload == NULL) {
        return bk__fail_memory();
    }
    snprintf(d->payload, size, "%s%s", d->image, ending);
    return 0;
}

/* Nothing is known of pages that were read in vain: the next backup compares with older ones. */
static void forget_pages(struct bk__differ *d) {
    bk__pages_free(d->pages);
    d->pages = NULL;
}

/* Changes that are more than half of the image are not worth having to put them together. */
static int find(void *context) {
    struct bk__differ *d = context;
    struct bk__changes *changes = &d->changes;
    *changes = (struct bk__changes){.job = d->job, .image = d->image};
    if (!open_pages(d)) {
        return 0;
    }
    int rc = find_parent(d) ? name_payload(d) : 0;
    if (rc != 0) {
        return rc;
    }
    changes->growth = d->growth;
    changes->pages = d->pages;
    changes->payload = d->payload;
    changes->payload_most = changes->delta.pages * changes->delta.page_size / 2;
    rc = bk__changes_find(changes);
    if (rc == BK__CHANGES_GIVEN_UP) {
        forget_pages(d);
        rc = 0;
    }
    return rc;
}

void bk__differ_begin(struct bk__differ *d) {
    bk__aside_begin(&d->aside, "bk-differ", find, d);
}

/* ---- afterwards ----------------------------------------------------------------------- */

int bk__differ_end(struct bk__differ *d, struct bk__manifest *facts) {
    const struct bk__changes *changes = &d->changes;
    int rc = bk__aside_end(&d->aside);
    if (rc != 0 || d->pages == NULL) {
        return rc;
    }
    memcpy(facts->sha256, changes->delta.sha256, sizeof facts->sha256);
    if (changes->useful) {
        memcpy(facts->parent, d->parent, sizeof facts->parent);
        memcpy(facts->parent_sha256, changes->delta.parent_sha256,
               sizeof facts->parent_sha256);
        facts->chain = d->chain;
        facts->payload_bytes = changes->payload_bytes;
        snprintf(facts->form.content, sizeof facts->form.content, "delta");
    }
    return 0;
}

void bk__differ_keep(struct bk__differ *d, const struct bk__manifest *facts) {
    struct bk__pages_of of = {.pages = facts->pages};
    if (d->pages != NULL) {
        bk__name_stem(facts->name, of.stem);
        memcpy(of.sha256, facts->sha256, sizeof of.sha256);
        bk__pages_keep(d->pages, &of);
    }
}

void bk__differ_drop(struct bk__differ *d) {
    bk__aside_drop(&d->aside);
    forget_pages(d);
    if (d->payload != NULL) {
        bk__file_remove(d->payload);
    }
    free(d->payload);
    d->payload = NULL;
}
