/*
 * backup.create through the public ABI on real files: what is in the archive, what the folder looks
 * like, beside a writing child, cancelled, refused. The sqlite3 program and gunzip are the judges.
 */
#include "backup_box.h"

#define TEST(name) BOX_TEST(backup_create, name)

static void assert_mode(const char *path, unsigned mode) {
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    assert_int_equal(info.st_mode & 0777, mode);
}

static void test_backup_create__gunzip_gives_the_database(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create("{\"note\":\"before the update\"}");
    assert_non_null(strstr(name, ".db.gz"));
    char *sum = box_on(name, "gunzip -c '%s' | sha256sum | cut -c1-64");
    sum[64] = '\0';
    box_assert_text("result.sha256", sum);
    free(sum);
    sum = box_on(name, "sha256sum '%s' | cut -c1-64");
    sum[64] = '\0';
    box_assert_text("result.archive_sha256", sum);
    free(sum);
    free(box_on(name, "gunzip -k '%s'"));
    assert_int_equal(
        box_assert_sound(sandbox_path("backups/%.*s", (int)strlen(name) - 3, name)),
        ROWS_BIG);
    box_assert_number("result.tables.left_side", ROWS_BIG);
    box_assert_text("result.kind", "manual");
    box_assert_text("result.note", "before the update");
    box_assert_text("result.compression", "gzip");
    box_assert_number("result.verified", 1);
    box_assert_number("result.sequence", 1);
}

static void test_backup_create__the_program_zstd_gives_the_database(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create("{\"compress\":\"zstd\"}");
    assert_non_null(strstr(name, ".db.zst"));
    char *sum = box_on(name, "zstd -dc '%s' | sha256sum | cut -c1-64");
    sum[64] = '\0';
    box_assert_text("result.sha256", sum);
    free(sum);
    box_assert_text("result.compression", "zstd");
    box_assert_number("result.verified", 1);
    free(box_on(name, "zstd -qdk '%s'"));
    assert_int_equal(
        box_assert_sound(sandbox_path("backups/%.*s", (int)strlen(name) - 4, name)),
        ROWS_BIG);
}

static void test_backup_create__a_small_one_is_the_database_itself(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *name = box_create(NULL);
    assert_null(strstr(name, ".gz"));
    assert_int_equal(box_assert_sound(sandbox_path("backups/%s", name)), ROWS_SMALL);
    name = box_create("{\"compress\":\"gzip\"}");
    assert_non_null(strstr(name, ".gz"));
}

static void test_backup_create__folder_and_files_are_private(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *name = box_create(NULL);
    assert_mode(sandbox_path("backups"), 0700);
    assert_mode(sandbox_path("backups/%s", name), 0600);
    assert_mode(sandbox_path("backups/%s.json", name), 0600);
    char *ignore = box_on(".gitignore", "cat '%s'");
    assert_string_equal(ignore, "*\n");
    free(ignore);
    box_assert_only(1);
}

static void test_backup_create__an_existing_folder_keeps_its_files(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    sandbox_write("backups/notes.txt", "mine");
    chmod(sandbox_path("backups"), 0755);
    box_create(NULL);
    assert_mode(sandbox_path("backups"), 0755);
    assert_false(box_has("backups/.gitignore"));
    assert_true(box_has("backups/notes.txt"));
}

static void test_backup_create__many_in_one_second_have_their_own_names(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    for (int i = 0; i < 6; i++) {
        box_create(NULL);
        box_assert_number("result.sequence", i + 1);
    }
    box_call("backup.list", "{\"kind\":\"manual\"}");
    box_assert_number("result.total", 6);
    box_assert_number("result.backups[0].sequence", 6);
    box_assert_only(6);
}

static void test_backup_create__is_one_instant_beside_a_writing_child(void **state) {
    int last = 0;
    (void)state;
    box_database_with(ROWS_BIG);
    box_writer_start();
    for (int i = 0; i < 15; i++) {
        char args[256];
        const char *name = box_create(NULL);
        double counted = bk_pick_number(box_done, "result.tables.left_side", -1);
        box_assert_number("result.tables.right_side", counted);
        box_args(args, sizeof args, name, "");
        args[strlen(args) - 1] = '\0';
        snprintf(args + strlen(args), sizeof args - strlen(args), ",\"to\":\"%s\"}",
                 sandbox_path("copy-%d.db", i));
        box_call("backup.restore", args);
        int rows = box_assert_sound(sandbox_path("copy-%d.db", i));
        assert_true(rows == (int)counted && rows >= last);
        last = rows;
    }
    box_writer_kill();
    assert_true(last > ROWS_BIG);
    assert_true(box_assert_sound(box_database()) >= last);
}

