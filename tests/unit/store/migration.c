/*
 * What migrations do to a store: transactions, scripts split by SQLite's parser, foreign keys, and
 * queries with parameters. tests/unit/run runs it.
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

static const struct bk__store_driver *const driver = &bk__sqlite_driver;
static struct bk__job *job;
static struct bk__store *store;
static struct bk__script_error error;
static char live[1024];

static int setup(void **state) {
    job = storejob_new();
    storejob_set("busy.wait", "100");
    sandbox_setup(state);
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    return driver->open(&store, job, live, true);
}

static int teardown(void **state) {
    bk__store_close(store);
    storejob_free();
    return sandbox_teardown(state);
}

static int64_t number(const char *sql) {
    struct json_object *rows = bk__json_list();
    int64_t value;

    if (driver->query(store, sql, NULL, rows) != 0) {
        fail_msg("%s", bk__error_text());
    }
    value = bk__json_int(json_object_array_get_idx(rows, 0), "n", -1);
    json_object_put(rows);
    return value;
}

/* Runs a script outside any transaction; it must succeed. */
static void prepare(const char *sql) {
    if (driver->script(store, sql, false, &error) != 0) {
        fail_msg("%s", bk__error_text());
    }
}

/* One migration: begin, script, commit or rollback. */
static int migrate(const char *sql) {
    int code = driver->begin(store);

    if (code != 0) {
        return code;
    }
    code = driver->script(store, sql, true, &error);
    if (code == 0) {
        return driver->commit(store);
    }
    driver->rollback(store);
    return code;
}

static void assert_says(const char *part) {
    if (strstr(bk__error_text(), part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", bk__error_text(), part);
    }
}

/* ---- scripts ----------------------------------------------------------------------------- */

static void test_store_script__is_split_by_sqlites_parser(void **state) {
    (void)state;
    assert_int_equal(
        migrate("\xef\xbb\xbf-- a comment; with a semicolon\r\n"
                "CREATE TABLE t(a TEXT DEFAULT ';', \"b;c\"); /* ; */ ;;\r\n"
                "CREATE TABLE log(x);\r\n"
                "CREATE TRIGGER tr AFTER INSERT ON t BEGIN\r\n"
                "  INSERT INTO log VALUES(CASE WHEN new.a = ';' THEN 1 ELSE 2 END);\r\n"
                "  INSERT INTO log VALUES(3);\r\n"
                "END;\r\n"
                "INSERT INTO t(a) VALUES('it''s; fine'), (';') -- no end"),
        0);
    assert_int_equal(number("SELECT count(*) AS n FROM t"), 2);
    assert_int_equal(number("SELECT sum(x) AS n FROM log"), 9);
}

static void test_store_script__ends_in_comments_or_is_empty(void **state) {
    (void)state;
    assert_int_equal(migrate(""), 0);
    assert_int_equal(migrate(" \r\n\t;;-- nothing"), 0);
    assert_int_equal(migrate("/* nothing */"), 0);
    assert_int_equal(migrate("CREATE TABLE a(x); /* never closed"), 0);
    assert_int_equal(migrate("-- first\n/* second\n */ CREATE TABLE b(x)\n;\n-- last"),
                     0);
    assert_true(driver->has_table(store, "B"));
    assert_false(driver->has_table(store, "c"));
    assert_false(driver->has_table(store, "it's"));
}

static void test_store_script__each_statement_sees_what_the_last_one_made(void **state) {
    (void)state;
    assert_int_equal(
        migrate("CREATE TABLE a(x); INSERT INTO a VALUES(1); ALTER TABLE a ADD y; "
                "UPDATE a SET y = 5; ALTER TABLE a RENAME TO b; SELECT * FROM b;"),
        0);
    assert_int_equal(number("SELECT y AS n FROM b"), 5);
}

static void test_store_script__an_error_names_line_and_statement(void **state) {
    (void)state;
    assert_int_equal(migrate("CREATE TABLE a(x);\r\n"
                             "\r\n"
                             "-- the next one is wrong\r\n"
                             "INSERT INTO a\r\n"
                             "  VALUES(1, 2);\r\n"
                             "CREATE TABLE c(x);"),
                     BK_EMIGRATION);
    assert_int_equal(error.line, 4);
    assert_int_equal(error.statement, 2);
    assert_string_equal(error.text, "INSERT INTO a    VALUES(1, 2)");
    assert_string_equal(error.why, "table a has 1 columns but 2 values were supplied");
    assert_says("line 4");
    assert_false(driver->has_table(store, "a"));
}

static void test_store_script__errors_of_every_kind_leave_nothing(void **state) {
    static const char *const wrong[] = {
        "CREATE TABLE a(x); SELEKT",
        "CREATE TABLE a(x UNIQUE); INSERT INTO a VALUES(1); INSERT INTO a VALUES(1)",
        "CREATE TABLE a(x); INSERT OR ROLLBACK INTO a(rowid) VALUES(1), (1)",
        "CREATE TABLE a(x); SELECT 'never closed",
        "CREATE TABLE a(x); CREATE TRIGGER t AFTER INSERT ON a BEGIN SELECT 1;",
        "CREATE TABLE a(x); VACUUM",
        "CREATE TABLE a(x); PRAGMA journal_mode = WAL; DROP TABLE nothing",
        "CREATE TABLE a(x); SELECT load_extension('x')",
    };
    (void)state;

    prepare("CREATE TABLE keep(x)");
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        assert_int_equal(migrate(wrong[i]), BK_EMIGRATION);
        assert_int_equal(error.line, 1);
        assert_true(error.statement >= 2);
        assert_true(strlen(error.why) > 5);
        assert_false(driver->has_table(store, "a"));
        assert_true(driver->has_table(store, "keep"));
    }
    assert_int_equal(migrate("CREATE TABLE a(x)"), 0);
}

