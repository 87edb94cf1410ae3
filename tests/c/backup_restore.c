/*
 * backup.restore through the public ABI: live beside a writing child, staged, into another file,
 * over databases that are missing, empty, damaged; stale journals; names from outside.
 */
#include "backup_box.h"

#define TEST(name) BOX_TEST(backup_restore, name)

static void restore(const char *name, const char *more) {
    char args[512];
    box_args(args, sizeof args, name, more);
    box_run("backup.restore", args);
}

static void assert_restored(const char *name, const char *more) {
    restore(name, more);
    if (bk_pick_number(box_done, "ok", 0) != 1) {
        fail_msg("%s", box_done);
    }
    box_assert_text("result.name", name);
}

/* All but five rows are lost. */
static void lose_rows(void) {
    box_do("DELETE FROM left_side WHERE n > 5; DELETE FROM right_side WHERE n > 5");
}

static void test_backup_restore__live_brings_the_rows_back(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    lose_rows();
    assert_restored(name, "");
    box_assert_text("result.mode", "live");
    box_assert_number("result.applied", 1);
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
    box_assert_sql("PRAGMA journal_mode", "wal");
    char *before = bk_pick_text(box_done, "result.pre_restore");
    assert_non_null(before);
    assert_restored(before, ""); /* and there is a way back */
    assert_int_equal(box_assert_sound(box_database()), 5);
    bk_free(before);
    box_assert_only(3);
}

static void
test_backup_restore__without_a_name_never_undoes_the_one_before(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    for (int i = 0; i < 2; i++) {
        lose_rows();
        box_call("backup.restore", "{}");
        box_assert_text("result.name", name);
        assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
    }
}

static void test_backup_restore__a_writing_child_goes_on(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    box_writer_start();
    for (int i = 0; i < 8; i++) {
        usleep(50000);
        assert_restored(name, ",\"mode\":\"live\"");
        box_assert_sound(box_database());
    }
    usleep(200000);
    box_writer_kill();
    assert_true(box_assert_sound(box_database()) > ROWS_BIG);
}

static void test_backup_restore__a_writing_child_goes_on_in_rollback_mode(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    box_do("PRAGMA journal_mode = DELETE");
    const char *name = box_create(NULL);
    box_writer_start();
    for (int i = 0; i < 4; i++) {
        usleep(50000);
        assert_restored(name, "");
    }
    box_writer_kill();
    box_assert_sound(box_database());
    box_assert_sql("PRAGMA journal_mode", "delete");
}

/* ---- names ------------------------------------------------------------------------------------ */

static void test_backup_restore__only_names_of_the_list(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    sandbox_write("manual_2025-12-04T10-30-00.db", "outside");
    const char *name = box_create(NULL);
    restore("../manual_2025-12-04T10-30-00.db", "");
    box_assert_failed("BK_EINVAL", "not by a path", NULL);
    restore("/etc/passwd", "");
    box_assert_failed("BK_EINVAL", "not by a path", NULL);
    restore("", "");
    box_assert_failed("BK_EINVAL", "empty", NULL);
    restore("manual_2025-12-04T10-30-00.db", "");
    box_assert_failed("BK_ENOTFOUND", "manual_2025-12-04T10-30-00.db", name, NULL);
    restore("nonsense", "");
    box_assert_failed("BK_ENOTFOUND", name, NULL);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL);
    box_assert_only(1);
}

static void test_backup_restore__without_backups_nothing_is_made(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_run("backup.restore", NULL);
    box_assert_failed("BK_ENOTFOUND", "backup.create", NULL);
    assert_false(box_has("backups"));
}

static void test_backup_restore__spares_the_one_it_restores(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_new();
    box_set("backup.keep", "1");
    box_open();
    const char *name = box_create("{\"kind\":\"pre_restore\"}");
    assert_restored(name, "");
    box_call("backup.list", NULL);
    box_assert_number("result.total", 2);
}

static void test_backup_restore__of_another_kind_of_store_is_refused(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *name = box_create(NULL);
    free(box_on(name,
                "sed -i 's/\"store\":\"sqlite\"/\"store\":\"postgres\"/' '%s.json'"));
    restore(name, "");
    box_assert_failed("BK_EUNSUPPORTED", "postgres", "sqlite", NULL);
    restore(name, ",\"mode\":\"staged\"");
    box_assert_failed("BK_EUNSUPPORTED", "postgres", NULL);
    box_assert_only(1);
}

