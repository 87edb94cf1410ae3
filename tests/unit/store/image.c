/*
 * What can be done with images that are nobody's live store: asked, taken a part of, settled from a
 * copied trio, loaded from a dump. tests/unit/run runs it.
 */
#include <store/store.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <base/json.h>
#include <core/error.h>
#include <store/sqlite/sqlite.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

#define BOT                                                                              \
    "CREATE TABLE guilds(id INTEGER PRIMARY KEY);"                                       \
    "CREATE TABLE users(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, g INT "         \
    "REFERENCES guilds(id), up TEXT AS (upper(name)));"                                  \
    "CREATE INDEX by_name ON users(name);"                                               \
    "CREATE TRIGGER no_more AFTER INSERT ON users BEGIN SELECT 1; END;"                  \
    "INSERT INTO users(name) VALUES('ada'), ('bob'), ('o''hara');"                       \
    "DELETE FROM users WHERE name = 'bob';"                                              \
    "CREATE TABLE loose(t TEXT); INSERT INTO loose(rowid, t) VALUES(77, 'x');"           \
    "CREATE TABLE kv(k TEXT PRIMARY KEY, v) WITHOUT ROWID;"                              \
    "INSERT INTO kv VALUES('blob', x'00ff'), ('real', 0.5), ('none', NULL);"

static struct bk__job *job;
static struct json_object *answer;
static char image[1024], out[1024];

static int setup(void **state) {
    job = storejob_new();
    answer = bk__json_object();
    sandbox_setup(state);
    snprintf(image, sizeof(image), "%s", sandbox_path("image.db"));
    snprintf(out, sizeof(out), "%s", sandbox_path("out.db"));
    return 0;
}

static int teardown(void **state) {
    json_object_put(answer);
    storejob_free();
    return sandbox_teardown(state);
}

/* ---- asking ------------------------------------------------------------------------------ */

static int ask_within(const char *sql, int64_t rows, int64_t bytes, int64_t limit_ms) {
    const struct bk__question question = {
        .sql = sql, .rows = rows, .bytes = bytes, .limit_ms = limit_ms};
    json_object_put(answer);
    answer = bk__json_object();
    return bk__sqlite_driver.ask(job, image, &question, answer);
}

static int ask(const char *sql) {
    return ask_within(sql, 1000, 1 << 20, 0);
}

static void assert_answer(const char *expected) {
    char *text = bk__json_print(answer);
    assert_string_equal(text, expected);
    free(text);
}

static void test_store_ask__values_keep_their_kind(void **state) {
    (void)state;
    storefile_make(image, BOT);
    assert_int_equal(ask("SELECT k, v FROM kv ORDER BY k"), 0);
    assert_answer("{\"columns\":[\"k\",\"v\"],\"rows\":[[\"blob\",{\"hex\":\"00ff\"}],"
                  "[\"none\",null],[\"real\",0.5]],\"truncated\":false}");
    assert_int_equal(ask("SELECT 9007199254740993, 1e999, -1e999, CAST(x'ff' AS TEXT)"),
                     0);
    assert_string_equal(json_object_get_string(bk__json_pick(answer, "rows[0]")),
                        "[ 9007199254740993, \"inf\", \"-inf\", { \"hex\": \"ff\" } ]");
}

static void test_store_ask__stops_at_its_limits(void **state) {
    (void)state;
    storefile_make(image, BOT);
    assert_int_equal(ask_within("SELECT k FROM kv", 2, 1000, 0), 0);
    assert_true(bk__json_bool(answer, "truncated", false));
    assert_int_equal(json_object_array_length(bk__json_member(answer, "rows")), 2);
    assert_int_equal(ask_within("SELECT k FROM kv", 3, 1000, 0), 0);
    assert_false(bk__json_bool(answer, "truncated", true));
    assert_int_equal(ask_within("SELECT zeroblob(900) UNION ALL SELECT 1", 10, 100, 0),
                     0);
    assert_true(bk__json_bool(answer, "truncated", false));
    assert_int_equal(ask_within("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 "
                                "FROM c) SELECT count(*) FROM c",
                                1, 1, 20),
                     BK_EBUSY);
    storejob_cancel_at(0);
    assert_int_equal(
        ask("WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
            "SELECT count(*) FROM c"),
        BK_ECANCELLED);
}

