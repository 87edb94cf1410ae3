/*
 * Putting a file in the place of a database: stale side files never win, the old set stays usable,
 * nobody who has it open is cut off. Not killing it: replace_killed.c. tests/unit/run runs it.
 */
#include "replace_box.h"

static void test_store_replace__a_missing_database(void **state) {
    (void)state;
    assert_int_equal(replace(), 0);
    assert_null(kept);
    assert_new();
}

static void test_store_replace__a_missing_database_with_stale_side_files(void **state) {
    (void)state;
    make_killed("WAL");
    unlink(live);
    assert_true(storefile_exists(live, "-wal"));
    assert_int_equal(replace(), 0);
    assert_new();
    assert_non_null(kept);
    assert_true(storefile_exists(kept, "-wal"));
}

static void test_store_replace__zero_bytes(void **state) {
    (void)state;
    storefile_write(live, "", 0);
    assert_int_equal(replace(), 0);
    assert_int_equal(storefile_size(kept, ""), 0);
    assert_new();
}

static void test_store_replace__zero_bytes_with_a_wal_keeps_that(void **state) {
    int64_t size;
    (void)state;

    make_killed("WAL");
    size = storefile_size(live, "-wal");
    assert_int_equal(truncate(live, 0), 0);
    assert_int_equal(replace(), 0);
    assert_int_equal(storefile_size(kept, "-wal"), size);
    assert_new();
}

static void test_store_replace__garbage_with_stale_wal_and_journal(void **state) {
    char path[1100];
    (void)state;

    make_killed("WAL");
    snprintf(path, sizeof(path), "%s-journal", live);
    storefile_write(path, "\0ld", 3); /* one that SQLite does not take for its own */
    make_garbage();
    assert_int_equal(replace(), 0);
    assert_new();
    assert_int_equal(storefile_size(kept, ""), 5000);
    assert_true(storefile_size(kept, "-wal") > 0);
    assert_int_equal(storefile_size(kept, "-journal"), 3);
    assert_false(storefile_exists(kept, "-shm"));
}

static void test_store_replace__what_is_kept_has_every_row(void **state) {
    static const char *const modes[] = {"WAL", "DELETE"};
    (void)state;

    for (int i = 0; i < 2; i++) {
        int64_t rows = make_killed(modes[i]);

        assert_int_equal(replace(), 0);
        assert_new();
        assert_int_equal(storefile_read(kept, "SELECT n FROM counter"), rows);
        assert_int_equal(storefile_read(kept, "SELECT count(*) FROM log"), rows);
        unlink(live);
    }
}

static void test_store_replace__owner_and_mode_stay(void **state) {
    struct stat st;
    (void)state;

    make_garbage();
    assert_int_equal(chmod(live, 0640), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(live, 65534, 65534), 0);
    }
    assert_int_equal(replace(), 0);
    assert_int_equal(stat(live, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_uid, geteuid() == 0 ? 65534 : geteuid());
}

static void test_store_replace__through_a_symbolic_link(void **state) {
    char real[1024];
    struct stat st;
    (void)state;

    snprintf(real, sizeof(real), "%s", sandbox_path("real.db"));
    snprintf(live, sizeof(live), "%s", real);
    make_garbage();
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    assert_int_equal(symlink(real, live), 0);
    assert_int_equal(replace(), 0);
    assert_int_equal(lstat(live, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(storefile_read(real, "SELECT count(*) FROM only_new"), 0);
    assert_int_equal(strncmp(kept, real, strlen(real)), 0);
}

static void test_store_replace__a_folder_is_refused(void **state) {
    (void)state;
    assert_int_equal(mkdir(live, 0700), 0);
    assert_int_equal(replace(), BK_EINVAL);
}

static void refused_while(const char *mode, const char *what) {
    char sql[300];
    uint64_t sum;
    pid_t child;

    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s; %s", mode, STOREFILE_LOG);
    unlink(live);
    storefile_make(live, sql);
    child = storefile_start(what, live);
    sum = storefile_sum(live, "");
    assert_int_equal(replace(), BK_EBUSY);
    assert_non_null(strstr(bk__error_text(), "mode staged"));
    assert_null(kept);
    assert_true(strcmp(what, "write") == 0 || storefile_sum(live, "") == sum);
    storefile_kill(child);
    assert_true(storefile_read(live, "SELECT count(*) FROM log") >= 0);
    assert_int_equal(replace(), 0);
    assert_new();
}

static void test_store_replace__is_refused_while_another_has_it_open(void **state) {
    (void)state;
    refused_while("WAL", "hold");
    refused_while("WAL", "write");
    refused_while("DELETE", "hold");
    refused_while("DELETE", "lock");
}

static void test_store_replace__is_refused_while_this_process_has_it_open(void **state) {
    sqlite3 *bot;
    (void)state;

    make_killed("DELETE");
    bot = storefile_open(live);
    assert_int_equal(storefile_int(bot, "SELECT 1 FROM sqlite_schema"), 1);
    assert_int_equal(replace(), BK_EBUSY);
    assert_non_null(strstr(bk__error_text(), "this process"));
    sqlite3_close(bot);
}

static void test_store_replace__a_missing_image_changes_nothing(void **state) {
    (void)state;
    make_garbage();
    unlink(image);
    assert_int_equal(replace(), BK_ENOTFOUND);
    assert_int_equal(storefile_size(live, ""), 5000);
}

static void test_store_replace__cancel_changes_nothing(void **state) {
    (void)state;
    make_garbage();
    storejob_cancel_at(0);
    assert_int_equal(replace(), BK_ECANCELLED);
    assert_int_equal(storefile_size(live, ""), 5000);
    assert_false(storefile_exists(live, ".botkeep-new"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_replace__a_missing_database),
        TEST(test_store_replace__a_missing_database_with_stale_side_files),
        TEST(test_store_replace__zero_bytes),
        TEST(test_store_replace__zero_bytes_with_a_wal_keeps_that),
        TEST(test_store_replace__garbage_with_stale_wal_and_journal),
        TEST(test_store_replace__what_is_kept_has_every_row),
        TEST(test_store_replace__owner_and_mode_stay),
        TEST(test_store_replace__through_a_symbolic_link),
        TEST(test_store_replace__a_folder_is_refused),
        TEST(test_store_replace__is_refused_while_another_has_it_open),
        TEST(test_store_replace__is_refused_while_this_process_has_it_open),
        TEST(test_store_replace__a_missing_image_changes_nothing),
        TEST(test_store_replace__cancel_changes_nothing),
    };

    storefile_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
