/*
 * migrate.up where something fails: the content before and after is compared as SQL, and the
 * error must say where, why and what to do next. tests/c/run runs it.
 */
#include "migrate_box.h"

static char *before;

static int leave(void **state) {
    free(before);
    before = NULL;
    return box_teardown(state);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_migrate_failure__##name, box_setup, leave)

/* A bot with data, one migration applied. */
static void used_database(void) {
    sandbox_write("migrations/0001_users.sql",
                  "CREATE TABLE users(id INTEGER PRIMARY KEY, name UNIQUE);\n"
                  "INSERT INTO users VALUES(1, 'Ann'), (2, 'Bob');\n");
    box_call("migrate.up", NULL);
    before = box_content();
    assert_non_null(strstr(before, "Bob"));
}

static void assert_as_before(void) {
    char *after = box_content();
    assert_string_equal(before, after);
    free(after);
}

static const char *const five_statements = "-- migrate:up\n"
                                           "CREATE TABLE a(x);\n"
                                           "INSERT INTO a VALUES(1);\n"
                                           "\n"
                                           "INSERT INTO users\n"
                                           "  VALUES(3, 'Ann');\n"
                                           "CREATE TABLE b(x);\n"
                                           "DELETE FROM users;\n";

static void test_migrate_failure__statement_3_of_5_changes_nothing(void **state) {
    (void)state;
    used_database();
    sandbox_write("migrations/0002_ok.sql",
                  "CREATE TABLE ok(x); DELETE FROM users WHERE id = 2;");
    sandbox_write("migrations/0003_bad.sql", five_statements);
    box_run("migrate.up", NULL);
    box_assert_failed(
        "BK_EMIGRATION", "0003_bad.sql", "line 5", "statement 3",
        "(INSERT INTO users   VALUES(3, 'Ann')): UNIQUE constraint failed: users.name",
        "as before", "botkeep migrate up", NULL);
    assert_as_before();
    box_call("migrate.status", NULL);
    box_assert_number("result.current", 1);
    box_assert_number("result.pending[1].version", 3);
    box_assert_number("result.attempts[0].version", 3);
    box_assert_number("result.attempts[0].line", 5);
    box_assert_number("result.attempts[0].statement", 3);
    box_assert_text("result.attempts[0].outcome", "failed");
    box_assert_text("result.attempts[0].file", "0003_bad.sql");
    box_assert_text("result.attempts[0].error", "UNIQUE constraint failed: users.name");
    box_assert_text("result.attempts[1]", NULL);
}

static void test_migrate_failure__corrected_file_needs_no_force(void **state) {
    (void)state;
    used_database();
    sandbox_write("migrations/0002_bad.sql", "CREATE TABLE a(x); CREATE TABLE a(x);");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "table a already exists", NULL);
    sandbox_write("migrations/0002_bad.sql", "CREATE TABLE a(x); CREATE TABLE b(x);");
    box_call("migrate.up", NULL);
    box_assert_number("result.current", 2);
    box_call("migrate.status", NULL);
    box_assert_text("result.attempts[0].outcome", "failed");
}

static void test_migrate_failure__own_commit_is_refused(void **state) {
    static const char *const words[] = {"COMMIT", "END", "ROLLBACK", "BEGIN"};
    (void)state;
    used_database();
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        char text[256];
        snprintf(text, sizeof text, "DELETE FROM users;\n%s;\nCREATE TABLE a(x);",
                 words[i]);
        sandbox_write("migrations/0002_bad.sql", text);
        box_run("migrate.up", NULL);
        box_assert_failed("BK_EMIGRATION", "0002_bad.sql", "line 2", "statement 2",
                          words[i], "as before", NULL);
        assert_as_before();
    }
}

