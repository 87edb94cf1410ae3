/*
 * A database server out of variables: which names count, what they become as one URL, and that
 * an option or DATABASE_URL wins.
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

static const char *const variables[] = {"POSTGRES_HOST",
                                        "POSTGRES_PORT",
                                        "POSTGRES_DB_NAME",
                                        "POSTGRES_DB",
                                        "POSTGRES_USER",
                                        "PGHOST",
                                        "PGPORT",
                                        "PGDATABASE",
                                        "PGUSER",
                                        "PGPASSWORD",
                                        "DATABASE_URL",
                                        "DATABASE_PATH",
                                        "POSTGRES_PASSWORD",
                                        "REDIS_URL",
                                        "REDIS_HOST",
                                        "REDIS_PORT",
                                        "REDIS_PASSWORD",
                                        "REDIS_USERNAME",
                                        "REDIS_USER"};

static int forget(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        unsetenv(variables[i]);
    }
    return 0;
}

/* The URL that the .env text alone makes, with where it came from. */
static void assert_url(const char *dotenv, const char *url, const char *from) {
    char *made = NULL;
    char *source = NULL;
    assert_int_equal(bk__config_server_url(dotenv, &made, &source), 0);
    if (url == NULL) {
        assert_null(made);
    } else {
        assert_non_null(made);
        assert_string_equal(made, url);
        assert_string_equal(source, from);
    }
    free(made);
    free(source);
}

static void test_core_config_server__the_names_of_a_family(void **state) {
    (void)state;
    assert_url("POSTGRES_HOST=db\n", "postgresql://postgres@db/", ".env POSTGRES_HOST");
    assert_url("POSTGRES_DB_NAME=area51_bot\n",
               "postgresql://postgres@localhost/area51_bot", ".env POSTGRES_DB_NAME");
    assert_url("POSTGRES_HOST=db\nPOSTGRES_PORT=5433\nPOSTGRES_DB=bot\nPOSTGRES_USER=me\n"
               "POSTGRES_PASSWORD='p@s/s:%'\n",
               "postgresql://me:p%40s%2Fs%3A%25@db:5433/bot", ".env POSTGRES_HOST");
    assert_url("PGDATABASE=bot\n", "postgresql:///bot", ".env PGDATABASE");
    assert_url("PGHOST=/run/pg\nPGPORT=5433\nPGDATABASE=bot\nPGPASSWORD=x\n",
               "postgresql://:x@/bot?host=%2Frun%2Fpg&port=5433", ".env PGHOST");
    assert_url("PGHOST=::1\n", "postgresql://[::1]/", ".env PGHOST");
    assert_url("PGHOST=a,b\nPGPORT=1,2\n", "postgresql:///?host=a%2Cb&port=1%2C2",
               ".env PGHOST");
}

static void test_core_config_server__a_password_alone_names_no_server(void **state) {
    (void)state;
    assert_url("POSTGRES_PASSWORD=x\nPGPASSWORD=y\nPOSTGRES_USER=me\n", NULL, NULL);
    assert_url("POSTGRES_HOST=db\nPGPASSWORD=y\n", "postgresql://postgres@db/",
               ".env POSTGRES_HOST");
    assert_url(NULL, NULL, NULL);
}

static void test_core_config_server__an_option_wins(void **state) {
    (void)state;
    setenv("POSTGRES_HOST", "db", 1);
    setenv("POSTGRES_PASSWORD", "hunter2", 1);
    struct bk__config *config = bk__config_new();
    assert_int_equal(bk__config_set(config, "env.file", ""), 0);
    assert_int_equal(bk__config_set(config, "database", "bot.db"), 0);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_false(bk__config_on_server(config));
    assert_int_equal(bk__config_set(config, "database", NULL), 0);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_true(bk__config_on_server(config));
    assert_string_equal(bk__config_text(config, BK__OPT_DATABASE),
                        "postgresql://postgres:hunter2@db/");
    assert_string_equal(bk__config_source(config, BK__OPT_DATABASE),
                        "environment POSTGRES_HOST");
    bk__config_free(config);
}

