/*
 * Options: what is a value, what the error says, and who wins: bk_set() before the environment
 * before .env before the default. What a database URL means is config_database.c's test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <core/config.h>
#include <core/error.h>
#include <sandbox.h>

static struct bk__config *config;

static int setup(void **state) {
    if (sandbox_setup(state) != 0 || chdir(sandbox_dir()) != 0) {
        return -1;
    }
    unsetenv("BACKUP_RETENTION");
    unsetenv("DATABASE_PATH");
    unsetenv("DATABASE_URL");
    config = bk__config_new();
    return config ? 0 : -1;
}

static int teardown(void **state) {
    bk__config_free(config);
    return chdir("/") == 0 ? sandbox_teardown(state) : -1;
}

static void assert_refused(const char *option, const char *value, const char *says) {
    assert_int_equal(bk__config_set(config, option, value), BK_EINVAL);
    assert_non_null(strstr(bk__error_text(), option));
    assert_non_null(strstr(bk__error_text(), says));
}

static void test_core_config__every_default_is_a_value(void **state) {
    (void)state;
    for (int i = 0; i < BK__OPTION_COUNT; i++) {
        const struct bk__option_row *row = &bk__option_rows[i];
        assert_int_equal(bk__config_set(config, row->name, row->fallback), 0);
        assert_true(strlen(row->doc) > 0);
    }
}

static void test_core_config__numbers_are_read_strictly(void **state) {
    (void)state;
    static const char *const wrong[] = {"",    " 7", "7 ",     "24abc", "7.0",
                                        "1e2", "-1", "100001", "0x7"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_refused("backup.keep", wrong[i], "a whole number from 0 to 100000");
    }
    assert_int_equal(bk__config_set(config, "backup.keep", "0"), 0);
    assert_int_equal(bk__config_int(config, BK__OPT_BACKUP_KEEP), 0);
    assert_int_equal(bk__config_set(config, "backup.every", "0.5"), 0);
    assert_true(bk__config_number(config, BK__OPT_BACKUP_EVERY) == 0.5);
    assert_refused("backup.every", "nan", "a number from 0 to 87600 (hours)");
    assert_refused("backup.every", "87600.1", "(hours)");
}

static void test_core_config__booleans_in_any_case(void **state) {
    (void)state;
    assert_int_equal(bk__config_set(config, "backup.enabled", "OFF"), 0);
    assert_false(bk__config_bool(config, BK__OPT_BACKUP_ENABLED));
    assert_int_equal(bk__config_set(config, "backup.enabled", "Yes"), 0);
    assert_true(bk__config_bool(config, BK__OPT_BACKUP_ENABLED));
    assert_refused("backup.enabled", "maybe", "true, false, 1, 0, yes, no, on or off");
}

static void test_core_config__closed_lists_are_closed(void **state) {
    (void)state;
    assert_refused("backup.compress", "zip", "auto, gzip, zstd, none");
    assert_refused("backup.compress", "auto|gzip", "auto, gzip, zstd, none");
    assert_refused("backup.compress", "", "auto, gzip, zstd, none");
}

static void test_core_config__a_refused_value_changes_nothing(void **state) {
    (void)state;
    assert_int_equal(bk__config_set(config, "backup.keep", "3"), 0);
    assert_refused("backup.keep", "x", "\"x\"");
    assert_int_equal(bk__config_int(config, BK__OPT_BACKUP_KEEP), 3);
    assert_int_equal(bk__config_set(config, "backup.keep", NULL), 0);
    assert_int_equal(bk__config_int(config, BK__OPT_BACKUP_KEEP), 7);
    assert_string_equal(bk__config_source(config, BK__OPT_BACKUP_KEEP), "default");
}

static void test_core_config__an_unknown_option_is_not_found(void **state) {
    (void)state;
    assert_int_equal(bk__config_set(config, "backup.kept", "3"), BK_ENOTFOUND);
    assert_non_null(strstr(bk__error_text(), "backup.kept"));
    assert_null(bk__config_show(config, ""));
}

static void test_core_config__set_before_environment_before_dotenv(void **state) {
    (void)state;
    sandbox_write(".env", "BACKUP_RETENTION=4\n");
    assert_int_equal(bk__config_resolve(config), 0);
    assert_int_equal(bk__config_int(config, BK__OPT_BACKUP_KEEP), 4);
    assert_string_equal(bk__config_source(config, BK__OPT_BACKUP_KEEP),
                        ".env BACKUP_RETENTION");
    setenv("BACKUP_RETENTION", "5", 1);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_int_equal(bk__config_int(config, BK__OPT_BACKUP_KEEP), 5);
    assert_string_equal(bk__config_source(config, BK__OPT_BACKUP_KEEP),
                        "environment BACKUP_RETENTION");
    assert_int_equal(bk__config_set(config, "backup.keep", "6"), 0);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_int_equal(bk__config_int(config, BK__OPT_BACKUP_KEEP), 6);
    assert_string_equal(bk__config_source(config, BK__OPT_BACKUP_KEEP), "set");
}

static void test_core_config__an_empty_variable_is_not_set(void **state) {
    (void)state;
    setenv("BACKUP_RETENTION", "", 1);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_int_equal(bk__config_int(config, BK__OPT_BACKUP_KEEP), 7);
}

static void test_core_config__a_bad_variable_is_named(void **state) {
    (void)state;
    setenv("BACKUP_RETENTION", "24abc", 1);
    assert_int_equal(bk__config_resolve(config), BK_EINVAL);
    assert_non_null(strstr(bk__error_text(), "environment BACKUP_RETENTION"));
    assert_non_null(strstr(bk__error_text(), "backup.keep"));
    unsetenv("BACKUP_RETENTION");
    assert_int_equal(bk__config_resolve(config), 0);
}

static void test_core_config__the_first_of_two_variables_wins(void **state) {
    (void)state;
    setenv("DATABASE_URL", "sqlite:///url.db", 1);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_string_equal(bk__config_text(config, BK__OPT_DATABASE),
                        sandbox_path("url.db"));
    setenv("DATABASE_PATH", "./path.db", 1);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_non_null(strstr(bk__config_text(config, BK__OPT_DATABASE), "path.db"));
}

static void
test_core_config__paths_become_absolute_and_state_stands_beside(void **state) {
    (void)state;
    assert_int_equal(bk__config_set(config, "database", "data/bot.db"), 0);
    assert_int_equal(bk__config_resolve(config), 0);
    assert_string_equal(bk__config_text(config, BK__OPT_STATE_DIR),
                        sandbox_path("data/bot.db.botkeep"));
    assert_int_equal(bk__config_text(config, BK__OPT_BACKUP_DIR)[0], '/');
}

static void test_core_config__an_env_file_asked_for_must_be_there(void **state) {
    (void)state;
    assert_int_equal(bk__config_set(config, "env.file", "other.env"), 0);
    assert_int_equal(bk__config_resolve(config), BK_ENOTFOUND);
    assert_non_null(strstr(bk__error_text(), "other.env"));
    assert_int_equal(bk__config_set(config, "env.file", ""), 0);
    sandbox_write(".env", "BACKUP_RETENTION=4\n");
    assert_int_equal(bk__config_resolve(config), 0);
    assert_int_equal(bk__config_int(config, BK__OPT_BACKUP_KEEP), 7);
}

static void test_core_config__a_password_in_the_wrong_option_is_not_shown(void **state) {
    (void)state;
    assert_refused("backup.keep", "postgres://u:hunter2@h/db", "postgres://u:***@h/db");
    assert_null(strstr(bk__error_text(), "hunter2"));
}

static void test_core_config__a_password_is_never_shown(void **state) {
    (void)state;
    assert_int_equal(bk__config_set(config, "database", "postgres://bot:s3cret@host/db"),
                     0);
    char *shown = bk__config_show(config, "database");
    assert_non_null(shown);
    assert_null(strstr(shown, "s3cret"));
    free(shown);
    assert_int_equal(bk__config_set(config, "database", "mongodb://bot:s3cret@host/db"),
                     0);
    assert_int_equal(bk__config_resolve(config), BK_EUNSUPPORTED);
    assert_null(strstr(bk__error_text(), "s3cret"));
    assert_non_null(strstr(bk__error_text(), "mongodb"));
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_core_config__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_default_is_a_value),
        TEST(numbers_are_read_strictly),
        TEST(booleans_in_any_case),
        TEST(closed_lists_are_closed),
        TEST(a_refused_value_changes_nothing),
        TEST(an_unknown_option_is_not_found),
        TEST(set_before_environment_before_dotenv),
        TEST(an_empty_variable_is_not_set),
        TEST(a_bad_variable_is_named),
        TEST(the_first_of_two_variables_wins),
        TEST(paths_become_absolute_and_state_stands_beside),
        TEST(an_env_file_asked_for_must_be_there),
        TEST(a_password_in_the_wrong_option_is_not_shown),
        TEST(a_password_is_never_shown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