static void test_migrate_failure__vacuum_is_told_its_place(void **state) {
    (void)state;
    used_database();
    sandbox_write("migrations/0002_vacuum.sql", "VACUUM;");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "0002_vacuum.sql", "VACUUM", "transaction:false",
                      "as before", NULL);
    sandbox_write("migrations/0002_vacuum.sql", "PRAGMA journal_mode = WAL;");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "0002_vacuum.sql", "transaction:false", NULL);
    assert_as_before();
}

static void test_migrate_failure__broken_foreign_key_is_refused(void **state) {
    (void)state;
    used_database();
    sandbox_write(
        "migrations/0002_child.sql",
        "CREATE TABLE child(u REFERENCES users(id)); INSERT INTO child VALUES(2);");
    sandbox_write("migrations/0003_orphan.sql", "DELETE FROM users WHERE id = 2;");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "0002_child.sql to 0003_orphan.sql", "foreign key",
                      "as before", NULL);
    assert_as_before();
}

static void test_migrate_failure__new_database_leaves_no_file(void **state) {
    (void)state;
    sandbox_write("migrations/1_bad.sql", "CREATE TABLE a(x);\nnonsense;");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "1_bad.sql", "line 2", "syntax error",
                      "removed again", NULL);
    assert_false(box_has("bot.db"));
    assert_false(box_has("bot.db-journal"));
    sandbox_write("migrations/1_bad.sql", "CREATE TABLE a(x);");
    box_call("migrate.up", NULL);
}

static void test_migrate_failure__empty_file_stays_empty(void **state) {
    struct stat st;
    (void)state;
    sandbox_write("bot.db", "");
    sandbox_write("migrations/1_bad.sql", "CREATE TABLE a(x);\nnonsense;");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "1_bad.sql", "as before", NULL);
    assert_int_equal(stat(box_database(), &st), 0);
    assert_int_equal(st.st_size, 0);
}

static void test_migrate_failure__outside_a_transaction_is_restored(void **state) {
    (void)state;
    used_database();
    sandbox_write("migrations/0002_ok.sql", "CREATE TABLE ok(x);");
    sandbox_write("migrations/0003_bad.sql", "-- migrate:up transaction:false\n"
                                             "CREATE TABLE half(x);\nDELETE FROM users;\n"
                                             "INSERT INTO nowhere VALUES(1);\n");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "0003_bad.sql", "line 4", "statement 3",
                      "no such table: nowhere", "as before", "restoring pre_migration_",
                      NULL);
    assert_as_before();
    box_call("migrate.status", NULL);
    box_assert_number("result.current", 1);
    box_assert_number("result.pending[0].version", 2);
    box_assert_number("result.attempts[0].version", 3);
    sandbox_write("migrations/0003_bad.sql", "CREATE TABLE whole(x);");
    box_call("migrate.up", NULL);
    box_assert_number("result.current", 3);
}

static void test_migrate_failure__first_statement_outside_needs_no_restore(void **state) {
    char command[1200];
    (void)state;
    used_database();
    sandbox_write("migrations/0002_bad.sql",
                  "-- migrate:up transaction:false\nnonsense;\n");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "0002_bad.sql", "statement 1", "as before", NULL);
    assert_as_before();
    snprintf(command, sizeof command, "ls '%s' | grep -c '^pre_restore' || true",
             sandbox_path("backups"));
    assert_int_equal(box_count(command), 0);
    box_call("migrate.status", NULL);
    box_assert_text("result.applied[1]", NULL);
}

static void
test_migrate_failure__after_a_commit_goes_back_before_the_batch(void **state) {
    (void)state;
    used_database();
    sandbox_write("migrations/0002_a.sql", "CREATE TABLE a(x);");
    sandbox_write("migrations/0003_b.sql", "-- migrate:up transaction:false\nVACUUM;");
    sandbox_write("migrations/0004_c.sql", "DELETE FROM users; nonsense;");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "0004_c.sql", "restoring pre_migration_", NULL);
    assert_as_before();
    box_call("migrate.plan", NULL);
    box_assert_number("result.applied", 1);
    box_assert_number("result.pending[2].version", 4);
}