static void test_store_script__must_not_end_its_transaction(void **state) {
    static const char *const wrong[] = {"COMMIT", "END", "ROLLBACK", "BEGIN",
                                        "  commit;"};
    (void)state;

    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char sql[100];

        snprintf(sql, sizeof(sql), "CREATE TABLE a(x);\n%s; CREATE TABLE b(x)", wrong[i]);
        assert_int_equal(migrate(sql), BK_EMIGRATION);
        assert_int_equal(error.line, 2);
        assert_non_null(strstr(error.why, "must not BEGIN, COMMIT or ROLLBACK"));
        assert_false(driver->has_table(store, "a"));
    }
    assert_int_equal(migrate("SAVEPOINT s; CREATE TABLE a(x); ROLLBACK TO s; RELEASE s"),
                     0);
    assert_false(driver->has_table(store, "a"));
}

static void test_store_script__must_not_attach(void **state) {
    char sql[1200];
    (void)state;

    snprintf(sql, sizeof(sql), "ATTACH '%s' AS other", sandbox_path("other.db"));
    assert_int_equal(migrate(sql), BK_EMIGRATION);
    assert_non_null(strstr(error.why, "ATTACH"));
    assert_int_equal(driver->script(store, sql, false, &error), BK_EMIGRATION);
    assert_int_equal(driver->script(store, "DETACH main", false, &error), BK_EMIGRATION);
    snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", sandbox_path("other.db"));
    assert_int_equal(driver->script(store, sql, false, &error), BK_EMIGRATION);
    assert_false(storefile_exists(sandbox_path("other.db"), ""));
}

static void test_store_script__outside_a_transaction(void **state) {
    (void)state;
    prepare(
        "CREATE TABLE t(a); PRAGMA journal_mode = WAL; VACUUM; PRAGMA foreign_keys = ON; "
        "BEGIN; INSERT INTO t VALUES(1); COMMIT;");
    assert_int_equal(number("SELECT count(*) AS n FROM t"), 1);
    assert_int_equal(number("SELECT foreign_keys AS n FROM pragma_foreign_keys"), 0);
    assert_int_equal(
        number("SELECT count(*) AS n FROM pragma_journal_mode WHERE journal_mode = "
               "'wal'"),
        1);
    assert_int_equal(
        driver->script(store, "BEGIN; INSERT INTO t VALUES(2);", false, &error),
        BK_EMIGRATION);
    assert_non_null(strstr(error.why, "inside a transaction"));
    assert_int_equal(number("SELECT count(*) AS n FROM t"), 1);
    assert_int_equal(migrate("INSERT INTO t VALUES(3)"), 0);
}

static void test_store_script__settings_of_one_do_not_reach_the_next(void **state) {
    static const char *const settings =
        "PRAGMA busy_timeout = 0; PRAGMA query_only = ON; PRAGMA wal_autocheckpoint = 7; "
        "PRAGMA "
        "writable_schema = ON; PRAGMA ignore_check_constraints = ON; PRAGMA cache_size = "
        "100000";
    (void)state;

    prepare("CREATE TABLE t(a); PRAGMA synchronous = OFF; PRAGMA locking_mode = NORMAL");
    assert_int_equal(number("SELECT synchronous AS n FROM pragma_synchronous"), 2);
    prepare(settings);
    assert_int_equal(number("SELECT cache_size AS n FROM pragma_cache_size"), -1024);
    assert_int_equal(driver->query(store, "INSERT INTO t VALUES(1)", NULL, NULL), 0);
    assert_int_equal(migrate(settings), 0);
    assert_int_equal(migrate("INSERT INTO t VALUES(2)"), 0);
    assert_int_equal(number("SELECT writable_schema AS n FROM pragma_writable_schema"),
                     0);
}