/* ---- into another file ------------------------------------------------------------------------ */

static void restore_to(const char *name, const char *path) {
    char more[256];
    snprintf(more, sizeof more, ",\"to\":\"%s\"", path);
    restore(name, more);
}

static void test_backup_restore__to_a_path_that_is_new(void **state) {
    struct stat info;
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    lose_rows();
    restore_to(name, sandbox_path("copy.db"));
    box_assert_text("result.mode", "path");
    box_assert_text("result.pre_restore", NULL);
    assert_int_equal(box_assert_sound(sandbox_path("copy.db")), ROWS_BIG);
    assert_int_equal(stat(sandbox_path("copy.db"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0600);
    assert_int_equal(box_assert_sound(box_database()), 5);
    assert_false(box_has("copy.db.botkeep-tmp"));
}

static void test_backup_restore__to_a_path_never_over_a_file(void **state) {
    static const char *const taken[] = {"copy.db", "copy.db-wal", "copy.db-journal",
                                        "copy.db-shm"};
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        sandbox_write(taken[i], "somebody's");
        restore_to(name, sandbox_path("copy.db"));
        box_assert_failed("BK_EINVAL", taken[i], NULL);
        char *content = box_on("..", "cat '%s/copy.db'* ");
        assert_string_equal(content, "somebody's");
        free(content);
        assert_int_equal(unlink(sandbox_path("%s", taken[i])), 0);
    }
    restore_to(name, sandbox_path("no/such/folder/copy.db"));
    box_assert_number("ok", 0);
}

static void test_backup_restore__to_a_path_after_a_killed_try(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    sandbox_write("copy.db.botkeep-tmp", "half of something longer than it seems");
    restore_to(name, sandbox_path("copy.db"));
    box_assert_number("ok", 1);
    assert_int_equal(box_assert_sound(sandbox_path("copy.db")), ROWS_BIG);
    assert_false(box_has("copy.db.botkeep-tmp"));
}

/* ---- staged ----------------------------------------------------------------------------------- */

static void reopen(const char *track) {
    box_new();
    box_set("run.track", track);
    box_open();
}

static void test_backup_restore__staged_waits_for_the_bots_next_start(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    lose_rows();
    assert_restored(name, ",\"mode\":\"staged\"");
    box_assert_text("result.mode", "staged");
    box_assert_number("result.applied", 0);
    assert_int_equal(box_assert_sound(box_database()), 5);
    box_call("backup.status", NULL);
    box_assert_text("result.staged", name);
    reopen("false"); /* a tool that looks is no start of the bot */
    assert_int_equal(box_assert_sound(box_database()), 5);
    reopen("true");
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
    box_call("backup.status", NULL);
    box_assert_text("result.staged", NULL);
    box_call("backup.list", "{\"kind\":\"pre_restore\"}");
    box_assert_number("result.total", 1);
    assert_false(box_has("bot.db.botkeep/restore.json"));
    box_do("DELETE FROM left_side WHERE n = 1; DELETE FROM right_side WHERE n = 1");
    reopen("true"); /* it is applied once */
    box_assert_sql("SELECT count(*) FROM left_side", "19999");
}

static void test_backup_restore__staged_twice_the_last_one_counts(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *full = box_create(NULL);
    lose_rows();
    const char *five = box_create(NULL);
    assert_restored(full, ",\"mode\":\"staged\"");
    assert_restored(five, ",\"mode\":\"staged\"");
    box_call("backup.status", NULL);
    box_assert_text("result.staged", five);
    char command[512];
    snprintf(command, sizeof command, "ls '%s'/restore-*.db | wc -l",
             sandbox_path("bot.db.botkeep"));
    assert_int_equal(box_count(command), 1);
    reopen("true");
    assert_int_equal(box_assert_sound(box_database()), 5);
}

static void damage_staged(const char *command) {
    char whole[512];
    snprintf(whole, sizeof whole, "cd '%s' && %s", sandbox_path("bot.db.botkeep"),
             command);
    free(box_shell(whole));
    box_new();
    box_set("run.track", "true");
    assert_int_equal(bk_open(box_keeper), BK_ECORRUPT);
    assert_non_null(strstr(bk_last_error(), "not touched"));
    assert_int_equal(box_assert_sound(box_database()), 5);
    assert_int_equal(bk_open(box_keeper), 0); /* the next start is a normal one */
    assert_int_equal(box_assert_sound(box_database()), 5);
    box_call("backup.status", NULL);
    box_assert_text("result.staged", NULL);
}

static void test_backup_restore__staged_and_tampered_with_is_refused_once(void **state) {
    static const char *const damages[] = {
        "printf X | dd of=$(ls restore-*.db) bs=1 seek=9000 conv=notrunc 2>/dev/null",
        "truncate -s -1 restore-*.db",
        "rm restore-*.db",
        "echo '{}' > restore.json",
        "echo 'nonsense' > restore.json",
        "sed -i 's/\"image\":\"/\"image\":\"..\\/..\\//' restore.json",
    };
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    lose_rows();
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        assert_restored(name, ",\"mode\":\"staged\"");
        damage_staged(damages[i]);
    }
}

