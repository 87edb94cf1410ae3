/*
 * Encrypted backups through the public ABI: nothing is written plain, what was sealed comes
 * back with its key alone, wrong settings stop everything in time. Damage, and whether others
 * can read them: backup_encryption_damage.c, tests/format.
 */
#include "encryption_box.h"

#include <sys/inotify.h>

#define TEST(name) BOX_TEST(backup_encryption, name)
/* ---- what is made --------------------------------------------------------------------------- */

static void test_backup_encryption__a_key_file_writes_and_reads(void **state) {
    (void)state;
    with_key(ROWS_BIG);
    const char *name = box_create(NULL);
    box_assert_text("result.encryption", "key");
    box_assert_text("result.key_id", box_key_id);
    assert_non_null(strstr(name, ".db.gz.enc"));
    const char *plain = box_create("{\"compress\":\"none\"}");
    assert_non_null(strstr(plain, ".db.enc"));
    assert_nothing_plain();
    assert_depth(name, "full");
    assert_depth(plain, "full");
    assert_restores(name, ROWS_BIG);
    assert_restores(plain, ROWS_BIG);
}

static void test_backup_encryption__small_ones_are_sealed_too(void **state) {
    (void)state;
    with_key(ROWS_SMALL);
    const char *name = box_create(NULL);
    assert_nothing_plain();
    assert_restores(name, ROWS_SMALL);
}

static void
test_backup_encryption__a_recipient_writes_and_only_the_secret_reads(void **state) {
    char before[32];
    (void)state;
    with_recipient(ROWS_BIG);
    snprintf(before, sizeof before, "%s", box_key_id);
    const char *name = box_create(NULL);
    box_assert_text("result.encryption", "recipient");
    box_assert_text("result.key_id", before);
    assert_nothing_plain();
    assert_depth(name, "sealed");
    restore_to(name, "no.db");
    box_assert_failed("BK_EDENIED", name, before, NULL);
    assert_false(box_has("no.db"));
    open_with("secret", NULL);
    assert_depth(name, "full");
    assert_restores(name, ROWS_BIG);
}

/* The secret half of a pair writes for its own public half. */
static void test_backup_encryption__a_secret_file_writes_for_itself(void **state) {
    (void)state;
    with_recipient(ROWS_SMALL);
    open_with("secret", NULL);
    const char *name = box_create(NULL);
    box_assert_text("result.encryption", "recipient");
    assert_restores(name, ROWS_SMALL);
}

static void test_backup_encryption__every_kind_is_sealed(void **state) {
    static const char *const kinds[] = {"manual", "auto", "startup", "shutdown"};
    (void)state;
    with_key(ROWS_SMALL);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        char args[64];
        char sql[128];
        snprintf(sql, sizeof sql, "INSERT INTO marked VALUES('row %zu')", i);
        box_do(sql);
        snprintf(args, sizeof args, "{\"kind\":\"%s\"}", kinds[i]);
        box_create(args);
    }
    box_call("backup.restore", NULL);
    sandbox_write("migrations/0001_a.sql", "CREATE TABLE a(b);");
    box_call("migrate.up", NULL);
    assert_int_equal(box_backups("pre_restore_*.enc"), 1);
    assert_int_equal(box_backups("pre_migration_*.enc"), 1);
    assert_int_equal(box_backups("*.enc"), 6);
    assert_nothing_plain();
}

static void test_backup_encryption__a_staged_restore_is_applied(void **state) {
    (void)state;
    with_key(ROWS_BIG);
    box_create(NULL);
    box_do("DELETE FROM left_side");
    box_call("backup.restore", "{\"mode\":\"staged\"}");
    box_new();
    box_set("run.track", "true");
    box_set("backup.key.file", sandbox_path("key"));
    box_open();
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
    assert_int_equal(box_backups("pre_restore_*.enc"), 1);
    assert_nothing_plain();
}

