/*
 * Which pg_dump is taken of many: the oldest that is not older than the server, wherever it stands.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include <base/text.h>
#include <core/error.h>
#include <os/file.h>
#include <store/postgres/internal.h>

#include "sandbox.h"
#include "storejob.h"

static struct bk__job *job;
static struct bk__pg_tools tools;

static int setup(void **state) {
    job = storejob_new();
    return sandbox_setup(state);
}

static int teardown(void **state) {
    bk__pg_tools_free(&tools);
    storejob_free();
    return sandbox_teardown(state);
}

static void make(const char *folder, const char *name, const char *says) {
    char *script = bk__text_printf("#!/bin/sh\necho \"%s\"\n", says);
    char *path = bk__text_printf("%s/%s", sandbox_path("%s", folder), name);
    assert_int_equal(bk__file_make_dir(sandbox_path("%s", folder)), 0);
    assert_int_equal(bk__file_save(path, script, strlen(script)), 0);
    assert_int_equal(chmod(path, 0755), 0);
    free(script);
    free(path);
}

static void make_pair(const char *version) {
    char says[128];
    snprintf(says, sizeof says, "pg_dump (PostgreSQL) %s (Debian)", version);
    make(version, "pg_dump", says);
    make(version, "pg_restore", says);
}

static void search(int series) {
    bk__pg_tools_free(&tools);
    assert_int_equal(bk__pg_tools_find(job, series, &tools), 0);
}

static void test_store_postgres_tools__series(void **state) {
    (void)state;
    assert_int_equal(bk__pg_series("15.20 (Debian 15.20-0+deb12u1)"), 1500);
    assert_int_equal(bk__pg_series("9.6.24"), 906);
    assert_int_equal(bk__pg_series("18beta1"), 1800);
    assert_int_equal(bk__pg_series(""), 0);
    assert_int_equal(bk__pg_series("devel"), 0);
}

static void test_store_postgres_tools__the_oldest_that_fits(void **state) {
    (void)state;
    make_pair("97.1");
    make_pair("98.3");
    make_pair("96.9");
    char *path = bk__text_printf("relative:%s:%s:%s", sandbox_path("98.3"),
                                 sandbox_path("96.9"), sandbox_path("97.1"));
    setenv("PATH", path, 1);
    free(path);
    search(9700);
    assert_string_equal(tools.version, "97.1");
    assert_string_equal(tools.dump, sandbox_path("97.1/pg_dump"));
    search(9800);
    assert_string_equal(tools.version, "98.3");
    search(9900);
    assert_null(tools.dump);
    assert_int_equal(bk__pg_tools_missing(&tools, "No"), BK_EUNSUPPORTED);
    assert_non_null(strstr(bk__error_text(), "postgresql-client-99"));
    assert_non_null(strstr(bk__error_text(), "98.3"));
}

static void test_store_postgres_tools__what_is_no_pair_is_passed_over(void **state) {
    (void)state;
    make("half", "pg_dump", "pg_dump (PostgreSQL) 97.1");
    make("other", "pg_dump", "something else");
    make("other", "pg_restore", "something else");
    char *path = bk__text_printf("%s:%s:/nonexistent", sandbox_path("half"),
                                 sandbox_path("other"));
    setenv("PATH", path, 1);
    free(path);
    search(9000);
    assert_null(tools.dump);
    assert_null(strstr(tools.found, "half"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_postgres_tools__series),
        TEST(test_store_postgres_tools__the_oldest_that_fits),
        TEST(test_store_postgres_tools__what_is_no_pair_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