static void test_migrate_failure__new_database_in_pieces_ends_empty(void **state) {
    (void)state;
    sandbox_write("migrations/1_a.sql", "CREATE TABLE a(x);");
    sandbox_write("migrations/2_b.sql", "-- migrate:up transaction:false\n"
                                        "CREATE TABLE b(x); nonsense;");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "2_b.sql", "as before", NULL);
    box_assert_sql(
        "SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'botkeep_%' AND "
        "name NOT LIKE 'sqlite_%'",
        "0");
    sandbox_write("migrations/2_b.sql", "CREATE TABLE b(x);");
    box_call("migrate.up", NULL);
    box_assert_number("result.current", 2);
}

static void test_migrate_failure__without_a_backup_says_what_stays(void **state) {
    (void)state;
    used_database();
    box_new();
    box_set("migrate.backup", "false");
    box_open();
    sandbox_write("migrations/0002_bad.sql", "-- migrate:up transaction:false\n"
                                             "CREATE TABLE half(x);\nnonsense;\n");
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "statement 2", "stays", "IF NOT EXISTS", NULL);
    box_call("migrate.status", NULL);
    box_assert_text("result.applied[1].state", "partial");
    box_assert_number("result.current", 1);
    sandbox_write("migrations/0002_bad.sql", "-- migrate:up transaction:false\n"
                                             "CREATE TABLE IF NOT EXISTS half(x);\n");
    box_call("migrate.up", NULL);
    box_assert_number("result.current", 2);
    box_assert_sql("SELECT state FROM botkeep_migrations WHERE version = 2", "applied");
}

static void test_migrate_failure__without_its_backup_nothing_runs(void **state) {
    (void)state;
    used_database();
    box_close();
    sandbox_write("file", "in the way");
    box_new();
    box_set("backup.dir", sandbox_path("file"));
    box_open();
    sandbox_write("migrations/0002_a.sql", "CREATE TABLE a(x);");
    box_run("migrate.up", NULL);
    box_assert_number("ok", 0);
    char *message = bk_pick_text(box_done, "error.message");
    assert_non_null(strstr(message, "No migration was applied"));
    bk_free(message);
    assert_as_before();
}

/* Another process holds the write lock for longer than three attempts last. */
static void test_migrate_failure__busy_database_is_tried_three_times(void **state) {
    char command[1200];
    (void)state;
    used_database();
    box_new();
    box_set("busy.wait", "20");
    box_set("migrate.backup", "false");
    box_open();
    sandbox_write("migrations/0002_a.sql", "CREATE TABLE a(x);");
    snprintf(
        command, sizeof command,
        "(echo 'BEGIN IMMEDIATE;'; echo \"SELECT writefile('%s', 'x');\"; sleep 20) | "
        "sqlite3 '%s' >/dev/null",
        sandbox_path("held"), box_database());
    FILE *holder = popen(command, "we");
    assert_non_null(holder);
    while (!box_has("held")) {
        usleep(10000);
    }
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EBUSY", "botkeep migrate up", NULL);
    char *event;
    int attempts = 0;
    while ((event = bk_next(box_keeper, 0))) {
        attempts += strstr(event, "/3 failed") != NULL;
        bk_free(event);
    }
    assert_int_equal(attempts, 2);
    pclose(holder);
    assert_as_before();
    box_call("migrate.up", NULL);
}

/* Events are taken until a log message has this text. */
static void wait_for_log(const char *text) {
    for (bool found = false; !found;) {
        char *event = bk_next(box_keeper, 60000);
        assert_non_null(event);
        found = strstr(event, text) != NULL;
        bk_free(event);
    }
}