/* The program of the same build, for a process to be the helper. */
static void box_helper(void) {
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 16);
    assert_true(size > 0);
    path[size] = '\0';
    strcpy(strstr(path, "/tests/c/"), "/botkeep");
    assert_int_equal(setenv("BOTKEEP_HELPER", path, 1), 0);
}

static void test_backup_encryption__the_helper_process_does_it_too(void **state) {
    (void)state;
    with_key(ROWS_BIG);
    box_new();
    box_helper();
    box_set("guest.isolation", "process");
    box_set("backup.key.file", sandbox_path("key"));
    box_open();
    const char *name = box_create(NULL);
    assert_nothing_plain();
    assert_depth(name, "full");
    box_do("DELETE FROM left_side");
    box_call("backup.restore", NULL);
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
}

static void test_backup_encryption__two_of_one_state_share_no_bytes(void **state) {
    (void)state;
    with_key(ROWS_SMALL);
    const char *one = box_create(NULL);
    const char *two = box_create(NULL);
    char command[1024];
    snprintf(command, sizeof command, "cmp -l '%s' '%s' | wc -l",
             sandbox_path("backups/%s", one), sandbox_path("backups/%s", two));
    assert_true(box_count(command) > 8000);
}

/* Nobody but who has the secret key can rehearse: that is said, and is no failure. */
static void assert_rehearses(const char *depth) {
    box_call("backup.rehearse", NULL);
    box_assert_text("result.depth", depth);
    box_call("backup.status", NULL);
    box_assert_number("result.rehearsal.ok", 1);
    box_assert_text("result.rehearsal.depth", depth);
}

static void test_backup_encryption__a_rehearsal_says_how_deep_it_went(void **state) {
    (void)state;
    with_recipient(ROWS_BIG);
    box_create(NULL);
    assert_rehearses("sealed");
    box_helper();
    box_new();
    box_set("guest.isolation", "process");
    box_set("backup.recipient", box_public);
    box_open();
    assert_rehearses("sealed");
    open_with("secret", NULL);
    assert_rehearses("full");
}

/* ---- plain copies meanwhile ----------------------------------------------------------------- */

static int watch_backups(void) {
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    assert_true(fd >= 0);
    assert_true(inotify_add_watch(fd, sandbox_path("backups"),
                                  IN_CREATE | IN_MOVED_TO | IN_MODIFY) >= 0);
    return fd;
}

/* Every file that ever stood there: locks, manifests, and what ends in .enc. */
static int assert_saw_nothing_plain(int fd) {
    char room[65536] __attribute__((aligned(__alignof__(struct inotify_event))));
    int seen = 0;
    for (ssize_t got; (got = read(fd, room, sizeof room)) > 0;) {
        for (char *at = room; at < room + got;) {
            const struct inotify_event *event = (const void *)at;
            size_t size = strlen(event->name);
            bool fine = strcmp(event->name, ".botkeep.lock") == 0 ||
                        (size > 4 && strcmp(event->name + size - 4, ".enc") == 0) ||
                        (size > 9 && strcmp(event->name + size - 9, ".enc.json") == 0);
            if (!fine) {
                fail_msg("%s stood in the folder of the backups", event->name);
            }
            seen++;
            at += sizeof *event + event->len;
        }
    }
    close(fd);
    return seen;
}

static void test_backup_encryption__no_plain_file_is_ever_in_the_folder(void **state) {
    (void)state;
    with_key(ROWS_BIG);
    box_create(NULL);
    int fd = watch_backups();
    box_create(NULL);
    box_create("{\"compress\":\"none\"}");
    box_call("backup.restore", NULL);
    box_call("backup.restore", "{\"mode\":\"staged\"}");
    open_with(NULL, NULL); /* and when the options no longer ask for it */
    box_run("backup.restore", NULL);
    box_assert_failed("BK_EDENIED", NULL);
    assert_true(assert_saw_nothing_plain(fd) > 6);
}

