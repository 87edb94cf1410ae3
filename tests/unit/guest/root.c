/*
 * The guest root thread: who owns a lock, proved by real other processes. Not the choice of a
 * mode (guest.c). tests/unit/run runs it.
 */
#include <guest/root.h>

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <os/thread.h>

#include "lockprobe.h"

struct file {
    char path[4096];
    int fd; /* the host's */
};

static int make_file(void **state) {
    struct file *file = calloc(1, sizeof *file);
    const char *dir = getenv("TMPDIR");

    assert_non_null(file);
    snprintf(file->path, sizeof file->path, "%s/botkeep-root-XXXXXX", dir ? dir : "/tmp");
    file->fd = mkostemp(file->path, O_CLOEXEC);
    assert_true(file->fd >= 0);
    assert_int_equal(write(file->fd, "data", 4), 4);
    *state = file;
    return 0;
}

static int remove_file(void **state) {
    struct file *file = *state;

    close(file->fd);
    unlink(file->path);
    free(file);
    return 0;
}

static void *open_read_close(void *path) {
    char byte;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    bool read_it = fd >= 0 && read(fd, &byte, 1) == 1;

    return fd >= 0 && close(fd) == 0 && read_it ? NULL : path;
}

static void test_guest_root__a_naive_close_drops_the_hosts_lock(void **state) {
    struct file *file = *state;

    lock_first_byte(file->fd);
    assert_true(is_locked_for_others(file->path));
    assert_null(open_read_close(file->path));
    assert_false(is_locked_for_others(file->path));
}

static void test_guest_root__a_guest_close_keeps_the_hosts_lock(void **state) {
    struct file *file = *state;
    pthread_t thread;
    void *failed;

    lock_first_byte(file->fd);
    for (int i = 0; i < 100; i++) {
        assert_int_equal(
            bk__guest_root_thread(&thread, "guest", open_read_close, file->path), 0);
        assert_int_equal(pthread_join(thread, &failed), 0);
        assert_null(failed);
    }
    assert_true(is_locked_for_others(file->path));
}

/* What guest threads do with one descriptor, one after the other. */
struct shared {
    const char *path;
    int fd;
    bool same_file;
};

static void *open_and_lock(void *arg) {
    struct shared *shared = arg;

    shared->fd = open(shared->path, O_RDWR | O_CLOEXEC);
    if (shared->fd >= 0)
        lock_first_byte(shared->fd);
    return NULL;
}

static void *look_at(void *arg) {
    struct shared *shared = arg;
    struct stat by_fd;
    struct stat by_path;

    shared->same_file = fstat(shared->fd, &by_fd) == 0 &&
                        stat(shared->path, &by_path) == 0 &&
                        by_fd.st_ino == by_path.st_ino && by_fd.st_dev == by_path.st_dev;
    return NULL;
}

static void *close_it(void *arg) {
    close(((struct shared *)arg)->fd);
    return NULL;
}

static void test_guest_root__all_guest_threads_share_one_table(void **state) {
    struct file *file = *state;
    struct shared shared = {.path = file->path, .fd = -1};

    assert_int_equal(bk__guest_root_call(open_and_lock, &shared), 0);
    assert_true(shared.fd >= 3);
    assert_int_equal(bk__guest_root_call(look_at, &shared), 0);
    assert_true(shared.same_file);
    assert_int_equal(bk__guest_root_call(close_it, &shared), 0);
    assert_int_equal(bk__guest_root_call(look_at, &shared), 0);
    assert_false(shared.same_file);
}

static void test_guest_root__the_host_respects_a_guests_lock(void **state) {
    struct file *file = *state;
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    struct shared shared = {.path = file->path, .fd = -1};

    assert_int_equal(bk__guest_root_call(open_and_lock, &shared), 0);
    assert_int_equal(fcntl(file->fd, F_SETLK, &range), -1);
    assert_true(errno == EAGAIN || errno == EACCES);
    assert_null(open_read_close(file->path)); /* a close of the host does not reach it */
    assert_true(is_locked_for_others(file->path));
    assert_int_equal(bk__guest_root_call(close_it, &shared), 0);
    assert_int_equal(fcntl(file->fd, F_SETLK, &range), 0);
}

