/*
 * The decision which backups go, by sequence and never by the clock alone.
 * Not the deletion: prune.c does that, and only for what this marked.
 * Called by prune.c (also on behalf of create.c); tests call it with invented lists.
 */
#include <backup/retention.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_age(const void *left, const void *right) {
    const struct bk__retain *a = left;
    const struct bk__retain *b = right;
    if (a->sequence != b->sequence) {
        return a->sequence > b->sequence ? -1 : 1;
    }
    if (a->created_ms != b->created_ms) {
        return a->created_ms > b->created_ms ? -1 : 1;
    }
    return strcmp(b->name, a->name);
}

/* Walks one kind from its newest to its oldest. best is the newest verified of all kinds. */
static void decide_kind(struct bk__retain *items, size_t count, int64_t keep,
                        const char *kind, const struct bk__retain *best,
                        const char *spare) {
    int64_t good = 0;
    bool newest = true;
    for (size_t i = 0; i < count; i++) {
        struct bk__retain *item = &items[i];
        if (strcmp(item->kind, kind) != 0) {
            continue;
        }
        bool spared = spare != NULL && strcmp(item->name, spare) == 0;
        if (!newest && item != best && !spared && good >= keep) {
            item->drop = true;
            snprintf(item->reason, sizeof item->reason,
                     "%" PRId64 " newer verified %s backup%s kept", keep, kind,
                     keep == 1 ? " is" : "s are");
        }
        good += item->verified;
        newest = false;
    }
}

void bk__retention_decide(struct bk__retain *items, size_t count, int64_t keep,
                          const char *spare) {
    const struct bk__retain *best = NULL;
    if (count > 0) {
        qsort(items, count, sizeof *items, by_age);
    }
    for (size_t i = count; i-- > 0;) {
        items[i].drop = false;
        items[i].reason[0] = '\0';
        best = items[i].verified ? &items[i] : best;
    }
    for (size_t i = 0; keep > 0 && bk__kinds[i] != NULL; i++) {
        decide_kind(items, count, keep, bk__kinds[i], best, spare);
    }
}
