/*
 * Backups that are not made because nothing changed: what is told of them, what makes another one all
 * the same, and that crash loops and migrations find their backups. tests/c/run runs it.
 */
#include "encryption_box.h"

#define TEST(name) BOX_TEST(backup_unchanged, name)
#define AUTO "{\"kind\":\"auto\"}"

static bool is_unchanged(void) {
    char *said = bk_pick_text(box_done, "result.unchanged");
    bool yes = said != NULL && strcmp(said, "true") == 0;
    assert_non_null(said);
    assert_true(yes || strcmp(said, "false") == 0);
    bk_free(said);
    return yes;
}

/* An automatic backup: whether it was needed, and the name that stands for now. */
static const char *automatic(bool expect_unchanged) {
    const char *name = box_create(AUTO);
    if (is_unchanged() != expect_unchanged) {
        fail_msg("unchanged is not %d: %s", expect_unchanged, box_done);
    }
    return name;
}

/* Old enough that the file's times tell: the next automatic backup needs no look at the bytes. */
static void settle(void) {
    usleep(2200000);
}

/* All files of the backup folder and what is in them. */
static char *all_backups(void) {
    char command[1024];
    snprintf(
        command, sizeof command,
        "cd '%s' && find . -type f -printf '%%p %%T@ ' -exec sha256sum {} ';' | sort",
        sandbox_path("backups"));
    return box_shell(command);
}

/* ---- nothing changed ------------------------------------------------------------------------ */

static void test_backup_unchanged__writes_nothing_but_the_record(void **state) {
    (void)state;
    for (int wal = 0; wal < 2; wal++) {
        if (wal == 0) {
            box_database_with(ROWS_SMALL);
        }
        char *mode =
            box_sql(wal ? "PRAGMA journal_mode = WAL" : "PRAGMA journal_mode = DELETE");
        free(mode);
        box_do("UPDATE left_side SET t = t || 'x'");
        settle();
        const char *first = automatic(false);
        char *before = all_backups();
        for (int i = 0; i < 3; i++) {
            assert_string_equal(automatic(true), first);
        }
        char *after = all_backups();
        assert_string_equal(before, after);
        free(before);
        free(after);
    }
}

/* By the fingerprint, not by another snapshot: one would need room beside the database. */
static void test_backup_unchanged__does_not_read_the_database(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    settle();
    const char *first = automatic(false);
    automatic(true);
    box_assert_text("result.name", first);
    char command[1024];
    snprintf(command, sizeof command,
             "grep -c '\"database\":\"1 [0-9a-f]' '%s.botkeep/backup.json'",
             box_database());
    assert_int_equal(box_count(command), 1);
}

/* The WAL went into the database: other files, the same state. */
static void test_backup_unchanged__after_a_checkpoint(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *first = automatic(false);
    char *said = box_sql("PRAGMA wal_checkpoint(TRUNCATE)");
    free(said);
    assert_string_equal(automatic(true), first);
    box_assert_only(1);
}

static void test_backup_unchanged__what_was_asked_for_is_made(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    automatic(false);
    const char *manual = box_create(NULL);
    assert_false(is_unchanged());
    assert_string_equal(automatic(true), manual);
    box_create("{\"kind\":\"pre_restore\"}");
    assert_false(is_unchanged());
    box_assert_only(3);
}

/* A bot that dies at once, again and again, started by its supervisor. */
static void test_backup_unchanged__crash_loops_leave_history_as_it_was(void **state) {
    (void)state;
    box_new();
    box_set("backup.keep", "3");
    box_open();
    box_database_with(ROWS_SMALL);
    for (int i = 0; i < 3; i++) {
        box_do("UPDATE left_side SET t = t || 'x'");
        box_create("{\"kind\":\"startup\"}");
    }
    char *before = all_backups();
    for (int i = 0; i < 50; i++) {
        /* Each life opens the database, reads it and is gone. */
        free(box_sql("SELECT count(*) FROM left_side"));
        box_new();
        box_set("backup.keep", "3");
        box_open();
        box_call("backup.create", "{\"kind\":\"startup\"}");
        assert_true(is_unchanged());
    }
    char *after = all_backups();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* ---- another one all the same ----------------------------------------------------------------- */

static void test_backup_unchanged__any_commit_makes_another(void **state) {
    static const char *const changes[] = {
        "UPDATE left_side SET t = 'x' WHERE n = 3", "DELETE FROM left_side WHERE n = 4",
        "CREATE TABLE more(x)", "PRAGMA user_version = 3", "VACUUM"};
    (void)state;
    box_database_with(ROWS_SMALL);
    settle();
    automatic(false);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        box_do(changes[i]);
        automatic(false);
        automatic(true);
    }
}

static void test_backup_unchanged__when_the_archive_is_gone_or_cut(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    settle();
    const char *first = automatic(false);
    free(box_on(first, "rm %s"));
    const char *second = automatic(false);
    free(box_on(second, "truncate -s -1 %s"));
    const char *third = automatic(false);
    free(box_on(third, "truncate -s 0 %s"));
    automatic(false);
}

