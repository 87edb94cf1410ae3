/*
 * The schedule through the public ABI: automatic backups, health events on a change of level,
 * nothing for tools. Due times and clocks that jump: tests/unit/core/schedule.c and plan.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <botkeep.h>
#include <sqlite3.h>

#include <sandbox.h>

static bk_keeper *new_keeper(void) {
    bk_keeper *k = bk_new();
    assert_non_null(k);
    assert_int_equal(bk_set(k, "database", sandbox_path("bot.db")), 0);
    assert_int_equal(bk_set(k, "backup.dir", sandbox_path("backups")), 0);
    assert_int_equal(bk_set(k, "env.file", ""), 0);
    return k;
}

static void do_sql(const char *sql) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(sandbox_path("bot.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void make_database(void) {
    do_sql("create table t(x);");
}

/* The next event of that name; others are passed over. The caller frees it. */
static char *await(bk_keeper *k, const char *name) {
    char start[64];
    snprintf(start, sizeof start, "{\"event\":\"%s\"", name);
    char *text = bk_next(k, 60000);
    while (text && strncmp(text, start, strlen(start)) != 0) {
        bk_free(text);
        text = bk_next(k, 60000);
    }
    assert_non_null(text);
    return text;
}

static void assert_picked(char *json, const char *path, const char *expected) {
    char *value = bk_pick_text(json, path);
    assert_non_null(value);
    assert_string_equal(value, expected);
    bk_free(value);
}

static void test_c_schedule__backups_come_by_themselves(void **state) {
    (void)state;
    make_database();
    bk_keeper *k = new_keeper();
    assert_int_equal(bk_set(k, "backup.every", "0.0001"), 0);
    assert_int_equal(bk_open(k), 0);
    for (int i = 0; i < 2; i++) {
        char *event = await(k, "scheduled");
        assert_picked(event, "operation", "backup.create");
        assert_picked(event, "ok", "true");
        assert_picked(event, "result.kind", "auto");
        bk_free(event);
    }
    char *status = bk_call(k, "backup.status", NULL);
    char *due = bk_pick_text(status, "result.next_due_at");
    assert_non_null(due);
    bk_free(due);
    bk_free(status);
    assert_int_equal(bk_close(k), 0);
    assert_int_equal(access(sandbox_path("bot.db.botkeep/schedule.json"), F_OK), 0);
}

static void test_c_schedule__a_failed_backup_is_told(void **state) {
    (void)state;
    sandbox_write("bot.db",
                  "this is no database, and long enough to be seen as none at all "
                  "................................................................");
    bk_keeper *k = new_keeper();
    assert_int_equal(bk_set(k, "backup.every", "0.0001"), 0);
    assert_int_equal(bk_open(k), 0);
    char *log = await(k, "log");
    while (!strstr(log, "The scheduled backup.create failed")) {
        bk_free(log);
        log = await(k, "log");
    }
    assert_picked(log, "level", "error");
    bk_free(log);
    char *event = await(k, "scheduled");
    assert_picked(event, "ok", "false");
    assert_picked(event, "error.code", "BK_ECORRUPT");
    bk_free(event);
    assert_int_equal(bk_close(k), 0);
}

/* A disk that is full there: a missed time stays in the record, so that each start finds it. */
static void test_c_schedule__what_cannot_be_noted_flushes_nothing(void **state) {
    (void)state;
    make_database();
    sandbox_write("bot.db.botkeep/schedule.json",
                  "{\"backup.create\":{\"due_at\":\"2025-12-04T10:30:00.000Z\"}}");
    sandbox_write("bot.db.botkeep/schedule.json.tmp/in the way", "");
    for (int start = 0; start < 5; start++) {
        do_sql("insert into t values(random());");
        bk_keeper *k = new_keeper();
        assert_int_equal(bk_open(k), 0);
        char *event = await(k, "scheduled");
        assert_picked(event, "operation", "backup.create");
        assert_picked(event, "ok", "true");
        assert_true(bk_pick_number(event, "result.recent", 0) == (start > 0));
        bk_free(event);
        char *list = bk_call(k, "backup.list", NULL);
        assert_true(bk_pick_number(list, "result.total", 0) == 1);
        bk_free(list);
        assert_int_equal(bk_close(k), 0);
    }
}

