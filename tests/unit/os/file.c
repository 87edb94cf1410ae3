/*
 * Tests of src/os/file.c under a libc that writes and reads in pieces, is interrupted, and fails:
 * this program's own write(), read() and so on take the place of libc's. Not of folders.
 */
#include <os/file.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox.h"
#include <cmocka.h>

static struct {
    size_t piece;   /* at most so many bytes in one call; 0: as many as wanted */
    int interrupts; /* this many calls end with EINTR first */
    int nothing;    /* writes report 0 bytes */
    int write_error, sync_error, rename_error, close_error;
    int syncs, folder_syncs, closes;
    char order[64]; /* one letter per call: w s r d */
} io;

static void note(char letter) {
    size_t size = strlen(io.order);

    if (size + 1 < sizeof io.order && (!size || io.order[size - 1] != letter)) {
        io.order[size] = letter;
    }
}

/* The size to pass on, or 0 when the call must be interrupted. */
static size_t piece_of(size_t size) {
    if (io.interrupts > 0) {
        io.interrupts--;
        errno = EINTR;
        return 0;
    }
    return io.piece && size > io.piece ? io.piece : size;
}

ssize_t write(int fd, const void *bytes, size_t size) {
    size_t piece = piece_of(size);

    note('w');
    if (io.nothing) {
        return 0;
    }
    if (io.write_error) {
        errno = io.write_error;
        return -1;
    }
    return piece || !size ? syscall(SYS_write, fd, bytes, piece) : -1;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t at) {
    size_t piece = piece_of(size);

    if (io.nothing) {
        return 0;
    }
    return piece || !size ? syscall(SYS_pwrite64, fd, bytes, piece, at) : -1;
}

ssize_t read(int fd, void *bytes, size_t size) {
    size_t piece = piece_of(size);

    return piece || !size ? syscall(SYS_read, fd, bytes, piece) : -1;
}

ssize_t pread(int fd, void *bytes, size_t size, off_t at) {
    size_t piece = piece_of(size);

    return piece || !size ? syscall(SYS_pread64, fd, bytes, piece, at) : -1;
}

