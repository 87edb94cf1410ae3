/*
 * Tests of src/os/holder.c: finding who has a file open, without opening it.
 * Not of what the store does about it.
 */
#include <os/holder.h>

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox.h"
#include <cmocka.h>

static struct stat file_in_sandbox(void) {
    struct stat status;

    sandbox_write("bot.db", "x");
    assert_int_equal(stat(sandbox_path("bot.db"), &status), 0);
    return status;
}

static void test_os_holder__nobody_holds_a_closed_file(void **state) {
    struct stat status = file_in_sandbox();
    pid_t pid = 4711;

    (void)state;
    assert_false(bk__holder_find(status.st_dev, status.st_ino, &pid));
    assert_int_equal(pid, 4711);
}

static void test_os_holder__finds_this_process(void **state) {
    struct stat status = file_in_sandbox();
    int fd = open(sandbox_path("bot.db"), O_RDONLY | O_CLOEXEC);
    pid_t pid = 0;

    (void)state;
    assert_true(bk__holder_find(status.st_dev, status.st_ino, &pid));
    assert_int_equal(pid, getpid());
    close(fd);
    assert_false(bk__holder_find(status.st_dev, status.st_ino, &pid));
}

static void test_os_holder__finds_another_process(void **state) {
    struct stat status = file_in_sandbox();
    int ready[2], done[2];
    pid_t child, found = 0;
    char byte;

    (void)state;
    assert_int_equal(pipe(ready) | pipe(done), 0);
    child = fork();
    if (child == 0) {
        close(done[1]);
        if (open(sandbox_path("bot.db"), O_RDONLY | O_CLOEXEC) < 0 ||
            write(ready[1], "", 1) != 1) {
            _exit(1);
        }
        _exit(read(done[0], &byte, 1) == 0 ? 0 : 2);
    }
    close(ready[1]);
    close(done[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_true(bk__holder_find(status.st_dev, status.st_ino, &found));
    assert_int_equal(found, child);
    close(ready[0]);
    close(done[1]);
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_false(bk__holder_find(status.st_dev, status.st_ino, &found));
}

static void test_os_holder__knows_a_file_by_inode_not_by_name(void **state) {
    struct stat status = file_in_sandbox(), other;
    int fd = open(sandbox_path("bot.db"), O_RDONLY | O_CLOEXEC);
    pid_t pid = 0;

    (void)state;
    assert_int_equal(rename(sandbox_path("bot.db"), sandbox_path("moved.db")), 0);
    other = file_in_sandbox(); /* a new one of the old name */
    assert_true(bk__holder_find(status.st_dev, status.st_ino, &pid));
    assert_false(bk__holder_find(other.st_dev, other.st_ino, &pid));
    assert_false(bk__holder_find(status.st_dev + 1, status.st_ino, &pid));
    close(fd);
}

static void test_os_holder__tells_a_deleted_file_that_is_still_open(void **state) {
    char path[1024];
    int fd;

    (void)state;
    file_in_sandbox();
    snprintf(path, sizeof path, "%s", sandbox_path("bot.db"));
    fd = open(path, O_RDONLY | O_CLOEXEC);
    assert_false(bk__holder_of_deleted(getpid(), path));
    assert_int_equal(unlink(path), 0);
    assert_true(bk__holder_of_deleted(getpid(), path));
    file_in_sandbox(); /* the new one does not hide the old one */
    assert_true(bk__holder_of_deleted(getpid(), path));
    assert_false(bk__holder_of_deleted(getpid(), sandbox_path("bot")));
    close(fd);
    assert_false(bk__holder_of_deleted(getpid(), path));
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_os_holder__##name, sandbox_setup,               \
                                    sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nobody_holds_a_closed_file),
        TEST(finds_this_process),
        TEST(finds_another_process),
        TEST(knows_a_file_by_inode_not_by_name),
        TEST(tells_a_deleted_file_that_is_still_open),
    };

    return cmocka_run_group_tests_name("os/holder", tests, NULL, NULL);
}
