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

/* What is asked of every kind alike. */
struct rule {
    int64_t keep;
    const struct bk__retain
        *best; /* the newest verified one of all kinds; NULL: none is */
    const char *spare;
};

static bool is_spared(const struct rule *rule, const struct bk__retain *item) {
    return item == rule->best ||
           (rule->spare != NULL && strcmp(item->name, rule->spare) == 0);
}

/* Walks one kind from its newest to its oldest. */
static void decide_kind(struct bk__retain *items, size_t count, const char *kind,
                        const struct rule *rule) {
    int64_t good = 0;
    bool newest = true;
    for (size_t i = 0; i < count; i++) {
        struct bk__retain *item = &items[i];
        if (strcmp(item->kind, kind) != 0) {
            continue;
        }
        if (!newest && good >= rule->keep && !is_spared(rule, item)) {
            item->drop = true;
            snprintf(item->reason, sizeof item->reason,
                     "%" PRId64 " newer verified %s backup%s kept", rule->keep, kind,
                     rule->keep == 1 ? " is" : "s are");
        }
        good += item->verified;
        newest = false;
    }
}

void bk__retention_decide(struct bk__retain *items, size_t count, int64_t keep,
                          const char *spare) {
    struct rule rule = {.keep = keep, .spare = spare};
    if (count > 0) {
        qsort(items, count, sizeof *items, by_age);
    }
    for (size_t i = count; i-- > 0;) {
        items[i].drop = false;
        items[i].reason[0] = '\0';
        rule.best = items[i].verified ? &items[i] : rule.best;
    }
    for (size_t i = 0; keep > 0 && bk__kinds[i] != NULL; i++) {
        decide_kind(items, count, bk__kinds[i], &rule);
    }
}
