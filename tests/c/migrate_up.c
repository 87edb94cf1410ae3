/*
 * migrate.up where all goes well: from nothing, further, in parts, with rebuilds and triggers,
 * and twice. Failures are migrate_failure.c's. tests/c/run runs it.
 */
#include "migrate_box.h"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>

static void three_files(void) {
    sandbox_write("migrations/1_users.sql",
                  "CREATE TABLE users(id INTEGER PRIMARY KEY, name);\n");
    sandbox_write("migrations/2_add_age.sql",
                  "-- migrate:up\nALTER TABLE users ADD age;\n"
                  "-- migrate:down\nALTER TABLE users DROP age;\n");
    sandbox_write("migrations/10_ann.sql", "INSERT INTO users VALUES(1, 'Ann', 30);\n");
}

static void test_migrate_up__from_nothing_in_numeric_order(void **state) {
    (void)state;
    three_files();
    box_call("migrate.up", NULL);
    box_assert_number("result.applied[0].version", 1);
    box_assert_number("result.applied[1].version", 2);
    box_assert_text("result.applied[1].name", "add_age");
    box_assert_number("result.applied[2].version", 10);
    box_assert_number("result.current", 10);
    box_assert_text("result.backup", NULL);
    box_close();
    box_assert_sql("SELECT name || age FROM users", "Ann30");
    box_assert_sql("SELECT group_concat(version || state) FROM botkeep_migrations",
                   "1applied,2applied,10applied");
    box_assert_sql("SELECT count(*) FROM botkeep_migration_log WHERE outcome = 'applied'",
                   "3");
}

static void test_migrate_up__keeps_the_down_part(void **state) {
    (void)state;
    three_files();
    box_call("migrate.up", NULL);
    box_close();
    box_assert_sql(
        "SELECT replace(down_sql, char(10), '|') FROM botkeep_migrations WHERE "
        "version = 2",
        "-- migrate:down|ALTER TABLE users DROP age;|");
    box_assert_sql("SELECT count(*) FROM botkeep_migrations WHERE down_sql IS NULL", "2");
    box_assert_sql("SELECT min(length(checksum)) || min(format) FROM botkeep_migrations",
                   "641");
}