/* Backups of changes, and the whole one that retention makes of them, are no exception. */
static void
test_backup_encryption__no_plain_file_stands_there_for_changes_either(void **state) {
    (void)state;
    with_key(ROWS_BIG);
    box_new();
    box_set("backup.key.file", sandbox_path("key"));
    box_set("backup.deltas", "2");
    box_set("backup.keep", "2");
    box_open();
    box_create(NULL);
    int fd = watch_backups();
    for (int i = 0; i < 6; i++) {
        box_do("INSERT INTO left_side(t) VALUES('x');"
               "INSERT INTO right_side(n) SELECT max(n) FROM left_side");
        box_create(NULL);
    }
    assert_true(box_backups("*.delta.*enc") > 0);
    assert_true(assert_saw_nothing_plain(fd) > 20);
    assert_nothing_plain();
    box_call("backup.verify", "{\"all\":true}");
    box_call("backup.restore", NULL);
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG + 6);
}

/* What other tools left behind was plain; what is made of it is not. */
static void
test_backup_encryption__foreign_backups_are_adopted_and_restored(void **state) {
    char command[1024];
    (void)state;
    with_key(ROWS_BIG);
    box_create(NULL);
    snprintf(command, sizeof command, "cp '%s' '%s'", box_database(),
             sandbox_path("backups/backup_2024-01-15.db"));
    free(box_shell(command));
    box_do("DELETE FROM left_side");
    box_call("backup.restore", "{\"name\":\"backup_2024-01-15.db\"}");
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
    box_call("backup.adopt", "{\"name\":\"backup_2024-01-15.db\",\"move\":true}");
    assert_int_equal(box_backups("*.enc"), 3);
    assert_nothing_plain();
}

static void
test_backup_encryption__leftovers_in_the_state_folder_are_collected(void **state) {
    static const char leftover[] =
        "bot.db.botkeep/hidden/.tmp-manual_2025-12-04T10-30-00.db";
    (void)state;
    with_key(ROWS_SMALL);
    sandbox_write(leftover, MARKER);
    box_create(NULL);
    assert_false(box_has(leftover));
    sandbox_write(leftover, MARKER);
    open_with(NULL, NULL);
    box_create(NULL);
    assert_false(box_has(leftover));
}

/* ---- wrong settings ------------------------------------------------------------------------- */

static void assert_refused(const char *code) {
    box_run("backup.create", NULL);
    box_assert_failed(code, "No backup was made", NULL);
    assert_int_equal(box_backups("*.db*"), 0);
    assert_int_equal(box_backups(".tmp*"), 0);
    bk_set(box_keeper, "run.track", "true");
}

/* A bot with these settings does not start, so that it is not told at night. */
static void assert_no_start(const char *option, const char *value, int code) {
    box_new();
    box_set("run.track", "true");
    box_set(option, value);
    assert_int_equal(bk_open(box_keeper), code);
    bk_close(box_keeper);
    box_keeper = NULL;
    assert_false(box_has("backups"));
}

static void test_backup_encryption__a_key_file_others_read_is_refused(void **state) {
    (void)state;
    database(ROWS_SMALL);
    make_key("key", "shared");
    assert_int_equal(chmod(sandbox_path("key"), 0644), 0);
    assert_no_start("backup.key.file", sandbox_path("key"), BK_EDENIED);
    open_with("key", NULL);
    assert_refused("BK_EDENIED");
}

static void test_backup_encryption__a_missing_key_file_is_refused(void **state) {
    (void)state;
    database(ROWS_SMALL);
    assert_no_start("backup.key.file", sandbox_path("none"), BK_ENOTFOUND);
    open_with("none", NULL);
    assert_refused("BK_ENOTFOUND");
}

static void test_backup_encryption__a_database_is_no_key_file(void **state) {
    (void)state;
    database(ROWS_SMALL);
    assert_int_equal(chmod(box_database(), 0600), 0);
    assert_no_start("backup.key.file", box_database(), BK_EINVAL);
    open_with("bot.db", NULL);
    assert_refused("BK_EINVAL");
}

