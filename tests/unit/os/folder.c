/*
 * Tests of src/os/folder.c: folders, paths, and the lock as other processes see it.
 * Not of what is inside files (file.c).
 */
#include <os/file.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <os/clock.h>

#include "sandbox.h"
#include <cmocka.h>

static void assert_dir(const char *path, const char *wanted) {
    char *dir = bk__file_dir(path);

    assert_string_equal(dir, wanted);
    free(dir);
}

static void assert_join(const char *dir, const char *name, const char *wanted) {
    char *path = bk__file_join(dir, name);

    assert_string_equal(path, wanted);
    free(path);
}

static void test_os_folder__dir_and_join(void **state) {
    (void)state;
    assert_dir("a/b", "a");
    assert_dir("/a/b", "/a");
    assert_dir("/a", "/");
    assert_dir("/", "/");
    assert_dir("//", "/");
    assert_dir("a", ".");
    assert_dir("", ".");
    assert_dir("a/", ".");
    assert_dir("/a/b//", "/a");
    assert_dir("/a//b", "/a");
    assert_dir("//b", "/");
    assert_join("/a", "b", "/a/b");
    assert_join("/a/", "b", "/a/b");
    assert_join("/", "b", "/b");
    assert_join("", "b", "b");
}

static void assert_absolute(const char *path, const char *wanted) {
    char *absolute = bk__file_absolute(path);

    assert_string_equal(absolute, wanted);
    free(absolute);
}

static void test_os_folder__absolute_starts_at_the_current_folder(void **state) {
    char here[1024], *before = getcwd(NULL, 0);

    (void)state;
    assert_int_equal(chdir(sandbox_dir()), 0);
    assert_non_null(getcwd(here, sizeof here - 16));
    assert_absolute(".", here);
    assert_absolute("./", here);
    assert_absolute("/x/./y", "/x/./y");
    assert_absolute("./backups", strcat(here, "/backups"));
    assert_absolute("backups", here);
    assert_absolute(".//backups", here);
    strcpy(strrchr(here, '/'), "/.env");
    assert_absolute(".env", here);
    assert_int_equal(chdir(before), 0);
    free(before);
}

static void test_os_folder__absolute_in_a_deleted_folder(void **state) {
    char *before = getcwd(NULL, 0);

    (void)state;
    assert_int_equal(mkdir(sandbox_path("gone"), 0700), 0);
    assert_int_equal(chdir(sandbox_path("gone")), 0);
    assert_int_equal(rmdir(sandbox_path("gone")), 0);
    assert_absolute("a/b", "a/b");
    assert_int_equal(chdir(before), 0);
    free(before);
}

static void assert_private_dir(const char *path) {
    struct stat status;

    assert_int_equal(stat(path, &status), 0);
    assert_true(S_ISDIR(status.st_mode));
    assert_int_equal(status.st_mode & 0777, 0700);
}

static void test_os_folder__make_dir_makes_parents(void **state) {
    (void)state;
    assert_int_equal(bk__file_make_dir(sandbox_path("a/b//c")), 0);
    assert_private_dir(sandbox_path("a"));
    assert_private_dir(sandbox_path("a/b/c"));
    assert_int_equal(bk__file_make_dir(sandbox_path("a/b/c")), 0);
    assert_int_equal(bk__file_make_dir(sandbox_path("a/d/")), 0);
    assert_private_dir(sandbox_path("a/d"));
    assert_int_equal(bk__file_make_dir("/"), 0);
    assert_int_equal(bk__file_make_dir(""), -ENOENT);
}

static void test_os_folder__make_dir_does_not_take_a_file_for_one(void **state) {
    (void)state;
    sandbox_write("f", "");
    assert_int_equal(bk__file_make_dir(sandbox_path("f")), -ENOTDIR);
    assert_int_equal(bk__file_make_dir(sandbox_path("f/a")), -ENOTDIR);
    assert_int_equal(symlink("nowhere", sandbox_path("dangling")), 0);
    assert_int_equal(bk__file_make_dir(sandbox_path("dangling")), -ENOTDIR);
    assert_int_equal(mkdir(sandbox_path("real"), 0755), 0);
    assert_int_equal(symlink("real", sandbox_path("link")), 0);
    assert_int_equal(bk__file_make_dir(sandbox_path("link")), 0);
}

static void test_os_folder__sync_knows_folders_only(void **state) {
    (void)state;
    sandbox_write("f", "");
    assert_int_equal(bk__file_sync_dir(sandbox_dir()), 0);
    assert_int_equal(bk__file_sync_dir(sandbox_path("f")), -ENOTDIR);
    assert_int_equal(bk__file_sync_dir(sandbox_path("no")), -ENOENT);
    assert_int_equal(bk__file_sync_parent(sandbox_path("f")), 0);
    assert_int_equal(bk__file_sync_parent(sandbox_path("no/f")), -ENOENT);
}

