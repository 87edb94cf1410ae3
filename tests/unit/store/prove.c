/*
 * Proving an image: what is whole passes whatever its schema, what is cut, torn or no database does
 * not. tests/unit/run runs it.
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

#define ROWS                                                                             \
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX i ON t(b); WITH n(i) AS "    \
    "(VALUES(1) "                                                                        \
    "UNION ALL SELECT i + 1 FROM n WHERE i < 1000) INSERT INTO t SELECT i, hex(i * 7) "  \
    "FROM n;"

static struct bk__job *job;
static struct json_object *report;
static char image[1024];

static int setup(void **state) {
    job = storejob_new();
    report = bk__json_object();
    sandbox_setup(state);
    snprintf(image, sizeof(image), "%s", sandbox_path("image.db"));
    return 0;
}

static int teardown(void **state) {
    json_object_put(report);
    storejob_free();
    return sandbox_teardown(state);
}

static int prove(void) {
    json_object_put(report);
    report = bk__json_object();
    return bk__sqlite_driver.prove(job, image, report);
}

static int64_t rows(const char *table) {
    return bk__json_int(bk__json_member(report, "tables"), table, -1);
}

static void test_store_prove__tells_pages_and_rows(void **state) {
    (void)state;
    for (int size = 512; size <= 65536; size *= 2) {
        char sql[100];

        unlink(image);
        snprintf(sql, sizeof(sql), "PRAGMA page_size = %d; PRAGMA journal_mode = WAL",
                 size);
        storefile_make(image, sql);
        storefile_make(image, ROWS
                       "CREATE TABLE w(k TEXT PRIMARY KEY, v) WITHOUT ROWID; INSERT "
                       "INTO w VALUES('a', 1), ('b', 2); CREATE TABLE \"od\"\"d\"(x)");
        assert_int_equal(prove(), 0);
        assert_int_equal(bk__json_int(report, "page_size", 0), size);
        assert_int_equal(bk__json_int(report, "bytes", 0), storefile_size(image, ""));
        assert_int_equal(bk__json_int(report, "pages", 0) * size,
                         storefile_size(image, ""));
        assert_int_equal(rows("t"), 1000);
        assert_int_equal(rows("w"), 2);
        assert_int_equal(rows("od\"d"), 0);
    }
}

static void test_store_prove__touches_nothing(void **state) {
    uint64_t sum;
    (void)state;

    storefile_make(image, "PRAGMA journal_mode = WAL;" ROWS);
    sum = storefile_sum(image, "");
    assert_int_equal(prove(), 0);
    assert_true(storefile_sum(image, "") == sum);
    assert_false(storefile_exists(image, "-wal"));
    assert_false(storefile_exists(image, "-shm"));
}

static void test_store_prove__virtual_tables_with_and_without_their_module(void **state) {
    sqlite3 *db;
    (void)state;

    db = storefile_open(image);
    storefile_exec(
        db, "CREATE VIRTUAL TABLE words USING fts5(w); INSERT INTO words VALUES('x'), "
            "('y'); CREATE VIRTUAL TABLE lost USING fts5(w); PRAGMA writable_schema = "
            "ON; UPDATE sqlite_schema SET sql = 'CREATE VIRTUAL TABLE lost USING "
            "nobody(w)' WHERE name = 'lost'");
    sqlite3_close(db);
    assert_int_equal(prove(), 0);
    assert_int_equal(rows("words"), 2);
    assert_int_equal(rows("words_content"), 2);
    assert_int_equal(rows("lost"), -1);
    assert_int_equal(rows("lost_content"), 0);
}

static void twice(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    sqlite3_result_int64(context, 2 * sqlite3_value_int64(values[0]));
}

static int backwards(void *context, int an, const void *a, int bn, const void *b) {
    (void)context;
    return memcmp(b, a, (size_t)(an < bn ? an : bn));
}

static void test_store_prove__schemas_that_need_the_bots_functions(void **state) {
    sqlite3 *db;
    (void)state;

    db = storefile_open(image);
    sqlite3_create_function(db, "twice", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                            twice, NULL, NULL);
    sqlite3_create_collation(db, "backwards", SQLITE_UTF8, NULL, backwards);
    storefile_exec(
        db, "CREATE TABLE c(a CHECK (twice(a) > 2)); INSERT INTO c VALUES(5);"
            "CREATE TABLE g(a, b AS (twice(a)) NOT NULL, d AS (twice(a)) STORED); "
            "INSERT INTO g VALUES(1), (2); CREATE INDEX e ON g(twice(a));"
            "CREATE TABLE k(a TEXT COLLATE backwards PRIMARY KEY) WITHOUT ROWID; INSERT "
            "INTO k VALUES('a'), ('b'), ('c');"
            "CREATE TABLE o(a TEXT COLLATE backwards UNIQUE); INSERT INTO o VALUES('a')");
    sqlite3_close(db);
    if (prove() != 0) {
        fail_msg("%s", bk__error_text());
    }
    assert_int_equal(rows("c"), 1);
    assert_int_equal(rows("g"), 2);
    assert_int_equal(rows("k"), 3);
    assert_int_equal(rows("o"), 1);
}

static void test_store_prove__rows_that_break_the_rules_are_not_damage(void **state) {
    (void)state;
    storefile_make(
        image, "CREATE TABLE t(a, b); INSERT INTO t VALUES(1, NULL); PRAGMA "
               "writable_schema = ON; UPDATE sqlite_schema SET sql = 'CREATE TABLE t(a, "
               "b NOT NULL CHECK (b > 3))' WHERE name = 't'");
    assert_int_equal(prove(), 0);
    assert_int_equal(rows("t"), 1);
}

static void assert_damaged(void) {
    assert_int_equal(prove(), BK_ECORRUPT);
    assert_non_null(strstr(bk__error_text(), image));
    assert_non_null(strstr(bk__error_text(), "not touched"));
}

static void test_store_prove__cut_at_any_page_or_longer_is_damaged(void **state) {
    int64_t size;
    (void)state;

    storefile_make(image, ROWS);
    size = storefile_size(image, "");
    for (int64_t cut = 0; cut < size; cut += cut < 2000 ? 199 : 4096) {
        char copy[1100];

        snprintf(copy, sizeof(copy), "%s.whole", image);
        storefile_copy(image, copy);
        assert_int_equal(truncate(image, cut), 0);
        assert_damaged();
        assert_int_equal(rename(copy, image), 0);
    }
    assert_int_equal(prove(), 0);
    assert_int_equal(truncate(image, size + 1), 0);
    assert_damaged();
    assert_int_equal(truncate(image, size + 4096), 0);
    assert_damaged();
}

/* Each byte that SQLite's own structures stand in: the first of every page, and the header. */
static void test_store_prove__torn_pages_are_damaged(void **state) {
    int64_t size;
    int found = 0;
    int pages = 0;
    (void)state;

    storefile_make(image, ROWS);
    size = storefile_size(image, "");
    for (int64_t at = 4096; at < size; at += 4096) {
        FILE *file = fopen(image, "r+b");
        int was;

        fseek(file, at, SEEK_SET);
        was = getc(file);
        fseek(file, at, SEEK_SET);
        putc(was ^ 0x55, file);
        fclose(file);
        pages++;
        found += prove() == BK_ECORRUPT;
        file = fopen(image, "r+b");
        fseek(file, at, SEEK_SET);
        putc(was, file);
        fclose(file);
    }
    assert_true(pages > 5);
    assert_int_equal(found, pages);
    assert_int_equal(prove(), 0);
}

