/*
 * PostgreSQL URLs as people, SQLAlchemy, asyncpg and Prisma write them, into libpq's keywords; what
 * is none is refused without its password. Not connecting: tests/postgres. tests/unit/run runs it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <base/buf.h>
#include <core/error.h>
#include <store/postgres/target.h>

/* "host=h port=5 ..." in the order of the URL. */
static void assert_read(const char *url, const char *wanted) {
    struct bk__pg_target target = {.count = 0};
    struct bk__buf found = {0};
    assert_int_equal(bk__pg_target_read(url, &target), 0);
    for (int i = 0; i < target.count; i++) {
        bk__buf_printf(&found, "%s%s=%s", i > 0 ? " " : "", target.keywords[i],
                       target.values[i]);
    }
    assert_string_equal(found.data == NULL ? "" : found.data, wanted);
    assert_null(strstr(target.shown, "s3cret"));
    bk__buf_free(&found);
    bk__pg_target_free(&target);
}

static void assert_refused(const char *url, int code) {
    struct bk__pg_target target = {.count = 0};
    assert_int_equal(bk__pg_target_read(url, &target), code);
    assert_null(strstr(bk__error_text(), "s3cret"));
    assert_int_equal(target.count, 0);
}

static void test_store_postgres_target__hosts(void **state) {
    (void)state;
    assert_read("postgres://h/db", "host=h dbname=db");
    assert_read("postgresql://h:5433", "host=h port=5433");
    assert_read("postgresql://[::1]:5433/db", "host=::1 port=5433 dbname=db");
    assert_read("postgresql://[fe80::1]/db", "host=fe80::1 dbname=db");
    assert_read("postgresql:///db", "dbname=db");
    assert_read("postgresql://", "");
    assert_read("postgresql://a:1,b,[::1]:3/db", "host=a,b,::1 port=1,,3 dbname=db");
    assert_read("postgresql://%2Frun%2Fpg:5433/db", "host=/run/pg port=5433 dbname=db");
    assert_read("postgresql://h/a%20b%2Fc", "host=h dbname=a b/c");
}

static void test_store_postgres_target__users_and_passwords(void **state) {
    (void)state;
    assert_read("postgresql://u@h/db", "user=u host=h dbname=db");
    assert_read("postgresql://u:s3cret@h/db", "user=u password=s3cret host=h dbname=db");
    assert_read("postgresql://u:s3cret%40%2F%3a%25@h/db",
                "user=u password=s3cret@/:% host=h dbname=db");
    assert_read("postgresql://u:s3cret@x:y@h/db",
                "user=u password=s3cret@x:y host=h dbname=db");
    assert_read("postgresql://:s3cret@/db", "password=s3cret dbname=db");
    assert_read("postgresql://%C3%BC:s3cret@h/db",
                "user=\xC3\xBC password=s3cret host=h dbname=db");
}

static void test_store_postgres_target__queries(void **state) {
    (void)state;
    assert_read("postgresql+psycopg2://u:s3cret@/db?host=/run/pg&port=5433",
                "user=u password=s3cret dbname=db host=/run/pg port=5433");
    assert_read("postgresql+psycopg2:///db?host=a:1&host=b:2",
                "dbname=db port=1,2 host=a,b");
    assert_read("postgresql+asyncpg://h/db?ssl=require",
                "host=h dbname=db sslmode=require");
    assert_read("postgresql+asyncpg://h/db?ssl=true", "host=h dbname=db sslmode=require");
    assert_read(
        "postgresql://h/db?schema=public&connection_limit=5&pgbouncer=true&"
        "sslmode=verify-full&sslrootcert=%2Fa%20b&connect_timeout=3#x",
        "host=h dbname=db sslmode=verify-full sslrootcert=/a b connect_timeout=3");
    assert_read("postgresql://h/db?user=v&password=s3cret&dbname=other",
                "host=h dbname=other user=v password=s3cret");
    assert_read("postgresql://h/db?host=a,b&port=1,2", "host=a,b dbname=db port=1,2");
    assert_read("postgresql://u:s3cret@localhost/db?host=%2Frun%2Fpg",
                "user=u password=s3cret host=/run/pg dbname=db");
    assert_read("postgresql://h/db?", "host=h dbname=db");
}

static void test_store_postgres_target__what_nobody_can_read(void **state) {
    (void)state;
    assert_refused("postgresql://u:s3cret%zz@h/db", BK_EINVAL);
    assert_refused("postgresql://u:s3cret%4", BK_EINVAL);
    assert_refused("postgresql://u:s3cret%00x@h/db", BK_EINVAL);
    assert_refused("postgresql://u:s3cret/x@h/db",
                   BK_EINVAL); /* a raw / in the password */
    assert_refused("postgresql://u:s3cret#x@h/db", BK_EINVAL);
    assert_refused("postgresql://[::1/db", BK_EINVAL);
    assert_refused("postgresql://h:port/db", BK_EINVAL);
    assert_refused("postgresql://h/db?sslpassword=s3cret", BK_EUNSUPPORTED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_postgres_target__hosts),
        cmocka_unit_test(test_store_postgres_target__users_and_passwords),
        cmocka_unit_test(test_store_postgres_target__queries),
        cmocka_unit_test(test_store_postgres_target__what_nobody_can_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