static void test_backup_create__in_rollback_mode_too(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    box_do("PRAGMA journal_mode = DELETE");
    box_writer_start();
    usleep(100000);
    for (int i = 0; i < 5; i++) {
        box_create(NULL);
        double counted = bk_pick_number(box_done, "result.tables.left_side", -1);
        box_assert_number("result.tables.right_side", counted);
    }
    box_writer_kill();
    box_assert_sound(box_database());
}

/* Waits for the job's first progress of a phase (NULL: any), or for its end. */
static void wait_for_progress(const char *phase) {
    for (int i = 0; i < 400; i++) {
        char *event = bk_next(box_keeper, 50);
        char *found = event ? bk_pick_text(event, "phase") : NULL;
        bool there = found && (!phase || strcmp(found, phase) == 0);
        bk_free(event);
        bk_free(found);
        if (there) {
            return;
        }
    }
}

static void test_backup_create__cancelled_leaves_no_trace(void **state) {
    int cancelled = 0;
    (void)state;
    box_database_with(ROWS_BIG * 20); /* long enough to be met in each phase */
    box_new();
    box_open();
    for (int i = 0; i < 12; i++) {
        int job = bk_run(box_keeper, "backup.create", NULL);
        assert_true(job > 0);
        if (i % 3 > 0) {
            wait_for_progress(NULL);
        }
        usleep((unsigned)(i * 17000));
        bk_cancel(box_keeper, job);
        bk_free(box_done);
        box_done = bk_wait(box_keeper, job, -1);
        if (bk_pick_number(box_done, "ok", -1) == 0) {
            box_assert_failed("BK_ECANCELLED", "cancelled", NULL);
            cancelled++;
        }
        assert_int_equal(box_backups(".tmp-*"), 0);
        assert_int_equal(box_backups("*.json"), i + 1 - cancelled);
    }
    assert_true(cancelled >= 6);
    box_call("backup.status", NULL);
    box_assert_text("result.last_failure", NULL);
}

static void test_backup_create__a_killed_runs_leftovers_are_collected(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    sandbox_write("backups/.tmp-manual_2025-12-04T10-30-00.db", "half");
    sandbox_write("backups/.tmp-manual_2025-12-04T10-30-00.db-journal", "half");
    sandbox_write("backups/.tmp-auto_2025-12-04T10-30-00.db.gz.json", "{");
    sandbox_write("backups/.tmp-upload", "somebody's");
    sandbox_write("backups/manual_2020-01-01T00-00-00.db.json", "{\"foreign\":true}");
    const char *name = box_create(NULL);
    char command[128];
    snprintf(command, sizeof command, "rm '%%s'");
    free(box_on(name, command)); /* an orphaned manifest of ours */
    box_create(NULL);
    box_call("backup.list", NULL);
    box_assert_number("result.total", 2);
    assert_int_equal(box_backups("*.json"), 2 + 1);
    assert_int_equal(box_backups(".tmp-*"), 1);
    assert_true(box_has("backups/.tmp-upload"));
    assert_true(box_has("backups/manual_2020-01-01T00-00-00.db.json"));
}

static void test_backup_create__waits_for_the_folder_and_says_who_has_it(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    box_new();
    box_set("backup.lock.wait", "50");
    box_open();
    pid_t holder = fork();
    if (holder == 0) {
        execlp("flock", "flock", "-F", sandbox_path("backups/.botkeep.lock"), "sleep",
               "60", (char *)NULL);
        _exit(127);
    }
    char command[256];
    snprintf(command, sizeof command, "while flock -n '%s' true; do sleep 0.01; done",
             sandbox_path("backups/.botkeep.lock"));
    free(box_shell(command));
    box_run("backup.create", NULL);
    box_assert_failed("BK_EBUSY", "Another process", "backup.lock.wait", NULL);
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    box_create(NULL);
}

static void test_backup_create__a_note_beyond_all_bounds(void **state) {
    size_t size = 100000;
    char *args = malloc(size + 64);
    (void)state;
    assert_non_null(args);
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    int at = sprintf(args, "{\"note\":\"");
    memset(args + at, 'n', size);
    strcpy(args + at + size, "\"}");
    box_run("backup.create", args);
    box_assert_failed("BK_EINVAL", "note", NULL);
    free(args);
    box_assert_only(1);
}

