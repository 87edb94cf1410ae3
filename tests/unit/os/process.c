/*
 * Tests of src/os/process.c: what a child gets of ours, and how it ends.
 * Not of what is said over the pipes (guest).
 */
#include <os/process.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <os/clock.h>
#include <os/file.h>

#include "sandbox.h"
#include <cmocka.h>

static int open_files(void) {
    DIR *folder = opendir("/proc/self/fd");
    int count = 0;

    assert_non_null(folder);
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count;
}

static void start(struct bk__process *process, const char *program, const char *arg) {
    const char *const argv[] = {program, arg, NULL};

    assert_int_equal(bk__process_start(process, argv), 0);
}

/* Everything that the program writes. */
static char *output_of(const char *program, const char *arg) {
    static char text[65536];
    struct bk__process process;
    int64_t size;

    start(&process, program, arg);
    size = bk__file_read(process.from, text, sizeof text - 1);
    assert_true(size >= 0);
    text[size] = '\0';
    assert_int_equal(bk__process_end(&process, 10000), 0);
    return text;
}

static void test_os_process__speaks_over_two_pipes(void **state) {
    struct bk__process process;
    int before = open_files();
    char bytes[8] = "";

    (void)state;
    start(&process, "/bin/cat", NULL);
    assert_int_equal(bk__file_write(process.to, "hello", 5), 0);
    bk__process_close_input(&process);
    assert_int_equal(bk__file_read(process.from, bytes, sizeof bytes), 5);
    assert_string_equal(bytes, "hello");
    assert_int_equal(bk__process_end(&process, 10000), 0);
    assert_int_equal(process.pid, -1);
    assert_int_equal(open_files(), before);
}

/* Others may read /proc/PID/environ of a child that lives longer than what it inherits is needed. */
static void test_os_process__secrets_are_not_inherited(void **state) {
    static const char *const set[][2] = {{"REDIS_URL", "redis://:hunter2@h"},
                                         {"REDIS_PASSWORD", "hunter2"},
                                         {"bot_token", "hunter2"},
                                         {"SECRET", "hunter2"},
                                         {"BK_URL", "redis://h"},
                                         {"BK_TOKENS", "3"},
                                         {"PGPASSWORD", "libpq"}};
    const char *said;

    (void)state;
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
        assert_int_equal(setenv(set[i][0], set[i][1], 1), 0);
    }
    said = output_of("/usr/bin/env", NULL);
    assert_null(strstr(said, "hunter2"));
    assert_non_null(strstr(said, "BK_URL=redis://h"));
    assert_non_null(strstr(said, "BK_TOKENS=3"));
    assert_non_null(strstr(said, "PGPASSWORD=libpq"));
    assert_non_null(strstr(said, "PATH="));
    for (size_t i = 0; i < sizeof set / sizeof *set; i++) {
        assert_int_equal(unsetenv(set[i][0]), 0);
    }
}

static void test_os_process__end_closes_its_input(void **state) {
    struct bk__process process;

    (void)state;
    start(&process, "/bin/cat", NULL); /* ends when its input does */
    assert_int_equal(bk__process_end(&process, 10000), 0);
}

static void test_os_process__passes_the_exit_status_on(void **state) {
    const char *const argv[] = {"/bin/sh", "-c", "exit 7", NULL};
    struct bk__process process;
    int status;

    (void)state;
    assert_int_equal(bk__process_start(&process, argv), 0);
    status = bk__process_end(&process, 10000);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_os_process__kills_what_does_not_go(void **state) {
    struct bk__process process;
    pid_t pid;
    int status;

    (void)state;
    start(&process, "/bin/sleep", "3600");
    pid = process.pid;
    status = bk__process_end(&process, 20);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
    assert_int_equal(kill(pid, 0), -1);
    assert_int_equal(errno, ESRCH);
}

static void test_os_process__inherits_no_descriptor(void **state) {
    int leaky = open("/dev/null", O_RDONLY); /* as most hosts open: not close-on-exec */
    char *text = output_of("/bin/ls", "/proc/self/fd");

    (void)state;
    assert_string_equal(text, "0\n1\n2\n3\n"); /* 3 is ls's own, of that folder */
    close(leaky);
}

/* The value of "Name:\t..." in the text of /proc/PID/status, as hexadecimal. */
static unsigned long long status_mask(const char *text, const char *name) {
    const char *line = strstr(text, name);

    assert_non_null(line);
    return strtoull(line + strlen(name), NULL, 16);
}

static void test_os_process__resets_signals(void **state) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, term, pipe_;
    sigset_t all, before;
    char *text;

    (void)state;
    sigaction(SIGTERM, &ignore, &term);
    sigaction(SIGPIPE, &ignore, &pipe_);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    text = output_of("/bin/cat", "/proc/self/status");
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    sigaction(SIGTERM, &term, NULL);
    sigaction(SIGPIPE, &pipe_, NULL);
    assert_int_equal(status_mask(text, "SigBlk:"), 0);
    /* glibc itself leaves its two internal signals, 32 and 33, ignored. */
    assert_int_equal(status_mask(text, "SigIgn:") & 0x7FFFFFFF, 0);
}

