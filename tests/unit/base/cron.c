/*
 * Tests of src/base/cron.c in the small: what is taken, what is refused and how that is said, and
 * that the search ends. Summer time and random expressions, judged from outside: tests/schedule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <base/civil.h>
#include <base/cron.h>
#include <base/zone.h>

#define NOW (INT64_C(1764844200)) /* 2025-12-04T10:30Z, a Thursday */

static struct bk__zone *utc;

static int setup(void **state) {
    (void)state;
    utc = bk__zone_utc();
    return utc ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    bk__zone_free(utc);
    return 0;
}

static struct bk__cron parse(const char *text) {
    struct bk__cron cron;
    char why[160] = "";
    if (!bk__cron_parse(text, &cron, why, sizeof why)) {
        fail_msg("%s: %s", text, why);
    }
    return cron;
}

/* The next time as "12-05 03:00". */
static void assert_next(const char *text, int64_t after, const char *expected) {
    struct bk__cron cron = parse(text);
    int64_t next = 0;
    char got[80];
    assert_true(bk__cron_next(&cron, utc, after, &next));
    struct bk__date date = bk__civil_date(bk__civil_floor(next, 86400));
    snprintf(got, sizeof got, "%lld-%02d-%02d %02lld:%02lld", (long long)date.year,
             date.month, date.day, (long long)(next % 86400 / 3600),
             (long long)(next % 3600 / 60));
    assert_string_equal(got, expected);
}

static void test_base_cron__what_comes_next(void **state) {
    (void)state;
    assert_next("* * * * *", NOW, "2025-12-04 10:31");
    assert_next("30 10 * * *", NOW, "2025-12-05 10:30");
    assert_next("30 10 * * *", NOW - 1, "2025-12-04 10:30");
    assert_next("*/20 * * * *", NOW, "2025-12-04 10:40");
    assert_next("0 3 * * *", NOW, "2025-12-05 03:00");
    assert_next("0 3 * * 7", NOW, "2025-12-07 03:00");
    assert_next("0 3 * * fri-sun", NOW + 86400, "2025-12-06 03:00");
    assert_next("0 0 1 jan *", NOW, "2026-01-01 00:00");
    assert_next("0 0 29 2 *", NOW, "2028-02-29 00:00");
    assert_next("59 23 31 12 *", NOW, "2025-12-31 23:59");
    assert_next("0 0 13 * 5", NOW, "2025-12-05 00:00");
    assert_next("0 0 */2 * 5", NOW, "2025-12-05 00:00");
    assert_next("0 0 */2 * 4", NOW, "2025-12-11 00:00");
    assert_next("5,10-20/5 8 * * *", NOW, "2025-12-05 08:05");
    assert_next("@hourly", NOW, "2025-12-04 11:00");
    assert_next("@daily", NOW, "2025-12-05 00:00");
    assert_next("@weekly", NOW, "2025-12-07 00:00");
    assert_next("@monthly", NOW, "2026-01-01 00:00");
    assert_next("@yearly", NOW, "2026-01-01 00:00");
    assert_next(" \t0  3 * * MON ", NOW, "2025-12-08 03:00");
    assert_next("0 3 * * mon\r\n", NOW, "2025-12-08 03:00");
    assert_next("@daily\n", NOW, "2025-12-05 00:00");
}

/* The rarest that there is: a leap day that is a certain weekday, over a century without one. */
static void test_base_cron__the_rarest_is_found_and_the_impossible_is_not(void **state) {
    (void)state;
    int64_t next = 0;
    assert_next("0 0 29 2 */6", bk__civil_days(2072, 3, 1) * 86400, "2076-02-29 00:00");
    for (const char *const *never =
             (const char *const[]){"0 0 30 2 *", "0 0 31 2,4,6,9,11 *", "0 0 30,31 feb *",
                                   NULL};
         *never; never++) {
        struct bk__cron cron = parse(*never);
        assert_false(bk__cron_next(&cron, utc, NOW, &next));
    }
}

static void test_base_cron__what_is_wrong_is_said(void **state) {
    static const char *const bad[][2] = {
        {"", "0 fields"},
        {"0 3 * *", "4 fields"},
        {"0 0 3 * * *", "6 fields"},
        {"60 * * * *", "minute is not from 0 to 59"},
        {"* 24 * * *", "hour is not from 0 to 23"},
        {"* * 32 * *", "day of the month is not from 1"},
        {"* * * 0 *", "month is not from 1 to 12"},
        {"* * * * 8", "weekday is not from 0 to 7"},
        {"* 22-5 * * *", "backwards"},
        {"*/0 * * * *", "step"},
        {"*/ * * * *", "step"},
        {"7/5 * * * *", "single value"},
        {"* * * * sunday", "no name that cron knows: sunday"},
        {"@sometimes", "none of them"},
        {"1,,2 * * * *", "lacks a number"},
        {"1x * * * *", "comma or a blank before x"}};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bk__cron cron;
        char why[160] = "";
        if (bk__cron_parse(bad[i][0], &cron, why, sizeof why) ||
            !strstr(why, bad[i][1])) {
            fail_msg("\"%s\": %s", bad[i][0], why);
        }
    }
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_base_cron__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_comes_next),
        TEST(the_rarest_is_found_and_the_impossible_is_not),
        TEST(what_is_wrong_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
