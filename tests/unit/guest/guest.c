/*
 * The choice of a mode: what is proven, what is forced, what is refused and how that reads. Who
 * owns which lock is root.c's. tests/unit/run runs it.
 */
#include <guest/guest.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <core/error.h>

#include "fakehelper.h"
#include "lockprobe.h"

static char dir[4096];

static int make_dir(void **state) {
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%s/botkeep-guest-XXXXXX", base ? base : "/tmp");
    if (mkdtemp(dir) == NULL)
        return -1;
    use_fake_helper(dir, GREETING "cat >/dev/null\n");
    unsetenv("BOTKEEP_TEST_ISOLATION");
    return 0;
}

static int remove_dir(void **state) {
    char path[4200];

    (void)state;
    unsetenv("BOTKEEP_HELPER");
    unsetenv("BOTKEEP_TEST_ISOLATION");
    snprintf(path, sizeof path, "%s/helper", dir);
    unlink(path);
    return rmdir(dir);
}

/* The chosen mode with its reason, or -1 where it was refused and the text says what is needed. */
static int choose(const char *wish, const char *expected_in_why) {
    enum bk__guest_mode mode;
    char *why = NULL;
    int result = bk__guest_choose(wish, dir, &mode, &why);
    const char *text = result == 0 ? why : bk__error_text();

    if (text == NULL || strstr(text, expected_in_why) == NULL) {
        print_error("\"%s\" does not say \"%s\"\n", text ? text : "", expected_in_why);
        free(why);
        return -2;
    }
    free(why);
    return result == 0 ? (int)mode : result == BK_EISOLATION ? -1 : -3;
}

static void test_guest_guest__auto_takes_threads_where_they_are_proven(void **state) {
    (void)state;
    assert_int_equal(choose("auto", "self-test"), BK__GUEST_THREAD);
    assert_int_equal(choose("thread", "self-test"), BK__GUEST_THREAD);
    assert_string_equal(bk__guest_mode_name(BK__GUEST_THREAD), "thread");
}

static void test_guest_guest__without_threads_auto_takes_the_helper(void **state) {
    (void)state;
    setenv("BOTKEEP_TEST_ISOLATION", "thread-fails", 1);
    assert_int_equal(choose("auto", "BOTKEEP_TEST_ISOLATION"), BK__GUEST_PROCESS);
    assert_int_equal(choose("process", "guest.isolation is process"), BK__GUEST_PROCESS);
    assert_int_equal(choose("thread", "not touched"), -1);
}

static void test_guest_guest__without_either_it_is_refused(void **state) {
    (void)state;
    setenv("BOTKEEP_TEST_ISOLATION", "all-fail", 1);
    assert_int_equal(choose("auto", "BOTKEEP_HELPER"), -1);
    assert_int_equal(choose("process", "Helper process: "), -1);
    assert_int_equal(choose("own", "no other SQLite"), BK__GUEST_OWN);
    unsetenv("BOTKEEP_TEST_ISOLATION");
    setenv("BOTKEEP_HELPER", "/no/such/botkeep", 1);
    assert_int_equal(choose("process", "/no/such/botkeep"), -1);
}

static int choose_in_fork(void *unused) {
    (void)unused;
    if (choose("auto", "forked") != BK__GUEST_PROCESS || choose("thread", "forked") != -1)
        return 1;
    return choose("own", "forked") == -1 ? 0 : 2;
}

static void test_guest_guest__a_forked_child_takes_the_helper(void **state) {
    (void)state;
    assert_int_equal(choose("auto", "self-test"), BK__GUEST_THREAD);
    assert_int_equal(in_child(choose_in_fork, NULL), 0);
}

static int choose_in_sandbox(void *unused) {
    (void)unused;
    refuse_close_range(EPERM);
    return choose("auto", "sandbox") == BK__GUEST_PROCESS ? 0 : 1;
}

static int choose_on_old_kernel(void *unused) {
    (void)unused;
    refuse_close_range(ENOSYS);
    setenv("BOTKEEP_HELPER", "/no/such/botkeep", 1);
    return choose("auto", "Linux 5.9") == -1 ? 0 : 1;
}

/* Runs before this process starts its guest threads, so that the children are no heirs. */
static void test_guest_guest__a_refusing_kernel_leads_to_the_helper(void **state) {
    (void)state;
    assert_int_equal(in_child(choose_in_sandbox, NULL), 0);
    assert_int_equal(in_child(choose_on_old_kernel, NULL), 0);
}

static void *note_self(void *arg) {
    *(pthread_t *)arg = pthread_self();
    return NULL;
}

static void test_guest_guest__threads_start_in_each_mode(void **state) {
    const enum bk__guest_mode modes[] = {BK__GUEST_THREAD, BK__GUEST_PROCESS,
                                         BK__GUEST_OWN};

    (void)state;
    assert_int_equal(choose("auto", "self-test"), BK__GUEST_THREAD);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        pthread_t noted = pthread_self();
        pthread_t thread;

        assert_int_equal(bk__guest_start(modes[i], &thread, "test", note_self, &noted),
                         0);
        assert_int_equal(pthread_join(thread, NULL), 0);
        assert_true(pthread_equal(noted, thread));
    }
}

#define test_in_dir(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_in_dir(test_guest_guest__a_refusing_kernel_leads_to_the_helper),
        test_in_dir(test_guest_guest__auto_takes_threads_where_they_are_proven),
        test_in_dir(test_guest_guest__without_threads_auto_takes_the_helper),
        test_in_dir(test_guest_guest__without_either_it_is_refused),
        test_in_dir(test_guest_guest__a_forked_child_takes_the_helper),
        test_in_dir(test_guest_guest__threads_start_in_each_mode),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
