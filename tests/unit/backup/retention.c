/*
 * Tests of src/backup/retention.c: the decision, over invented lists.
 * Not of the deletion (tests/c/backup_prune.c).
 */
#include "retention_list.h"

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
    const struct bk__rules rules = {.keep = 7};
    bk__retention_decide(NULL, 0, &rules);
}

/* ---- days ---------------------------------------------------------------------------- */

static void test_backup_retention__goes_only_when_count_and_days_let_it(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 10; i++) {
        add(&list, "auto", i, i * DAY, true);
    }
    /* On the 11th day: 8, 9 and 10 by the count, 6 and younger by the days. */
    decide_by(&list, (struct bk__rules){.keep = 3, .days = 5, .now_ms = 11 * DAY});
    assert_stay(&list, "7 8 9 10");
    assert_string_equal(find(&list, "auto-6")->reason,
                        "3 newer verified auto backups are kept; at least 5 days old");
    decide_by(&list, (struct bk__rules){.keep = 3, .days = 2, .now_ms = 11 * DAY});
    assert_stay(&list, "8 9 10");
    decide_by(&list, (struct bk__rules){.keep = 0, .days = 2, .now_ms = 11 * DAY});
    assert_int_equal(count_going(&list), 0);
}

static void test_backup_retention__the_last_millisecond_of_the_days_counts(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "auto", 1, 10 * DAY, true);
    add(&list, "auto", 2, 10 * DAY + 1, true);
    add(&list, "auto", 3, 20 * DAY, true);
    decide_by(&list, (struct bk__rules){.keep = 1, .days = 30, .now_ms = 40 * DAY});
    assert_stay(&list, "2 3");
    decide_by(&list, (struct bk__rules){.keep = 1, .days = 30, .now_ms = 40 * DAY - 1});
    assert_stay(&list, "1 2 3");
    decide_by(&list, (struct bk__rules){.keep = 1, .days = 30, .now_ms = 40 * DAY + 1});
    assert_stay(&list, "3");
}

/* ---- tails ---------------------------------------------------------------------------- */

static void test_backup_retention__the_last_of_each_day_stays(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 12; i++) {
        add(&list, i % 2 == 0 ? "auto" : "manual", i, i * DAY / 3, true);
    }
    /* Days: 1 2 | 3 4 5 | 6 7 8 | 9 10 11 | 12. 11 is the newest manual one. */
    decide_by(&list, (struct bk__rules){.keep = 1, .daily = 3});
    assert_stay(&list, "8 11 12");
    assert_string_equal(find(&list, "auto-8")->reason, "the last of its day");
    assert_string_equal(
        find(&list, "auto-12")->reason,
        "the newest verified; the newest of its kind; among the newest 1 of its kind; "
        "the last of its day");
    assert_string_equal(find(&list, "auto-6")->reason,
                        "1 newer verified auto backup is kept; not the last of a day, "
                        "week or month that is kept");
    decide_by(&list, (struct bk__rules){.keep = 1, .daily = 100});
    assert_stay(&list, "2 5 8 11 12");
}

static void test_backup_retention__weeks_begin_on_monday(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "auto", 1, at(2025, 11, 30, 23, 59), true); /* a Sunday */
    add(&list, "auto", 2, at(2025, 12, 1, 0, 0), true);
    add(&list, "auto", 3, at(2025, 12, 7, 23, 59), true); /* a Sunday */
    add(&list, "auto", 4, at(2025, 12, 8, 0, 0), true);
    add(&list, "auto", 5, at(2025, 12, 9, 0, 0), true);
    decide_by(&list,
              (struct bk__rules){.keep = 1, .weekly = 3, .now_ms = at(2026, 1, 1, 0, 0)});
    assert_stay(&list, "1 3 5");
    decide_by(&list,
              (struct bk__rules){.keep = 1, .weekly = 2, .now_ms = at(2026, 1, 1, 0, 0)});
    assert_stay(&list, "3 5");
}

static void test_backup_retention__months_end_where_they_do(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "auto", 1, at(2023, 12, 31, 12, 0), true);
    add(&list, "auto", 2, at(2024, 2, 28, 12, 0), true);
    add(&list, "auto", 3, at(2024, 2, 29, 12, 0), true);
    add(&list, "auto", 4, at(2024, 3, 1, 0, 0), true);
    add(&list, "auto", 5, at(2025, 3, 1, 0, 0), true);
    decide_by(&list, (struct bk__rules){
                         .keep = 1, .monthly = 12, .now_ms = at(2026, 1, 1, 0, 0)});
    assert_stay(&list, "1 3 4 5");
}

