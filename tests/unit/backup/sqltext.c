/*
 * Dumps of SQL by their text: what a finished one ends with, in pieces of any size. Not whether they
 * run. tests/unit/run runs it.
 */
#include <backup/foreign/sqltext.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#define HEAD "--\n-- PostgreSQL database dump\n--\n\n\\restrict abc\n\n"
#define ROWS "COPY public.t (a, b) FROM stdin;\n1\tx\n2\t-- y\n\\.\n\n"
#define DONE "--\n-- PostgreSQL database dump complete\n--\n\n"
#define END DONE "\\unrestrict abc\n"

static char why[128];

static bool whole(const char *text, size_t piece) {
    struct bk__sqltext sql = {0};
    size_t size = strlen(text);
    for (size_t at = 0; at < size; at += piece) {
        bk__sqltext_add(&sql, text + at, size - at < piece ? size - at : piece);
    }
    return bk__sqltext_end(&sql, why, sizeof why);
}

static void assert_whole(const char *text) {
    for (size_t piece = 1; piece < 40; piece += 3) {
        if (!whole(text, piece)) {
            fail_msg("in pieces of %zu: %s", piece, why);
        }
    }
}

static void assert_torn(const char *text, const char *because) {
    for (size_t piece = 1; piece < 40; piece += 3) {
        assert_false(whole(text, piece));
        if (strstr(why, because) == NULL) {
            fail_msg("%s", why);
        }
    }
}

static void test_backup_sqltext__postgres_ends_with_its_word(void **state) {
    char wide[4096] = HEAD "COPY public.t (";
    (void)state;
    assert_whole(HEAD ROWS END);
    assert_whole("--\n-- PostgreSQL database dump\n--\n" ROWS DONE);
    assert_torn(HEAD ROWS DONE, "unrestrict");
    assert_torn(HEAD ROWS DONE "\\unrestrict ab", "unrestrict");
    assert_whole("--\n-- PostgreSQL database cluster dump\n--\n"
                 "-- PostgreSQL database cluster dump complete\n");
    assert_torn(HEAD ROWS, "dump complete");
    assert_torn(HEAD "COPY public.t (a) FROM stdin;\n1\n2", "inside the rows");
    assert_torn(HEAD "COPY public.t (a) FROM stdin;\n" END, "inside the rows");
    assert_torn(HEAD END ROWS "SELECT 1;\n", "dump complete");
    for (int i = 0; i < 300; i++) {
        strcat(wide, "column, ");
    }
    strcat(wide, "z) FROM stdin;\n1\n");
    assert_torn(wide, "inside the rows");
    strcat(wide, "\\.\n" END);
    assert_whole(wide);
}

static void test_backup_sqltext__sqlite_ends_with_commit(void **state) {
    (void)state;
    assert_whole("PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCOMMIT;\n");
    assert_whole("BEGIN TRANSACTION;\r\nCREATE TABLE t(a);\r\nCOMMIT;\r\n");
    assert_torn("BEGIN TRANSACTION;\nCREATE TABLE t(a);\n", "without COMMIT");
    assert_torn("BEGIN TRANSACTION;\nCOMMIT;\nINSERT INTO t", "without COMMIT");
}

static void test_backup_sqltext__other_texts_are_no_dumps(void **state) {
    struct bk__sqltext sql = {0};
    (void)state;
    assert_torn("SELECT 1;\n", "does not begin like a dump");
    assert_torn("", "does not begin like a dump");
    assert_torn("-- MySQL dump 10.13\nCOMMIT;\n", "does not begin like a dump");
    bk__sqltext_add(&sql, HEAD "\0" END, sizeof(HEAD "\0" END) - 1);
    assert_false(bk__sqltext_end(&sql, why, sizeof why));
    assert_non_null(strstr(why, "NUL"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_sqltext__postgres_ends_with_its_word),
        cmocka_unit_test(test_backup_sqltext__sqlite_ends_with_commit),
        cmocka_unit_test(test_backup_sqltext__other_texts_are_no_dumps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
