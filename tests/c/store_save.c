/*
 * bk_save() through the public ABI: the image of a database in memory becomes the database's file,
 * whole or not at all. Kills in the middle are tests/kill.
 */
#include "backup_box.h"

#include <errno.h>
#include <fcntl.h>

#define TEST(name) BOX_TEST(store_save, name)

/* What a bot with its database in memory has: two tables with so many rows. */
static unsigned char *image_of(int rows, sqlite3_int64 *ret_size) {
    sqlite3 *db = NULL;
    char sql[512];
    snprintf(
        sql, sizeof sql,
        "CREATE TABLE left_side(n INTEGER PRIMARY KEY, t TEXT);"
        "CREATE TABLE right_side(n INTEGER PRIMARY KEY, t TEXT);"
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < %d)"
        " INSERT INTO left_side SELECT x, hex(randomblob(30)) FROM c;"
        "INSERT INTO right_side SELECT * FROM left_side;",
        rows);
    assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    unsigned char *image = sqlite3_serialize(db, "main", ret_size, 0);
    assert_non_null(image);
    sqlite3_close(db);
    return image;
}

/* Saves and keeps the done event as box_call() does. */
static void save(const void *image, double size, const char *args) {
    int job = bk_save(box_keeper, image, size, args);
    assert_true(job > 0);
    bk_free(box_done);
    box_done = bk_wait(box_keeper, job, 60000);
    assert_non_null(box_done);
}

static void save_rows(int rows, const char *args) {
    sqlite3_int64 size = 0;
    unsigned char *image = image_of(rows, &size);
    save(image, (double)size, args);
    sqlite3_free(image);
}

static void open_in_memory(void) {
    box_new();
    box_set("database.memory", "true");
    box_open();
}

static int temp_files(void) {
    char command[1024];
    snprintf(command, sizeof command, "find '%s' -name '*saving' | wc -l",
             sandbox_path("."));
    return box_count(command);
}

static void test_store_save__the_image_becomes_the_file(void **state) {
    (void)state;
    open_in_memory();
    save_rows(ROWS_BIG, NULL);
    box_assert_number("ok", 1);
    box_assert_number("result.tables.left_side", ROWS_BIG);
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
    save_rows(7, NULL);
    assert_int_equal(box_assert_sound(box_database()), 7);
    assert_int_equal(temp_files(), 0);
}

static void test_store_save__a_backup_comes_with_it(void **state) {
    (void)state;
    open_in_memory();
    save_rows(12, "{\"backup\":\"manual\"}");
    char *name = bk_pick_text(box_done, "result.backup");
    assert_non_null(name);
    box_call("backup.verify", NULL);
    box_assert_text("result.backups[0].name", name);
    box_call("backup.list", NULL);
    box_assert_number("result.total", 1);
    bk_free(name);
}

static void test_store_save__what_is_no_database_changes_nothing(void **state) {
    sqlite3_int64 size = 0;
    (void)state;
    open_in_memory();
    save_rows(5, NULL);
    unsigned char *image = image_of(ROWS_BIG, &size);
    save("this is no database", 19, NULL);
    box_assert_failed("BK_ECORRUPT", "as it was before", NULL);
    save(image, (double)size - 4096, NULL);
    box_assert_failed("BK_ECORRUPT", "as it was before", NULL);
    memset(image + 8192, 0x55, 4096);
    save(image, (double)size, NULL);
    box_assert_failed("BK_ECORRUPT", "as it was before", NULL);
    assert_int_equal(box_assert_sound(box_database()), 5);
    assert_int_equal(temp_files(), 0);
    sqlite3_free(image);
}

static void test_store_save__a_file_that_sqlite_has_open_is_not_replaced(void **state) {
    (void)state;
    box_database_with(3);
    box_new();
    box_open();
    save_rows(5, NULL);
    box_assert_failed("BK_EINVAL", "database.memory", NULL);
    assert_int_equal(box_assert_sound(box_database()), 3);
}

static void test_store_save__another_programs_log_is_not_played_over_it(void **state) {
    sqlite3 *db = NULL;
    (void)state;
    box_database_with(3);
    assert_int_equal(sqlite3_open(box_database(), &db), SQLITE_OK);
    sqlite3_exec(
        db, "INSERT INTO left_side VALUES(4, 'x'); INSERT INTO right_side VALUES(4, 'x')",
        NULL, NULL, NULL);
    open_in_memory();
    save_rows(9, NULL);
    box_assert_failed("BK_EBUSY", "-wal", NULL);
    sqlite3_close(db);
    assert_int_equal(box_assert_sound(box_database()), 4);
    save_rows(9, NULL);
    assert_int_equal(box_assert_sound(box_database()), 9);
}

static void test_store_save__mode_and_links_stay(void **state) {
    struct stat info;
    char real[1024];
    (void)state;
    snprintf(real, sizeof real, "%s", sandbox_path("elsewhere.db"));
    int fd = open(real, O_WRONLY | O_CREAT | O_CLOEXEC, 0640);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, 0640), 0);
    close(fd);
    assert_int_equal(symlink("elsewhere.db", box_database()), 0);
    open_in_memory();
    save_rows(6, NULL);
    box_assert_number("ok", 1);
    assert_int_equal(lstat(box_database(), &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_int_equal(stat(real, &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(box_assert_sound(real), 6);
}

static void test_store_save__a_restore_waits_for_the_next_start(void **state) {
    (void)state;
    open_in_memory();
    save_rows(4, "{\"backup\":\"manual\"}");
    save_rows(8, NULL);
    box_call("backup.restore", NULL);
    box_assert_text("result.mode", "staged");
    save_rows(9, NULL); /* the bot goes on and saves what it has */
    assert_int_equal(box_assert_sound(box_database()), 9);
    box_close();
    box_new();
    box_set("database.memory", "true");
    box_set("run.track", "true"); /* the bot itself, which applies it */
    box_open();
    assert_int_equal(box_assert_sound(box_database()), 4);
}

static void test_store_save__a_call_without_bytes_is_refused(void **state) {
    (void)state;
    open_in_memory();
    assert_int_equal(bk_save(box_keeper, NULL, 10, NULL), BK_EINVAL);
    assert_int_equal(bk_save(box_keeper, "x", 0, NULL), BK_EINVAL);
    assert_int_equal(bk_save(box_keeper, "x", 0.5, NULL), BK_EINVAL);
    assert_int_equal(bk_save(box_keeper, "x", -1, NULL), BK_EINVAL);
    assert_int_equal(bk_save(box_keeper, "x", 1, "{\"image\":\"x\"}"), BK_EINVAL);
    assert_int_equal(bk_save(box_keeper, "x", 1, "[]"), BK_EINVAL);
    box_run("store.save", NULL);
    box_assert_failed("BK_EINVAL", "bk_save", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(the_image_becomes_the_file),
        TEST(a_backup_comes_with_it),
        TEST(what_is_no_database_changes_nothing),
        TEST(a_file_that_sqlite_has_open_is_not_replaced),
        TEST(another_programs_log_is_not_played_over_it),
        TEST(mode_and_links_stay),
        TEST(a_restore_waits_for_the_next_start),
        TEST(a_call_without_bytes_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
