/*
 * A program beside a host with any habits: what it said, how it ended, what it sees, and that it
 * never outlives the thread that started it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <os/child.h>
#include <os/clock.h>

#define LONG_MS 20000

static const char *const few[] = {"PATH=/usr/bin:/bin", "ONLY=this", NULL};

static int start(struct bk__child *child, const char *script, int fd) {
    const char *const argv[] = {"/bin/sh", "-c", script, NULL};
    const struct bk__child_plan plan = {.argv = argv, .environment = few, .fd = fd};
    return bk__child_start(child, &plan);
}

/* Runs it to its end; its status, and what it said, compared. */
static int ran(const char *script, int fd, const char *said) {
    struct bk__child child;
    assert_int_equal(start(&child, script, fd), 0);
    assert_true(bk__child_wait(&child, LONG_MS));
    if (said != NULL) {
        assert_string_equal(child.said.data == NULL ? "" : child.said.data, said);
    }
    bk__child_free(&child);
    return child.status == 0 ? 0 : child.status;
}

static int status_of(const char *script) {
    struct bk__child child;
    assert_int_equal(start(&child, script, -1), 0);
    assert_true(bk__child_wait(&child, LONG_MS));
    int status = child.status;
    bk__child_free(&child);
    return status;
}

static void test_os_child__what_it_says_and_how_it_ends(void **state) {
    (void)state;
    ran("echo one; echo two >&2; cat", -1, "one\ntwo\n"); /* its input is empty */
    assert_int_equal(WEXITSTATUS(status_of("exit 7")), 7);
    assert_true(WIFSIGNALED(status_of("kill -9 $$")));
    assert_int_equal(status_of("true"), 0);
}

static void test_os_child__its_output_comes_apart_from_its_errors(void **state) {
    (void)state;
    const char *const argv[] = {"/bin/sh", "-c", "echo out; echo said >&2", NULL};
    const struct bk__child_plan plan = {
        .argv = argv, .environment = few, .fd = -1, .pipes = true};
    struct bk__child child;
    char text[16] = "";
    assert_int_equal(bk__child_start(&child, &plan), 0);
    int out = child.out_fd;
    assert_true(bk__child_wait(&child, LONG_MS));
    assert_int_equal(read(out, text, sizeof text - 1), 4);
    assert_string_equal(text, "out\n");
    assert_int_equal(read(out, text, sizeof text - 1), 0); /* nobody else has its end */
    assert_string_equal(child.said.data, "said\n");
    bk__child_free(&child);
    close(out);
}

static void test_os_child__it_sees_only_what_it_is_given(void **state) {
    (void)state;
    int secret = memfd_create("secret", MFD_CLOEXEC);
    assert_int_equal(write(secret, "word", 4), 4);
    setenv("HOSTS_OWN", "secret", 1);
    int open_one =
        open("/dev/null", O_RDONLY); /* as hosts have them: not close-on-exec */
    ran("echo $ONLY $HOSTS_OWN; cat /proc/self/fd/3; ls /proc/self/fd | wc -l", secret,
        "this\nword5\n"); /* 0 1 2 3, and the folder that ls reads */
    close(open_one);
    close(secret);
}

static void test_os_child__what_cannot_be_run_is_told(void **state) {
    (void)state;
    const char *const argv[] = {"/nonexistent/program", NULL};
    const struct bk__child_plan plan = {.argv = argv, .environment = few, .fd = -1};
    struct bk__child child;
    assert_int_equal(bk__child_start(&child, &plan), -ENOENT);
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1); /* nothing is left of it */
    assert_int_equal(errno, ECHILD);
}

static void test_os_child__much_talk_keeps_beginning_and_end(void **state) {
    (void)state;
    struct bk__child child;
    assert_int_equal(
        start(&child, "echo first; head -c 2000000 /dev/zero | tr '\\0' x; echo last",
              -1),
        0);
    assert_true(bk__child_wait(&child, LONG_MS));
    assert_int_equal(child.status, 0);
    assert_true(child.said.size <= 3 * BK__CHILD_SAID);
    assert_int_equal(strncmp(child.said.data, "first\n", 6), 0);
    assert_string_equal(child.said.data + child.said.size - 6, "xlast\n");
    bk__child_free(&child);
}

