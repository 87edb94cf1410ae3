/*
 * Zones out of bytes and rules that the test writes itself: what is refused, and both sides of each
 * change. The system's own zones, judged by another implementation: tests/schedule.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <base/civil.h>
#include <base/zone.h>
#include <base/zone_rule.h>

#define HOUR 3600

struct file {
    unsigned char bytes[1024];
    size_t size;
};

static void put(struct file *file, const void *bytes, size_t size) {
    assert_true(file->size + size <= sizeof file->bytes);
    memcpy(file->bytes + file->size, bytes, size);
    file->size += size;
}

static void put_number(struct file *file, int64_t value, size_t size) {
    unsigned char bytes[8];
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (unsigned char)((uint64_t)value >> 8 * (size - 1 - i));
    }
    put(file, bytes, size);
}

static void put_header(struct file *file, int leaps, int times, int types) {
    put(file, "TZif2\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20);
    const int counts[] = {0, 0, leaps, times, types, 4};
    for (size_t i = 0; i < 6; i++) {
        put_number(file, counts[i], 4);
    }
}

static void put_types(struct file *file, const int *offsets, int count) {
    for (int i = 0; i < count; i++) {
        put_number(file, offsets[i], 4);
        put(file, "\0\0", 2);
    }
    put(file, "LMT", 4);
}

/* The first offset from second 1000 on, the second from second 2000 on; then by the rule. */
static struct file make_with(int first, int second, const char *rule, int leaps) {
    static const int none[] = {0};
    const int offsets[] = {0, first, second};
    struct file file = {.size = 0};
    put_header(&file, 0, 0, 1);
    put_types(&file, none, 1);
    put_header(&file, leaps, 2, 3);
    put_number(&file, 1000, 8);
    put_number(&file, 2000, 8);
    put(&file, "\1\2", 2);
    put_types(&file, offsets, 3);
    for (int i = 0; i < leaps; i++) {
        put_number(&file, 78796800, 8);
        put_number(&file, 1, 4);
    }
    put(&file, "\n", 1);
    put(&file, rule, strlen(rule));
    put(&file, "\n", 1);
    return file;
}

/* One hour ahead from second 1000 on, two from second 2000 on; then by the rule. */
static struct file make(const char *rule, int leaps) {
    return make_with(HOUR, 2 * HOUR, rule, leaps);
}

static void test_base_zone__before_between_and_after_the_changes(void **state) {
    (void)state;
    const char *why = NULL;
    struct file file = make("", 0);
    struct bk__zone *zone = bk__zone_parse(file.bytes, file.size, &why);
    int64_t until = 0;
    assert_non_null(zone);
    assert_int_equal(bk__zone_offset(zone, 999, &until), 0);
    assert_int_equal(until, 1000);
    assert_int_equal(bk__zone_offset(zone, 1000, &until), HOUR);
    assert_int_equal(until, 2000);
    assert_int_equal(bk__zone_offset(zone, 2000, &until), 2 * HOUR);
    assert_true(until == INT64_MAX);
    /* 999 is the last shown of the first offset; then an hour is skipped. */
    assert_int_equal(bk__zone_instant(zone, 999), 999);
    assert_int_equal(bk__zone_instant(zone, 1000 + HOUR), 1000);
    /* 4600 is 01:16:40; the first whole minute that is shown is 01:17. */
    assert_int_equal(bk__zone_instant(zone, 2000), 1020);
    bk__zone_free(zone);
}

