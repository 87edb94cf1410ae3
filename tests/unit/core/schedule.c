/*
 * Due times on fake clocks: restarts, missed times, clocks that jump, failures. The property that
 * counts: whatever the wall clock does, nothing runs twice within half a period, and nothing
 * waits longer than one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include <core/schedule.h>

#define MINUTE INT64_C(60000)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)
#define NOW (INT64_C(1764844200000))

static void test_core_schedule__without_a_record_it_is_due_soon(void **state) {
    (void)state;
    struct bk__due due;
    bk__due_start(&due, DAY, -1, MINUTE, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), MINUTE);
    bk__due_start(&due, 1000, -1, MINUTE, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), 1000);
}

static void test_core_schedule__a_restart_keeps_the_time(void **state) {
    (void)state;
    struct bk__due due;
    bk__due_start(&due, DAY, NOW + 5 * HOUR, MINUTE, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), 5 * HOUR);
}

static void test_core_schedule__what_was_missed_runs_once(void **state) {
    (void)state;
    struct bk__due due;
    bk__due_start(&due, DAY, NOW - 10 * DAY - HOUR, MINUTE, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), 0);
    bk__due_began(&due, NOW, 0);
    assert_int_equal(bk__due_wait(&due, NOW, 0), DAY);
}

static void test_core_schedule__it_does_not_drift(void **state) {
    (void)state;
    struct bk__due due;
    bk__due_start(&due, DAY, NOW, MINUTE, NOW);
    bk__due_began(&due, NOW + 30000, 30000);
    assert_int_equal(bk__due_wait(&due, NOW + 30000, 30000), DAY - 30000);
}

static void test_core_schedule__a_shorter_period_takes_hold(void **state) {
    (void)state;
    struct bk__due due;
    bk__due_start(&due, HOUR, NOW + 20 * HOUR, MINUTE, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), HOUR);
}

static void test_core_schedule__a_clock_set_back_postpones_by_one_period(void **state) {
    (void)state;
    struct bk__due due;
    bk__due_start(&due, HOUR, NOW + HOUR, MINUTE, NOW);
    assert_int_equal(bk__due_wait(&due, NOW - 365 * DAY, 1000), HOUR);
}

static void test_core_schedule__a_clock_set_forward_runs_once(void **state) {
    (void)state;
    struct bk__due due;
    bk__due_start(&due, HOUR, NOW + HOUR, MINUTE, NOW);
    assert_int_equal(bk__due_wait(&due, NOW + 30 * DAY, 1000), 0);
    bk__due_began(&due, NOW + 30 * DAY, 1000);
    assert_int_equal(bk__due_wait(&due, NOW + 30 * DAY, 1000), HOUR);
    /* and back again: the next one is a period away, not thirty days */
    assert_int_equal(bk__due_wait(&due, NOW, 1000), HOUR);
}

static void test_core_schedule__a_failure_is_tried_again_soon(void **state) {
    (void)state;
    struct bk__due due;
    bk__due_start(&due, DAY, NOW, MINUTE, NOW);
    bk__due_began(&due, NOW, 0);
    bk__due_failed(&due, NOW + 1000);
    assert_int_equal(bk__due_wait(&due, NOW + 1000, 1000), 15 * MINUTE);
    bk__due_start(&due, MINUTE, NOW, MINUTE, NOW);
    bk__due_began(&due, NOW, 0);
    bk__due_failed(&due, NOW);
    assert_int_equal(bk__due_wait(&due, NOW, 0), MINUTE);
}

static void test_core_schedule__no_storm_whatever_the_clock_does(void **state) {
    (void)state;
    struct bk__due due;
    int64_t wall = NOW;
    int64_t last = -1;
    int runs = 0;
    srand(7);
    bk__due_start(&due, HOUR, -1, 0, wall);
    for (int64_t mono = 0; mono < 200 * HOUR; mono += MINUTE) {
        wall += MINUTE;
        if (rand() % 20 == 0) {
            wall += (rand() % 2001 - 1000) * HOUR / 10;
        }
        if (bk__due_wait(&due, wall, mono) == 0) {
            assert_true(last < 0 || mono - last >= 15 * MINUTE);
            bk__due_began(&due, wall, mono);
            last = mono;
            runs++;
        }
    }
    assert_true(runs > 20);
    wall = NOW;
    assert_true(bk__due_wait(&due, wall, 300 * HOUR) <= HOUR);
}

static void test_core_schedule__ten_years_do_not_overflow(void **state) {
    (void)state;
    struct bk__due due;
    int64_t period = 87600 * HOUR;
    bk__due_start(&due, period, -1, MINUTE, NOW);
    bk__due_began(&due, NOW, 0);
    assert_int_equal(bk__due_wait(&due, NOW, 0), period + 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_schedule__without_a_record_it_is_due_soon),
        cmocka_unit_test(test_core_schedule__a_restart_keeps_the_time),
        cmocka_unit_test(test_core_schedule__what_was_missed_runs_once),
        cmocka_unit_test(test_core_schedule__it_does_not_drift),
        cmocka_unit_test(test_core_schedule__a_shorter_period_takes_hold),
        cmocka_unit_test(test_core_schedule__a_clock_set_back_postpones_by_one_period),
        cmocka_unit_test(test_core_schedule__a_clock_set_forward_runs_once),
        cmocka_unit_test(test_core_schedule__a_failure_is_tried_again_soon),
        cmocka_unit_test(test_core_schedule__no_storm_whatever_the_clock_does),
        cmocka_unit_test(test_core_schedule__ten_years_do_not_overflow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