/* ---- hosts ------------------------------------------------------------------------------ */

static volatile sig_atomic_t signals;

static void on_signal(int number) {
    (void)number;
    signals = signals + 1;
}

static void test_os_child__the_host_gets_no_signal_and_no_status(void **state) {
    (void)state;
    signal(SIGCHLD, on_signal);
    struct bk__child child;
    assert_int_equal(start(&child, "exit 3", -1), 0);
    bk__clock_sleep(200);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
    assert_int_equal(errno, ECHILD);
    assert_true(bk__child_wait(&child, LONG_MS));
    assert_int_equal(WEXITSTATUS(child.status), 3);
    bk__child_free(&child);
    assert_int_equal(signals, 0);
    signal(SIGCHLD, SIG_IGN);
    assert_int_equal(WEXITSTATUS(status_of("exit 4")), 4);
    signal(SIGCHLD, SIG_DFL);
}

static void test_os_child__it_is_stopped_even_if_it_does_not_want_to(void **state) {
    (void)state;
    struct bk__child child;
    assert_int_equal(start(&child, "exec sleep 100", -1), 0);
    assert_false(bk__child_wait(&child, 50));
    bk__child_stop(&child);
    assert_true(WIFSIGNALED(child.status));
    assert_int_equal(WTERMSIG(child.status), SIGTERM);
    bk__child_free(&child);
    assert_int_equal(
        start(&child, "trap '' TERM; echo ready; while :; do sleep 1; done", -1), 0);
    while (child.said.size == 0) {
        bk__child_wait(&child, 20);
    }
    bk__child_stop(&child);
    assert_int_equal(WTERMSIG(child.status), SIGKILL);
    bk__child_free(&child);
}

/* A lock of the host's must not live on in a process that the host does not know. */
static void test_os_child__no_descriptor_of_the_host_stays_open(void **state) {
    (void)state;
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    struct bk__child child;
    assert_int_equal(start(&child, "exec sleep 100", -1), 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &byte, 1), 0); /* the end, not a wait of 100 s */
    close(ends[0]);
    bk__child_stop(&child);
    bk__child_free(&child);
}

static void *start_and_leave(void *context) {
    assert_int_equal(start(context, "echo $$; exec sleep 100", -1), 0);
    while (!((struct bk__child *)context)->said.size) {
        bk__child_wait(context, 20);
    }
    return NULL;
}

static void test_os_child__it_dies_with_the_thread_that_started_it(void **state) {
    (void)state;
    struct bk__child child;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, start_and_leave, &child), 0);
    pthread_join(thread, NULL);
    assert_true(bk__child_wait(&child, LONG_MS));
    pid_t pid = (pid_t)strtol(child.said.data, NULL, 10);
    assert_true(pid > 0);
    for (int i = 0; i < 500 && kill(pid, 0) == 0; i++) {
        char path[64], text[256] = "";
        snprintf(path, sizeof path, "/proc/%d/stat", pid);
        FILE *file = fopen(path, "r");
        bool gone = file == NULL || fgets(text, sizeof text, file) == NULL ||
                    strstr(text, ") Z ") != NULL;
        if (file != NULL) {
            fclose(file);
        }
        if (gone) {
            break;
        }
        assert_int_not_equal(i, 499);
        bk__clock_sleep(20);
    }
    bk__child_free(&child);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_os_child__what_it_says_and_how_it_ends),
        cmocka_unit_test(test_os_child__its_output_comes_apart_from_its_errors),
        cmocka_unit_test(test_os_child__it_sees_only_what_it_is_given),
        cmocka_unit_test(test_os_child__what_cannot_be_run_is_told),
        cmocka_unit_test(test_os_child__much_talk_keeps_beginning_and_end),
        cmocka_unit_test(test_os_child__the_host_gets_no_signal_and_no_status),
        cmocka_unit_test(test_os_child__it_is_stopped_even_if_it_does_not_want_to),
        cmocka_unit_test(test_os_child__no_descriptor_of_the_host_stays_open),
        cmocka_unit_test(test_os_child__it_dies_with_the_thread_that_started_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
