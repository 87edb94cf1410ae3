/*
 * The folder of migrations: names, numeric order, and what is refused by name. tests/unit/run
 * runs it.
 */
#include <migrate/migrate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <core/error.h>

#include "sandbox.h"

static struct bk__migrations files;

static int leave(void **state) {
    bk__files_free(&files);
    return sandbox_teardown(state);
}

static int scan(void) {
    bk__files_free(&files);
    return bk__files_scan(sandbox_path("%s", ""), &files);
}

static void assert_refused(int code, const char *word) {
    assert_int_equal(scan(), code);
    assert_non_null(strstr(bk__error_text(), word));
}

static void assert_name(const char *file, int64_t version, const char *name) {
    int64_t found = -1;
    char *text = NULL;
    assert_null(bk__files_name(file, &found, &text));
    assert_int_equal(found, version);
    assert_string_equal(text, name);
    free(text);
}

static void assert_no_name(const char *file) {
    int64_t found = -1;
    char *text = NULL;
    assert_non_null(bk__files_name(file, &found, &text));
    assert_null(text);
}

static void test_migrate_files__reads_names(void **state) {
    (void)state;
    assert_name("0001_create_users.sql", 1, "create_users");
    assert_name("7_x.sql", 7, "x");
    assert_name("20251204103000_add_orders.sql", 20251204103000, "add_orders");
    assert_name("0000_init.sql", 0, "init");
    assert_name("0002_caf\xc3\xa9 au-lait.sql", 2, "caf\xc3\xa9 au-lait");
}

static void test_migrate_files__refuses_names(void **state) {
    (void)state;
    assert_no_name("create_users.sql");
    assert_no_name("0001.sql");
    assert_no_name("0001_.sql");
    assert_no_name("0001-x.sql");
    assert_no_name("V1__x.sql");
    assert_no_name("0001_x.up.sql");
    assert_no_name("0001_x.SQL");
    assert_no_name("0001_x.txt");
    assert_no_name("99999999999999999999_x.sql");
    assert_no_name("9007199254740992_x.sql");
    assert_no_name("-1_x.sql");
    assert_no_name("0001_a\nb.sql");
    assert_no_name("0001_\xff.sql");
    assert_no_name("");
}

static void test_migrate_files__sorts_by_number(void **state) {
    (void)state;
    sandbox_write("10_ten.sql", "");
    sandbox_write("2_two.sql", "");
    sandbox_write("1_one.sql", "");
    sandbox_write("20250101000000_late.sql", "");
    assert_int_equal(scan(), 0);
    assert_int_equal(files.count, 4);
    assert_int_equal(files.items[0].version, 1);
    assert_int_equal(files.items[1].version, 2);
    assert_int_equal(files.items[2].version, 10);
    assert_int_equal(files.items[3].version, 20250101000000);
    assert_string_equal(files.items[2].file, "10_ten.sql");
}

static void test_migrate_files__passes_over_what_is_not_sql(void **state) {
    (void)state;
    sandbox_write("README.md", "text");
    sandbox_write("0001_x.sql~", "old");
    sandbox_write("._0001_x.sql", "system");
    sandbox_write("sub/0009_x.txt", "folder");
    sandbox_write("0001_x.sql", "SELECT 1;");
    assert_int_equal(scan(), 0);
    assert_int_equal(files.count, 1);
    assert_string_equal(files.items[0].up, "SELECT 1;");
}

static void test_migrate_files__empty_folder_is_fine(void **state) {
    (void)state;
    assert_int_equal(scan(), 0);
    assert_int_equal(files.count, 0);
}

static void test_migrate_files__missing_folder_is_named(void **state) {
    (void)state;
    assert_int_equal(bk__files_scan(sandbox_path("none"), &files), BK_ENOTFOUND);
    assert_non_null(strstr(bk__error_text(), "/none"));
    assert_non_null(strstr(bk__error_text(), "migrate.dir"));
}

static void test_migrate_files__bad_name_is_named(void **state) {
    (void)state;
    sandbox_write("0001_x.sql", "");
    sandbox_write("users.sql", "");
    assert_refused(BK_EMIGRATION, "users.sql");
}

static void test_migrate_files__folder_in_place_of_a_file(void **state) {
    (void)state;
    assert_int_equal(mkdir(sandbox_path("0001_x.sql"), 0700), 0);
    assert_refused(BK_EMIGRATION, "0001_x.sql");
}

static void test_migrate_files__pipe_in_place_of_a_file(void **state) {
    (void)state;
    assert_int_equal(mkfifo(sandbox_path("0001_x.sql"), 0600), 0);
    assert_refused(BK_EMIGRATION, "0001_x.sql");
}

static void test_migrate_files__dead_link_is_named(void **state) {
    (void)state;
    assert_int_equal(symlink("nowhere", sandbox_path("0001_x.sql")), 0);
    assert_int_not_equal(scan(), 0);
    assert_non_null(strstr(bk__error_text(), "0001_x.sql"));
}

static void test_migrate_files__follows_links(void **state) {
    (void)state;
    sandbox_write("data/real", "SELECT 1;");
    assert_int_equal(symlink("data/real", sandbox_path("0001_x.sql")), 0);
    assert_int_equal(scan(), 0);
    assert_string_equal(files.items[0].up, "SELECT 1;");
}

static void test_migrate_files__too_large_is_refused(void **state) {
    (void)state;
    sandbox_write("0001_x.sql", "");
    assert_int_equal(truncate(sandbox_path("0001_x.sql"), (off_t)BK__MIGRATION_LIMIT + 1),
                     0);
    assert_refused(BK_EMIGRATION, "16 MiB");
}

static void test_migrate_files__nul_is_refused(void **state) {
    (void)state;
    sandbox_write("0001_x.sql", "");
    assert_int_equal(truncate(sandbox_path("0001_x.sql"), 3), 0);
    assert_refused(BK_EMIGRATION, "NUL");
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_migrate_files__##name, sandbox_setup, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(reads_names),
        TEST(refuses_names),
        TEST(sorts_by_number),
        TEST(passes_over_what_is_not_sql),
        TEST(empty_folder_is_fine),
        TEST(missing_folder_is_named),
        TEST(bad_name_is_named),
        TEST(folder_in_place_of_a_file),
        TEST(pipe_in_place_of_a_file),
        TEST(dead_link_is_named),
        TEST(follows_links),
        TEST(too_large_is_refused),
        TEST(nul_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