/* ---- databases that do not open --------------------------------------------------------------- */

static void test_backup_restore__a_missing_database(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    assert_int_equal(unlink(box_database()), 0);
    restore(name, ",\"mode\":\"live\"");
    box_assert_failed("BK_ENOTFOUND", "bot.db", NULL);
    assert_false(box_has("bot.db"));
    assert_restored(name, "");
    box_assert_text("result.pre_restore", NULL);
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
}

static void test_backup_restore__an_empty_or_foreign_file_is_set_aside(void **state) {
    static const char *const contents[] = {"", "not a database at all"};
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    for (size_t i = 0; i < 2; i++) {
        sandbox_write("bot.db", contents[i]);
        assert_restored(name, "");
        assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
        char *kept = bk_pick_text(box_done, "result.kept");
        assert_non_null(kept);
        assert_true(access(kept, R_OK) == 0);
        bk_free(kept);
    }
}

/* The main file is lost, the journal of a killed writer is still there and fits it no more. */
static void test_backup_restore__stale_journals_never_win(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    box_writer_start();
    usleep(300000);
    box_writer_kill();
    assert_true(box_has("bot.db-wal"));
    assert_int_equal(truncate(box_database(), 0), 0);
    assert_restored(name, "");
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
}

static void damage_middle(void) {
    char command[512];
    box_do("PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(
        command, sizeof command,
        "dd if=/dev/urandom of='%s' bs=4096 seek=20 count=30 conv=notrunc 2>/dev/null",
        box_database());
    free(box_shell(command));
}

static void test_backup_restore__a_damaged_database_is_kept_aside(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    damage_middle();
    restore(name, ",\"mode\":\"live\""); /* nothing sound can be saved first */
    box_assert_failed("BK_ECORRUPT", NULL);
    assert_restored(name, "");
    box_assert_text("result.pre_restore", NULL);
    char *kept = bk_pick_text(box_done, "result.kept");
    assert_non_null(kept);
    bk_free(kept);
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
    box_assert_only(1);
}

static void test_backup_restore__staged_over_a_damaged_database(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    damage_middle();
    assert_restored(name, ",\"mode\":\"staged\"");
    reopen("true");
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
}

static void test_backup_restore__another_page_size(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    box_do("PRAGMA journal_mode = DELETE; PRAGMA page_size = 8192; VACUUM;"
           "PRAGMA journal_mode = WAL; DELETE FROM left_side WHERE n > 5;"
           "DELETE FROM right_side WHERE n > 5");
    box_assert_sql("PRAGMA page_size", "8192");
    assert_restored(name, "");
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
    box_assert_sql("PRAGMA page_size", "4096");
}

int main(int argc, char **argv) {
    BOX_WRITER(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(live_brings_the_rows_back),
        TEST(without_a_name_never_undoes_the_one_before),
        TEST(a_writing_child_goes_on),
        TEST(a_writing_child_goes_on_in_rollback_mode),
        TEST(only_names_of_the_list),
        TEST(without_backups_nothing_is_made),
        TEST(spares_the_one_it_restores),
        TEST(of_another_kind_of_store_is_refused),
        TEST(to_a_path_that_is_new),
        TEST(to_a_path_never_over_a_file),
        TEST(to_a_path_after_a_killed_try),
        TEST(staged_waits_for_the_bots_next_start),
        TEST(staged_twice_the_last_one_counts),
        TEST(staged_and_tampered_with_is_refused_once),
        TEST(a_missing_database),
        TEST(an_empty_or_foreign_file_is_set_aside),
        TEST(stale_journals_never_win),
        TEST(a_damaged_database_is_kept_aside),
        TEST(staged_over_a_damaged_database),
        TEST(another_page_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