static void test_store_prove__no_database_is_damaged(void **state) {
    char zeros[8192] = {0};
    (void)state;

    storefile_write(image, "", 0);
    assert_damaged();
    storefile_write(image, "hello", 5);
    assert_damaged();
    storefile_write(image, zeros, sizeof(zeros));
    assert_damaged();
    unlink(image);
    assert_int_equal(prove(), BK_ENOTFOUND);
}

static void test_store_prove__cancel_ends_it(void **state) {
    int cancelled = 0;
    (void)state;

    storefile_make(
        image, "CREATE TABLE t(a); WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM "
               "n WHERE i < 3000) INSERT INTO t SELECT randomblob(3000) FROM n");
    for (int at = 0; at < 8; at++) {
        int code;

        storejob_free();
        job = storejob_new();
        storejob_cancel_at(at);
        code = prove();
        assert_true(code == 0 || code == BK_ECANCELLED);
        cancelled += code == BK_ECANCELLED;
    }
    assert_int_equal(cancelled, 8);
}

/* Every read of a file by SQLite, counted. */
static ssize_t (*system_read)(int, void *, size_t, off_t);
static int reads;

static ssize_t counted_read(int fd, void *into, size_t size, off_t at) {
    reads++;
    return system_read(fd, into, size, at);
}

/* quick_check walks through a table from its end to its beginning, and through its rows from the
   beginning to the end: both in large pieces. */
static void test_store_prove__reads_in_large_pieces_either_way(void **state) {
    sqlite3_vfs *vfs = NULL;
    const char *call = "pread64";
    (void)state;

    storefile_make(
        image, "CREATE TABLE t(a); WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM "
               "n WHERE i < 3000) INSERT INTO t SELECT randomblob(3000) FROM n");
    vfs = sqlite3_vfs_find("unix");
    system_read = (ssize_t(*)(int, void *, size_t, off_t))vfs->xGetSystemCall(vfs, call);
    assert_non_null(system_read);
    reads = 0;
    vfs->xSetSystemCall(vfs, call, (sqlite3_syscall_ptr)counted_read);
    assert_int_equal(prove(), 0);
    vfs->xSetSystemCall(vfs, call, NULL);
    assert_in_range(bk__json_int(report, "pages", 0), 3000, 3100);
    assert_in_range(reads, 1, 300);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_prove__tells_pages_and_rows),
        TEST(test_store_prove__touches_nothing),
        TEST(test_store_prove__virtual_tables_with_and_without_their_module),
        TEST(test_store_prove__schemas_that_need_the_bots_functions),
        TEST(test_store_prove__rows_that_break_the_rules_are_not_damage),
        TEST(test_store_prove__cut_at_any_page_or_longer_is_damaged),
        TEST(test_store_prove__torn_pages_are_damaged),
        TEST(test_store_prove__no_database_is_damaged),
        TEST(test_store_prove__cancel_ends_it),
        TEST(test_store_prove__reads_in_large_pieces_either_way),
    };

    storefile_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
