/*
 * Which backup needs which: those of changes name the one they were made against. Not the images
 * that come out of them: delta/chain.c.
 * Called by catalogue.c at the end of loading; differ.c and chain.c look a parent up.
 */
#include <backup/catalogue/lineage.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <backup/catalogue/catalogue.h>

static bool has_stem(const struct bk__manifest *manifest, const char *stem) {
    size_t size = strlen(stem);
    return strncmp(manifest->name, stem, size) == 0 && manifest->name[size] == '.';
}

struct bk__manifest *bk__lineage_find(const struct bk__catalogue *catalogue,
                                      const char *stem, const char *sha256) {
    for (size_t i = 0; i < catalogue->count; i++) {
        struct bk__manifest *item = &catalogue->items[i];
        if (has_stem(item, stem) && strcmp(item->sha256, sha256) == 0) {
            return item;
        }
    }
    return NULL;
}

/* Rewritten as a full archive; the run that did it was killed before it removed the old one. */
static bool is_replaced(const struct bk__catalogue *catalogue,
                        const struct bk__manifest *delta) {
    char stem[BK__NAME_SIZE];
    bk__name_stem(delta->name, stem);
    for (size_t i = 0; i < catalogue->count; i++) {
        const struct bk__manifest *item = &catalogue->items[i];
        if (!bk__form_is_delta(&item->form) && has_stem(item, stem) &&
            item->sequence == delta->sequence &&
            strcmp(item->sha256, delta->sha256) == 0) {
            return true;
        }
    }
    return false;
}

static void take_out(struct bk__catalogue *catalogue, size_t at) {
    bk__manifest_clear(&catalogue->items[at]);
    catalogue->count--;
    memmove(&catalogue->items[at], &catalogue->items[at + 1],
            (catalogue->count - at) * sizeof *catalogue->items);
}

static int take_replaced(struct bk__catalogue *catalogue) {
    int rc = 0;
    for (size_t i = catalogue->count; rc == 0 && i-- > 0;) {
        struct bk__manifest *item = &catalogue->items[i];
        if (bk__form_is_delta(&item->form) && is_replaced(catalogue, item)) {
            rc = bk__catalogue_leftover(catalogue, item->name);
            take_out(catalogue, i);
        }
    }
    return rc;
}

/* What it is made of is known to be damaged, and so is it. */
static int inherit_damage(struct bk__manifest *item, const struct bk__manifest *parent) {
    char why[BK__NAME_SIZE + 64];
    if (parent->verified || !item->verified) {
        return 0;
    }
    snprintf(why, sizeof why, "It is made of changes to %s, which is damaged.",
             parent->name);
    free(item->error);
    item->error = strdup(why);
    item->verified = false;
    return item->error == NULL ? bk__fail_memory() : 0;
}

/* The parent must be older, so that nothing can need itself. */
static int link_one(struct bk__catalogue *catalogue, size_t at) {
    char why[160];
    struct bk__manifest *item = &catalogue->items[at];
    const struct bk__manifest *parent =
        bk__lineage_find(catalogue, item->parent, item->parent_sha256);
    if (parent != NULL && parent->sequence < item->sequence) {
        item->chain = parent->chain + 1;
        return inherit_damage(item, parent);
    }
    snprintf(why, sizeof why, "it is made of changes to %s, which is gone or broken",
             item->parent);
    int rc = bk__catalogue_broken(catalogue, item->name, why);
    take_out(catalogue, at);
    return rc;
}

int bk__lineage_link(struct bk__catalogue *catalogue) {
    int rc = take_replaced(catalogue);
    for (size_t i = catalogue->count; rc == 0 && i-- > 0;) { /* the oldest first */
        if (bk__form_is_delta(&catalogue->items[i].form)) {
            rc = link_one(catalogue, i);
        }
    }
    return rc;
}
