/*
 * Tests of src/core/calendar.c: options that become a zone and an expression, and errors that name
 * them. Not what the two mean: base/zone.c, base/cron.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <base/zone.h>
#include <core/calendar.h>
#include <core/config.h>
#include <core/error.h>

static struct bk__config *config;

static int setup(void **state) {
    (void)state;
    config = bk__config_new();
    return config && bk__config_set(config, "env.file", "") == 0 ? 0 : -1;
}

static int teardown(void **state) {
    (void)state;
    bk__config_free(config);
    return 0;
}

static void set(const char *option, const char *value) {
    assert_int_equal(bk__config_set(config, option, value), 0);
    assert_int_equal(bk__config_resolve(config), 0);
}

static void assert_refused(const char *option, const char *value, const char *part) {
    set(option, value);
    assert_int_equal(bk__calendar_check(config), BK_EINVAL);
    if (!strstr(bk__error_text(), option) || !strstr(bk__error_text(), part)) {
        fail_msg("%s", bk__error_text());
    }
}

static void test_core_calendar__utc_without_a_word(void **state) {
    (void)state;
    struct bk__zone *zone = NULL;
    struct bk__cron cron;
    assert_int_equal(bk__config_resolve(config), 0);
    assert_int_equal(bk__calendar_check(config), 0);
    assert_int_equal(bk__calendar_cron(config, &cron), 0);
    assert_int_equal(bk__calendar_zone(config, &zone), 0);
    assert_int_equal(bk__zone_offset(zone, 1764844200, NULL), 0);
    bk__zone_free(zone);
}

static void test_core_calendar__zones_by_their_names(void **state) {
    static const struct {
        const char *name;
        int offset; /* in December */
    } zones[] = {{"Europe/Berlin", 3600},
                 {"America/Argentina/Buenos_Aires", -3 * 3600},
                 {"Asia/Kathmandu", 20700},
                 {"Etc/GMT+5", -5 * 3600},
                 {"America/Port-au-Prince", -5 * 3600},
                 {"EST5EDT", -5 * 3600}};
    (void)state;
    for (size_t i = 0; i < sizeof zones / sizeof *zones; i++) {
        struct bk__zone *zone = NULL;
        set("backup.timezone", zones[i].name);
        assert_int_equal(bk__calendar_zone(config, &zone), 0);
        assert_int_equal(bk__zone_offset(zone, 1764844200, NULL), zones[i].offset);
        bk__zone_free(zone);
    }
}

static void test_core_calendar__what_names_no_zone_is_refused(void **state) {
    static const char *const bad[] = {"Europe/Atlantis",
                                      "Europe",
                                      "../../../etc/passwd",
                                      "/etc/localtime",
                                      "Europe/../Europe/Berlin",
                                      "Europe/Berlin/",
                                      " UTC",
                                      "Europe//Berlin",
                                      "zone.tab",
                                      "+02:00",
                                      "right/Europe/Berlin",
                                      "Europe/Berlin\n"};
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_refused("backup.timezone", bad[i], "Europe/Berlin or UTC");
    }
}

static void test_core_calendar__expressions(void **state) {
    (void)state;
    struct bk__cron cron;
    set("backup.cron", "0 3 * * mon-fri");
    assert_int_equal(bk__calendar_check(config), 0);
    assert_int_equal(bk__calendar_cron(config, &cron), 1);
    assert_true(cron.hours == 8);
    assert_refused("backup.cron", "0 3 * *", "4 fields");
    assert_refused("backup.cron", "0 3 31 2 *", "no year");
    assert_refused("backup.cron", "every day", "2 fields");
}

#define DAY INT64_C(86400000)
#define MONDAY INT64_C(1764547200000) /* 2025-12-01, 0:00 UTC */

static void test_core_calendar__what_is_due_after(void **state) {
    (void)state;
    set("backup.every", "1.5");
    assert_int_equal(bk__calendar_due_after(config, MONDAY), MONDAY + DAY / 16);
    set("backup.cron", "0 3 * * mon");
    assert_int_equal(bk__calendar_due_after(config, MONDAY), MONDAY + DAY / 8);
    assert_int_equal(bk__calendar_due_after(config, MONDAY + DAY),
                     MONDAY + 7 * DAY + DAY / 8);
    set("backup.enabled", "false");
    assert_int_equal(bk__calendar_due_after(config, MONDAY), -1);
    set("backup.enabled", "true");
    set("backup.cron", "");
    set("backup.every", "0");
    assert_int_equal(bk__calendar_due_after(config, MONDAY), -1);
}

/* Who saves his data once a week has no old backup on Tuesday, unless he said so. */
static void test_core_calendar__what_is_too_old(void **state) {
    int64_t hour = DAY / 24;
    (void)state;
    set("backup.every", "24");
    assert_int_equal(bk__calendar_stale_at(config, MONDAY), MONDAY + 25 * hour);
    set("backup.every", "1");
    assert_int_equal(bk__calendar_stale_at(config, MONDAY), MONDAY + 25 * hour);
    set("backup.every", "0");
    assert_int_equal(bk__calendar_stale_at(config, MONDAY), MONDAY + 25 * hour);
    set("backup.every", "168");
    assert_int_equal(bk__calendar_stale_at(config, MONDAY), MONDAY + 169 * hour);
    set("backup.cron", "0 3 * * mon-fri");
    assert_int_equal(bk__calendar_stale_at(config, MONDAY), MONDAY + 25 * hour);
    assert_int_equal(bk__calendar_stale_at(config, MONDAY + 4 * DAY + 3 * hour),
                     MONDAY + 7 * DAY + 4 * hour);
    set("health.backup.age", "2");
    assert_int_equal(bk__calendar_stale_at(config, MONDAY), MONDAY + 2 * hour);
    set("health.backup.age", "0");
    assert_int_equal(bk__calendar_stale_at(config, MONDAY), -1);
}

static void test_core_calendar__the_source_is_named(void **state) {
    (void)state;
    assert_int_equal(setenv("BACKUP_CRON", "daily", 1), 0);
    assert_int_equal(bk__config_resolve(config), 0);
    unsetenv("BACKUP_CRON");
    assert_int_equal(bk__calendar_check(config), BK_EINVAL);
    assert_non_null(strstr(bk__error_text(), "environment BACKUP_CRON"));
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_core_calendar__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(utc_without_a_word),
        TEST(zones_by_their_names),
        TEST(what_names_no_zone_is_refused),
        TEST(expressions),
        TEST(what_is_due_after),
        TEST(what_is_too_old),
        TEST(the_source_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
