/*
 * backup.rehearse, the metrics event and the check "backup" of health, through the public ABI: what
 * a rehearsal finds that a backup's own proof does not, and what health says of old, failed, slow.
 */
#include "backup_box.h"

#define TEST(name) BOX_TEST(backup_rehearse, name)

static void open_planned(void) {
    box_new();
    box_set("backup.every", "24");
    box_open();
}

static void shell(const char *format, const char *path) {
    char command[2048];
    snprintf(command, sizeof command, format, path);
    free(box_shell(command));
}

static void assert_nothing_left(void) {
    char command[2048];
    snprintf(command, sizeof command, "find '%s' -type f | wc -l",
             sandbox_path("bot.db.botkeep/rehearsal"));
    assert_int_equal(box_count(command), 0);
}

/* An index that says it is of b and holds a: sound pages, wrong content. */
static void make_wrong_index(void) {
    box_do("CREATE TABLE t(a, b); CREATE INDEX i ON t(a); INSERT INTO t VALUES(1, 2), "
           "(3, 4);"
           "PRAGMA writable_schema = ON;"
           "UPDATE sqlite_schema SET sql = 'CREATE INDEX i ON t(b)' WHERE name = 'i'");
}

static void
test_backup_rehearse__a_sound_backup_is_restored_and_thrown_away(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    open_planned();
    const char *name = box_create(NULL);
    box_call("backup.rehearse", NULL);
    box_assert_text("result.name", name);
    box_assert_number("result.tables.left_side", ROWS_BIG);
    box_call("backup.status", NULL);
    box_assert_text("result.rehearsal.name", name);
    box_assert_number("result.rehearsal.ok", 1);
    assert_nothing_left();
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
}

static void test_backup_rehearse__it_finds_what_the_backups_proof_does_not(void **state) {
    (void)state;
    make_wrong_index();
    open_planned();
    const char *name = box_create(NULL);
    box_call("backup.verify", NULL);
    box_run("backup.rehearse", NULL);
    box_assert_failed("BK_ECORRUPT", name, "index i", NULL);
    assert_nothing_left();
    box_call("health.snapshot", NULL);
    box_assert_text("result.status", "degraded");
    box_assert_text("result.issues[0].code", "rehearsal_failed");
}