static void test_os_folder__list_is_sorted_and_whole(void **state) {
    char **names = NULL, name[32];
    size_t count = 0;

    (void)state;
    for (int i = 99; i >= 0; i--) {
        snprintf(name, sizeof name, "d/%02d", i);
        sandbox_write(name, "");
    }
    sandbox_write("d/.hidden", "");
    assert_int_equal(bk__file_list(sandbox_path("d"), &names, &count), 0);
    assert_int_equal(count, 101);
    assert_string_equal(names[0], ".hidden");
    for (size_t i = 0; i < 100; i++) {
        assert_int_equal(atoi(names[i + 1]), i);
    }
    bk__file_list_free(names, count);
}

static void test_os_folder__list_of_nothing(void **state) {
    char **names = NULL;
    size_t count = 4711;

    (void)state;
    assert_int_equal(bk__file_list(sandbox_path("no"), &names, &count), -ENOENT);
    assert_int_equal(count, 4711);
    assert_int_equal(bk__file_list(sandbox_dir(), &names, &count), 0);
    assert_int_equal(count, 0);
    bk__file_list_free(names, count);
}

static void test_os_folder__space_is_what_statvfs_says(void **state) {
    struct statvfs status;
    int64_t free_bytes = -1, total = -1;

    (void)state;
    assert_int_equal(statvfs(sandbox_dir(), &status), 0);
    assert_int_equal(bk__file_space(sandbox_dir(), &free_bytes, &total), 0);
    assert_int_equal(total, (int64_t)(status.f_blocks * status.f_frsize));
    assert_true(free_bytes >= 0 && free_bytes <= total);
    assert_int_equal(bk__file_space(sandbox_path("no"), &free_bytes, &total), -ENOENT);
}

/* ---- the lock -------------------------------------------------------------------------- */

/* A child that takes the lock, says so, and holds it until it is killed or *to is written. */
static pid_t start_holder(int *to) {
    int ready[2], done[2];
    pid_t pid;
    char byte;

    assert_int_equal(pipe(ready) | pipe(done), 0);
    pid = fork();
    if (pid == 0) {
        close(done[1]);
        if (bk__file_lock(sandbox_path("lock"), 0, NULL) < 0 ||
            write(ready[1], "", 1) != 1) {
            _exit(1);
        }
        _exit(read(done[0], &byte, 1) == 1 ? 0 : 2);
    }
    close(ready[1]);
    close(done[0]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    *to = done[1];
    return pid;
}

static void test_os_folder__lock_excludes_other_processes(void **state) {
    int to, fd, status;
    pid_t holder = start_holder(&to);

    (void)state;
    assert_int_equal(bk__file_lock(sandbox_path("lock"), 0, NULL), -EWOULDBLOCK);
    assert_int_equal(bk__file_lock(sandbox_path("lock"), 45, NULL), -EWOULDBLOCK);
    assert_int_equal(write(to, "", 1), 1);
    fd = bk__file_lock(sandbox_path("lock"), 10000, NULL); /* it is waited for */
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(waitpid(holder, &status, 0), holder);
    assert_int_equal(status, 0);
    assert_int_equal(bk__file_lock(sandbox_path("lock"), 0, NULL), -EWOULDBLOCK);
    close(fd);
    close(to);
}

static void test_os_folder__lock_goes_with_its_killed_holder(void **state) {
    int to, fd;
    pid_t holder = start_holder(&to);

    (void)state;
    kill(holder, SIGKILL);
    fd = bk__file_lock(sandbox_path("lock"), 10000, NULL);
    assert_true(fd >= 0);
    assert_int_equal(waitpid(holder, NULL, 0), holder);
    close(fd);
    close(to);
}

static void *set_flag(void *flag) {
    bk__clock_sleep(50);
    __atomic_store_n((bool *)flag, true, __ATOMIC_RELAXED);
    return NULL;
}

static void test_os_folder__lock_wait_can_be_cancelled(void **state) {
    int first = bk__file_lock(sandbox_path("lock"), 0, NULL);
    bool cancel = false;
    pthread_t thread;

    (void)state;
    assert_true(first >= 0);
    assert_int_equal(pthread_create(&thread, NULL, set_flag, &cancel), 0);
    /* Without the cancelling this would take longer than the limit of the whole program. */
    assert_int_equal(bk__file_lock(sandbox_path("lock"), 3600000, &cancel), -ECANCELED);
    pthread_join(thread, NULL);
    close(first);
}

/* The moment at which the last holder removes the file: after our open(), before our flock(). */
static const char *removed_at_flock;

int flock(int fd, int operation) {
    if (removed_at_flock) {
        unlink(removed_at_flock);
    }
    removed_at_flock = NULL;
    return (int)syscall(SYS_flock, fd, operation);
}

static void test_os_folder__lock_is_never_one_on_a_removed_file(void **state) {
    struct stat locked, there;
    int fd;

    (void)state;
    removed_at_flock = sandbox_path("lock");
    assert_int_equal(bk__file_lock(sandbox_path("lock"), 0, NULL), -EWOULDBLOCK);
    removed_at_flock = sandbox_path("lock");
    fd = bk__file_lock(sandbox_path("lock"), 10000, NULL);
    assert_null(removed_at_flock);
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &locked), 0);
    assert_int_equal(stat(sandbox_path("lock"), &there), 0);
    assert_int_equal(locked.st_ino, there.st_ino);
    close(fd);
}

