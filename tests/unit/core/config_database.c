/*
 * The option database: paths and URLs of SQLAlchemy, Prisma, dbmate and SQLite, and what is no
 * file of SQLite.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <core/config_inside.h>
#include <core/error.h>

static void test_core_config_database__forms(void **state) {
    (void)state;
    static const char *const forms[][2] = {
        {"bot.db", "bot.db"},
        {"/srv/a b/bot.db", "/srv/a b/bot.db"},
        {"./data/bot.db", "./data/bot.db"},
        {"a:b.db", "a:b.db"},
        {"sqlite:///rel/bot.db", "rel/bot.db"},
        {"sqlite:////abs/bot.db", "/abs/bot.db"},
        {"sqlite+aiosqlite:///rel.db", "rel.db"},
        {"sqlite+aiosqlite:////abs.db?timeout=5", "/abs.db"},
        {"SQLite:///rel.db", "rel.db"},
        {"sqlite3:rel.db", "rel.db"},
        {"sqlite:rel.db", "rel.db"},
        {"file:rel.db", "rel.db"},
        {"file:./rel.db?mode=rw#x", "./rel.db"},
        {"file:/abs.db", "/abs.db"},
        {"file:///abs.db", "/abs.db"},
        {"file://localhost/abs.db", "/abs.db"},
        {"file:a%20b.db", "a b.db"},
        {"sqlite:///a%20b.db", "a%20b.db"},
        {"sqlite:///file:rel.db?uri=true", "rel.db"},
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        char *path = NULL;
        assert_int_equal(bk__config_database_path(forms[i][0], &path), 0);
        assert_string_equal(path, forms[i][1]);
        free(path);
    }
}

static void assert_refused(const char *value, int code) {
    char *path = NULL;
    assert_int_equal(bk__config_database_path(value, &path), code);
    assert_null(path);
    assert_non_null(strstr(bk__error_text(), "database"));
}

static void test_core_config_database__memory_can_not_be_reached(void **state) {
    (void)state;
    assert_refused(":memory:", BK_EUNSUPPORTED);
    assert_refused("sqlite://", BK_EUNSUPPORTED);
    assert_refused("sqlite:///:memory:", BK_EUNSUPPORTED);
    assert_refused("file:x?mode=memory&cache=shared", BK_EUNSUPPORTED);
}

static void test_core_config_database__other_stores_are_named(void **state) {
    (void)state;
    assert_refused("mysql://u:p@h", BK_EUNSUPPORTED);
    assert_null(strstr(bk__error_text(), ":p@"));
    assert_refused("mongodb+srv://h", BK_EUNSUPPORTED);
    assert_refused("redisx://h", BK_EUNSUPPORTED);
}

static void test_core_config_database__servers_in_other_forms(void **state) {
    (void)state;
    static const char *const forms[] = {
        "host=h port=5432 user=u password='sec ret' dbname=db",
        " dbname = db password=secret",
        "user=u password=secret",
        "jdbc:postgresql://u:secret@h/db",
        "\"postgresql://u:secret@h/db\"",
        "'postgres://u:secret@h/db'",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        assert_refused(forms[i], BK_EINVAL);
        assert_null(strstr(bk__error_text(), "sec"));
        assert_non_null(strstr(bk__error_text(), "postgresql://user:password@host"));
    }
    char *path = NULL;
    assert_int_equal(bk__config_database_path("hosts=1.db", &path), 0);
    free(path);
}

/* The driver reads them: nothing of them may be lost on the way, the password least of all. */
static void test_core_config_database__servers_are_kept_as_they_are(void **state) {
    (void)state;
    static const char *const urls[] = {
        "postgres://u:p@h/db",
        "postgresql://u:p%40%2F@[::1]:5433/db",
        "postgresql+asyncpg://h/db",
        "postgresql+psycopg2://u@/db?host=/run/pg",
        "PostgreSQL://h1,h2:5433/a%20b",
        "redis://:p%40@h:6380/0",
        "rediss://u:p@h",
        "redis+unix:///run/r.sock",
        "unix:///run/redis.sock",
        "valkey://h",
    };
    for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
        char *value = NULL;
        assert_int_equal(bk__config_database_path(urls[i], &value), 0);
        assert_string_equal(value, urls[i]);
        assert_true(bk__config_is_server(value));
        free(value);
    }
    char *value = NULL;
    assert_int_equal(bk__config_database_path("postgres://h/db \r\n", &value), 0);
    assert_string_equal(value, "postgres://h/db");
    free(value);
    assert_false(bk__config_is_server("postgres.db"));
    assert_false(bk__config_is_server("postgres"));
    assert_false(bk__config_is_server("/a/postgres://b"));
}

static void test_core_config_database__urls_without_a_file(void **state) {
    (void)state;
    assert_refused("sqlite:///", BK_EINVAL);
    assert_refused("sqlite://rel.db", BK_EINVAL);
    assert_refused("file:", BK_EINVAL);
    assert_refused("file://host/abs.db", BK_EINVAL);
    assert_refused("file:%ff.db", BK_EINVAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_config_database__forms),
        cmocka_unit_test(test_core_config_database__servers_in_other_forms),
        cmocka_unit_test(test_core_config_database__memory_can_not_be_reached),
        cmocka_unit_test(test_core_config_database__other_stores_are_named),
        cmocka_unit_test(test_core_config_database__servers_are_kept_as_they_are),
        cmocka_unit_test(test_core_config_database__urls_without_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