static void test_backup_rehearse__functions_of_the_bot_alone_are_no_damage(void **state) {
    sqlite3 *db = NULL;
    (void)state;
    assert_int_equal(sqlite3_open(box_database(), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "CREATE TABLE t(a); CREATE INDEX i ON t(abs(a))",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_exec(db, "INSERT INTO t VALUES(-1), (2)", NULL, NULL, NULL);
    assert_int_equal(
        sqlite3_exec(db,
                     "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = "
                     "'CREATE INDEX i ON t(only_the_bot(a))' WHERE name = 'i'",
                     NULL, NULL, NULL),
        SQLITE_OK);
    sqlite3_close(db);
    open_planned();
    box_create(NULL);
    box_call("backup.rehearse", NULL);
    box_assert_number("result.tables.t", 2);
}

/* By the next rehearsal, or by the next backup, which may come sooner. */
static void test_backup_rehearse__what_a_kill_left_is_dropped(void **state) {
    static const char *const next[] = {"backup.rehearse", "backup.create"};
    (void)state;
    box_database_with(ROWS_SMALL);
    open_planned();
    box_create(NULL);
    box_call("backup.rehearse", NULL);
    for (int i = 0; i < 2; i++) {
        shell("head -c 5000 /dev/urandom > '%s'",
              sandbox_path("bot.db.botkeep/rehearsal/restored"));
        box_call(next[i], NULL);
        assert_nothing_left();
    }
}

static void
test_backup_rehearse__without_a_backup_there_is_nothing_to_rehearse(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_run("backup.rehearse", NULL);
    box_assert_failed("BK_ENOTFOUND", NULL);
}

/* ---- health ---------------------------------------------------------------------------- */

static void assert_backup_check(const char *status, const char *code) {
    box_call("health.snapshot", NULL);
    box_assert_text("result.checks.backup.status", status);
    box_assert_text("result.issues[0].code", code);
}

static void test_backup_rehearse__health_sees_a_failure_until_a_success(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    open_planned();
    assert_backup_check("healthy", NULL); /* a new bot */
    box_create(NULL);
    assert_backup_check("healthy", NULL);
    assert_int_equal(rename(box_database(), sandbox_path("gone.db")), 0);
    box_run("backup.create", NULL);
    box_assert_number("ok", 0);
    assert_int_equal(rename(sandbox_path("gone.db"), box_database()), 0);
    assert_backup_check("degraded", "backup_failed");
    sleep(1); /* times are told in whole milliseconds, names in seconds */
    box_create(NULL);
    assert_backup_check("healthy", NULL);
}

static void test_backup_rehearse__health_sees_an_old_one(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    open_planned();
    const char *name = box_create(NULL);
    box_close();
    shell("rm '%s'", sandbox_path("bot.db.botkeep/backup.json"));
    shell("sed -i 's/\"created_at\":\"[0-9]*-/\"created_at\":\"2019-/' '%s'",
          sandbox_path("backups/%s.json", name));
    open_planned();
    assert_backup_check("degraded", "backup_old");
    box_close();
    box_new();
    box_set("backup.every", "24");
    box_set("health.backup.age", "0");
    box_open();
    assert_backup_check("healthy", NULL);
}

static void set_created(const char *name, const char *year) {
    char command[2048];
    snprintf(command, sizeof command,
             "rm -f '%s'; sed -i 's/\"created_at\":\"[0-9]*-/\"created_at\":\"%s-/' '%s'",
             sandbox_path("bot.db.botkeep/backup.json"), year,
             sandbox_path("backups/%s.json", name));
    free(box_shell(command));
}

/* A clock that was wrong when the backup was made must not keep health quiet for years. */
static void test_backup_rehearse__health_does_not_believe_a_time_ahead(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    open_planned();
    const char *name = box_create(NULL);
    box_close();
    set_created(name, "2099");
    open_planned();
    assert_backup_check("healthy", NULL); /* it has as long as a new bot */
    box_close();
    shell("echo '{\"backup.create\":{\"due_at\":\"2019-01-01T00:00:00.000Z\"}}' > '%s'",
          sandbox_path("bot.db.botkeep/schedule.json"));
    box_new(); /* a tool: it does not run what is due */
    box_set("run.track", "false");
    box_set("backup.every", "24");
    box_open();
    assert_backup_check("degraded", "backup_old");
}

/* The schedule's next run mends a failure also where nothing has to be saved. */
static void
test_backup_rehearse__health_is_content_when_nothing_had_changed(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    open_planned();
    box_create(NULL);
    assert_int_equal(rename(box_database(), sandbox_path("gone.db")), 0);
    box_run("backup.create", "{\"kind\":\"auto\"}");
    box_assert_number("ok", 0);
    assert_int_equal(rename(sandbox_path("gone.db"), box_database()), 0);
    assert_backup_check("degraded", "backup_failed");
    box_call("backup.create", "{\"kind\":\"auto\"}");
    box_assert_number("result.unchanged", 1);
    assert_backup_check("healthy", NULL);
    box_call("backup.status", NULL);
    box_assert_number("result.failing", 0);
    box_assert_text("result.last_failure.code", "BK_ENOTFOUND");
}

static void test_backup_rehearse__health_sees_a_slow_one(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    open_planned();
    box_create(NULL);
    shell("sed -i 's/\"last_ms\":[0-9]*/\"last_ms\":1860000/' '%s'",
          sandbox_path("bot.db.botkeep/backup.json"));
    assert_backup_check("degraded", "backup_slow");
}

static void test_backup_rehearse__backups_nobody_planned_are_no_failure(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_run("backup.create", NULL);
    box_call("health.snapshot", NULL);
    box_assert_text("result.checks.backup.status", NULL);
}

/* ---- metrics --------------------------------------------------------------------------- */

/* The next event "metrics"; the caller frees it. */
static char *next_metrics(void) {
    for (;;) {
        char *event = bk_next(box_keeper, 5000);
        assert_non_null(event);
        char *name = bk_pick_text(event, "event");
        bool found = strcmp(name, "metrics") == 0;
        bk_free(name);
        if (found) {
            return event;
        }
        bk_free(event);
    }
}

static void test_backup_rehearse__each_backup_tells_its_metrics(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    open_planned();
    box_create(NULL);
    double bytes = bk_pick_number(box_done, "result.bytes", -1);
    char *first = next_metrics();
    assert_true(bk_pick_number(first, "backup_total", -1) == 1);
    assert_true(bk_pick_number(first, "backup_failures_total", -1) == 0);
    assert_true(bk_pick_number(first, "backup_size_bytes", -1) == bytes);
    assert_true(bk_pick_number(first, "backup_duration_seconds", -1) > 0);
    assert_true(bk_pick_number(first, "backup_last_success_timestamp_seconds", -1) > 1e9);
    assert_int_equal(rename(box_database(), sandbox_path("gone.db")), 0);
    box_run("backup.create", NULL);
    char *second = next_metrics();
    assert_true(bk_pick_number(second, "backup_total", -1) == 1);
    assert_true(bk_pick_number(second, "backup_failures_total", -1) == 1);
    box_call("backup.status", NULL);
    box_assert_number("result.metrics.backup_failures_total", 1);
    bk_free(first);
    bk_free(second);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_sound_backup_is_restored_and_thrown_away),
        TEST(it_finds_what_the_backups_proof_does_not),
        TEST(functions_of_the_bot_alone_are_no_damage),
        TEST(what_a_kill_left_is_dropped),
        TEST(without_a_backup_there_is_nothing_to_rehearse),
        TEST(health_sees_a_failure_until_a_success),
        TEST(health_sees_an_old_one),
        TEST(health_does_not_believe_a_time_ahead),
        TEST(health_is_content_when_nothing_had_changed),
        TEST(health_sees_a_slow_one),
        TEST(backups_nobody_planned_are_no_failure),
        TEST(each_backup_tells_its_metrics),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
