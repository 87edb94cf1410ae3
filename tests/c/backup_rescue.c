/*
 * The option backup.rescue through the public ABI: a bot that starts without its database gets the
 * newest verified backup, and nobody else does.
 */
#include "backup_box.h"

#include <fcntl.h>

#define TEST(name) BOX_TEST(backup_rescue, name)

/* The bot starts. */
static int start(const char *rescue) {
    box_new();
    box_set("backup.rescue", rescue);
    box_set("run.track", "true");
    return bk_open(box_keeper);
}

static void write_file(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* A bot with a backup of some rows, and its database gone since. */
static const char *lose(void) {
    box_database_with(ROWS_SMALL);
    const char *name = box_create(NULL);
    box_close();
    assert_int_equal(unlink(box_database()), 0);
    unlink(sandbox_path("bot.db-wal"));
    unlink(sandbox_path("bot.db-shm"));
    return name;
}

static void test_backup_rescue__a_missing_database_comes_back(void **state) {
    (void)state;
    lose();
    assert_int_equal(start("true"), 0);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL);
}

static void test_backup_rescue__an_empty_one_comes_back(void **state) {
    (void)state;
    lose();
    write_file(box_database(), "");
    assert_int_equal(start("true"), 0);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL);
}

static void test_backup_rescue__what_is_no_database_is_set_aside(void **state) {
    char command[1024];
    (void)state;
    lose();
    write_file(box_database(), "the disk was swapped with somebody's letters, at length");
    assert_int_equal(start("true"), 0);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL);
    snprintf(command, sizeof command, "cat '%s'/bot.db.damaged-* | grep -c letters",
             sandbox_path("."));
    assert_int_equal(box_count(command), 1);
}

static void test_backup_rescue__a_sound_database_is_left_alone(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    box_do("INSERT INTO left_side(n) VALUES(21); INSERT INTO right_side(n) VALUES(21)");
    box_close();
    assert_int_equal(start("true"), 0);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL + 1);
}

static void test_backup_rescue__without_the_option_nothing_appears(void **state) {
    (void)state;
    lose();
    assert_int_equal(start("false"), 0);
    assert_false(box_has("bot.db"));
}

static void test_backup_rescue__a_new_bot_starts_without_a_backup(void **state) {
    (void)state;
    assert_int_equal(start("true"), 0);
    assert_false(box_has("bot.db"));
}

/* The newest is damaged: the one before it is verified. */
static void test_backup_rescue__only_a_verified_backup_is_taken(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *good = box_create(NULL);
    const char *bad = box_create(NULL);
    write_file(sandbox_path("backups/%s", bad), "x");
    box_close();
    assert_int_equal(unlink(box_database()), 0);
    unlink(sandbox_path("bot.db-wal"));
    unlink(sandbox_path("bot.db-shm"));
    assert_int_equal(start("true"), 0);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL);
    box_call("backup.list", NULL);
    box_assert_text("result.backups[0].name", good);
}

/* The newest has its size and is still called verified, but a byte of it is another one. */
static void test_backup_rescue__one_that_was_damaged_since_is_passed_over(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    box_do("INSERT INTO left_side(n) VALUES(21); INSERT INTO right_side(n) VALUES(21)");
    const char *bad = box_create(NULL);
    int fd = open(sandbox_path("backups/%s", bad), O_RDWR | O_CLOEXEC);
    assert_int_equal(pwrite(fd, "\x55\xaa\x55", 3, 5000), 3);
    close(fd);
    box_close();
    assert_int_equal(unlink(box_database()), 0);
    unlink(sandbox_path("bot.db-wal"));
    unlink(sandbox_path("bot.db-shm"));
    assert_int_equal(start("true"), 0);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_missing_database_comes_back),
        TEST(an_empty_one_comes_back),
        TEST(what_is_no_database_is_set_aside),
        TEST(a_sound_database_is_left_alone),
        TEST(without_the_option_nothing_appears),
        TEST(a_new_bot_starts_without_a_backup),
        TEST(only_a_verified_backup_is_taken),
        TEST(one_that_was_damaged_since_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