static void test_store_ask__can_only_read_this_image(void **state) {
    static const char *const refused[] = {
        "DELETE FROM kv",
        "DELETE FROM kv RETURNING k",
        "INSERT INTO kv VALUES(1, 2)",
        "CREATE TEMP TABLE t(a)",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = ON",
        "UPDATE sqlite_master SET name = 1 RETURNING name",
        "SELECT load_extension('x')",
        "SELECT 1; SELECT 2",
        "SELECT zeroblob(1000000000)",
        "BEGIN",
        "",
        "-- nothing",
        "SELECT FROM"};
    char sql[1200];
    (void)state;
    storefile_make(image, BOT);
    uint64_t before = storefile_sum(image, "");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        assert_int_equal(ask(refused[i]), BK_EINVAL);
    }
    snprintf(sql, sizeof(sql), "ATTACH '%s' AS other", out);
    assert_int_equal(ask(sql), BK_EINVAL);
    snprintf(sql, sizeof(sql), "VACUUM INTO '%s'", out);
    assert_int_equal(ask(sql), BK_EINVAL);
    assert_false(storefile_exists(out, ""));
    assert_true(before == storefile_sum(image, ""));
    assert_int_equal(ask("SELECT value FROM json_each('[1]') ; -- one"), 0);
}

/* ---- a part ------------------------------------------------------------------------------- */

static int take(const char *table, const char *query) {
    const struct bk__portion portion = {.table = table, .query = query};
    unlink(out);
    storefile_write(out, "", 0);
    json_object_put(answer);
    answer = bk__json_object();
    return bk__sqlite_driver.portion(job, image, &portion, out, answer);
}

static void test_store_portion__a_table_with_what_belongs_to_it(void **state) {
    (void)state;
    storefile_make(image, "PRAGMA page_size = 1024; PRAGMA encoding = 'UTF-16le';" BOT);
    assert_int_equal(take("USERS", NULL), 0);
    assert_answer("{\"table\":\"users\",\"rows\":2,\"columns\":[\"id\",\"name\",\"g\"],"
                  "\"indexes\":[\"by_name\"],\"left_out\":[\"trigger no_more\",\"foreign "
                  "key to guilds: its clause stays, the table is not here\"]}");
    assert_int_equal(
        storefile_read(out, "SELECT count(*) FROM users WHERE up = 'O''HARA'"), 1);
    assert_int_equal(storefile_read(out, "SELECT seq FROM sqlite_sequence"), 3);
    assert_int_equal(storefile_read(out, "SELECT count(*) FROM users INDEXED BY by_name "
                                         "WHERE name = 'ada'"),
                     1);
    assert_int_equal(storefile_read(out, "PRAGMA page_size"), 1024);
    assert_int_equal(take("loose", NULL), 0);
    assert_int_equal(storefile_read(out, "SELECT rowid FROM loose"), 77);
    assert_int_equal(take("kv", NULL), 0);
    assert_int_equal(storefile_read(out, "SELECT count(*) FROM kv WHERE v = x'00ff'"), 1);
    assert_int_equal(take("nobody", NULL), BK_ENOTFOUND);
    assert_int_equal(take("sqlite_sequence", NULL), BK_EUNSUPPORTED);
}

static void test_store_portion__the_rows_of_a_question(void **state) {
    (void)state;
    storefile_make(image, BOT);
    assert_int_equal(take(NULL, "SELECT id, id, name AS \"a\"\"b\" FROM users"), 0);
    assert_int_equal(
        storefile_read(out,
                       "SELECT count(*) FROM result WHERE id = id_2 AND \"a\"\"b\" = "
                       "'ada'"),
        1);
    assert_int_equal(take(NULL, "DELETE FROM users RETURNING id"), BK_EINVAL);
}

/* ---- copies of what other tools made ------------------------------------------------------- */

