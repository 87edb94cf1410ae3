/*
 * Tests of src/os/clock.c: which clock is which, and a sleep that signals do not shorten.
 * Not of how exact a sleep is.
 */
#include <os/clock.h>

#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "sandbox.h"
#include <cmocka.h>

static volatile sig_atomic_t alarms;

static void count_alarm(int number) {
    (void)number;
    alarms = alarms + 1;
}

static void test_os_clock__mono_is_the_monotonic_clock(void **state) {
    struct timespec before, after;
    int64_t now;

    (void)state;
    clock_gettime(CLOCK_MONOTONIC, &before);
    now = bk__clock_mono();
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(now >= before.tv_sec * 1000 + before.tv_nsec / 1000000);
    assert_true(now <= after.tv_sec * 1000 + after.tv_nsec / 1000000);
}

static void test_os_clock__wall_is_the_time_of_day(void **state) {
    int64_t before = (int64_t)time(NULL) * 1000, now = bk__clock_wall();

    (void)state;
    /* time() may lag by a tick. */
    assert_true(now >= before && now < ((int64_t)time(NULL) + 2) * 1000);
}

static void test_os_clock__the_struct_tells_the_same(void **state) {
    int64_t mono = bk__clock_mono(), wall = bk__clock_wall();

    (void)state;
    assert_true(bk__clock_system.mono_ms(bk__clock_system.context) >= mono);
    assert_true(bk__clock_system.wall_ms(bk__clock_system.context) >= wall);
    assert_true(bk__clock_system.mono_ms(NULL) < wall);
}

static void test_os_clock__signals_do_not_shorten_a_sleep(void **state) {
    struct sigaction act = {.sa_handler = count_alarm}, before;
    struct itimerval often = {{0, 5000}, {0, 5000}}, never = {{0, 0}, {0, 0}};
    int64_t start = bk__clock_mono(), end;

    (void)state;
    sigaction(SIGALRM, &act, &before);
    setitimer(ITIMER_REAL, &often, NULL);
    bk__clock_sleep(60);
    setitimer(ITIMER_REAL, &never, NULL);
    end = bk__clock_mono();
    sigaction(SIGALRM, &before, NULL);
    assert_true(alarms > 0);
    assert_true(end - start >= 59); /* both are cut to whole milliseconds */
}

static void test_os_clock__no_sleep_for_nothing(void **state) {
    (void)state;
    bk__clock_sleep(0);
    bk__clock_sleep(
        -1); /* would sleep for ever, or not come back, where it were unsigned */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_os_clock__mono_is_the_monotonic_clock),
        cmocka_unit_test(test_os_clock__wall_is_the_time_of_day),
        cmocka_unit_test(test_os_clock__the_struct_tells_the_same),
        cmocka_unit_test(test_os_clock__signals_do_not_shorten_a_sleep),
        cmocka_unit_test(test_os_clock__no_sleep_for_nothing),
    };

    return cmocka_run_group_tests_name("os/clock", tests, NULL, NULL);
}