/* No government did that yet: 25 hours ahead, and back after less than one. */
static void test_base_zone__what_was_passed_over_is_past(void **state) {
    (void)state;
    const char *why = NULL;
    struct file file = make_with(25 * HOUR, -25 * HOUR, "", 0);
    struct bk__zone *zone = bk__zone_parse(file.bytes, file.size, &why);
    assert_non_null(zone);
    /* 01:00 comes again days later, but 25:17 was shown before: from there on it is late. */
    assert_int_equal(bk__zone_instant(zone, HOUR), 1020);
    assert_int_equal(bk__zone_instant(zone, 25 * HOUR + 1980), 1980);
    /* After the jump back, the first time that was not shown nor passed over yet. */
    assert_int_equal(bk__zone_instant(zone, 25 * HOUR + 2040), 50 * HOUR + 2040);
    bk__zone_free(zone);
    /* 27 hours from UTC is none of RFC 8536's. */
    file = make_with(27 * HOUR, 0, "", 0);
    assert_null(bk__zone_parse(file.bytes, file.size, &why));
}

static void test_base_zone__the_rule_goes_on(void **state) {
    (void)state;
    const char *why = NULL;
    struct file file = make("<+01>-1<+02>,M3.5.0,M10.5.0/3", 0);
    struct bk__zone *zone = bk__zone_parse(file.bytes, file.size, &why);
    int64_t summer = bk__civil_days(2400, 3, 26) * 86400 + HOUR;
    assert_non_null(zone);
    assert_int_equal(bk__zone_offset(zone, summer - 1, NULL), HOUR);
    assert_int_equal(bk__zone_offset(zone, summer, NULL), 2 * HOUR);
    bk__zone_free(zone);
}

static void assert_refused(struct file file, const char *part) {
    const char *why = NULL;
    assert_null(bk__zone_parse(file.bytes, file.size, &why));
    assert_non_null(strstr(why, part));
}

static void test_base_zone__what_is_no_zone_is_refused(void **state) {
    (void)state;
    struct file file = make("", 0);
    for (size_t size = 0; size < file.size; size++) {
        struct file cut = file;
        const char *why = NULL;
        cut.size = size;
        assert_null(bk__zone_parse(cut.bytes, cut.size, &why));
        assert_non_null(why);
    }
    file.bytes[0] = 't';
    assert_refused(file, "no time zone file");
    assert_refused(make("", 1), "leap seconds");
    assert_refused(make("CET-1CEST", 0), "last line");
    assert_refused(make("no rule", 0), "last line");
    file = make("", 0);
    file.bytes[file.size - 2 - 22 - 2] = 9; /* a change to a type that is not there */
    assert_refused(file, "table");
}

static void test_base_zone__utc_is_always_there(void **state) {
    (void)state;
    struct bk__zone *zone = bk__zone_utc();
    int64_t until = 0;
    assert_int_equal(bk__zone_offset(zone, 1764844200, &until), 0);
    assert_true(until == INT64_MAX);
    assert_int_equal(bk__zone_instant(zone, 1764844200), 1764844200);
    bk__zone_free(zone);
}

/* ---- rules --------------------------------------------------------------------------- */

static int offset_by(const char *text, int64_t second) {
    struct bk__zone_rule rule;
    int64_t until = 0;
    if (!bk__zone_rule_parse(text, &rule)) {
        fail_msg("%s is refused", text);
    }
    int offset = bk__zone_rule_offset(&rule, second, &until);
    assert_true(until > second);
    return offset;
}

static int64_t day(int month, int of_month) {
    return bk__civil_days(2026, month, of_month) * 86400;
}

