/*
 * Tests of src/base/civil.c: days as dates and back, judged by counting them one by one.
 * Not of time zones (zone.c) or of text (stamp.c).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <base/civil.h>

static bool is_leap(int64_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int days_of(int64_t year, int month) {
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* From 1 January 1600 for 800 years; 1970-01-01 must be day 0, a Thursday. */
static void test_base_civil__every_day_is_what_counting_says(void **state) {
    (void)state;
    struct bk__date at = {1600, 1, 1};
    int64_t day = bk__civil_days(1600, 1, 1);
    int weekday = 6; /* a Saturday */
    while (at.year < 2400) {
        struct bk__date date = bk__civil_date(day);
        assert_int_equal(date.year, at.year);
        assert_int_equal(date.month, at.month);
        assert_int_equal(date.day, at.day);
        assert_int_equal(bk__civil_days(at.year, at.month, at.day), day);
        assert_int_equal(bk__civil_weekday(day), weekday);
        day++;
        weekday = (weekday + 1) % 7;
        at.day++;
        if (at.day > days_of(at.year, at.month)) {
            at.day = 1;
            at.month++;
        }
        if (at.month > 12) {
            at.month = 1;
            at.year++;
        }
    }
    assert_int_equal(bk__civil_days(1970, 1, 1), 0);
    assert_int_equal(bk__civil_weekday(0), 4);
}

static void test_base_civil__floor_rounds_down_before_1970(void **state) {
    (void)state;
    assert_int_equal(bk__civil_floor(-1, 86400), -1);
    assert_int_equal(bk__civil_floor(-86400, 86400), -1);
    assert_int_equal(bk__civil_floor(-86401, 86400), -2);
    assert_int_equal(bk__civil_floor(0, 86400), 0);
    assert_int_equal(bk__civil_floor(86399, 86400), 0);
    assert_int_equal(bk__civil_floor(86400, 86400), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_civil__every_day_is_what_counting_says),
        cmocka_unit_test(test_base_civil__floor_rounds_down_before_1970),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