static void test_os_folder__lock_needs_its_folder(void **state) {
    (void)state;
    assert_int_equal(bk__file_lock(sandbox_path("no/lock"), 1000, NULL), -ENOENT);
}

static void test_os_folder__a_look_at_a_lock_takes_nothing(void **state) {
    char text[16] = "before";
    const char *path = sandbox_path("look.lock");

    (void)state;
    assert_int_equal(bk__file_lock_look(path, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_false(bk__file_exists(path)); /* nor does it make the file */

    int fd = bk__file_lock(path, 0, NULL);
    assert_true(fd >= 0);
    assert_int_equal(bk__file_pwrite(fd, "12345678901234567890", 20, 0), 0);
    assert_int_equal(bk__file_lock_look(path, text, sizeof text), 1);
    assert_string_equal(text, "123456789012345");
    assert_int_equal(bk__file_lock(path, 0, NULL), -EWOULDBLOCK); /* still held */
    assert_int_equal(bk__file_close(fd), 0);
    assert_int_equal(bk__file_lock_look(path, text, sizeof text), 0);
    assert_string_equal(text, "");
    assert_int_equal(bk__file_lock_look(sandbox_path("no/such"), text, sizeof text), 0);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_os_folder__##name, sandbox_setup,               \
                                    sandbox_teardown)

static void test_os_folder__removes_a_folder_of_files_and_no_more(void **state) {
    (void)state;
    sandbox_write("set/a", "1");
    sandbox_write("set/b", "2");
    assert_int_equal(bk__file_remove_dir(sandbox_path("set")), 0);
    assert_false(bk__file_exists(sandbox_path("set")));
    assert_int_equal(bk__file_remove_dir(sandbox_path("set")), 0);
    sandbox_write("file", "1");
    assert_int_equal(bk__file_remove_dir(sandbox_path("file")), 0);
    assert_false(bk__file_exists(sandbox_path("file")));
    sandbox_write("deep/inside/a", "1");
    assert_true(bk__file_remove_dir(sandbox_path("deep")) < 0);
    assert_true(bk__file_exists(sandbox_path("deep/inside/a")));
    /* A link to a folder goes, not what it leads to. */
    assert_int_equal(symlink(sandbox_path("deep/inside"), sandbox_path("link")), 0);
    assert_int_equal(bk__file_remove_dir(sandbox_path("link")), 0);
    assert_true(bk__file_exists(sandbox_path("deep/inside/a")));
}

static void test_os_folder__a_folder_is_locked_by_one(void **state) {
    (void)state;
    assert_int_equal(bk__file_lock_dir(sandbox_path("none")), -ENOENT);
    sandbox_write("set/a", "1");
    int one = bk__file_lock_dir(sandbox_path("set"));
    assert_true(one >= 0);
    assert_int_equal(bk__file_lock_dir(sandbox_path("set")), -EWOULDBLOCK);
    bk__file_close(one);
    one = bk__file_lock_dir(sandbox_path("set"));
    assert_true(one >= 0);
    bk__file_close(one);
    assert_int_equal(symlink(sandbox_path("set"), sandbox_path("link")), 0);
    assert_true(bk__file_lock_dir(sandbox_path("link")) < 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(dir_and_join),
        TEST(absolute_starts_at_the_current_folder),
        TEST(absolute_in_a_deleted_folder),
        TEST(make_dir_makes_parents),
        TEST(make_dir_does_not_take_a_file_for_one),
        TEST(sync_knows_folders_only),
        TEST(list_is_sorted_and_whole),
        TEST(list_of_nothing),
        TEST(space_is_what_statvfs_says),
        TEST(lock_excludes_other_processes),
        TEST(lock_goes_with_its_killed_holder),
        TEST(lock_wait_can_be_cancelled),
        TEST(lock_is_never_one_on_a_removed_file),
        TEST(lock_needs_its_folder),
        TEST(a_look_at_a_lock_takes_nothing),
        cmocka_unit_test_setup_teardown(
            test_os_folder__removes_a_folder_of_files_and_no_more, sandbox_setup,
            sandbox_teardown),
        cmocka_unit_test_setup_teardown(test_os_folder__a_folder_is_locked_by_one,
                                        sandbox_setup, sandbox_teardown),
    };

    return cmocka_run_group_tests_name("os/folder", tests, NULL, NULL);
}
