/*
 * Files and history that disagree: migrate.up refuses, migrate.plan and migrate.status name file,
 * version and next command, and write nothing. tests/c/run runs it.
 */
#include "migrate_box.h"

static void three_applied(void) {
    sandbox_write("migrations/0001_a.sql", "CREATE TABLE a(x);\n");
    sandbox_write("migrations/0003_c.sql", "CREATE TABLE c(x);\n");
    sandbox_write("migrations/0005_e.sql", "CREATE TABLE e(x);\n");
    box_call("migrate.up", NULL);
}

/* Each way of asking tells the same problem, and nothing in the database changes. */
static void assert_problem(const char *code, const char *version, const char *word) {
    char *before = box_content();
    box_call("migrate.plan", NULL);
    box_assert_text("result.problems[0].code", code);
    box_assert_text("result.problems[0].version", version);
    box_assert_text("result.problems[1]", NULL);
    char *message = bk_pick_text(box_done, "result.problems[0].message");
    assert_non_null(message);
    assert_non_null(strstr(message, word));
    assert_non_null(strstr(message, "botkeep "));
    box_call("migrate.status", NULL);
    box_assert_text("result.problems[0].code", code);
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", message, "Nothing was changed", NULL);
    bk_free(message);
    char *after = box_content();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void test_migrate_problems__edited(void **state) {
    (void)state;
    three_applied();
    sandbox_write("migrations/0003_c.sql", "CREATE TABLE c(x, y);\n");
    assert_problem("edited", "3", "0003_c.sql");
}

static void test_migrate_problems__line_ends_are_no_edit(void **state) {
    (void)state;
    three_applied();
    sandbox_write("migrations/0003_c.sql", "\xef\xbb\xbf"
                                           "CREATE TABLE c(x);  \r\n\r\n");
    box_call("migrate.up", NULL);
    box_assert_text("result.applied", "[]");
}

static void test_migrate_problems__missing(void **state) {
    (void)state;
    three_applied();
    assert_int_equal(unlink(sandbox_path("migrations/0003_c.sql")), 0);
    assert_problem("missing", "3", "0003_c.sql");
}

static void test_migrate_problems__out_of_order(void **state) {
    (void)state;
    three_applied();
    sandbox_write("migrations/0002_b.sql", "CREATE TABLE b(x);\n");
    assert_problem("out_of_order", "2", "mv 0002_b.sql 0006_b.sql");
}

static void test_migrate_problems__newer_than_code(void **state) {
    (void)state;
    three_applied();
    assert_int_equal(unlink(sandbox_path("migrations/0005_e.sql")), 0);
    assert_problem("newer_than_code", "5", "0005_e.sql");
}

static void test_migrate_problems__duplicate(void **state) {
    (void)state;
    three_applied();
    sandbox_write("migrations/0005_again.sql", "CREATE TABLE f(x);\n");
    char *before = box_content();
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "0005_again.sql", "0005_e.sql", "same version 5",
                      NULL);
    char *after = box_content();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void test_migrate_problems__other_folder(void **state) {
    char args[1200];
    (void)state;
    sandbox_write("other/1_z.sql", "CREATE TABLE z(x);\n");
    snprintf(args, sizeof args, "{\"dir\":\"%s\"}", sandbox_path("other"));
    box_call("migrate.up", args);
    box_assert_number("result.current", 1);
    snprintf(args, sizeof args, "{\"dir\":\"%s\"}", sandbox_path("nowhere"));
    box_run("migrate.up", args);
    box_assert_failed("BK_ENOTFOUND", "/nowhere", "migrate.dir", NULL);
}

static void test_migrate_problems__bad_files_stop_everything(void **state) {
    (void)state;
    sandbox_write("migrations/1_a.sql", "CREATE TABLE a(x);\n");
    sandbox_write("migrations/2_b.up.sql", "CREATE TABLE b(x);\n");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "2_b.up.sql", "Nothing was changed", NULL);
    assert_false(box_has("bot.db"));
    box_run("migrate.plan", NULL);
    box_assert_failed("BK_EMIGRATION", "2_b.up.sql", NULL);
}