struct standard {
    char expected[4096];
    int wrong;
};

static void *look_at_standard_files(void *arg) {
    struct standard *standard = arg;
    struct stat null_status;
    struct stat status;

    standard->wrong = stat("/dev/null", &null_status);
    for (int fd = 0; fd < 3; fd++)
        standard->wrong +=
            fstat(fd, &status) != 0 || status.st_rdev != null_status.st_rdev;
    return NULL;
}

static void test_guest_root__holds_no_file_of_the_host(void **state) {
    struct file *file = *state;
    struct shared hosts = {.path = file->path, .fd = file->fd};
    struct standard standard = {.wrong = 0};

    assert_int_equal(bk__guest_root_call(look_at, &hosts), 0);
    assert_false(hosts.same_file);
    assert_int_equal(bk__guest_root_call(look_at_standard_files, &standard), 0);
    assert_int_equal(standard.wrong, 0);
}

#define STARTERS 8
#define STARTS_EACH 100

static void *count_one(void *arg) {
    atomic_fetch_add((atomic_int *)arg, 1);
    return NULL;
}

static void *start_many(void *arg) {
    intptr_t failed = 0;

    for (int i = 0; i < STARTS_EACH; i++)
        failed += bk__guest_root_call(count_one, arg) != 0;
    return (void *)failed;
}

static void test_guest_root__survives_many_starts_from_many_threads(void **state) {
    pthread_t starters[STARTERS];
    atomic_int count = 0;
    void *failed;

    (void)state;
    for (int i = 0; i < STARTERS; i++)
        assert_int_equal(bk__thread_start(&starters[i], "starter", start_many, &count),
                         0);
    for (int i = 0; i < STARTERS; i++) {
        assert_int_equal(pthread_join(starters[i], &failed), 0);
        assert_null(failed);
    }
    assert_int_equal(atomic_load(&count), STARTERS * STARTS_EACH);
}

static int claim_and_start(void *unused) {
    (void)unused;
    if (bk__guest_root_claim())
        return 1;
    return bk__guest_root_ready() == -ESRCH ? 0 : 2;
}

static void test_guest_root__is_not_there_in_a_forked_child(void **state) {
    (void)state;
    assert_int_equal(bk__guest_root_ready(), 0);
    assert_int_equal(in_child(claim_and_start, NULL), 0);
    assert_true(bk__guest_root_claim());
}

static int start_in_sandbox(void *arg) {
    int err = *(int *)arg;

    refuse_close_range(err);
    if (bk__guest_root_ready() != -err)
        return 1;
    return bk__guest_root_ready() == -err ? 0 : 2;
}

/* Runs before any other test has started the root in this process. */
static void test_guest_root__tells_why_the_kernel_refuses(void **state) {
    int refusals[] = {EPERM, ENOSYS};

    (void)state;
    for (size_t i = 0; i < sizeof refusals / sizeof *refusals; i++)
        assert_int_equal(in_child(start_in_sandbox, &refusals[i]), 0);
}

#define test_with_file(f) cmocka_unit_test_setup_teardown(f, make_file, remove_file)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_root__tells_why_the_kernel_refuses),
        test_with_file(test_guest_root__a_naive_close_drops_the_hosts_lock),
        test_with_file(test_guest_root__a_guest_close_keeps_the_hosts_lock),
        test_with_file(test_guest_root__all_guest_threads_share_one_table),
        test_with_file(test_guest_root__the_host_respects_a_guests_lock),
        test_with_file(test_guest_root__holds_no_file_of_the_host),
        cmocka_unit_test(test_guest_root__survives_many_starts_from_many_threads),
        cmocka_unit_test(test_guest_root__is_not_there_in_a_forked_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
