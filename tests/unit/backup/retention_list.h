/*
 * Invented lists of backups for the tests of src/backup/retention.c, and what is asked of them.
 * Not tests: retention.c and retention_promises.c include it.
 */
#ifndef BK_TESTS_RETENTION_LIST_H
#define BK_TESTS_RETENTION_LIST_H

#include <backup/retention.h>

#include <base/civil.h>
#include <base/zone.h>
#include <os/file.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox.h"
#include <cmocka.h>

#define DAY INT64_C(86400000)
#define MANY 64

struct list {
    struct bk__retain items[MANY];
    size_t count;
};

/* Adds one; its name is KIND-SEQUENCE. */
__attribute__((unused)) static void add(struct list *list, const char *kind,
                                        int64_t sequence, int64_t created_ms,
                                        bool verified) {
    struct bk__retain *item = &list->items[list->count++];

    memset(item, 0, sizeof *item);
    snprintf(item->kind, sizeof item->kind, "%s", kind);
    snprintf(item->name, sizeof item->name, "%s-%lld", kind, (long long)sequence);
    item->sequence = sequence;
    item->created_ms = created_ms;
    item->verified = verified;
}

__attribute__((unused)) static bool goes(const struct list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            assert_true(list->items[i].reason[0] != '\0');
            assert_int_equal(list->items[i].drop, list->items[i].stays == 0);
            return list->items[i].drop;
        }
    }
    fail_msg("%s is not in the list", name);
    return false;
}

__attribute__((unused)) static size_t count_going(const struct list *list) {
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        count += list->items[i].drop;
    }
    return count;
}

#define LATE (400 * DAY) /* after all of them */

static struct bk__zone *utc;

__attribute__((unused)) static void decide_by(struct list *list, struct bk__rules rules) {
    utc = utc != NULL ? utc : bk__zone_utc();
    rules.zone = rules.zone != NULL ? rules.zone : utc;
    rules.now_ms = rules.now_ms != 0 ? rules.now_ms : LATE;
    bk__retention_decide(list->items, list->count, &rules);
}

__attribute__((unused)) static void decide(struct list *list, int64_t keep,
                                           const char *spare) {
    decide_by(list, (struct bk__rules){.keep = keep, .spare = spare});
}

__attribute__((unused)) static const struct bk__retain *find(const struct list *list,
                                                             const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            return &list->items[i];
        }
    }
    fail_msg("%s is not in the list", name);
    return NULL;
}

/* The names of those that stay, oldest first, "1 4 5" for auto-1 and so on. */
__attribute__((unused)) static void assert_stay(const struct list *list,
                                                const char *expected) {
    char names[1024] = "";

    for (size_t i = list->count; i-- > 0;) {
        if (!list->items[i].drop) {
            size_t size = strlen(names);
            snprintf(names + size, sizeof names - size, "%s%lld", size > 0 ? " " : "",
                     (long long)list->items[i].sequence);
        }
    }
    assert_string_equal(names, expected);
}

/* One at the local time of a place; the file is the system's. */
__attribute__((unused)) static struct bk__zone *zone_of(const char *path) {
    char *bytes = NULL;
    size_t size = 0;
    const char *why = "";

    assert_int_equal(bk__file_load(path, 1 << 20, &bytes, &size), 0);
    struct bk__zone *zone = bk__zone_parse(bytes, size, &why);
    free(bytes);
    assert_string_equal(zone != NULL ? "" : why, "");
    return zone;
}

__attribute__((unused)) static int64_t at(int year, int month, int day, int hour,
                                          int minute) {
    return ((bk__civil_days(year, month, day) * 24 + hour) * 60 + minute) * 60000;
}

#endif
