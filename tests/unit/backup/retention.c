/*
 * Tests of src/backup/retention.c: the decision, over invented lists.
 * Not of the deletion (tests/c/backup_prune.c).
 */
#include <backup/retention.h>

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
static void add(struct list *list, const char *kind, int64_t sequence, int64_t created_ms,
                bool verified) {
    struct bk__retain *item = &list->items[list->count++];

    memset(item, 0, sizeof *item);
    snprintf(item->kind, sizeof item->kind, "%s", kind);
    snprintf(item->name, sizeof item->name, "%s-%lld", kind, (long long)sequence);
    item->sequence = sequence;
    item->created_ms = created_ms;
    item->verified = verified;
}

static bool goes(const struct list *list, const char *name) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            assert_int_equal(list->items[i].drop, list->items[i].reason[0] != '\0');
            return list->items[i].drop;
        }
    }
    fail_msg("%s is not in the list", name);
    return false;
}

static size_t count_going(const struct list *list) {
    size_t count = 0;

    for (size_t i = 0; i < list->count; i++) {
        count += list->items[i].drop;
    }
    return count;
}

static void decide(struct list *list, int64_t keep, const char *spare) {
    bk__retention_decide(list->items, list->count, keep, spare);
}

static void test_backup_retention__keeps_last_seven_of_a_kind(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 10; i++) {
        add(&list, "auto", i, i * DAY, true);
    }
    decide(&list, 7, NULL);
    assert_int_equal(count_going(&list), 3);
    assert_true(goes(&list, "auto-1"));
    assert_true(goes(&list, "auto-3"));
    assert_false(goes(&list, "auto-4"));
    assert_string_equal(list.items[9].reason, "7 newer verified auto backups are kept");
}

static void test_backup_retention__kinds_do_not_push_each_other_out(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 40; i++) {
        add(&list, i % 20 == 0 ? "manual" : "auto", i, i * DAY, true);
    }
    decide(&list, 2, NULL);
    assert_false(goes(&list, "manual-20"));
    assert_false(goes(&list, "manual-40"));
    assert_int_equal(count_going(&list), 36);
}

static void test_backup_retention__zero_keeps_all(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 30; i++) {
        add(&list, "auto", i, i * DAY, i % 2 == 0);
    }
    decide(&list, 0, NULL);
    assert_int_equal(count_going(&list), 0);
}

static void test_backup_retention__a_clock_set_back_makes_nothing_old(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "auto", 1, 100 * DAY, true);
    add(&list, "auto", 2, 101 * DAY, true);
    add(&list, "auto", 3, 1 * DAY, true); /* made last, by a clock of long ago */
    decide(&list, 1, NULL);
    assert_false(goes(&list, "auto-3"));
    assert_true(goes(&list, "auto-1"));
    assert_true(goes(&list, "auto-2"));
}

static void
test_backup_retention__one_dated_into_the_future_is_not_the_newest(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "auto", 1, 36500 * DAY, true);
    add(&list, "auto", 2, 10 * DAY, true);
    add(&list, "auto", 3, 11 * DAY, true);
    decide(&list, 2, NULL);
    assert_true(goes(&list, "auto-1"));
    assert_int_equal(count_going(&list), 1);
}

static void test_backup_retention__what_is_damaged_counts_for_nothing(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "auto", 1, 1 * DAY, true);
    add(&list, "auto", 2, 2 * DAY, true);
    add(&list, "auto", 3, 3 * DAY, false);
    add(&list, "auto", 4, 4 * DAY, false);
    decide(&list, 1, NULL);
    assert_false(goes(&list, "auto-4")); /* the newest of its kind */
    assert_false(goes(&list, "auto-3")); /* no good one is newer */
    assert_false(goes(&list, "auto-2")); /* the newest good one */
    assert_true(goes(&list, "auto-1"));
}

static void test_backup_retention__never_the_newest_verified_of_all(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "manual", 1, 1 * DAY, true);
    add(&list, "auto", 2, 2 * DAY, false);
    add(&list, "manual", 3, 3 * DAY, false);
    decide(&list, 1, NULL);
    assert_false(goes(&list, "manual-1"));
    assert_int_equal(count_going(&list), 0);
}

static void test_backup_retention__spares_the_one_being_restored(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 5; i++) {
        add(&list, "pre_restore", i, i * DAY, true);
    }
    decide(&list, 2, "pre_restore-1");
    assert_false(goes(&list, "pre_restore-1"));
    assert_true(goes(&list, "pre_restore-2"));
    assert_true(goes(&list, "pre_restore-3"));
    assert_int_equal(count_going(&list), 2);
}

static void test_backup_retention__an_empty_list_is_fine(void **state) {
    (void)state;
    bk__retention_decide(NULL, 0, 7, NULL);
}

/* Whatever the list: the promises hold, and the order of the input does not matter. */
static void test_backup_retention__promises_hold_for_random_lists(void **state) {
    (void)state;
    srand(20251204);
    for (int round = 0; round < 2000; round++) {
        struct list list = {0};
        int64_t keep = 1 + rand() % 4;
        const struct bk__retain *best = NULL;

        for (size_t i = 0, count = (size_t)(rand() % MANY); i < count; i++) {
            add(&list, bk__kinds[rand() % 6], 1 + (int64_t)i, (rand() % 100) * DAY,
                rand() % 4 != 0);
        }
        decide(&list, keep, NULL);
        for (size_t k = 0; bk__kinds[k] != NULL; k++) {
            int64_t good = 0;
            bool newest = true;

            for (size_t i = 0; i < list.count; i++) {
                const struct bk__retain *item = &list.items[i];

                best = best == NULL && item->verified ? item : best;
                if (strcmp(item->kind, bk__kinds[k]) != 0) {
                    continue;
                }
                assert_false(newest && item->drop);
                assert_false(item->drop && good < keep);
                newest = false;
                good += item->verified;
            }
        }
        assert_false(best != NULL && best->drop);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_retention__keeps_last_seven_of_a_kind),
        cmocka_unit_test(test_backup_retention__kinds_do_not_push_each_other_out),
        cmocka_unit_test(test_backup_retention__zero_keeps_all),
        cmocka_unit_test(test_backup_retention__a_clock_set_back_makes_nothing_old),
        cmocka_unit_test(
            test_backup_retention__one_dated_into_the_future_is_not_the_newest),
        cmocka_unit_test(test_backup_retention__what_is_damaged_counts_for_nothing),
        cmocka_unit_test(test_backup_retention__never_the_newest_verified_of_all),
        cmocka_unit_test(test_backup_retention__spares_the_one_being_restored),
        cmocka_unit_test(test_backup_retention__an_empty_list_is_fine),
        cmocka_unit_test(test_backup_retention__promises_hold_for_random_lists),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