/* A script's own busy_timeout must not take our waiting away. */
static void test_store_script__waiting_survives_its_busy_timeout(void **state) {
    pid_t child;
    (void)state;

    prepare("CREATE TABLE t(a); PRAGMA busy_timeout = 1");
    child = storefile_start("lock", live);
    storejob_cancel_at(0);
    assert_int_equal(driver->begin(store), BK_ECANCELLED);
    storefile_kill(child);
}

static void
test_store_script__long_statements_are_quoted_between_characters(void **state) {
    char sql[1000];
    (void)state;

    strcpy(sql, "SELECT nothing_like_this, '");
    while (strlen(sql) < 900) {
        strcat(sql, "äö");
    }
    strcat(sql, "'");
    assert_int_equal(migrate(sql), BK_EMIGRATION);
    assert_true(strlen(error.text) > 250 && strlen(error.text) < 256);
    assert_int_equal(strncmp(error.text, sql, strlen(error.text)), 0);
    assert_true(((unsigned char)sql[strlen(error.text)] & 0xc0) != 0x80);
}

static void test_store_script__cancel_rolls_back(void **state) {
    (void)state;
    prepare("CREATE TABLE t(a)");
    assert_int_equal(driver->begin(store), 0);
    storejob_cancel_at(1);
    assert_int_equal(
        driver->script(store,
                       "INSERT INTO t VALUES(1); INSERT INTO t WITH n(i) AS "
                       "(VALUES(1) UNION ALL SELECT i + 1 FROM n) SELECT i FROM n",
                       true, &error),
        BK_ECANCELLED);
    driver->rollback(store);
    assert_int_equal(storefile_read(live, "SELECT count(*) FROM t"), 0);
}

/* ---- transactions --------------------------------------------------------------------------- */

static void test_store_begin__takes_the_write_lock(void **state) {
    pid_t child;
    (void)state;

    prepare("PRAGMA journal_mode = WAL; CREATE TABLE t(a)");
    assert_int_equal(driver->begin(store), 0);
    assert_int_equal(driver->begin(store), BK_ESTATE);
    assert_int_equal(driver->commit(store), 0);
    child = storefile_start("lock", live);
    assert_int_equal(driver->begin(store), BK_EBUSY);
    assert_says("busy.wait");
    storefile_kill(child);
    assert_int_equal(migrate("INSERT INTO t VALUES(1)"), 0);
}

static void test_store_begin__a_cancel_ends_the_wait(void **state) {
    pid_t child;
    (void)state;

    prepare("CREATE TABLE t(a)");
    storejob_set("busy.wait", "3600000");
    bk__store_close(store);
    assert_int_equal(driver->open(&store, job, live, false), 0);
    child = storefile_start("lock", live);
    storejob_cancel_at(0);
    assert_int_equal(driver->begin(store), BK_ECANCELLED);
    storefile_kill(child);
}

static void test_store_rollback__and_commit_without_begin(void **state) {
    (void)state;
    driver->rollback(store);
    assert_int_equal(driver->commit(store), BK_ESTATE);
    assert_int_equal(driver->script(store, "SELECT 1", true, &error), BK_EINTERNAL);
    assert_int_equal(migrate("CREATE TABLE t(a)"), 0);
}

/* ---- foreign keys ------------------------------------------------------------------------------ */

#define FAMILY                                                                           \
    "CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(id INTEGER PRIMARY KEY, p "  \
    "REFERENCES p ON DELETE CASCADE); INSERT INTO p VALUES(1), (2); INSERT INTO c "      \
    "VALUES(10, 1), (20, 2), (30, 2);"

static void test_store_keys__a_rebuilt_parent_takes_no_child_along(void **state) {
    (void)state;
    prepare(FAMILY);
    assert_int_equal(
        migrate("PRAGMA foreign_keys = ON; CREATE TABLE n(id INTEGER PRIMARY KEY, x); "
                "INSERT INTO n(id) SELECT id FROM p; DROP TABLE p; ALTER TABLE n "
                "RENAME TO p"),
        0);
    assert_int_equal(number("SELECT count(*) AS n FROM c"), 3);
}

static void test_store_keys__a_broken_one_is_named_and_rolled_back(void **state) {
    (void)state;
    prepare(FAMILY);
    assert_int_equal(migrate("CREATE TABLE more(x); DELETE FROM p WHERE id = 1"),
                     BK_EMIGRATION);
    assert_says("table c, row 10,");
    assert_says("of p ");
    assert_int_equal(number("SELECT count(*) AS n FROM p"), 2);
    assert_false(driver->has_table(store, "more"));
    assert_int_equal(migrate("DELETE FROM c WHERE p = 1; DELETE FROM p WHERE id = 1"), 0);
}

