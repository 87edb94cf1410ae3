/*
 * Times in names, and which instant they are. Not whose names: pattern.c. tests/unit/run runs it.
 */
#include <backup/foreign/moment.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <base/stamp.h>
#include <base/zone.h>

#define HOUR INT64_C(3600000)

/* How the moment ends up; "" where there is none, with what is left of the text behind it. */
static const char *read_as(const char *text) {
    static char out[64];
    char stamp[BK__STAMP_SIZE];
    struct bk__moment moment;
    size_t size = bk__moment_parse(text, &moment);
    if (size == 0) {
        return "";
    }
    bk__stamp_iso(moment.ms, stamp);
    snprintf(out, sizeof out, "%s%s%s%s", stamp, moment.timed ? "" : " day",
             moment.utc ? " utc" : "", text + size);
    return out;
}

static void test_backup_moment__every_form_is_read(void **state) {
    (void)state;
    assert_string_equal(read_as("2025-12-04T10-30-00-123Z"),
                        "2025-12-04T10:30:00.123Z utc");
    assert_string_equal(read_as("2025-12-04T10:30:00.123Z"),
                        "2025-12-04T10:30:00.123Z utc");
    assert_string_equal(read_as("2025-12-04T10:30:00Z.x"),
                        "2025-12-04T10:30:00.000Z utc.x");
    assert_string_equal(read_as("2025-12-04T10-30-00"), "2025-12-04T10:30:00.000Z utc");
    assert_string_equal(read_as("20251204T103000Z"), "2025-12-04T10:30:00.000Z utc");
    assert_string_equal(read_as("2025-12-04_10-30-00-123"), "2025-12-04T10:30:00.123Z");
    assert_string_equal(read_as("2025-12-04_10-30-00_x"), "2025-12-04T10:30:00.000Z_x");
    assert_string_equal(read_as("2025-12-04 10.30.00"), "2025-12-04T10:30:00.000Z");
    assert_string_equal(read_as("2025-12-04_10-30"), "2025-12-04T10:30:00.000Z");
    assert_string_equal(read_as("2025.12.04-1030"), "2025-12-04T10:30:00.000Z");
    assert_string_equal(read_as("20251204_103000_123456"), "2025-12-04T10:30:00.123Z");
    assert_string_equal(read_as("20251204103000"), "2025-12-04T10:30:00.000Z");
    assert_string_equal(read_as("20251204"), "2025-12-04T00:00:00.000Z day");
    assert_string_equal(read_as("2025_12_04.x"), "2025-12-04T00:00:00.000Z day.x");
    assert_string_equal(read_as("2024-02-29_2"), "2024-02-29T00:00:00.000Z day_2");
}

static void test_backup_moment__what_is_no_time_is_none(void **state) {
    static const char *const none[] = {"",
                                       "x",
                                       "2025",
                                       "2025-12",
                                       "2025-13-01",
                                       "2025-02-30",
                                       "2025-12_04",
                                       "1899-01-01",
                                       "2100-01-01",
                                       "202512041",
                                       "20251204123456789"};
    (void)state;
    for (size_t i = 0; i < sizeof none / sizeof *none; i++) {
        assert_string_equal(read_as(none[i]), "");
    }
    assert_string_equal(read_as("2025-12-04_24-00-00"),
                        "2025-12-04T00:00:00.000Z day_24-00-00");
    assert_string_equal(read_as("2025-12-04T10-60"),
                        "2025-12-04T00:00:00.000Z dayT10-60");
}

static void test_backup_moment__the_file_tells_the_zone_where_none_is_set(void **state) {
    struct bk__moment local = {.ms = 1000 * HOUR, .timed = true};
    const int64_t took = 40000;
    (void)state;
    assert_int_equal(bk__moment_instant(&local, NULL, 1000 * HOUR + took), 1000 * HOUR);
    assert_int_equal(bk__moment_instant(&local, NULL, 998 * HOUR + took), 998 * HOUR);
    assert_int_equal(bk__moment_instant(&local, NULL, 1008 * HOUR), 1008 * HOUR);
    assert_int_equal(bk__moment_instant(&local, NULL, 1000 * HOUR - 19800000 + took),
                     1000 * HOUR - 19800000); /* India */
    assert_int_equal(bk__moment_instant(&local, NULL, 1003 * HOUR + 600000), 1000 * HOUR);
    assert_int_equal(bk__moment_instant(&local, NULL, 2000 * HOUR), 1000 * HOUR);
    local.timed = false;
    assert_int_equal(bk__moment_instant(&local, NULL, 998 * HOUR), 1000 * HOUR);
}

static void test_backup_moment__a_zone_that_is_set_is_used(void **state) {
    struct bk__zone *zone = bk__zone_utc();
    struct bk__moment local = {.ms = 1000 * HOUR + 123, .timed = true};
    struct bk__moment utc = {.ms = 5, .timed = true, .utc = true};
    (void)state;
    assert_non_null(zone);
    assert_int_equal(bk__moment_instant(&local, zone, 998 * HOUR), local.ms);
    assert_int_equal(bk__moment_instant(&utc, NULL, HOUR), 5);
    bk__zone_free(zone);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_moment__every_form_is_read),
        cmocka_unit_test(test_backup_moment__what_is_no_time_is_none),
        cmocka_unit_test(test_backup_moment__the_file_tells_the_zone_where_none_is_set),
        cmocka_unit_test(test_backup_moment__a_zone_that_is_set_is_used),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
