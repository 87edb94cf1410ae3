/*
 * The quick look at a database: right figures, no file made, and a replaced file noticed.
 * tests/unit/run runs it.
 */
#include <store/store.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <base/json.h>
#include <core/error.h>
#include <store/sqlite/sqlite.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

static struct bk__job *job;
static struct json_object *report;
static struct bk__store *store;
static char live[1024];

static int setup(void **state) {
    job = storejob_new();
    report = bk__json_object();
    store = NULL;
    sandbox_setup(state);
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    return 0;
}

static int teardown(void **state) {
    bk__store_close(store);
    json_object_put(report);
    storejob_free();
    return sandbox_teardown(state);
}

static int probe(void) {
    int code = store == NULL ? bk__sqlite_driver.open(&store, job, live, false) : 0;

    return code == 0 ? bk__sqlite_driver.probe(store, report) : code;
}

static void test_store_probe__figures(void **state) {
    sqlite3 *bot = storefile_open(live);
    (void)state;

    storefile_exec(
        bot, "PRAGMA page_size = 1024; PRAGMA journal_mode = WAL; CREATE TABLE a(x "
             "INTEGER PRIMARY KEY AUTOINCREMENT); CREATE TABLE b(x); CREATE VIEW v AS "
             "SELECT 1; INSERT INTO b VALUES(zeroblob(5000))");
    assert_int_equal(probe(), 0);
    assert_string_equal(bk__json_text(report, "path", ""), live);
    assert_int_equal(bk__json_int(report, "bytes", 0), storefile_size(live, ""));
    assert_int_equal(bk__json_int(report, "wal_bytes", 0), storefile_size(live, "-wal"));
    assert_true(bk__json_int(report, "wal_bytes", 0) > 0);
    assert_int_equal(bk__json_int(report, "page_size", 0), 1024);
    assert_int_equal(bk__json_int(report, "pages", 0),
                     storefile_int(bot, "PRAGMA page_count"));
    assert_string_equal(bk__json_text(report, "journal_mode", ""), "wal");
    assert_int_equal(bk__json_int(report, "schema_version", 0),
                     storefile_int(bot, "PRAGMA schema_version"));
    assert_int_equal(bk__json_int(report, "tables", 0), 2);
    assert_true(bk__json_bool(report, "same_file", false));
    assert_true(bk__json_int(report, "response_ms", -1) >= 0);
    sqlite3_close(bot);
}

static void test_store_probe__makes_no_file(void **state) {
    (void)state;
    storefile_make(live, "PRAGMA journal_mode = WAL; CREATE TABLE a(x)");
    assert_int_equal(probe(), 0);
    bk__store_close(store);
    store = NULL;
    assert_false(storefile_exists(live, "-wal"));
    assert_false(storefile_exists(live, "-shm"));
    unlink(live);
    assert_int_equal(probe(), BK_ENOTFOUND);
    assert_false(storefile_exists(live, ""));
}

static void test_store_probe__notices_a_replaced_file(void **state) {
    char aside[1100];
    (void)state;

    storefile_make(live, "CREATE TABLE a(x)");
    assert_int_equal(probe(), 0);
    assert_true(bk__json_bool(report, "same_file", false));
    snprintf(aside, sizeof(aside), "%s.aside", live);
    storefile_copy(live, aside);
    assert_int_equal(rename(aside, live), 0);
    assert_int_equal(probe(), 0);
    assert_false(bk__json_bool(report, "same_file", true));
}

static void test_store_probe__notices_that_the_bot_has_an_older_file(void **state) {
    char aside[1100];
    sqlite3 *bot;
    (void)state;

    storefile_make(live, "CREATE TABLE a(x)");
    bot = storefile_open(live);
    assert_int_equal(storefile_int(bot, "SELECT count(*) FROM a"), 0);
    snprintf(aside, sizeof(aside), "%s.aside", live);
    storefile_copy(live, aside);
    assert_int_equal(probe(), 0);
    assert_true(bk__json_bool(report, "same_file", false));
    bk__store_close(store);
    store = NULL;
    assert_int_equal(rename(aside, live), 0);
    assert_int_equal(probe(), 0);
    assert_false(bk__json_bool(report, "same_file", true));
    sqlite3_close(bot);
    bk__store_close(store);
    store = NULL;
    assert_int_equal(probe(), 0);
    assert_true(bk__json_bool(report, "same_file", false));
}

static void test_store_probe__a_locked_database_is_busy_and_told(void **state) {
    pid_t child;
    (void)state;

    storefile_make(live, "CREATE TABLE a(x)");
    child = storefile_start("lock", live);
    storejob_set("busy.wait", "50");
    assert_int_equal(probe(), BK_EBUSY);
    assert_non_null(strstr(bk__error_text(), live));
    storefile_kill(child);
    assert_int_equal(probe(), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_probe__figures),
        TEST(test_store_probe__makes_no_file),
        TEST(test_store_probe__notices_a_replaced_file),
        TEST(test_store_probe__notices_that_the_bot_has_an_older_file),
        TEST(test_store_probe__a_locked_database_is_busy_and_told),
    };

    storefile_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