static void test_store_keys__what_was_broken_before_is_not_its_fault(void **state) {
    (void)state;
    prepare(FAMILY "DELETE FROM p WHERE id = 2");
    assert_int_equal(migrate("CREATE TABLE more(x)"), 0);
    assert_int_equal(migrate("INSERT INTO c VALUES(40, 99)"), BK_EMIGRATION);
    assert_int_equal(migrate("DELETE FROM c WHERE id = 30"), 0);
    assert_int_equal(migrate("DELETE FROM p WHERE id = 1"), BK_EMIGRATION);
    assert_int_equal(number("SELECT count(*) AS n FROM p"), 1);
}

static void test_store_keys__that_do_not_fit(void **state) {
    (void)state;
    assert_int_equal(
        migrate("CREATE TABLE p(a, b); CREATE TABLE c(x REFERENCES p(a)); INSERT "
                "INTO c VALUES(1)"),
        BK_EMIGRATION);
    assert_says("foreign key mismatch");
    prepare("CREATE TABLE p(a, b); CREATE TABLE c(x REFERENCES p(a)); INSERT INTO c "
            "VALUES(1)");
    assert_int_equal(migrate("CREATE TABLE more(x)"), 0);
}

static void test_store_keys__of_a_table_without_row_ids(void **state) {
    (void)state;
    prepare("CREATE TABLE p(id INTEGER PRIMARY KEY); CREATE TABLE c(k PRIMARY KEY, p "
            "REFERENCES p) "
            "WITHOUT ROWID; INSERT INTO p VALUES(1); INSERT INTO c VALUES('a', 1)");
    assert_int_equal(migrate("DELETE FROM p"), BK_EMIGRATION);
    assert_says("table c, row of a table without row ids,");
}

/* ---- queries ------------------------------------------------------------------------------------- */

static void test_store_query__parameters_and_rows(void **state) {
    struct json_object *list =
        bk__json_parse("{\"p\": [7, \"it's\", null, 2.5, true]}", NULL);
    struct json_object *rows = bk__json_list();
    struct json_object *row;
    (void)state;

    prepare("CREATE TABLE t(a, b, c, d, e)");
    assert_int_equal(driver->query(store, "INSERT INTO t VALUES(?, ?, ?, ?, ?)",
                                   bk__json_member(list, "p"), NULL),
                     0);
    assert_int_equal(driver->query(store, "SELECT * FROM t", NULL, rows), 0);
    assert_int_equal(json_object_array_length(rows), 1);
    row = json_object_array_get_idx(rows, 0);
    assert_int_equal(bk__json_int(row, "a", 0), 7);
    assert_string_equal(bk__json_text(row, "b", ""), "it's");
    assert_null(bk__json_member(row, "c"));
    assert_true(bk__json_number(row, "d", 0) > 2.4 && bk__json_number(row, "d", 0) < 2.6);
    assert_int_equal(bk__json_int(row, "e", 0), 1);
    json_object_put(rows);
    json_object_put(list);
}

static void test_store_query__a_wrong_one_is_told(void **state) {
    (void)state;
    assert_int_equal(driver->query(store, "SELECT * FROM missing", NULL, NULL),
                     BK_EINVAL);
    assert_says("no such table: missing");
    assert_int_equal(driver->query(store, "SELEKT", NULL, NULL), BK_EINVAL);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_script__is_split_by_sqlites_parser),
        TEST(test_store_script__ends_in_comments_or_is_empty),
        TEST(test_store_script__each_statement_sees_what_the_last_one_made),
        TEST(test_store_script__an_error_names_line_and_statement),
        TEST(test_store_script__errors_of_every_kind_leave_nothing),
        TEST(test_store_script__must_not_end_its_transaction),
        TEST(test_store_script__must_not_attach),
        TEST(test_store_script__outside_a_transaction),
        TEST(test_store_script__settings_of_one_do_not_reach_the_next),
        TEST(test_store_script__waiting_survives_its_busy_timeout),
        TEST(test_store_script__long_statements_are_quoted_between_characters),
        TEST(test_store_script__cancel_rolls_back),
        TEST(test_store_begin__takes_the_write_lock),
        TEST(test_store_begin__a_cancel_ends_the_wait),
        TEST(test_store_rollback__and_commit_without_begin),
        TEST(test_store_keys__a_rebuilt_parent_takes_no_child_along),
        TEST(test_store_keys__a_broken_one_is_named_and_rolled_back),
        TEST(test_store_keys__what_was_broken_before_is_not_its_fault),
        TEST(test_store_keys__that_do_not_fit),
        TEST(test_store_keys__of_a_table_without_row_ids),
        TEST(test_store_query__parameters_and_rows),
        TEST(test_store_query__a_wrong_one_is_told),
    };

    storefile_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