static void test_os_process__has_a_group_of_its_own(void **state) {
    int pid, parent, group;
    char *text = output_of("/bin/cat", "/proc/self/stat");

    (void)state;
    assert_int_equal(sscanf(text, "%d (cat) %*c %d %d", &pid, &parent, &group), 3);
    assert_int_equal(parent, getpid());
    assert_int_equal(group, pid);
}

static void test_os_process__inherits_the_environment(void **state) {
    (void)state;
    setenv("BK_TEST_OF_PROCESS", "there", 1);
    assert_non_null(strstr(output_of("/usr/bin/env", NULL), "BK_TEST_OF_PROCESS=there"));
    unsetenv("BK_TEST_OF_PROCESS");
}

static void test_os_process__fails_without_leaving_anything(void **state) {
    const char *const missing[] = {sandbox_path("no"), NULL};
    const char *const plain[] = {sandbox_path("plain"), NULL};
    struct bk__process process = {.pid = 4711};
    int before = open_files();

    (void)state;
    sandbox_write("plain", "no program");
    assert_int_equal(bk__process_start(&process, missing), -ENOENT);
    assert_int_equal(bk__process_start(&process, plain), -EACCES);
    assert_int_equal(process.pid, 4711);
    assert_int_equal(open_files(), before);
}

/* In a process whose descriptors 0, 1 and 2 are closed as the bits say: 0 when cat answered. */
static int try_with_closed(int bits) {
    const char *const argv[] = {"/bin/cat", NULL};
    struct bk__process process;
    char bytes[4] = "";

    for (int i = 0; i < 3; i++) {
        if (bits & 1 << i) {
            close(i);
        }
    }
    if (bk__process_start(&process, argv) != 0 ||
        bk__file_write(process.to, "abc", 3) != 0) {
        return 1;
    }
    if (process.to < 3 || process.from < 3) {
        return 2;
    }
    bk__process_close_input(&process);
    if (bk__file_read(process.from, bytes, 4) != 3 || memcmp(bytes, "abc", 3) != 0) {
        return 3;
    }
    return bk__process_end(&process, 10000) == 0 ? 0 : 4;
}

static void test_os_process__works_where_the_host_has_closed_descriptors(void **state) {
    (void)state;
    for (int bits = 0; bits < 8; bits++) {
        pid_t pid = fork();
        int status;

        if (pid == 0) {
            _exit(try_with_closed(bits));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
    }
}

static void test_os_process__says_echild_where_sigchld_is_ignored(void **state) {
    struct sigaction ignore = {.sa_handler = SIG_IGN}, before;
    struct bk__process process;
    pid_t pid;

    (void)state;
    sigaction(SIGCHLD, &ignore, &before);
    start(&process, "/bin/cat", NULL);
    pid = process.pid;
    assert_int_equal(bk__process_end(&process, 10000), -ECHILD);
    sigaction(SIGCHLD, &before, NULL);
    assert_int_equal(kill(pid, 0), -1); /* and it is gone */
}

static void test_os_process__knows_the_file_it_was_loaded_from(void **state) {
    char *path = bk__process_library(), *program = realpath("/proc/self/exe", NULL);

    (void)state;
    assert_non_null(path);
    assert_string_equal(path, program); /* a test is linked statically */
    free(path);
    free(program);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_os_process__speaks_over_two_pipes),
        cmocka_unit_test(test_os_process__secrets_are_not_inherited),
        cmocka_unit_test(test_os_process__end_closes_its_input),
        cmocka_unit_test(test_os_process__passes_the_exit_status_on),
        cmocka_unit_test(test_os_process__kills_what_does_not_go),
        cmocka_unit_test(test_os_process__inherits_no_descriptor),
        cmocka_unit_test(test_os_process__resets_signals),
        cmocka_unit_test(test_os_process__has_a_group_of_its_own),
        cmocka_unit_test(test_os_process__inherits_the_environment),
        cmocka_unit_test_setup_teardown(test_os_process__fails_without_leaving_anything,
                                        sandbox_setup, sandbox_teardown),
        cmocka_unit_test(test_os_process__works_where_the_host_has_closed_descriptors),
        cmocka_unit_test(test_os_process__says_echild_where_sigchld_is_ignored),
        cmocka_unit_test(test_os_process__knows_the_file_it_was_loaded_from),
    };

    return cmocka_run_group_tests_name("os/process", tests, NULL, NULL);
}