/* db and -wal as they are while a writer has them open. */
static void copy_trio(const char *sql) {
    char from[1100], to[1100];
    sqlite3 *bot = storefile_open(sandbox_path("bot.db"));
    storefile_exec(bot, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;");
    storefile_exec(bot, sql);
    storefile_copy(sandbox_path("bot.db"), image);
    snprintf(from, sizeof(from), "%s", sandbox_path("bot.db-wal"));
    snprintf(to, sizeof(to), "%s-wal", image);
    storefile_copy(from, to);
    sqlite3_close(bot);
}

static bool more; /* than whole transactions in the -wal */

static void test_store_settle__takes_the_wal_in(void **state) {
    (void)state;
    copy_trio(BOT);
    assert_int_equal(bk__sqlite_driver.settle(job, image, &more), 0);
    assert_false(storefile_exists(image, "-wal"));
    assert_false(storefile_exists(image, "-shm"));
    assert_false(more);
    assert_int_equal(bk__sqlite_driver.prove(job, image, answer), 0);
    assert_int_equal(bk__json_int(bk__json_member(answer, "tables"), "users", -1), 2);
}

static void cut(const char *ending, int part, int of) {
    char path[1100];
    struct stat info;
    snprintf(path, sizeof(path), "%s%s", image, ending);
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(truncate(path, info.st_size * part / of), 0);
}

static void test_store_settle__tells_what_a_cut_wal_lost(void **state) {
    (void)state;
    copy_trio(BOT "INSERT INTO users(name) VALUES ('late');");
    cut("-wal", 199, 200);
    assert_int_equal(bk__sqlite_driver.settle(job, image, &more), 0);
    assert_true(more);
    assert_int_equal(storefile_read(image, "SELECT count(*) FROM users"), 2);
}

/* The database as it is in the middle of a transaction, and its journal. */
static void copy_hot(const char *synchronous) {
    char journal[1100], to[1100];
    storefile_make(sandbox_path("bot.db"), BOT);
    sqlite3 *bot = storefile_open(sandbox_path("bot.db"));
    storefile_exec(bot, synchronous);
    storefile_exec(bot, "PRAGMA cache_size = 1; BEGIN; UPDATE users SET name = 'lost';"
                        "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < "
                        "5000) INSERT INTO loose SELECT hex(randomblob(50)) FROM n;");
    storefile_copy(sandbox_path("bot.db"), image);
    snprintf(journal, sizeof(journal), "%s", sandbox_path("bot.db-journal"));
    snprintf(to, sizeof(to), "%s-journal", image);
    storefile_copy(journal, to);
    storefile_exec(bot, "ROLLBACK");
    sqlite3_close(bot);
}

static void test_store_settle__rolls_a_hot_journal_back(void **state) {
    (void)state;
    copy_hot("PRAGMA synchronous = OFF");
    assert_int_equal(bk__sqlite_driver.settle(job, image, &more), 0);
    assert_int_equal(
        storefile_read(image, "SELECT count(*) FROM users WHERE name = 'ada'"), 1);
    assert_int_equal(storefile_read(image, "SELECT count(*) FROM loose"), 1);
}

/* SQLite plays back what is left of it, and the database is then of no moment at all. */
static void test_store_settle__refuses_a_cut_journal(void **state) {
    int refused = 0;
    (void)state;
    for (int part = 1; part < 20; part++) {
        copy_hot(part % 2 == 0 ? "PRAGMA synchronous = OFF"
                               : "PRAGMA synchronous = FULL");
        cut("-journal", part, 20);
        int code = bk__sqlite_driver.settle(job, image, &more);
        refused += code == BK_ECORRUPT;
        if (code ==
            0) { /* its last records were not flushed, so nothing was overwritten yet */
            assert_int_equal(storefile_read(image, "SELECT count(*) FROM loose"), 1);
            assert_int_equal(
                storefile_read(image, "SELECT count(*) FROM users WHERE name = 'ada'"),
                1);
        }
        unlink(sandbox_path("bot.db"));
    }
    assert_true(refused > 5);
}

/* SQLite would delete the file that such a journal names. */
static void test_store_settle__follows_no_journal_to_another_file(void **state) {
    char to[1100], attach[1200], other[1100], super[2000];
    (void)state;
    storefile_make(sandbox_path("bot.db"), BOT);
    storefile_make(sandbox_path("second.db"), BOT);
    sqlite3 *bot = storefile_open(sandbox_path("bot.db"));
    snprintf(attach, sizeof(attach), "ATTACH '%s' AS other", sandbox_path("second.db"));
    storefile_exec(bot, attach);
    storefile_exec(bot,
                   "PRAGMA main.cache_size = 1; BEGIN; UPDATE users SET name = 'lost';"
                   "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < "
                   "5000) INSERT INTO loose SELECT hex(randomblob(50)) FROM n;");
    storefile_copy(sandbox_path("bot.db"), image);
    snprintf(to, sizeof(to), "%s-journal", image);
    storefile_copy(sandbox_path("bot.db-journal"), to);
    storefile_exec(bot, "ROLLBACK");
    sqlite3_close(bot);

    /* The record at a journal's end: lock page, name, its length, its sum, the magic. */
    sandbox_write("precious", "not a journal");
    snprintf(other, sizeof(other), "%s", sandbox_path("precious"));
    size_t length = strlen(other);
    uint32_t sum = 0;
    size_t at = 0;
    const unsigned char page[4] = {0, 0, 0, 0};
    memcpy(super, page, 4);
    at = 4;
    memcpy(super + at, other, length);
    for (size_t i = 0; i < length; i++) {
        sum += (unsigned char)other[i];
    }
    at += length;
    for (int shift = 24; shift >= 0; shift -= 8) {
        super[at++] = (char)(length >> shift);
    }
    for (int shift = 24; shift >= 0; shift -= 8) {
        super[at++] = (char)(sum >> shift);
    }
    memcpy(super + at, "\xd9\xd5\x05\xf9\x20\xa1\x63\xd7", 8);
    at += 8;
    FILE *journal = fopen(to, "ab");
    assert_non_null(journal);
    assert_int_equal(fwrite(super, 1, at, journal), at);
    fclose(journal);
    assert_int_equal(bk__sqlite_driver.settle(job, image, &more), BK_ECORRUPT);
    assert_true(storefile_exists(other, ""));
}

static int load(const char *dump) {
    sandbox_write("dump.sql", dump);
    unlink(image);
    storefile_write(image, "", 0);
    return bk__sqlite_driver.load(job, sandbox_path("dump.sql"), image);
}

#define HEAD "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t(a TEXT);\n"

static void test_store_load__a_whole_dump(void **state) {
    (void)state;
    assert_int_equal(load(HEAD "INSERT INTO t VALUES('x;\n-- y\nCOMMIT;\n');\nCOMMIT;\n"),
                     0);
    assert_int_equal(storefile_read(image, "SELECT length(a) FROM t"), 16);
    assert_int_equal(load(HEAD
                          "CREATE TRIGGER g AFTER INSERT ON t BEGIN\nSELECT 1;\nEND;\n"
                          "COMMIT;"),
                     0);
    assert_int_equal(load("BEGIN TRANSACTION;\r\nCREATE TABLE t(a);\r\nCOMMIT;\r\n"), 0);
}

/* As SQLite from 3.50 on writes control characters. */
static void test_store_load__unistr_of_later_versions(void **state) {
    (void)state;
    assert_int_equal(load(HEAD
                          "INSERT INTO t VALUES(unistr('a\\u000ab\\\\c\\0041\\+01f600"
                          "\\U000000e9'));\nCOMMIT;\n"),
                     0);
    assert_int_equal(
        storefile_read(image, "SELECT a = 'a' || char(10) || 'b\\cA' || char(0x1f600) || "
                              "char(0xe9) FROM t"),
        1);
    assert_int_equal(load(HEAD "INSERT INTO t VALUES(unistr('\\u00g0'));\nCOMMIT;\n"),
                     BK_ECORRUPT);
    assert_int_equal(load(HEAD "INSERT INTO t VALUES(unistr('\\'));\nCOMMIT;\n"),
                     BK_ECORRUPT);
}

static void test_store_load__one_that_is_cut_is_told(void **state) {
    static const char *const cut[] = {HEAD,
                                      HEAD "INSERT INTO t VALUES('x",
                                      HEAD "INSERT INTO t VALUES('x');\n",
                                      HEAD "COMM",
                                      HEAD "ROLLBACK; -- due to errors\n",
                                      "",
                                      "CREATE TABLE t(a);\n"};
    (void)state;
    for (size_t i = 0; i < sizeof(cut) / sizeof(cut[0]); i++) {
        assert_int_equal(load(cut[i]), BK_ECORRUPT);
    }
    assert_int_equal(load(HEAD "INSERT INTO nowhere VALUES(1);\nCOMMIT;\n"), BK_ECORRUPT);
    assert_non_null(strstr(bk__error_text(), "line 4"));
}

static void test_store_load__reaches_no_other_code(void **state) {
    (void)state;
    assert_int_equal(load("BEGIN TRANSACTION;\nCREATE TABLE t(a);\nINSERT INTO t SELECT "
                          "fts3_tokenizer('simple');\nCOMMIT;\n"),
                     BK_ECORRUPT);
    assert_int_equal(load("BEGIN TRANSACTION;\nCREATE TABLE t(a);\nINSERT INTO t SELECT "
                          "load_extension('x');\nCOMMIT;\n"),
                     BK_ECORRUPT);
}

static void test_store_load__reaches_no_other_file(void **state) {
    char sql[1400];
    (void)state;
    snprintf(sql, sizeof(sql), "ATTACH '%s' AS o;\nBEGIN;\nCOMMIT;\n", out);
    assert_int_equal(load(sql), BK_ECORRUPT);
    assert_int_equal(load("SELECT load_extension('x');\nBEGIN;\nCOMMIT;\n"), BK_ECORRUPT);
    assert_int_equal(load("PRAGMA temp_store_directory = '/';\nBEGIN;\nCOMMIT;\n"),
                     BK_ECORRUPT);
    assert_false(storefile_exists(out, ""));
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_store_ask__values_keep_their_kind, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_ask__stops_at_its_limits, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_ask__can_only_read_this_image, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_store_portion__a_table_with_what_belongs_to_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_portion__the_rows_of_a_question, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_settle__takes_the_wal_in, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_settle__tells_what_a_cut_wal_lost,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_settle__refuses_a_cut_journal, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_settle__rolls_a_hot_journal_back,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_settle__follows_no_journal_to_another_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_load__a_whole_dump, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_load__unistr_of_later_versions, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_load__one_that_is_cut_is_told, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_load__reaches_no_other_code, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_load__reaches_no_other_file, setup,
                                        teardown),
    };
    storefile_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