static void test_migrate_failure__cancelled_in_a_statement(void **state) {
    (void)state;
    used_database();
    sandbox_write(
        "migrations/0002_long.sql",
        "DELETE FROM users;\nCREATE TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION "
        "ALL SELECT i + 1 FROM c) SELECT count(i) FROM c;\n");
    int job = bk_run(box_keeper, "migrate.up", NULL);
    assert_true(job > 0);
    wait_for_log("Running migration v2");
    assert_int_equal(bk_cancel(box_keeper, job), 0);
    bk_free(box_done);
    box_done = bk_wait(box_keeper, job, -1);
    box_assert_failed("BK_ECANCELLED", "as before", NULL);
    assert_as_before();
}

/* A transaction:false file of which one statement has run, and the job cancelled in the next. */
static void cancel_in_the_middle(void) {
    char tables[1200];
    snprintf(tables, sizeof tables,
             "sqlite3 -cmd '.timeout 60000' '%s' \"SELECT count(*) FROM sqlite_schema "
             "WHERE name = 'half'\"",
             box_database());
    used_database();
    sandbox_write(
        "migrations/0002_long.sql",
        "-- migrate:up transaction:false\nCREATE TABLE IF NOT EXISTS half(x);\n"
        "CREATE TABLE n AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM "
        "c) SELECT count(i) FROM c;\n");
    int job = bk_run(box_keeper, "migrate.up", NULL);
    assert_true(job > 0);
    wait_for_log("Running migration v2");
    while (box_count(tables) == 0) {
        usleep(20000);
    }
    assert_int_equal(bk_cancel(box_keeper, job), 0);
    bk_free(box_done);
    box_done = bk_wait(box_keeper, job, -1);
    box_assert_failed("BK_ECANCELLED", "0002_long.sql", "the next migrate up",
                      "pre_migration_", NULL);
    box_assert_sql("SELECT count(*) FROM half", "0");
}

static void test_migrate_failure__next_up_restores_what_was_cut_off(void **state) {
    char *found;
    (void)state;
    cancel_in_the_middle();
    sandbox_write("migrations/0002_long.sql",
                  "CREATE TABLE half(x); INSERT INTO half VALUES(7);");
    box_call("migrate.up", NULL);
    box_assert_number("result.applied[0].version", 2);
    box_assert_sql("SELECT x FROM half", "7");
    box_call("migrate.status", NULL);
    box_assert_text("result.attempts[0].outcome", "cancelled");
    box_assert_number("result.attempts[0].version", 2);
    found = bk_pick_text(box_done, "result.attempts[0].backup");
    assert_non_null(found);
    bk_free(found);
}

static void test_migrate_failure__without_that_backup_the_file_runs_again(void **state) {
    char command[1200];
    (void)state;
    cancel_in_the_middle();
    snprintf(command, sizeof command, "rm '%s'/pre_migration_*", sandbox_path("backups"));
    free(box_shell(command));
    sandbox_write("migrations/0002_long.sql", "-- migrate:up transaction:false\n"
                                              "CREATE TABLE IF NOT EXISTS half(x);\n");
    box_call("migrate.up", NULL);
    box_assert_number("result.current", 2);
    box_assert_sql("SELECT state FROM botkeep_migrations WHERE version = 2", "applied");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(statement_3_of_5_changes_nothing),
        TEST(corrected_file_needs_no_force),
        TEST(own_commit_is_refused),
        TEST(vacuum_is_told_its_place),
        TEST(broken_foreign_key_is_refused),
        TEST(new_database_leaves_no_file),
        TEST(empty_file_stays_empty),
        TEST(outside_a_transaction_is_restored),
        TEST(first_statement_outside_needs_no_restore),
        TEST(after_a_commit_goes_back_before_the_batch),
        TEST(new_database_in_pieces_ends_empty),
        TEST(without_a_backup_says_what_stays),
        TEST(without_its_backup_nothing_runs),
        TEST(busy_database_is_tried_three_times),
        TEST(cancelled_in_a_statement),
        TEST(next_up_restores_what_was_cut_off),
        TEST(without_that_backup_the_file_runs_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