static void test_backup_retention__days_are_those_of_the_zone(void **state) {
    struct list list = {0};
    struct bk__zone *auckland = zone_of("/usr/share/zoneinfo/Pacific/Auckland");
    struct bk__rules rules = {.keep = 1, .daily = 9, .now_ms = at(2026, 1, 1, 0, 0)};

    (void)state;
    add(&list, "auto", 1, at(2025, 12, 4, 10, 59), true); /* 23:59 there */
    add(&list, "auto", 2, at(2025, 12, 4, 11, 0), true);  /* the next day there */
    add(&list, "auto", 3, at(2025, 12, 4, 12, 0), true);
    decide_by(&list, rules);
    assert_stay(&list, "3");
    rules.zone = auckland;
    decide_by(&list, rules);
    assert_stay(&list, "1 3");
    bk__zone_free(auckland);
}

/* Until 2011 the clocks of St. John's went from one minute past midnight to 23:01: after some of the
   7th came some of the 6th again. */
static void test_backup_retention__a_date_shown_twice_is_one_day(void **state) {
    struct list list = {0};
    struct bk__zone *zone = zone_of("/usr/share/zoneinfo/America/St_Johns");

    (void)state;
    add(&list, "auto", 1, at(2010, 11, 5, 12, 0), true);
    add(&list, "auto", 2, at(2010, 11, 6, 12, 0), true);
    add(&list, "auto", 3, at(2010, 11, 7, 2, 30), true); /* the 7th, 00:00 */
    add(&list, "auto", 4, at(2010, 11, 7, 2, 45), true); /* the 6th, 23:15 */
    add(&list, "auto", 5, at(2010, 11, 8, 12, 0), true);
    decide_by(&list,
              (struct bk__rules){
                  .keep = 1, .daily = 3, .zone = zone, .now_ms = at(2026, 1, 1, 0, 0)});
    assert_stay(&list, "1 4 5");
    bk__zone_free(zone);
}

static void test_backup_retention__what_is_damaged_stands_for_no_day(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "auto", 1, 10 * DAY, true);
    add(&list, "auto", 2, 10 * DAY + 5, false);
    add(&list, "auto", 3, 11 * DAY, true);
    add(&list, "auto", 4, 12 * DAY, true);
    decide_by(&list, (struct bk__rules){.keep = 1, .daily = 3});
    assert_stay(&list, "1 3 4");
}

static void test_backup_retention__a_bot_that_slept_loses_no_days(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 5; i++) {
        add(&list, "auto", i, i * DAY, true);
    }
    add(&list, "auto", 6, 300 * DAY, true);
    decide_by(&list, (struct bk__rules){.keep = 1, .daily = 4});
    assert_stay(&list, "3 4 5 6");
}

/* ---- clocks that jump ------------------------------------------------------------------ */

static void test_backup_retention__one_of_the_future_pushes_no_day_out(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 5; i++) {
        add(&list, "auto", i, i * DAY, true);
    }
    add(&list, "auto", 6, 36500 * DAY, true);
    add(&list, "auto", 7, 6 * DAY, true);
    decide_by(&list, (struct bk__rules){.keep = 1, .daily = 4, .now_ms = 7 * DAY});
    assert_stay(&list, "3 4 5 7");
    list.count = 0;
    for (int i = 1; i <= 5; i++) {
        add(&list, "auto", i, i * DAY, true);
    }
    add(&list, "manual", 6, 36500 * DAY, true); /* the newest now */
    decide_by(&list, (struct bk__rules){.keep = 1, .daily = 4, .now_ms = 7 * DAY});
    assert_stay(&list, "2 3 4 5 6");
}

static void test_backup_retention__one_of_the_past_does_not_age(void **state) {
    struct list list = {0};

    (void)state;
    add(&list, "auto", 1, 100 * DAY, true);
    add(&list, "auto", 2, 1 * DAY, true); /* by a clock of long ago */
    add(&list, "auto", 3, 102 * DAY, true);
    add(&list, "auto", 4, 103 * DAY, true);
    decide_by(&list, (struct bk__rules){.keep = 1, .days = 10, .now_ms = 110 * DAY});
    assert_stay(&list, "2 3 4");
    /* It goes when the one after it would. */
    decide_by(&list, (struct bk__rules){.keep = 1, .days = 10, .now_ms = 112 * DAY});
    assert_stay(&list, "4");
}

/* A machine without a clock of its own: the run began in 1970, then the time was set. */
static void test_backup_retention__a_run_that_began_too_early_is_outvoted(void **state) {
    struct list list = {0};
    struct bk__rules rules = {.keep = 1, .days = 5, .now_ms = 9 * DAY};

    (void)state;
    for (int i = 1; i <= 10; i++) {
        add(&list, "auto", i, (1000 + i) * DAY, true);
    }
    rules.wall_ms = 1011 * DAY;
    decide_by(&list, rules);
    assert_stay(&list, "7 8 9 10");
    /* A clock that jumps while it lives is not: the backups are on the side of the run. */
    rules.now_ms = 1011 * DAY;
    rules.wall_ms = 9000 * DAY;
    decide_by(&list, rules);
    assert_stay(&list, "7 8 9 10");
}

