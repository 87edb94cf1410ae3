/*
 * Due times by cron expressions on fake clocks: restarts, missed times, jumps, 2038. What the next
 * time of an expression is: tests/schedule. The property that counts: whatever the wall clock does,
 * no time of the expression is served twice unless the clock had been wrong by more than a period,
 * and nothing waits longer than a period beyond the jump.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <base/civil.h>
#include <base/cron.h>
#include <base/zone.h>
#include <core/schedule.h>

#define SECOND INT64_C(1000)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define NOW (INT64_C(1764844200000)) /* 2025-12-04T10:30Z, a Thursday */
#define THREE (NOW + 16 * HOUR + 30 * MINUTE)

static struct bk__zone *utc;
static struct bk__cron cron;

static void by(const char *expression) {
    char why[160];
    assert_true(bk__cron_parse(expression, &cron, why, sizeof why));
}

static struct bk__due start(int64_t recorded, int64_t ran, int64_t now) {
    struct bk__due due = {.cron = &cron, .zone = utc, .ran_wall = ran};
    bk__due_start_cron(&due, recorded, now);
    return due;
}

static int setup(void **state) {
    (void)state;
    utc = bk__zone_utc();
    by("0 3 * * *");
    return utc ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    bk__zone_free(utc);
    return 0;
}

static void test_core_schedule_cron__the_first_time_is_the_expressions(void **state) {
    (void)state;
    struct bk__due due = start(-1, -1, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), THREE - NOW);
    assert_int_equal(bk__due_wait(&due, THREE - 1, 5), 1);
    assert_int_equal(bk__due_wait(&due, THREE, 6), 0);
    bk__due_began(&due, THREE, 6);
    assert_int_equal(bk__due_wait(&due, THREE, 6), DAY);
}

static void test_core_schedule_cron__a_restart_keeps_the_time(void **state) {
    (void)state;
    struct bk__due due = start(THREE, THREE - DAY, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), THREE - NOW);
    /* A retry after a failure is recorded, too, and no time of the expression. */
    due = start(NOW + 10 * MINUTE, NOW - 5 * MINUTE, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), 10 * MINUTE);
}

static void test_core_schedule_cron__what_was_missed_runs_once(void **state) {
    (void)state;
    struct bk__due due = start(THREE - 10 * DAY, THREE - 11 * DAY, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), 0);
    bk__due_began(&due, NOW, 0);
    assert_int_equal(bk__due_wait(&due, NOW + MINUTE, MINUTE), THREE - NOW - MINUTE);
}

static void test_core_schedule_cron__a_failure_is_tried_again_soon(void **state) {
    (void)state;
    struct bk__due due = start(-1, -1, NOW);
    bk__due_began(&due, THREE, 0);
    bk__due_failed(&due, THREE + SECOND);
    assert_int_equal(bk__due_wait(&due, THREE + SECOND, SECOND), 15 * MINUTE);
    by("* * * * *");
    due = start(-1, -1, NOW);
    bk__due_began(&due, NOW, 0);
    bk__due_failed(&due, NOW + SECOND);
    assert_int_equal(bk__due_wait(&due, NOW + SECOND, SECOND), 59 * SECOND);
}

static void test_core_schedule_cron__back_an_hour_serves_no_time_twice(void **state) {
    (void)state;
    struct bk__due due = start(-1, -1, NOW);
    bk__due_began(&due, THREE + 20, 0);
    for (int64_t back = 1; back <= 2 * HOUR; back += 17 * SECOND) {
        int64_t now = THREE + 20 - back;
        assert_int_equal(bk__due_wait(&due, now, 1), THREE + DAY - now);
        /* The same after a restart. */
        struct bk__due again = start(THREE + DAY, THREE + 20, now);
        assert_int_equal(bk__due_wait(&again, now, 0), THREE + DAY - now);
    }
}

static void test_core_schedule_cron__a_year_back_waits_for_one_time(void **state) {
    (void)state;
    struct bk__due due = start(-1, -1, NOW);
    bk__due_began(&due, THREE, 0);
    assert_int_equal(bk__due_wait(&due, NOW - 365 * DAY, 20 * MINUTE), THREE - NOW);
    due = start(THREE + DAY, THREE, NOW - 365 * DAY);
    assert_int_equal(bk__due_wait(&due, NOW - 365 * DAY, 0), THREE - NOW);
}

