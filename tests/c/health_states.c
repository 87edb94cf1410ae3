/*
 * Health and doctor through the public ABI on damaged databases: what SELECT 1 would call healthy is
 * not. The host holds its own connection open in another process, the sqlite3 program.
 */
#include "migrate_box.h"

#define TEST(name) BOX_TEST(health_states, name)

static void make_database(void) {
    box_do("PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1);");
}

static void assert_health(const char *status, const char *code) {
    box_call("health.snapshot", NULL);
    box_assert_text("result.status", status);
    box_assert_text("result.issues[0].code", code);
}

static void test_health_states__a_sound_database_is_healthy(void **state) {
    (void)state;
    make_database();
    assert_health("healthy", NULL);
    box_assert_number("result.database.connected", 1);
    box_assert_number("result.database.same_file", 1);
    box_assert_number("result.database.tables", 1);
    box_assert_text("result.isolation", "thread");
    box_assert_text("result.checks.database.status", "healthy");
}

static void
test_health_states__a_missing_database_is_unhealthy_and_stays_missing(void **state) {
    (void)state;
    assert_health("unhealthy", "database_failed");
    box_assert_text("result.checks.database.status", "unhealthy");
    assert_false(box_has("bot.db"));
    assert_false(box_has("bot.db-wal"));
}

static void
test_health_states__a_deleted_database_is_unhealthy_and_stays_deleted(void **state) {
    (void)state;
    make_database();
    assert_health("healthy", NULL);
    assert_int_equal(unlink(box_database()), 0);
    assert_health("unhealthy", "database_failed");
    assert_false(box_has("bot.db"));
}

static void test_health_states__a_zeroed_header_is_unhealthy(void **state) {
    (void)state;
    make_database();
    assert_health("healthy", NULL);
    char command[1024];
    snprintf(command, sizeof command,
             "dd if=/dev/zero of='%s' bs=100 count=1 conv=notrunc 2>&1", box_database());
    free(box_shell(command));
    assert_health("unhealthy", "database_failed");
    box_assert_number("result.database.connected", 0);
}

static void test_health_states__zero_bytes_are_unhealthy(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    assert_health("unhealthy", "database_failed");
}

static void test_health_states__a_folder_is_unhealthy(void **state) {
    (void)state;
    assert_int_equal(mkdir(box_database(), 0700), 0);
    assert_health("unhealthy", "database_failed");
}

static void test_health_states__a_large_database_is_degraded(void **state) {
    (void)state;
    make_database();
    box_do("INSERT INTO t SELECT randomblob(1500000);");
    box_new();
    box_set("health.db.size", "1");
    box_open();
    assert_health("degraded", "database_large");
}

static void test_health_states__a_full_disk_is_degraded_before_it_hurts(void **state) {
    (void)state;
    make_database();
    box_new();
    box_set("health.disk.free", "1073741824"); /* a petabyte */
    box_open();
    box_call("health.snapshot", NULL);
    box_assert_text("result.issues[0].code", "disk_low");
    box_assert_text("result.status", "unhealthy");
}

static void
test_health_states__memory_limit_of_the_option_counts_when_no_group_limits(void **state) {
    (void)state;
    make_database();
    box_new();
    box_set("memory.limit", "1");
    box_open();
    box_call("health.snapshot", NULL);
    char *source = bk_pick_text(box_done, "result.memory.limit_source");
    assert_non_null(source);
    if (strcmp(source, "option") == 0) {
        box_assert_number("result.memory.limit_bytes", 1048576);
        box_assert_text("result.checks.memory.message", "Memory usage critical (>90%)");
        box_assert_text("result.status", "unhealthy");
    } else { /* this machine's own limit binds and wins */
        assert_int_equal(strncmp(source, "cgroup", 6), 0);
    }
    bk_free(source);
}

static void
test_health_states__at_once_it_knows_the_last_probe_and_its_age(void **state) {
    (void)state;
    make_database();
    box_new();
    box_open();
    char *now = bk_health(box_keeper);
    char *code = bk_pick_text(now, "issues[0].code");
    assert_string_equal(code, "database_not_probed");
    bk_free(code);
    bk_free(now);
    box_call("health.snapshot", NULL);
    now = bk_health(box_keeper);
    char *status = bk_pick_text(now, "status");
    assert_string_equal(status, "healthy");
    assert_true(bk_pick_number(now, "database.age_ms", -1) >= 0);
    assert_true(bk_pick_number(now, "database.pages", -1) >= 1);
    bk_free(status);
    bk_free(now);
}

static void test_health_states__reports_and_loops_count(void **state) {
    (void)state;
    make_database();
    box_new();
    box_open();
    assert_int_equal(bk_report(box_keeper, "discord", "degraded", "slow gateway", 60000),
                     0);
    assert_int_equal(bk_beat(box_keeper, "main"), 0);
    assert_health("degraded", "reported");
    box_assert_text("result.checks.discord.message", "slow gateway");
    assert_true(bk_pick_number(box_done, "result.loops.main.age_ms", -1) >= 0);
    int id = bk_begin(box_keeper, "/play");
    assert_true(id > 0);
    box_call("health.snapshot", NULL);
    box_assert_number("result.operations.active", 1);
    assert_int_equal(bk_end(box_keeper, id), 0);
    assert_int_equal(bk_end(box_keeper, id), BK_ENOTFOUND);
}

/* Whether the doctor names this finding. */
static bool found(const char *code) {
    char path[64];
    bool is_there = false;
    box_call("doctor.run", NULL);
    for (int i = 0; i < 32 && !is_there; i++) {
        snprintf(path, sizeof path, "result.findings[%d].code", i);
        char *seen = bk_pick_text(box_done, path);
        is_there = seen && strcmp(seen, code) == 0;
        bk_free(seen);
    }
    return is_there;
}

static void test_health_states__the_doctor_finds_and_forgets(void **state) {
    (void)state;
    make_database();
    assert_true(found("no_backup"));
    assert_true(found("same_disk"));
    box_call("backup.create", NULL);
    assert_false(found("no_backup"));
    assert_true(found("backup"));
    sandbox_write("migrations/0001_more.sql", "CREATE TABLE more(x);");
    assert_true(found("migrations_pending"));
    box_call("migrate.up", NULL);
    assert_false(found("migrations_pending"));
    sandbox_write("migrations/0001_more.sql", "CREATE TABLE other(x);");
    assert_true(found("migration_problem"));
    assert_false(found("git_work_tree"));
    assert_int_equal(mkdir(sandbox_path(".git"), 0700), 0);
    assert_true(found("git_work_tree"));
    assert_int_equal(unlink(box_database()), 0);
    assert_true(found("database_failed"));
    box_assert_text("result.worst", "problem");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_sound_database_is_healthy),
        TEST(a_missing_database_is_unhealthy_and_stays_missing),
        TEST(a_deleted_database_is_unhealthy_and_stays_deleted),
        TEST(a_zeroed_header_is_unhealthy),
        TEST(zero_bytes_are_unhealthy),
        TEST(a_folder_is_unhealthy),
        TEST(a_large_database_is_degraded),
        TEST(a_full_disk_is_degraded_before_it_hurts),
        TEST(memory_limit_of_the_option_counts_when_no_group_limits),
        TEST(at_once_it_knows_the_last_probe_and_its_age),
        TEST(reports_and_loops_count),
        TEST(the_doctor_finds_and_forgets),
    };
    return cmocka_run_group_tests_name("health_states", tests, NULL, NULL);
}
