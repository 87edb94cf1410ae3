/*
 * Tests of src/base/stamp.c: times as text, against libc's calendar and back again.
 * Not of the clocks (os/clock).
 */
#include <base/stamp.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "sandbox.h"
#include <cmocka.h>

static void assert_iso(int64_t ms, const char *wanted) {
    char text[BK__STAMP_SIZE];

    bk__stamp_iso(ms, text);
    assert_string_equal(text, wanted);
}

static void assert_refused(const char *text) {
    int64_t ms = 4711;

    if (bk__stamp_parse(text, &ms) || ms != 4711) {
        fail_msg("\"%s\" is accepted", text);
    }
}

static void test_base_stamp__known_instants(void **state) {
    char text[BK__STAMP_SIZE];

    (void)state;
    assert_iso(0, "1970-01-01T00:00:00.000Z");
    assert_iso(-1, "1969-12-31T23:59:59.999Z");
    assert_iso(1764844200000, "2025-12-04T10:30:00.000Z");
    assert_iso(951782400007, "2000-02-29T00:00:00.007Z");
    assert_iso(4107542400000, "2100-03-01T00:00:00.000Z"); /* no leap day before it */
    assert_iso(2147483648000, "2038-01-19T03:14:08.000Z");
    bk__stamp_file(1764844200999, text);
    assert_string_equal(text, "2025-12-04T10-30-00");
}

static void test_base_stamp__stays_within_four_digits_of_year(void **state) {
    (void)state;
    assert_iso(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_iso(INT64_MIN, "0000-01-01T00:00:00.000Z");
}

static void test_base_stamp__agrees_with_libc_over_all_years(void **state) {
    char ours[BK__STAMP_SIZE], libc[BK__STAMP_SIZE];
    int64_t again;

    (void)state;
    /* Steps of 12.3 days from year 0 to 9999. */
    for (int64_t s = INT64_C(-62167219200); s < INT64_C(253402300799); s += 1062733) {
        time_t seconds = (time_t)s;
        struct tm tm;

        gmtime_r(&seconds, &tm);
        snprintf(libc, sizeof libc, "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ",
                 (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100, tm.tm_mday % 100,
                 tm.tm_hour % 100, tm.tm_min % 100, tm.tm_sec % 100, 123);
        bk__stamp_iso(s * 1000 + 123, ours);
        assert_string_equal(ours, libc);
        assert_true(bk__stamp_parse(ours, &again));
        assert_int_equal(again, s * 1000 + 123);
    }
}

static void test_base_stamp__ignores_the_time_zone(void **state) {
    (void)state;
    setenv("TZ", "Asia/Kathmandu", 1);
    tzset();
    assert_iso(1764844200000, "2025-12-04T10:30:00.000Z");
    unsetenv("TZ");
    tzset();
}

static void test_base_stamp__parse_refuses_what_iso_never_wrote(void **state) {
    static const char *const wrong[] = {
        "",
        "2025-12-04T10:30:00Z",
        "2025-12-04T10:30:00.000",
        "2025-12-04T10:30:00.000z",
        "2025-12-04 10:30:00.000Z",
        "2025-12-04T10:30:00.000Zx",
        "2025-02-29T10:30:00.000Z",
        "2100-02-29T10:30:00.000Z",
        "2025-13-01T10:30:00.000Z",
        "2025-00-01T10:30:00.000Z",
        "2025-12-00T10:30:00.000Z",
        "2025-12-32T10:30:00.000Z",
        "2025-12-04T24:00:00.000Z",
        "2025-12-04T10:60:00.000Z",
        "2025-12-04T10:30:60.000Z",
        "2025-12-04T1a:30:00.000Z",
        "-025-12-04T10:30:00.000Z",
        "2025-12-04T10-30-00.000Z",
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_refused(wrong[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_stamp__known_instants),
        cmocka_unit_test(test_base_stamp__stays_within_four_digits_of_year),
        cmocka_unit_test(test_base_stamp__agrees_with_libc_over_all_years),
        cmocka_unit_test(test_base_stamp__ignores_the_time_zone),
        cmocka_unit_test(test_base_stamp__parse_refuses_what_iso_never_wrote),
    };

    return cmocka_run_group_tests_name("base/stamp", tests, NULL, NULL);
}