static void test_migrate_up__second_time_writes_and_locks_nothing(void **state) {
    struct stat before;
    struct stat after;
    (void)state;
    three_files();
    box_call("migrate.up", NULL);
    assert_int_equal(stat(box_database(), &before), 0);
    int fd = open(sandbox_path("bot.db.botkeep/migrate.lock"), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    box_call("migrate.up", NULL);
    box_assert_text("result.applied", "[]");
    box_assert_number("result.current", 10);
    close(fd);
    assert_int_equal(stat(box_database(), &after), 0);
    assert_int_equal(before.st_size, after.st_size);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void test_migrate_up__empty_folder_makes_no_database(void **state) {
    (void)state;
    box_call("migrate.up", NULL);
    box_assert_text("result.applied", "[]");
    box_assert_text("result.current", NULL);
    assert_false(box_has("bot.db"));
}

static void test_migrate_up__one_backup_for_the_batch(void **state) {
    char command[1200];
    (void)state;
    three_files();
    box_do("CREATE TABLE old(a); INSERT INTO old VALUES(7)");
    box_call("migrate.up", NULL);
    char *name = bk_pick_text(box_done, "result.backup");
    assert_non_null(name);
    assert_non_null(strstr(name, "pre_migration_"));
    snprintf(command, sizeof command, "ls '%s'/*.db | wc -l", sandbox_path("backups"));
    assert_int_equal(box_count(command), 1);
    snprintf(command, sizeof command,
             "sqlite3 '%s/%s' 'SELECT a FROM old' 'SELECT count(*) FROM "
             "sqlite_schema'",
             sandbox_path("backups"), name);
    char *rows = box_shell(command);
    assert_string_equal(rows, "7\n1\n");
    free(rows);
    bk_free(name);
}

static void test_migrate_up__no_backup_when_it_is_switched_off(void **state) {
    (void)state;
    three_files();
    box_do("CREATE TABLE old(a)");
    box_new();
    box_set("migrate.backup", "false");
    box_open();
    box_call("migrate.up", NULL);
    box_assert_text("result.backup", NULL);
    assert_false(box_has("backups"));
}

static void test_migrate_up__to_a_version(void **state) {
    (void)state;
    three_files();
    box_call("migrate.up", "{\"to\":2}");
    box_assert_number("result.current", 2);
    box_assert_text("result.applied[2]", NULL);
    box_call("migrate.up", "{\"to\":2}");
    box_assert_text("result.applied", "[]");
    box_call("migrate.up", NULL);
    box_assert_number("result.applied[0].version", 10);
    box_run("migrate.up", "{\"to\":7}");
    box_assert_failed("BK_EINVAL", "version 7", "botkeep migrate plan", NULL);
}

/* The form that ORMs write: with foreign keys on, DROP TABLE would delete the children. */
static void test_migrate_up__rebuild_loses_no_child_rows(void **state) {
    (void)state;
    box_do("CREATE TABLE parent(id INTEGER PRIMARY KEY, name);"
           "CREATE TABLE child(id INTEGER PRIMARY KEY, parent REFERENCES parent(id) ON "
           "DELETE "
           "CASCADE);"
           "INSERT INTO parent VALUES(1,'a'),(2,'b'); INSERT INTO child "
           "VALUES(1,1),(2,1),(3,2)");
    sandbox_write("migrations/0001_rebuild.sql",
                  "PRAGMA foreign_keys=ON;\n"
                  "CREATE TABLE new_parent(id INTEGER PRIMARY KEY, name TEXT NOT NULL);\n"
                  "INSERT INTO new_parent SELECT * FROM parent;\n"
                  "DROP TABLE parent;\n"
                  "ALTER TABLE new_parent RENAME TO parent;\n");
    box_call("migrate.up", NULL);
    box_close();
    box_assert_sql("SELECT count(*) FROM child", "3");
    box_assert_sql("SELECT count(*) FROM pragma_foreign_key_check", "0");
    box_assert_sql(
        "SELECT sql LIKE '%NOT NULL%' FROM sqlite_schema WHERE name = 'parent'", "1");
}

static void test_migrate_up__statements_are_split_by_the_engine(void **state) {
    (void)state;
    sandbox_write(
        "migrations/0001_trigger.sql",
        "CREATE TABLE t(a, b); -- a comment; with a semicolon\n"
        "CREATE TABLE log(x);\n"
        "CREATE TRIGGER tr AFTER INSERT ON t BEGIN\n"
        "  INSERT INTO log VALUES(CASE WHEN new.a > 1 THEN 'many;' ELSE 'one' END);\n"
        "  UPDATE t SET b = 'x;y' WHERE a = new.a;\n"
        "END;\n"
        "/* ; */ INSERT INTO t VALUES(2, 'it''s; -- no comment');");
    box_call("migrate.up", NULL);
    box_close();
    box_assert_sql("SELECT x || b FROM log, t", "many;x;y");
}

static void test_migrate_up__transaction_false_runs_outside(void **state) {
    (void)state;
    box_do("CREATE TABLE t(a)");
    sandbox_write("migrations/1_wal.sql", "-- migrate:up transaction:false\n"
                                          "PRAGMA journal_mode = WAL;\nVACUUM;\n");
    sandbox_write("migrations/2_u.sql", "CREATE TABLE u(a);");
    box_call("migrate.up", NULL);
    box_assert_number("result.applied[0].version", 1);
    box_assert_number("result.applied[1].version", 2);
    box_close();
    box_assert_sql("PRAGMA journal_mode", "wal");
    box_assert_sql("SELECT group_concat(outcome) FROM botkeep_migration_log",
                   "started,applied,applied");
    box_assert_sql("SELECT group_concat(state) FROM botkeep_migrations",
                   "applied,applied");
}

/* The lines that the log of an older migration system had, word for word. */
static void test_migrate_up__says_what_it_does(void **state) {
    static const char *const lines[] = {
        "Current schema version: v0",
        "Found 3 pending migration(s)",
        "Running migration v2 - add age (attempt 1/3)",
        "✅ Migration v10 completed successfully (",
        "✅ All migrations completed - schema version: v10",
    };
    char all[16384] = "";
    size_t size = 0;
    char *event;
    (void)state;
    three_files();
    box_call("migrate.up", NULL);
    while ((event = bk_next(box_keeper, 0))) {
        char *message = bk_pick_text(event, "message");
        size += (size_t)snprintf(all + size, sizeof all - size, "%s\n",
                                 message ? message : "");
        assert_true(size < sizeof all);
        bk_free(message);
        bk_free(event);
    }
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        const char *found = strstr(all, lines[i]);
        if (!found) {
            fail_msg("\"%s\" is not in:\n%s", lines[i], all);
        }
    }
    box_call("migrate.up", NULL);
    event = bk_next(box_keeper, 0);
    box_assert_text("result.applied", "[]");
    bk_free(event);
}

static void test_migrate_up__waits_for_the_lock_and_can_be_cancelled(void **state) {
    (void)state;
    three_files();
    box_new();
    box_open();
    int fd = open(sandbox_path("bot.db.botkeep/migrate.lock"),
                  O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(flock(fd, LOCK_EX | LOCK_NB), 0);
    int job = bk_run(box_keeper, "migrate.up", NULL);
    assert_true(job > 0);
    assert_null(bk_wait(box_keeper, job, 300));
    assert_int_equal(bk_cancel(box_keeper, job), 0);
    box_done = bk_wait(box_keeper, job, -1);
    box_assert_failed("BK_ECANCELLED", NULL);
    job = bk_run(box_keeper, "migrate.up", NULL);
    bk_free(box_done);
    box_done = bk_wait(box_keeper, job, 200);
    assert_null(box_done);
    close(fd);
    box_done = bk_wait(box_keeper, job, -1);
    box_assert_number("result.current", 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        BOX_TEST(migrate_up, from_nothing_in_numeric_order),
        BOX_TEST(migrate_up, keeps_the_down_part),
        BOX_TEST(migrate_up, second_time_writes_and_locks_nothing),
        BOX_TEST(migrate_up, empty_folder_makes_no_database),
        BOX_TEST(migrate_up, one_backup_for_the_batch),
        BOX_TEST(migrate_up, no_backup_when_it_is_switched_off),
        BOX_TEST(migrate_up, to_a_version),
        BOX_TEST(migrate_up, rebuild_loses_no_child_rows),
        BOX_TEST(migrate_up, statements_are_split_by_the_engine),
        BOX_TEST(migrate_up, transaction_false_runs_outside),
        BOX_TEST(migrate_up, says_what_it_does),
        BOX_TEST(migrate_up, waits_for_the_lock_and_can_be_cancelled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