int fsync(int fd) {
    struct stat status;
    int folder = fstat(fd, &status) == 0 && S_ISDIR(status.st_mode);

    note(folder ? 'd' : 's');
    io.syncs += !folder;
    io.folder_syncs += folder;
    if (io.sync_error && !folder) {
        errno = io.sync_error;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int rename(const char *from, const char *to) {
    note('r');
    if (io.rename_error) {
        errno = io.rename_error;
        return -1;
    }
    return (int)syscall(SYS_rename, from, to);
}

int close(int fd) {
    io.closes++;
    syscall(SYS_close, fd);
    errno = io.close_error;
    return io.close_error ? -1 : 0;
}

static int setup(void **state) {
    memset(&io, 0, sizeof io);
    return sandbox_setup(state);
}

static int teardown(void **state) {
    memset(&io, 0, sizeof io);
    return sandbox_teardown(state);
}

static void assert_content(const char *name, const char *wanted) {
    char *text;
    size_t size;

    assert_int_equal(bk__file_load(sandbox_path("%s", name), 1000, &text, &size), 0);
    assert_string_equal(text, wanted);
    assert_int_equal(size, strlen(wanted));
    free(text);
}

static void assert_missing(const char *name) {
    struct stat status;

    assert_int_equal(lstat(sandbox_path("%s", name), &status), -1);
}

static void test_os_file__writes_all_in_short_pieces(void **state) {
    int fd = bk__file_create(sandbox_path("a"));

    (void)state;
    assert_true(fd >= 0);
    io.piece = 3;
    io.interrupts = 2;
    assert_int_equal(bk__file_write(fd, "0123456789", 10), 0);
    io.interrupts = 2;
    assert_int_equal(bk__file_pwrite(fd, "abcdefg", 7, 2), 0);
    assert_int_equal(bk__file_write(fd, "", 0), 0);
    assert_int_equal(bk__file_size(fd), 10);
    bk__file_close(fd);
    assert_content("a", "01abcdefg9");
}

static void test_os_file__reads_all_in_short_pieces(void **state) {
    char bytes[16] = "";
    int fd;

    (void)state;
    sandbox_write("a", "0123456789");
    fd = bk__file_open_read(sandbox_path("a"));
    io.piece = 3;
    io.interrupts = 2;
    assert_int_equal(bk__file_read(fd, bytes, 8), 8);
    assert_memory_equal(bytes, "01234567", 8);
    io.interrupts = 2;
    assert_int_equal(bk__file_read(fd, bytes, 8), 2);
    assert_int_equal(bk__file_read(fd, bytes, 8), 0);
    io.interrupts = 2;
    assert_int_equal(bk__file_pread(fd, bytes, 16, 4), 6);
    assert_memory_equal(bytes, "456789", 6);
    assert_int_equal(bk__file_pread(fd, bytes, 16, 100), 0);
    bk__file_close(fd);
    assert_int_equal(bk__file_read(-1, bytes, 1), -EBADF);
}

static void test_os_file__a_write_without_progress_ends(void **state) {
    int fd = bk__file_create(sandbox_path("a"));

    (void)state;
    io.nothing = 1;
    assert_int_equal(bk__file_write(fd, "x", 1), -EIO);
    assert_int_equal(bk__file_pwrite(fd, "x", 1, 0), -EIO);
    io.nothing = 0;
    io.write_error = ENOSPC;
    assert_int_equal(bk__file_write(fd, "x", 1), -ENOSPC);
    bk__file_close(fd);
}

static void test_os_file__create_never_takes_what_is_there(void **state) {
    struct stat status;
    int fd = bk__file_create(sandbox_path("a"));

    (void)state;
    assert_true(fd >= 0);
    assert_int_equal(fstat(fd, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_int_equal(bk__file_create(sandbox_path("a")), -EEXIST);
    assert_int_equal(symlink("elsewhere", sandbox_path("link")), 0);
    assert_int_equal(bk__file_create(sandbox_path("link")), -EEXIST);
    assert_missing("elsewhere");
    bk__file_close(fd);
    fd = bk__file_open_read(sandbox_path("a"));
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    bk__file_close(fd);
    assert_int_equal(bk__file_open_read(sandbox_path("b")), -ENOENT);
}

static void test_os_file__close_reports_and_never_repeats(void **state) {
    int fd = bk__file_create(sandbox_path("a"));

    (void)state;
    io.close_error = EIO;
    assert_int_equal(bk__file_close(fd), -EIO);
    fd = bk__file_open_read(sandbox_path("a"));
    io.close_error = EINTR;
    io.closes = 0;
    assert_int_equal(bk__file_close(fd), 0);
    assert_int_equal(io.closes, 1);
}

static void test_os_file__sync_is_tried_once(void **state) {
    int fd = bk__file_create(sandbox_path("a"));

    (void)state;
    io.sync_error = EIO;
    assert_int_equal(bk__file_sync(fd), -EIO);
    assert_int_equal(io.syncs, 1);
    bk__file_close(fd);
}

static void test_os_file__save_is_durable_in_order(void **state) {
    struct stat status;

    (void)state;
    io.piece = 4;
    assert_int_equal(bk__file_save(sandbox_path("run.json"), "{\"a\":1}", 7), 0);
    assert_string_equal(io.order, "wsrd");
    assert_content("run.json", "{\"a\":1}");
    assert_missing("run.json.tmp");
    assert_int_equal(stat(sandbox_path("run.json"), &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    assert_int_equal(bk__file_save(sandbox_path("run.json"), "", 0), 0);
    assert_content("run.json", "");
}

/* Each of the failures must leave the old text and nothing beside it. */
static void assert_save_fails(int error) {
    assert_int_equal(bk__file_save(sandbox_path("a"), "new", 3), error);
    memset(&io, 0, sizeof io);
    assert_content("a", "old");
    assert_missing("a.tmp");
}

static void test_os_file__save_that_fails_leaves_the_old_text(void **state) {
    (void)state;
    sandbox_write("a", "old");
    io.write_error = ENOSPC;
    assert_save_fails(-ENOSPC);
    io.sync_error = EIO;
    assert_save_fails(-EIO);
    io.close_error = EDQUOT; /* a full server says so at close() alone */
    assert_save_fails(-EDQUOT);
    io.rename_error = EROFS;
    assert_save_fails(-EROFS);
    assert_int_equal(bk__file_save(sandbox_path("no/a"), "new", 3), -ENOENT);
}

static void test_os_file__save_does_not_follow_what_a_crash_left(void **state) {
    (void)state;
    sandbox_write("precious", "kept");
    assert_int_equal(symlink(sandbox_path("precious"), sandbox_path("a.tmp")), 0);
    assert_int_equal(bk__file_save(sandbox_path("a"), "new", 3), 0);
    assert_content("a", "new");
    assert_content("precious", "kept");
    assert_missing("a.tmp");
}

static void test_os_file__load_has_an_exact_limit(void **state) {
    char *text = NULL;
    size_t size;

    (void)state;
    sandbox_write("a", "12345");
    io.piece = 2;
    assert_int_equal(bk__file_load(sandbox_path("a"), 5, &text, &size), 0);
    assert_int_equal(size, 5);
    assert_string_equal(text, "12345");
    free(text);
    assert_int_equal(bk__file_load(sandbox_path("a"), SIZE_MAX, &text, NULL), 0);
    assert_string_equal(text, "12345");
    free(text);
    text = NULL;
    assert_int_equal(bk__file_load(sandbox_path("a"), 4, &text, &size), -EFBIG);
    assert_int_equal(bk__file_load(sandbox_path("a"), 0, &text, &size), -EFBIG);
    assert_int_equal(bk__file_load(sandbox_path("b"), 5, &text, &size), -ENOENT);
    assert_int_equal(bk__file_load(sandbox_dir(), 5, &text, &size), -EISDIR);
    assert_null(text);
}

static void test_os_file__load_of_every_size_around_its_steps(void **state) {
    char *bytes = malloc(20000), *text;
    size_t size;

    (void)state;
    assert_non_null(bytes);
    for (size_t wanted = 4090; wanted < 16400; wanted += wanted == 4100 ? 4090 : 1) {
        int fd = bk__file_create(sandbox_path("f"));

        memset(bytes, (int)(wanted % 200) + 1, wanted);
        assert_int_equal(bk__file_write(fd, bytes, wanted), 0);
        bk__file_close(fd);
        assert_int_equal(bk__file_load(sandbox_path("f"), wanted, &text, &size), 0);
        assert_int_equal(size, wanted);
        assert_memory_equal(text, bytes, wanted);
        assert_int_equal(text[wanted], 0);
        free(text);
        assert_int_equal(bk__file_load(sandbox_path("f"), wanted - 1, &text, &size),
                         -EFBIG);
        assert_int_equal(bk__file_remove(sandbox_path("f")), 0);
        if (wanted > 8200) {
            wanted += 997;
        }
    }
    free(bytes);
}

static void test_os_file__load_reads_proc(void **state) {
    char *text;
    size_t size;

    (void)state;
    /* The kernel says that it is 0 bytes large. */
    assert_int_equal(bk__file_load("/proc/self/status", 1 << 20, &text, &size), 0);
    assert_true(size > 100 && strncmp(text, "Name:", 5) == 0);
    free(text);
}

static void test_os_file__remove_rename_and_stat(void **state) {
    struct stat status;
    bool same = true;

    (void)state;
    sandbox_write("a", "123");
    assert_int_equal(bk__file_rename(sandbox_path("a"), sandbox_path("b")), 0);
    assert_false(bk__file_exists(sandbox_path("a")));
    assert_true(bk__file_exists(sandbox_path("b")));
    assert_int_equal(bk__file_size_of(sandbox_path("b")), 3);
    assert_int_equal(bk__file_size_of(sandbox_path("a")), -ENOENT);
    assert_int_equal(bk__file_rename(sandbox_path("a"), sandbox_path("b")), -ENOENT);
    assert_int_equal(stat(sandbox_path("b"), &status), 0);
    sandbox_write("c", "123");
    assert_int_equal(
        bk__file_same(sandbox_path("c"), status.st_dev, status.st_ino, &same), 0);
    assert_false(same);
    assert_int_equal(
        bk__file_same(sandbox_path("b"), status.st_dev, status.st_ino, &same), 0);
    assert_true(same);
    assert_int_equal(
        bk__file_same(sandbox_path("a"), status.st_dev, status.st_ino, &same), -ENOENT);
    assert_int_equal(bk__file_remove(sandbox_path("b")), 0);
    assert_int_equal(bk__file_remove(sandbox_path("b")), 0);
    assert_missing("b");
    assert_int_equal(bk__file_remove(sandbox_dir()), -EISDIR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_os_file__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(writes_all_in_short_pieces),
        TEST(reads_all_in_short_pieces),
        TEST(a_write_without_progress_ends),
        TEST(create_never_takes_what_is_there),
        TEST(close_reports_and_never_repeats),
        TEST(sync_is_tried_once),
        TEST(save_is_durable_in_order),
        TEST(save_that_fails_leaves_the_old_text),
        TEST(save_does_not_follow_what_a_crash_left),
        TEST(load_has_an_exact_limit),
        TEST(load_of_every_size_around_its_steps),
        TEST(load_reads_proc),
        TEST(remove_rename_and_stat),
    };

    return cmocka_run_group_tests_name("os/file", tests, NULL, NULL);
}
