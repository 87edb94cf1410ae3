/*
 * Up and down parts of a migration file, and the markers that are refused because they would run
 * the wrong part. tests/unit/run runs it.
 */
#include <migrate/migrate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <core/error.h>

static struct bk__migration m;

static int clear(void **state) {
    (void)state;
    free(m.up);
    free(m.down);
    m = (struct bk__migration){0};
    return 0;
}

static int parse(const char *text) {
    static char file[] = "0001_x.sql";
    m.file = file;
    return bk__section_parse(&m, text, strlen(text));
}

static void assert_refused(const char *text, const char *word) {
    assert_int_equal(parse(text), BK_EMIGRATION);
    assert_non_null(strstr(bk__error_text(), "0001_x.sql"));
    assert_non_null(strstr(bk__error_text(), word));
    assert_non_null(strstr(bk__error_text(), "botkeep migrate"));
}

static void test_migrate_section__plain_file_is_up_alone(void **state) {
    (void)state;
    assert_int_equal(parse("-- users\nCREATE TABLE u(a);\n"), 0);
    assert_string_equal(m.up, "-- users\nCREATE TABLE u(a);\n");
    assert_null(m.down);
    assert_int_equal(m.up_line, 1);
    assert_true(m.transaction);
}

static void test_migrate_section__cuts_up_and_down(void **state) {
    (void)state;
    assert_int_equal(parse("-- why\n\n-- migrate:up\nA;\nB;\n-- migrate:down\nC;\n"), 0);
    assert_string_equal(m.up, "A;\nB;\n");
    assert_string_equal(m.down, "-- migrate:down\nC;\n");
    assert_int_equal(m.up_line, 4);
    assert_true(m.transaction);
}

static void test_migrate_section__reads_transaction_false(void **state) {
    (void)state;
    assert_int_equal(parse("-- migrate:up transaction:false\nVACUUM;"), 0);
    assert_false(m.transaction);
    assert_string_equal(m.up, "VACUUM;");
}

static void test_migrate_section__forgives_blanks_case_and_crlf(void **state) {
    (void)state;
    assert_int_equal(parse("\xef\xbb\xbf--MIGRATE:UP\r\nA;\r\n  --  migrate:Down "
                           "transaction:false \r\nB;"),
                     0);
    assert_string_equal(m.up, "A;\r\n");
    assert_string_equal(m.down, "  --  migrate:Down transaction:false \r\nB;");
}

static void test_migrate_section__takes_comments_above_up(void **state) {
    (void)state;
    assert_int_equal(parse("/* licence;\n */\n-- x\n\n-- migrate:up\nA;"), 0);
    assert_string_equal(m.up, "A;");
}

static void test_migrate_section__empty_up_is_allowed(void **state) {
    (void)state;
    assert_int_equal(parse("-- migrate:up"), 0);
    assert_string_equal(m.up, "");
    clear(NULL);
    assert_int_equal(parse(""), 0);
    assert_string_equal(m.up, "");
}

static void test_migrate_section__refuses_markers_that_mislead(void **state) {
    (void)state;
    assert_refused("-- migrate:up\nA;\n-- migrate:up\nB;", "line 3");
    assert_refused("-- migrate:up\n-- migrate:down\n-- migrate:down\n", "line 3");
    assert_refused("-- migrate:down\nB;\n-- migrate:up\nA;", "below");
    assert_refused("A;\n-- migrate:down\nB;", "no migrate:up");
    assert_refused("A;\n-- migrate:up\nB;", "above");
    assert_refused("/* open\n-- migrate:up\nB;", "above");
    assert_refused("-- migrate:upp\nA;", "neither");
    assert_refused("-- migrate: up\nA;", "neither");
    assert_refused("-- migrate:up transaction:maybe\nA;", "transaction:false");
}

static void test_migrate_section__refuses_other_tools_markers(void **state) {
    (void)state;
    assert_refused("-- +goose Up\nA;\n-- +goose Down\nB;", "another tool");
    assert_refused("--+migrate Up\nA;\n", "another tool");
}

static void test_migrate_section__refuses_what_is_no_text(void **state) {
    (void)state;
    static char file[] = "0001_x.sql";
    m.file = file;
    assert_int_equal(bk__section_parse(&m, "A;\0B;", 5), BK_EMIGRATION);
    assert_non_null(strstr(bk__error_text(), "NUL"));
    assert_non_null(strstr(bk__error_text(), "offset 2"));
    assert_refused("SELECT '\xff';", "UTF-8");
}

#define TEST(name) cmocka_unit_test_teardown(test_migrate_section__##name, clear)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(plain_file_is_up_alone),       TEST(cuts_up_and_down),
        TEST(reads_transaction_false),      TEST(forgives_blanks_case_and_crlf),
        TEST(takes_comments_above_up),      TEST(empty_up_is_allowed),
        TEST(refuses_markers_that_mislead), TEST(refuses_other_tools_markers),
        TEST(refuses_what_is_no_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
