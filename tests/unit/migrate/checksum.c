/*
 * The checksum of a migration ignores what editors and git change by themselves, and nothing
 * else. tests/unit/run runs it.
 */
#include <migrate/migrate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static bool same(const char *a, const char *b) {
    char left[BK__SHA256_HEX];
    char right[BK__SHA256_HEX];
    assert_true(bk__checksum_text(a, strlen(a), left));
    assert_true(bk__checksum_text(b, strlen(b), right));
    assert_int_equal(strlen(left), 64);
    return strcmp(left, right) == 0;
}

static void test_migrate_checksum__is_sha256_of_the_text(void **state) {
    char hex[BK__SHA256_HEX];
    (void)state;
    assert_true(bk__checksum_text("abc\n", 4, hex));
    assert_string_equal(
        hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

static void test_migrate_checksum__ignores_line_ends(void **state) {
    (void)state;
    assert_true(same("SELECT 1;\r\nSELECT 2;\r\n", "SELECT 1;\nSELECT 2;\n"));
}

static void test_migrate_checksum__ignores_the_byte_order_mark(void **state) {
    (void)state;
    assert_true(same("\xef\xbb\xbfSELECT 1;", "SELECT 1;"));
}

static void test_migrate_checksum__ignores_blanks_at_line_ends(void **state) {
    (void)state;
    assert_true(same("SELECT 1; \t\nSELECT 2;", "SELECT 1;\nSELECT 2;"));
}

static void test_migrate_checksum__ignores_empty_lines_at_the_end(void **state) {
    (void)state;
    assert_true(same("SELECT 1;\n\n  \n", "SELECT 1;"));
    assert_true(same("", " \n\t\r\n"));
}

static void test_migrate_checksum__notices_everything_else(void **state) {
    (void)state;
    assert_false(same("SELECT 1;", "SELECT 2;"));
    assert_false(same("SELECT 1;", "SELECT  1;"));
    assert_false(same("SELECT 1;", " SELECT 1;"));
    assert_false(same("SELECT 1;\nSELECT 2;", "SELECT 1;\n\nSELECT 2;"));
    assert_false(same("SELECT 1;\nSELECT 2;", "SELECT 1;SELECT 2;"));
    assert_false(same("SELECT 'a\rb';", "SELECT 'ab';"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_migrate_checksum__is_sha256_of_the_text),
        cmocka_unit_test(test_migrate_checksum__ignores_line_ends),
        cmocka_unit_test(test_migrate_checksum__ignores_the_byte_order_mark),
        cmocka_unit_test(test_migrate_checksum__ignores_blanks_at_line_ends),
        cmocka_unit_test(test_migrate_checksum__ignores_empty_lines_at_the_end),
        cmocka_unit_test(test_migrate_checksum__notices_everything_else),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