static void test_backup_encryption__a_secret_in_the_place_of_the_public_key_is_not_told(
    void **state) {
    char secret[65];
    (void)state;
    database(ROWS_SMALL);
    make_key("key", "shared");
    char command[512];
    snprintf(command, sizeof command, "tail -n 1 '%s' | cut -d' ' -f2",
             sandbox_path("key"));
    char *text = box_shell(command);
    snprintf(secret, sizeof secret, "%.64s", text);
    free(text);
    assert_int_equal(strlen(secret), 64);
    assert_no_start("backup.recipient", secret, BK_EINVAL);
    assert_null(strstr(bk_last_error(), secret));
    open_with(NULL, secret);
    assert_refused("BK_EINVAL");
    assert_null(strstr(box_done, secret));
}

static void test_backup_encryption__a_mistyped_public_key_is_refused(void **state) {
    (void)state;
    database(ROWS_SMALL);
    make_key("secret", "recipient");
    box_public[20] = box_public[20] == 'a' ? 'b' : 'a';
    assert_no_start("backup.recipient", box_public, BK_EINVAL);
    open_with(NULL, box_public);
    assert_refused("BK_EINVAL");
}

static void test_backup_encryption__nothing_plain_is_put_among_the_backups(void **state) {
    char args[512];
    (void)state;
    with_key(ROWS_SMALL);
    restore_to(box_create(NULL), "backups/x");
    box_assert_failed("BK_EINVAL", "nothing unencrypted", NULL);
    snprintf(args, sizeof args, "{\"to\":\"%s\",\"table\":\"t\"}",
             sandbox_path("backups/x"));
    box_run("backup.extract", args);
    box_assert_failed("BK_EINVAL", "nothing unencrypted", NULL);
    box_assert_only(1);
}

static void test_backup_encryption__the_key_beside_the_backups_is_refused(void **state) {
    char args[512];
    (void)state;
    database(ROWS_SMALL);
    make_key("key", "shared");
    assert_int_equal(mkdir(sandbox_path("backups"), 0700), 0);
    assert_int_equal(mkdir(sandbox_path("backups/deep"), 0700), 0);
    snprintf(args, sizeof args, "{\"to\":\"%s\"}", sandbox_path("backups/deep/key"));
    box_run("backup.key", args);
    box_assert_failed("BK_EINVAL", "folder of the backups", NULL);
    assert_false(box_has("backups/deep/key"));
    assert_int_equal(mkdir(sandbox_path("bot.db.botkeep/hidden"), 0700), 0);
    snprintf(args, sizeof args, "{\"to\":\"%s\"}",
             sandbox_path("bot.db.botkeep/hidden/key")); /* which is emptied */
    box_run("backup.key", args);
    box_assert_failed("BK_EINVAL", "botkeep's own folder", NULL);
    char command[1024];
    snprintf(command, sizeof command, "cp -p '%s' '%s' && ln -s '%s' '%s'",
             sandbox_path("key"), sandbox_path("backups/deep/key"),
             sandbox_path("backups/deep/key"), sandbox_path("link"));
    free(box_shell(command));
    open_with("backups/deep/key", NULL);
    assert_refused("BK_EINVAL");
    open_with("link", NULL);
    assert_refused("BK_EINVAL");
}

static void
test_backup_encryption__a_state_folder_among_the_backups_is_refused(void **state) {
    (void)state;
    database(ROWS_SMALL);
    make_key("key", "shared");
    box_new();
    box_set("backup.key.file", sandbox_path("key"));
    box_set("state.dir", sandbox_path("backups/state"));
    box_open();
    assert_refused("BK_EINVAL");
}