static void test_backup_unchanged__when_the_newest_was_found_damaged(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    settle();
    const char *first = automatic(false);
    free(box_on(first, "printf x | dd of=%s bs=1 seek=5000 conv=notrunc status=none"));
    box_run("backup.verify", NULL);
    box_assert_failed("BK_ECORRUPT", NULL);
    automatic(false);
}

static void
test_backup_unchanged__when_a_setting_or_the_database_is_another(void **state) {
    char command[2048];
    (void)state;
    box_database_with(ROWS_SMALL);
    settle();
    automatic(false);
    box_new();
    box_set("backup.compress", "gzip");
    box_open();
    const char *packed = automatic(false);
    assert_string_equal(automatic(true), packed);
    snprintf(command, sizeof command, "cp '%s' '%s'", box_database(),
             sandbox_path("twin.db"));
    free(box_shell(command));
    box_new();
    box_set("database", sandbox_path("twin.db"));
    box_set("state.dir", sandbox_path("bot.db.botkeep"));
    box_set("backup.compress", "gzip");
    box_open();
    automatic(false);
}

static void test_backup_unchanged__when_encryption_is_asked_otherwise(void **state) {
    (void)state;
    database(ROWS_SMALL);
    make_key("key", "shared");
    make_key("other", "shared");
    make_key("secret", "recipient");
    settle();
    open_with(NULL, NULL);
    automatic(false);
    automatic(true);
    open_with("key", NULL);
    automatic(false);
    automatic(true);
    /* The same file with another key in it. */
    char command[2048];
    snprintf(command, sizeof command, "mv '%s' '%s'", sandbox_path("other"),
             sandbox_path("key"));
    free(box_shell(command));
    open_with("key", NULL);
    automatic(false);
    automatic(true);
    open_with(NULL, box_public);
    automatic(false);
    automatic(true);
    open_with(NULL, NULL);
    automatic(false);
}

static void test_backup_unchanged__when_the_record_is_lost_or_broken(void **state) {
    char command[1024];
    static const char *const harms[] = {"rm '%s'", "printf '{' > '%s'",
                                        "printf '{}' > '%s'",
                                        "printf '{\"state\":[1]}' > '%s'"};
    (void)state;
    box_database_with(ROWS_SMALL);
    settle();
    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        automatic(false);
        automatic(true);
        char record[600];
        snprintf(record, sizeof record, "%s.botkeep/backup.json", box_database());
        int at = (int)(strchr(harms[i], '%') - harms[i]);
        snprintf(command, sizeof command, "%.*s%s%s", at, harms[i], record,
                 harms[i] + at + 2);
        free(box_shell(command));
    }
}

/* ---- migrations ------------------------------------------------------------------------------- */

#define HALF                                                                             \
    "-- migrate:up transaction:false\nDELETE FROM left_side;\nVACUUM;\n"                 \
    "INSERT INTO nowhere VALUES (1);\n"

static void test_backup_unchanged__a_migration_restores_an_automatic_one(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    sandbox_write("migrations/0001_first.sql", "CREATE TABLE first(x);");
    box_call("migrate.up", NULL);
    const char *name = automatic(false);
    sandbox_write("migrations/0002_half.sql", HALF);
    box_run("migrate.up", NULL);
    box_assert_failed("BK_EMIGRATION", "0002_half.sql", name, NULL);
    box_assert_sql("SELECT count(*) FROM left_side", "20");
    box_call("migrate.status", NULL);
    box_assert_number("result.current", 1);
}

/* Whatever is made later: the migration may have been killed half way and want it back. */
static void test_backup_unchanged__retention_spares_what_a_migration_wants(void **state) {
    (void)state;
    box_new();
    box_set("backup.keep", "1");
    box_open();
    box_database_with(ROWS_SMALL);
    const char *wanted = automatic(false);
    box_call("backup.create", "{\"kind\":\"pre_migration\"}");
    box_assert_text("result.name", wanted);
    for (int i = 0; i < 3; i++) {
        box_do("UPDATE left_side SET t = t || 'x' WHERE n = 1");
        automatic(false);
    }
    box_call("backup.prune", NULL);
    assert_int_equal(box_backups(wanted), 1);
    box_assert_only(2);
    /* A later one before migrations stands for itself; then the old one goes. */
    box_do("UPDATE left_side SET t = t || 'x' WHERE n = 1");
    box_call("backup.create", "{\"kind\":\"pre_migration\"}");
    assert_false(is_unchanged());
    assert_int_equal(box_backups(wanted), 0);
}

int main(int argc, char **argv) {
    BOX_WRITER(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(writes_nothing_but_the_record),
        TEST(does_not_read_the_database),
        TEST(after_a_checkpoint),
        TEST(what_was_asked_for_is_made),
        TEST(crash_loops_leave_history_as_it_was),
        TEST(any_commit_makes_another),
        TEST(when_the_archive_is_gone_or_cut),
        TEST(when_the_newest_was_found_damaged),
        TEST(when_a_setting_or_the_database_is_another),
        TEST(when_encryption_is_asked_otherwise),
        TEST(when_the_record_is_lost_or_broken),
        TEST(a_migration_restores_an_automatic_one),
        TEST(retention_spares_what_a_migration_wants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