/* Whole pages of noise in the middle: it opens, but its backup would be worth nothing. */
static void test_backup_create__of_a_damaged_database(void **state) {
    char command[512];
    (void)state;
    box_database_with(ROWS_BIG);
    box_create(NULL);
    box_do("PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(
        command, sizeof command,
        "dd if=/dev/urandom of='%s' bs=4096 seek=20 count=30 conv=notrunc 2>/dev/null",
        box_database());
    free(box_shell(command));
    box_run("backup.create", NULL);
    box_assert_failed("BK_ECORRUPT", "The database is damaged", "backup.restore", NULL);
    box_assert_only(1);
}

/* ---- refused -------------------------------------------------------------------------------- */

static void assert_refused(const char *code, const char *word) {
    box_run("backup.create", NULL);
    box_assert_failed(code, word, NULL);
    box_call("backup.status", NULL);
    box_assert_text("result.last_failure.code", code);
    box_assert_number("result.total", 0);
    if (box_has("backups")) {
        box_assert_only(0);
    }
}

static void test_backup_create__without_a_database(void **state) {
    (void)state;
    assert_refused("BK_ENOTFOUND", "bot.db");
    assert_false(box_has("bot.db"));
}

static void test_backup_create__of_a_folder(void **state) {
    (void)state;
    assert_int_equal(mkdir(box_database(), 0700), 0);
    assert_refused("BK_EINVAL", "bot.db");
}

static void test_backup_create__of_zero_bytes(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    assert_refused("BK_ECORRUPT", "bot.db");
}

static void test_backup_create__of_something_else(void **state) {
    (void)state;
    sandbox_write("bot.db",
                  "This is not a database but a text that is long enough to be one, "
                  "if one only looks at the size of it, which nobody should do. "
                  "................................................................");
    assert_refused("BK_ECORRUPT", "bot.db");
}

static void test_backup_create__of_a_truncated_database(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    box_do("PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(truncate(box_database(), 1024 * 1024), 0);
    assert_refused("BK_ECORRUPT", "");
}

static void test_backup_create__into_a_file(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    sandbox_write("backups", "a file");
    box_run("backup.create", NULL);
    box_assert_failed("BK_EINVAL", "backup.dir", "is a file", NULL);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL);
}

static void test_backup_create__into_a_folder_that_cannot_be_made(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    sandbox_write("file", "");
    box_new();
    box_set("backup.dir", sandbox_path("file/backups"));
    box_open();
    box_run("backup.create", NULL);
    box_assert_number("ok", 0);
    char *message = bk_pick_text(box_done, "error.message");
    assert_non_null(strstr(message, "backup"));
    bk_free(message);
}

static void test_backup_create__unknown_arguments(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_new();
    box_open();
    assert_int_equal(bk_run(box_keeper, "backup.create", "{\"kind\":\"weekly\"}"),
                     BK_EINVAL);
    assert_int_equal(bk_run(box_keeper, "backup.create", "{\"kinds\":\"auto\"}"),
                     BK_EINVAL);
    assert_int_equal(bk_run(box_keeper, "backup.create", "{\"note\":\"\xff\"}"),
                     BK_EINVAL);
    assert_int_equal(bk_run(box_keeper, "backup.apply", NULL), BK_ENOTFOUND);
}

int main(int argc, char **argv) {
    BOX_WRITER(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(gunzip_gives_the_database),
        TEST(the_program_zstd_gives_the_database),
        TEST(a_small_one_is_the_database_itself),
        TEST(folder_and_files_are_private),
        TEST(an_existing_folder_keeps_its_files),
        TEST(many_in_one_second_have_their_own_names),
        TEST(is_one_instant_beside_a_writing_child),
        TEST(in_rollback_mode_too),
        TEST(cancelled_leaves_no_trace),
        TEST(a_killed_runs_leftovers_are_collected),
        TEST(waits_for_the_folder_and_says_who_has_it),
        TEST(of_a_damaged_database),
        TEST(a_note_beyond_all_bounds),
        TEST(without_a_database),
        TEST(of_a_folder),
        TEST(of_zero_bytes),
        TEST(of_something_else),
        TEST(of_a_truncated_database),
        TEST(into_a_file),
        TEST(into_a_folder_that_cannot_be_made),
        TEST(unknown_arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