static void test_base_zone_rule__all_its_forms(void **state) {
    (void)state;
    assert_int_equal(offset_by("UTC0", day(7, 1)), 0);
    assert_int_equal(offset_by("<+0545>-5:45", day(7, 1)), 5 * HOUR + 45 * 60);
    assert_int_equal(offset_by("EST5EDT,M3.2.0,M11.1.0", day(3, 8) + 7 * HOUR - 1),
                     -5 * HOUR);
    assert_int_equal(offset_by("EST5EDT,M3.2.0,M11.1.0", day(3, 8) + 7 * HOUR),
                     -4 * HOUR);
    assert_int_equal(offset_by("EST5EDT,M3.2.0,M11.1.0", day(11, 1) + 6 * HOUR),
                     -5 * HOUR);
    /* Winter time that is called summer's, in the south, and half an hour. */
    assert_int_equal(offset_by("IST-1GMT0,M10.5.0,M3.5.0/1", day(1, 1)), 0);
    assert_int_equal(offset_by("IST-1GMT0,M10.5.0,M3.5.0/1", day(7, 1)), HOUR);
    assert_int_equal(offset_by("NZST-12NZDT,M9.5.0,M4.1.0/3", day(1, 1)), 13 * HOUR);
    assert_int_equal(offset_by("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0", day(1, 1)),
                     11 * HOUR);
    /* Days by number: J60 is 1 March in every year, 59 is it in this one. */
    assert_int_equal(offset_by("AAA0BBB,J60/0,J300", day(3, 1) - 1), 0);
    assert_int_equal(offset_by("AAA0BBB,J60/0,J300", day(3, 1)), HOUR);
    assert_int_equal(offset_by("AAA0BBB,59/0,300", day(3, 1)), HOUR);
    /* Hours beyond a day, before one, and summer all year. */
    assert_int_equal(offset_by("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", day(3, 29) + HOUR),
                     -HOUR);
    assert_int_equal(offset_by("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", day(3, 29) + HOUR - 1),
                     -2 * HOUR);
    assert_int_equal(offset_by("XXX3EDT4,0/0,J365/23", day(1, 1)), -4 * HOUR);
    assert_int_equal(offset_by("XXX3EDT4,0/0,J365/23", day(12, 31)), -4 * HOUR);
    assert_int_equal(offset_by("AAA0BBB,M1.1.1/167,M12.1.1", day(1, 11) + 23 * HOUR),
                     HOUR);
}

/* Both changes of a year may lie in the year before. */
static void test_base_zone_rule__the_next_change_is_told(void **state) {
    (void)state;
    struct bk__zone_rule rule;
    int64_t until = 0;
    assert_true(bk__zone_rule_parse("AAA0BBB,0/-167,0/-140", &rule));
    assert_int_equal(bk__zone_rule_offset(&rule, day(12, 31), &until), 0);
    assert_int_equal(until, bk__civil_days(2028, 1, 1) * 86400 - 167 * HOUR);
}

static void test_base_zone_rule__what_is_none_is_refused(void **state) {
    static const char *const bad[] = {"",
                                      "C",
                                      "CE1",
                                      "CET",
                                      "CET25",
                                      "CET-1:60",
                                      "CET-1CEST",
                                      "CET-1CEST,",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M3.5.0,",
                                      "CET-1CEST,M13.5.0,M10.5.0",
                                      "CET-1CEST,M3.6.0,M10.5.0",
                                      "CET-1CEST,M3.5.7,M10.5.0",
                                      "CET-1CEST,M0.5.0,M10.5.0",
                                      "CET-1CEST,J0,J300",
                                      "CET-1CEST,J366,J300",
                                      "CET-1CEST,366,300",
                                      "CET-1CEST,M3.5.0/168,M10.5.0",
                                      "CET-1CEST,M3.5.0,M10.5.0 ",
                                      "<C-1",
                                      "<>-1",
                                      "<+01-1",
                                      "CET-1CEST,K3,J4",
                                      "CET--1",
                                      "CET-1CEST,M3-5-0,M10.5.0",
                                      "CET0000000001"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct bk__zone_rule rule;
        if (bk__zone_rule_parse(bad[i], &rule)) {
            fail_msg("%s is taken", bad[i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_zone__before_between_and_after_the_changes),
        cmocka_unit_test(test_base_zone__what_was_passed_over_is_past),
        cmocka_unit_test(test_base_zone__the_rule_goes_on),
        cmocka_unit_test(test_base_zone__what_is_no_zone_is_refused),
        cmocka_unit_test(test_base_zone__utc_is_always_there),
        cmocka_unit_test(test_base_zone_rule__all_its_forms),
        cmocka_unit_test(test_base_zone_rule__the_next_change_is_told),
        cmocka_unit_test(test_base_zone_rule__what_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
