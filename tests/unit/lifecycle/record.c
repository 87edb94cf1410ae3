/*
 * The record of a run: saved and loaded whole, judged by what is so now, and no trust in what is
 * no record.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <base/json.h>
#include <botkeep.h>
#include <lifecycle/record.h>
#include <sandbox.h>

static struct bk__run_record sample(void) {
    return (struct bk__run_record){.run_id = "2025-12-04T10-30-00-17-001",
                                   .boot_id = "boot-a",
                                   .version = "0.1.0",
                                   .isolation = "thread",
                                   .pid = 17,
                                   .started_wall = 1764844200000,
                                   .started_mono = 5000,
                                   .seen_wall = 1764844260000,
                                   .oom_kills = 3};
}

static void test_lifecycle_record__comes_back_whole(void **state) {
    (void)state;
    const char *path = sandbox_path("run.json");
    struct bk__run_record record = sample();
    struct bk__run_record loaded;
    memset(&loaded, 0xff, sizeof loaded);
    assert_int_equal(bk__run_save(path, &record), 0);
    assert_int_equal(bk__run_load(path, &loaded), 0);
    assert_string_equal(loaded.run_id, record.run_id);
    assert_string_equal(loaded.boot_id, record.boot_id);
    assert_string_equal(loaded.version, record.version);
    assert_string_equal(loaded.isolation, record.isolation);
    assert_string_equal(loaded.ended, record.ended);
    assert_int_equal(loaded.pid, record.pid);
    assert_int_equal(loaded.started_wall, record.started_wall);
    assert_int_equal(loaded.started_mono, record.started_mono);
    assert_int_equal(loaded.seen_wall, record.seen_wall);
    assert_int_equal(loaded.oom_kills, record.oom_kills);
    snprintf(record.ended, sizeof record.ended, "clean");
    assert_int_equal(bk__run_save(path, &record), 0);
    assert_int_equal(bk__run_load(path, &loaded), 0);
    assert_string_equal(loaded.ended, "clean");
}

static void test_lifecycle_record__what_is_none_is_not_trusted(void **state) {
    (void)state;
    struct bk__run_record loaded;
    assert_int_equal(bk__run_load(sandbox_path("run.json"), &loaded), BK_ENOTFOUND);
    static const char *const wrong[] = {
        "",
        "{",
        "[]",
        "{}",
        "{\"run_id\":\"x\"}",
        "{\"run_id\":7,\"started_at\":1}",
        "{\"run_id\":\"x\",\"started_at\":\"yesterday\"}"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        sandbox_write("run.json", wrong[i]);
        assert_int_equal(bk__run_load(sandbox_path("run.json"), &loaded), BK_ECORRUPT);
    }
    sandbox_write("run.json",
                  "{\"run_id\":\"x\",\"started_at\":\"2025-12-04T10:30:00.000Z\"}");
    assert_int_equal(bk__run_load(sandbox_path("run.json"), &loaded), 0);
    assert_string_equal(bk__run_ended(&loaded, "boot-a", 0), "unknown");
    assert_int_equal(loaded.seen_wall, loaded.started_wall);
}

static void test_lifecycle_record__its_end_is_judged(void **state) {
    (void)state;
    struct bk__run_record record = sample();
    assert_string_equal(bk__run_ended(&record, "boot-a", 3), "crash");
    assert_string_equal(bk__run_ended(&record, "boot-a", 4), "killed");
    assert_string_equal(bk__run_ended(&record, "boot-b", 4), "reboot");
    assert_string_equal(bk__run_ended(&record, "", 4), "unknown");
    record.oom_kills = -1;
    assert_string_equal(bk__run_ended(&record, "boot-a", 4), "crash");
    snprintf(record.ended, sizeof record.ended, "clean");
    assert_string_equal(bk__run_ended(&record, "boot-b", 4), "clean");
}

static void test_lifecycle_record__a_summary_for_the_host(void **state) {
    (void)state;
    struct bk__run_record record = sample();
    struct json_object *summary = bk__run_summary(&record, "crash");
    assert_string_equal(bk__json_text(summary, "run_id", ""), record.run_id);
    assert_string_equal(bk__json_text(summary, "started_at", ""),
                        "2025-12-04T10:30:00.000Z");
    assert_string_equal(bk__json_text(summary, "last_seen_at", ""),
                        "2025-12-04T10:31:00.000Z");
    assert_string_equal(bk__json_text(summary, "ended", ""), "crash");
    assert_int_equal(bk__json_int(summary, "uptime_ms", 0), 60000);
    json_object_put(summary);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_lifecycle_record__##name, sandbox_setup,        \
                                    sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(comes_back_whole),
        TEST(what_is_none_is_not_trusted),
        TEST(its_end_is_judged),
        TEST(a_summary_for_the_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