static void test_backup_retention__a_clock_at_1970_keeps_all_tails(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 20; i++) {
        add(&list, "auto", i, at(2025, 1, 1, 0, 0) + i * DAY, true);
    }
    decide_by(&list,
              (struct bk__rules){.keep = 2, .daily = 7, .now_ms = at(2025, 2, 1, 0, 0)});
    assert_stay(&list, "14 15 16 17 18 19 20");
    add(&list, "auto", 21, 5000, true);
    decide_by(&list, (struct bk__rules){.keep = 2, .daily = 7, .now_ms = 6000});
    assert_stay(&list, "14 15 16 17 18 19 20 21");
}

/* ---- bases ----------------------------------------------------------------------------- */

static void is_made_of(struct list *list, const char *name, const char *stem) {
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].name, name) == 0) {
            snprintf(list->items[i].parent, sizeof list->items[i].parent, "%s", stem);
        }
    }
}

static void test_backup_retention__what_others_are_made_of_stays(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 5; i++) {
        add(&list, "auto", i, i * DAY, true);
        snprintf(list.items[i - 1].name, BK__NAME_SIZE, "auto-%d.%s", i,
                 i == 1 ? "db" : "delta");
    }
    is_made_of(&list, "auto-2.delta", "auto-1");
    is_made_of(&list, "auto-3.delta", "auto-2");
    is_made_of(&list, "auto-4.delta", "auto-3");
    decide_by(&list, (struct bk__rules){.keep = 2});
    assert_stay(&list, "1 2 3 4 5");
    assert_int_equal(find(&list, "auto-3.delta")->stays, BK__STAY_BASE);
    assert_int_equal(find(&list, "auto-1.db")->stays, BK__STAY_BASE);
    assert_true(find(&list, "auto-4.delta")->stays & BK__STAY_COUNT);
    assert_string_equal(find(&list, "auto-1.db")->reason,
                        "a newer one is made of changes to it");
    /* Once the oldest that stays is whole, the others go. */
    is_made_of(&list, "auto-4.delta", "");
    decide_by(&list, (struct bk__rules){.keep = 2});
    assert_stay(&list, "4 5");
}

static void test_backup_retention__a_circle_of_bases_ends(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 3; i++) {
        add(&list, "auto", i, i * DAY, true);
        snprintf(list.items[i - 1].name, BK__NAME_SIZE, "auto-%d.db", i);
    }
    is_made_of(&list, "auto-3.db", "auto-1");
    is_made_of(&list, "auto-1.db", "auto-2");
    is_made_of(&list, "auto-2.db", "auto-3");
    decide_by(&list, (struct bk__rules){.keep = 1});
    assert_int_equal(count_going(&list), 0);
}

static void test_backup_retention__partial_ones_push_out_only_each_other(void **state) {
    struct list list = {0};

    (void)state;
    for (int i = 1; i <= 12; i++) {
        bool partial = i > 3 && i != 8;
        add(&list, "auto", i, i * DAY, !partial);
        list.items[list.count - 1].partial = partial;
    }
    decide(&list, 4, NULL);
    assert_false(goes(&list, "auto-12")); /* the newest 4 of those partial or whole */
    assert_false(goes(&list, "auto-9"));
    assert_true(goes(&list, "auto-7"));
    assert_true(goes(&list, "auto-4"));
    assert_false(goes(&list, "auto-8")); /* the newest 4 of those that are whole */
    assert_false(goes(&list, "auto-3"));
    assert_false(goes(&list, "auto-1"));
    assert_int_equal(count_going(&list), 4);
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
        cmocka_unit_test(test_backup_retention__partial_ones_push_out_only_each_other),
        cmocka_unit_test(test_backup_retention__never_the_newest_verified_of_all),
        cmocka_unit_test(test_backup_retention__spares_the_one_being_restored),
        cmocka_unit_test(test_backup_retention__an_empty_list_is_fine),
        cmocka_unit_test(test_backup_retention__goes_only_when_count_and_days_let_it),
        cmocka_unit_test(test_backup_retention__the_last_millisecond_of_the_days_counts),
        cmocka_unit_test(test_backup_retention__the_last_of_each_day_stays),
        cmocka_unit_test(test_backup_retention__weeks_begin_on_monday),
        cmocka_unit_test(test_backup_retention__months_end_where_they_do),
        cmocka_unit_test(test_backup_retention__days_are_those_of_the_zone),
        cmocka_unit_test(test_backup_retention__a_date_shown_twice_is_one_day),
        cmocka_unit_test(test_backup_retention__what_is_damaged_stands_for_no_day),
        cmocka_unit_test(test_backup_retention__a_bot_that_slept_loses_no_days),
        cmocka_unit_test(test_backup_retention__one_of_the_future_pushes_no_day_out),
        cmocka_unit_test(test_backup_retention__one_of_the_past_does_not_age),
        cmocka_unit_test(test_backup_retention__a_run_that_began_too_early_is_outvoted),
        cmocka_unit_test(test_backup_retention__a_clock_at_1970_keeps_all_tails),
        cmocka_unit_test(test_backup_retention__what_others_are_made_of_stays),
        cmocka_unit_test(test_backup_retention__a_circle_of_bases_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