static void test_core_schedule_cron__ten_years_forward_run_once(void **state) {
    (void)state;
    struct bk__due due = start(-1, -1, NOW);
    int64_t later = NOW + 3653 * DAY;
    assert_int_equal(bk__due_wait(&due, later, 1000), 0);
    bk__due_began(&due, later, 1000);
    assert_int_equal(bk__due_wait(&due, later, 1000), THREE - NOW);
    /* And back again: the next time of the expression, not one in ten years. */
    assert_int_equal(bk__due_wait(&due, NOW, 2000), THREE - NOW);
}

static void test_core_schedule_cron__2038_is_a_year_as_others(void **state) {
    (void)state;
    int64_t last = INT64_C(2147483647000); /* 03:14:07 */
    by("14,15 3 * * *");
    struct bk__due due = start(-1, -1, last - 10 * MINUTE);
    assert_int_equal(bk__due_wait(&due, last - 10 * MINUTE, 0), 10 * MINUTE - 7 * SECOND);
    bk__due_began(&due, last - 7 * SECOND, 0);
    assert_int_equal(bk__due_wait(&due, last - 7 * SECOND, 0), MINUTE);
    bk__due_began(&due, last + 53 * SECOND, MINUTE);
    assert_int_equal(bk__due_wait(&due, last + 53 * SECOND, MINUTE), DAY - MINUTE);
}

static void test_core_schedule_cron__monthly_is_patient(void **state) {
    (void)state;
    by("@monthly");
    struct bk__due due = start(-1, -1, NOW);
    int64_t new_year = bk__civil_days(2026, 1, 1) * DAY;
    assert_int_equal(bk__due_wait(&due, NOW, 0), new_year - NOW);
    bk__due_began(&due, new_year, 0);
    assert_int_equal(bk__due_wait(&due, new_year, 0), 31 * DAY);
}

/* A hundred days of minutes, with restarts, by a clock that jumps. longest: between two times of
   the expression. */
static void live(const char *expression, int64_t longest, int64_t most_jump) {
    int runs = 0;
    int64_t wall = NOW;
    int64_t last = -HOUR; /* when it last ran in this life of the process */
    by(expression);
    struct bk__due due = start(-1, -1, wall);
    for (int64_t mono = 0; mono < 100 * DAY; mono += MINUTE) {
        wall += MINUTE;
        if (rand() % 200 == 0) {
            wall += (rand() % 2001 - 1000) * most_jump / 1000;
        }
        if (rand() % 100 == 0) {
            due = start(due.due_wall, due.ran_wall, wall);
            last = mono - HOUR;
        }
        int64_t wait = bk__due_wait(&due, wall, mono);
        assert_true(wait <= 2 * longest);
        if (wait == 0) {
            bk__due_began(&due, wall, mono);
            assert_true(due.due_wall > wall && due.due_wall <= wall + longest);
            assert_true(mono - last >= 15 * MINUTE);
            last = mono;
            runs++;
        }
    }
    assert_true(runs > 30);
}

static void test_core_schedule_cron__no_storm_whatever_the_clock_does(void **state) {
    (void)state;
    srand(11);
    live("0 3 * * *", DAY, HOUR);
    live("0 3 * * *", DAY, 20 * DAY);
    live("*/30 * * * *", HOUR / 2, DAY);
    live("0 */6 * * mon-fri", 54 * HOUR, 3 * HOUR);
}

/* A clock that goes back by less than a period, again and again, each time just after a run. */
static void test_core_schedule_cron__each_time_is_served_once(void **state) {
    (void)state;
    srand(12);
    by("0 */4 * * *");
    int64_t wall = NOW;
    int64_t last = 0;
    struct bk__due due = start(-1, -1, wall);
    for (int64_t mono = 0; mono < 60 * DAY; mono += MINUTE, wall += MINUTE) {
        if (bk__due_wait(&due, wall, mono) > 0) {
            continue;
        }
        int64_t time = wall / (4 * HOUR); /* which one it is */
        assert_true(time > last);
        last = time;
        bk__due_began(&due, wall, mono);
        wall -= rand() % 2 * (rand() % 239) * MINUTE;
        if (rand() % 2 == 0) {
            due = start(due.due_wall, due.ran_wall, wall);
        }
    }
    assert_true(last > NOW / (4 * HOUR) + 100);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_core_schedule_cron__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_first_time_is_the_expressions),
        TEST(a_restart_keeps_the_time),
        TEST(what_was_missed_runs_once),
        TEST(a_failure_is_tried_again_soon),
        TEST(back_an_hour_serves_no_time_twice),
        TEST(a_year_back_waits_for_one_time),
        TEST(ten_years_forward_run_once),
        TEST(2038_is_a_year_as_others),
        TEST(monthly_is_patient),
        TEST(no_storm_whatever_the_clock_does),
        TEST(each_time_is_served_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