static void
test_backup_encryption__a_key_lost_later_stops_backups_and_restores(void **state) {
    (void)state;
    with_key(ROWS_SMALL);
    const char *name = box_create(NULL);
    char *before = box_content();
    assert_int_equal(unlink(sandbox_path("key")), 0);
    box_run("backup.create", NULL);
    box_assert_failed("BK_ENOTFOUND", NULL);
    box_run("backup.restore", NULL);
    box_assert_failed("BK_ENOTFOUND", NULL);
    box_assert_only(1);
    make_key("key", "shared"); /* another one */
    restore_to(name, "no.db");
    box_assert_failed("BK_EDENIED", name, box_key_id, NULL);
    char *after = box_content();
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void test_backup_encryption__old_keys_in_the_file_read_old_backups(void **state) {
    char command[1024];
    (void)state;
    with_key(ROWS_SMALL);
    const char *old = box_create(NULL);
    make_key("new", "shared");
    snprintf(command, sizeof command, "cat '%s' >> '%s'", sandbox_path("key"),
             sandbox_path("new"));
    free(box_shell(command));
    open_with("new", NULL);
    const char *made = box_create(NULL);
    box_assert_text("result.key_id", box_key_id);
    assert_restores(old, ROWS_SMALL);
    assert_restores(made, ROWS_SMALL);
}

/* ---- secrets -------------------------------------------------------------------------------- */

static void test_backup_encryption__no_event_holds_the_secret(void **state) {
    char command[512];
    (void)state;
    with_key(ROWS_SMALL);
    snprintf(command, sizeof command, "tail -n 1 '%s' | cut -d' ' -f2 | tr -d '\\n'",
             sandbox_path("key"));
    char *secret = box_shell(command);
    assert_int_equal(strlen(secret), 64);
    secret[32] = '\0'; /* half of it is too much */
    box_new();
    box_set("log.level", "debug");
    box_set("backup.key.file", sandbox_path("key"));
    box_open();
    box_create(NULL);
    assert_null(strstr(box_done, secret));
    box_call("backup.restore", NULL);
    assert_int_equal(chmod(sandbox_path("key"), 0644), 0);
    box_run("backup.create", NULL);
    assert_null(strstr(box_done, secret));
    int events = 0;
    for (char *event; (event = bk_next(box_keeper, 0)) != NULL; events++) {
        assert_null(strstr(event, secret));
        bk_free(event);
    }
    assert_true(events > 0);
    char *told = bk_get(box_keeper, "backup.key.file");
    assert_string_equal(told, sandbox_path("key"));
    bk_free(told);
    snprintf(command, sizeof command, "grep -rl %s '%s' | grep -v '/key$' | wc -l",
             secret, sandbox_dir());
    assert_int_equal(box_count(command), 0);
    free(secret);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_key_file_writes_and_reads),
        TEST(small_ones_are_sealed_too),
        TEST(a_recipient_writes_and_only_the_secret_reads),
        TEST(a_secret_file_writes_for_itself),
        TEST(every_kind_is_sealed),
        TEST(a_staged_restore_is_applied),
        TEST(the_helper_process_does_it_too),
        TEST(two_of_one_state_share_no_bytes),
        TEST(a_rehearsal_says_how_deep_it_went),
        TEST(no_plain_file_is_ever_in_the_folder),
        TEST(no_plain_file_stands_there_for_changes_either),
        TEST(foreign_backups_are_adopted_and_restored),
        TEST(leftovers_in_the_state_folder_are_collected),
        TEST(a_key_file_others_read_is_refused),
        TEST(a_missing_key_file_is_refused),
        TEST(a_database_is_no_key_file),
        TEST(a_secret_in_the_place_of_the_public_key_is_not_told),
        TEST(a_mistyped_public_key_is_refused),
        TEST(nothing_plain_is_put_among_the_backups),
        TEST(the_key_beside_the_backups_is_refused),
        TEST(a_state_folder_among_the_backups_is_refused),
        TEST(a_key_lost_later_stops_backups_and_restores),
        TEST(old_keys_in_the_file_read_old_backups),
        TEST(no_event_holds_the_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
