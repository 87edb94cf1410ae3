/*
 * Tests of src/os/wake.c: the pipe as an event loop of the host sees it.
 * Not of when core rings it.
 */
#include <os/wake.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "sandbox.h"
#include <cmocka.h>

static bool readable(int fd) {
    struct pollfd watched = {.fd = fd, .events = POLLIN};

    return poll(&watched, 1, 0) == 1 && watched.revents & POLLIN;
}

static void test_os_wake__rings_and_drains(void **state) {
    struct bk__wake wake;

    (void)state;
    assert_int_equal(bk__wake_open(&wake), 0);
    assert_false(readable(wake.read_fd));
    bk__wake_drain(&wake); /* does not block */
    bk__wake_ring(&wake);
    bk__wake_ring(&wake);
    assert_true(readable(wake.read_fd));
    bk__wake_drain(&wake);
    assert_false(readable(wake.read_fd));
    bk__wake_close(&wake);
}

static void test_os_wake__a_full_pipe_does_not_block(void **state) {
    struct bk__wake wake;
    char byte;

    (void)state;
    assert_int_equal(bk__wake_open(&wake), 0);
    assert_true(fcntl(wake.write_fd, F_SETPIPE_SZ, 4096) >= 4096);
    for (int i = 0; i < 100000; i++) {
        bk__wake_ring(&wake);
    }
    assert_int_equal(write(wake.write_fd, "!", 1), -1); /* it is full indeed */
    assert_int_equal(errno, EAGAIN);
    assert_true(readable(wake.read_fd));
    bk__wake_drain(&wake);
    assert_int_equal(read(wake.read_fd, &byte, 1), -1);
    assert_int_equal(errno, EAGAIN);
    bk__wake_close(&wake);
}

static void assert_quiet(int fd) {
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
    assert_true(fd >= 0);
}

static void test_os_wake__no_end_blocks_or_is_inherited(void **state) {
    struct bk__wake wake;
    int dup;

    (void)state;
    assert_int_equal(bk__wake_open(&wake), 0);
    dup = bk__wake_dup(&wake);
    assert_quiet(wake.read_fd);
    assert_quiet(wake.write_fd);
    assert_quiet(dup);
    assert_true(dup > 2);
    bk__wake_close(&wake);
    close(dup);
}

static void test_os_wake__a_dup_outlives_the_pipe(void **state) {
    struct bk__wake wake;
    struct pollfd watched = {.events = POLLIN};
    char byte;

    (void)state;
    assert_int_equal(bk__wake_open(&wake), 0);
    watched.fd = bk__wake_dup(&wake);
    bk__wake_ring(&wake);
    bk__wake_close(&wake);
    assert_int_equal(wake.read_fd, -1);
    assert_int_equal(wake.write_fd, -1);
    bk__wake_close(&wake); /* harms nothing, in particular not descriptor 0 */
    assert_int_equal(read(watched.fd, &byte, 1), 1);
    assert_int_equal(read(watched.fd, &byte, 1), 0);
    assert_int_equal(poll(&watched, 1, 0), 1);
    assert_true(watched.revents & POLLHUP);
    close(watched.fd);
    assert_int_equal(bk__wake_dup(&wake), -EBADF);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_os_wake__rings_and_drains),
        cmocka_unit_test(test_os_wake__a_full_pipe_does_not_block),
        cmocka_unit_test(test_os_wake__no_end_blocks_or_is_inherited),
        cmocka_unit_test(test_os_wake__a_dup_outlives_the_pipe),
    };

    return cmocka_run_group_tests_name("os/wake", tests, NULL, NULL);
}