static void test_migrate_problems__plan_and_status_make_nothing(void **state) {
    (void)state;
    sandbox_write("migrations/1_a.sql", "CREATE TABLE a(x);\n");
    box_call("migrate.plan", NULL);
    box_assert_number("result.pending[0].version", 1);
    box_assert_text("result.pending[0].file", "1_a.sql");
    box_assert_number("result.pending[0].transaction", 1);
    box_assert_text("result.current", NULL);
    box_assert_number("result.applied", 0);
    box_call("migrate.status", NULL);
    box_assert_text("result.applied", "[]");
    box_assert_text("result.attempts", "[]");
    assert_false(box_has("bot.db"));
    assert_false(box_has("bot.db.botkeep/migrate.lock"));
    box_close();
    box_do("CREATE TABLE mine(x)");
    box_call("migrate.plan", NULL);
    box_call("migrate.status", NULL);
    box_close();
    box_assert_sql("SELECT group_concat(name) FROM sqlite_schema", "mine");
}

static void test_migrate_problems__newer_history_is_left_alone(void **state) {
    (void)state;
    three_applied();
    box_close();
    box_do("UPDATE botkeep_migrations SET format = 99 WHERE version = 1");
    sandbox_write("migrations/0006_f.sql", "CREATE TABLE f(x);\n");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EUNSUPPORTED", "newer botkeep", "99", NULL);
    box_run("migrate.status", NULL);
    box_assert_failed("BK_EUNSUPPORTED", "newer botkeep", NULL);
    box_assert_sql("SELECT count(*) FROM botkeep_migrations", "3");
}

/* A history that cannot be read must not look like an empty one. */
static void test_migrate_problems__locked_history_is_not_empty(void **state) {
    char command[1200];
    (void)state;
    three_applied();
    box_new();
    box_set("busy.wait", "20");
    box_open();
    snprintf(
        command, sizeof command,
        "(echo 'BEGIN EXCLUSIVE;'; echo \"SELECT writefile('%s', 'x');\"; sleep 2) | "
        "sqlite3 '%s' >/dev/null",
        sandbox_path("held"), box_database());
    FILE *holder = popen(command, "we");
    assert_non_null(holder);
    while (!box_has("held")) {
        usleep(10000);
    }
    box_run("migrate.plan", NULL);
    box_assert_failed("BK_EBUSY", "bot.db", NULL);
    box_run("migrate.status", NULL);
    box_assert_failed("BK_EBUSY", NULL);
    pclose(holder);
    box_call("migrate.plan", NULL);
    box_assert_number("result.applied", 3);
}

static void test_migrate_problems__no_database_for_it(void **state) {
    (void)state;
    sandbox_write("migrations/1_a.sql", "CREATE TABLE a(x);\n");
    assert_int_equal(mkdir(box_database(), 0700), 0);
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EINVAL", "bot.db", NULL);
    box_close();
    assert_int_equal(rmdir(box_database()), 0);
    sandbox_write("bot.db",
                  "this is a text and not a database, and long enough to be looked at\n");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_ECORRUPT", "bot.db", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOX_TEST(migrate_problems, edited),
        BOX_TEST(migrate_problems, line_ends_are_no_edit),
        BOX_TEST(migrate_problems, missing),
        BOX_TEST(migrate_problems, out_of_order),
        BOX_TEST(migrate_problems, newer_than_code),
        BOX_TEST(migrate_problems, duplicate),
        BOX_TEST(migrate_problems, other_folder),
        BOX_TEST(migrate_problems, bad_files_stop_everything),
        BOX_TEST(migrate_problems, plan_and_status_make_nothing),
        BOX_TEST(migrate_problems, newer_history_is_left_alone),
        BOX_TEST(migrate_problems, locked_history_is_not_empty),
        BOX_TEST(migrate_problems, no_database_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