static void test_c_schedule__health_is_told_when_it_changes(void **state) {
    (void)state;
    bk_keeper *k = new_keeper();
    assert_int_equal(bk_set(k, "health.every", "0.01"), 0);
    assert_int_equal(bk_open(k), 0);
    char *event = await(k, "health");
    assert_picked(event, "from", "unknown");
    assert_picked(event, "to", "unhealthy");
    assert_picked(event, "issues[0].code", "database_failed");
    bk_free(event);
    make_database();
    event = await(k, "health");
    assert_picked(event, "from", "unhealthy");
    bk_free(event);
    assert_int_equal(bk_close(k), 0);
}

static bool has_issue(const char *event, const char *code) {
    char path[64];
    for (int i = 0; i < 16; i++) {
        snprintf(path, sizeof path, "issues[%d].code", i);
        char *found = bk_pick_text(event, path);
        bool same = found != NULL && strcmp(found, code) == 0;
        bool over = found == NULL;
        bk_free(found);
        if (same || over) {
            return same;
        }
    }
    return false;
}

/* The next event of health, which must tell something new. */
static char *next_health(bk_keeper *k, char *before) {
    char *event = await(k, "health");
    if (before != NULL) {
        char *was = bk_pick_text(before, "issues");
        char *is = bk_pick_text(event, "issues");
        assert_string_not_equal(was, is);
        bk_free(was);
        bk_free(is);
    }
    bk_free(before);
    return event;
}

/* The disk is nearly full all the time, so the level stays: a failed backup is told all the same, once
   when it fails and once when it is mended. */
static void test_c_schedule__a_failure_does_not_hide_behind_another(void **state) {
    (void)state;
    make_database();
    bk_keeper *k = new_keeper();
    assert_int_equal(bk_set(k, "health.every", "0.01"), 0);
    assert_int_equal(bk_set(k, "health.disk.free", "1073741824"), 0);
    assert_int_equal(bk_set(k, "backup.every", "24"), 0);
    assert_int_equal(bk_open(k), 0);
    char *event = next_health(k, NULL);
    assert_picked(event, "to", "unhealthy");
    assert_true(has_issue(event, "disk_low") && !has_issue(event, "backup_failed"));
    assert_int_equal(rename(sandbox_path("bot.db"), sandbox_path("gone.db")), 0);
    bk_free(bk_call(k, "backup.create", NULL));
    assert_int_equal(rename(sandbox_path("gone.db"), sandbox_path("bot.db")), 0);
    while (!has_issue(event, "backup_failed") || has_issue(event, "database_failed")) {
        event = next_health(k, event);
        assert_picked(event, "to", "unhealthy");
    }
    bk_free(bk_call(k, "backup.create", NULL));
    event = next_health(k, event);
    assert_picked(event, "from", "unhealthy");
    assert_picked(event, "to", "unhealthy");
    assert_true(has_issue(event, "disk_low") && !has_issue(event, "backup_failed"));
    bk_free(event);
    assert_int_equal(bk_close(k), 0);
}

static void test_c_schedule__tools_have_none(void **state) {
    (void)state;
    make_database();
    bk_keeper *k = new_keeper();
    assert_int_equal(bk_set(k, "backup.every", "0.0001"), 0);
    assert_int_equal(bk_set(k, "run.track", "false"), 0);
    assert_int_equal(bk_open(k), 0);
    assert_null(bk_next(k, 700));
    assert_string_equal(bk_last_error(), "");
    assert_int_equal(bk_close(k), 0);
    assert_int_not_equal(access(sandbox_path("bot.db.botkeep/schedule.json"), F_OK), 0);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_c_schedule__##name, sandbox_setup,              \
                                    sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(backups_come_by_themselves),
        TEST(a_failed_backup_is_told),
        TEST(what_cannot_be_noted_flushes_nothing),
        TEST(health_is_told_when_it_changes),
        TEST(a_failure_does_not_hide_behind_another),
        TEST(tools_have_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