/* What is inside stays usable; what is shown has no password; folders of ours lie elsewhere. */
static void test_core_config_server__the_password_is_not_shown(void **state) {
    (void)state;
    setenv("DATABASE_URL", "postgres://me:hunter2@h1,h2:5433/bot?sslpassword=hunter2", 1);
    struct bk__config *config = bk__config_new();
    assert_int_equal(bk__config_set(config, "env.file", ""), 0);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_non_null(strstr(bk__config_text(config, BK__OPT_DATABASE), ":hunter2@"));
    char *shown = bk__config_show(config, "database");
    assert_string_equal(shown, "postgres://me:***@h1,h2:5433/bot?sslpassword=***");
    free(shown);
    shown = bk__config_show(config, "state.dir");
    assert_null(strstr(shown, "hunter2"));
    assert_non_null(strstr(shown, "/.botkeep"));
    free(shown);
    bk__config_free(config);
}

/* ---- Redis ---------------------------------------------------------------------------- */

/* What the option redis becomes of a .env file or of bk_set(). */
static void assert_redis(const char *name, const char *value, const char *url) {
    if (value != NULL) {
        setenv(name, value, 1);
    }
    struct bk__config *config = bk__config_new();
    assert_int_equal(bk__config_set(config, "env.file", ""), 0);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_string_equal(bk__config_text(config, BK__OPT_REDIS), url);
    bk__config_free(config);
}

static void test_core_config_server__redis_out_of_its_names(void **state) {
    (void)state;
    assert_redis("REDIS_PASSWORD", "p@s/s", "");
    assert_redis("REDIS_HOST", "cache", "redis://:p%40s%2Fs@cache");
    assert_redis("REDIS_PORT", "6380", "redis://:p%40s%2Fs@cache:6380");
    assert_redis("REDIS_USERNAME", "bot", "redis://bot:p%40s%2Fs@cache:6380");
    assert_redis("REDIS_HOST", "/run/redis.sock", "unix://bot:p%40s%2Fs@/run/redis.sock");
    assert_redis("REDIS_URL", "redis://other", "redis://other");
    assert_redis("REDIS_URL", "other:6381", "redis://other:6381");
}

/* A bot whose only store is Redis names it twice: that makes no set of one server. */
static void
test_core_config_server__redis_as_the_database_is_no_second_one(void **state) {
    (void)state;
    setenv("REDIS_URL", "redis://cache", 1);
    setenv("DATABASE_URL", "redis://cache", 1);
    assert_redis("REDIS_HOST", "cache", "");
    setenv("DATABASE_URL", "bot.db", 1);
    assert_redis("REDIS_HOST", "cache", "redis://cache");
}

static void test_core_config_server__the_password_of_redis_is_not_shown(void **state) {
    (void)state;
    struct bk__config *config = bk__config_new();
    setenv("REDIS_HOST", "cache", 1);
    setenv("REDIS_PASSWORD", "hunter2", 1);
    assert_int_equal(bk__config_set(config, "env.file", ""), 0);
    assert_int_equal(bk__config_resolve(config), 0);
    char *shown = bk__config_show(config, "redis");
    assert_string_equal(shown, "redis://:***@cache");
    free(shown);
    assert_string_equal(bk__config_source(config, BK__OPT_REDIS),
                        "environment REDIS_HOST");
    assert_int_equal(bk__config_set(config, "redis", ":hunter2@cache"), 0);
    shown = bk__config_show(config, "redis");
    assert_string_equal(shown, "***");
    free(shown);
    assert_int_equal(bk__config_resolve(config), BK_EINVAL);
    assert_null(strstr(bk__error_text(), "hunter2"));
    bk__config_free(config);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_core_config_server__the_names_of_a_family, forget),
        cmocka_unit_test_setup(test_core_config_server__a_password_alone_names_no_server,
                               forget),
        cmocka_unit_test_setup(test_core_config_server__an_option_wins, forget),
        cmocka_unit_test_setup(test_core_config_server__the_password_is_not_shown,
                               forget),
        cmocka_unit_test_setup(test_core_config_server__redis_out_of_its_names, forget),
        cmocka_unit_test_setup(
            test_core_config_server__redis_as_the_database_is_no_second_one, forget),
        cmocka_unit_test_setup(
            test_core_config_server__the_password_of_redis_is_not_shown, forget),
    };
    return cmocka_run_group_tests(tests, NULL, forget);
}
