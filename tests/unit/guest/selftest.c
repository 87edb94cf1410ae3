/*
 * The self-test's answers and its traces. That it is right about locks is shown by root.c.
 * tests/unit/run runs it.
 */
#include <guest/selftest.h>

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <botkeep.h>
#include <os/thread.h>

static char dir[4096];

static int make_dir(void **state) {
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%s/botkeep-selftest-XXXXXX", base ? base : "/tmp");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state) {
    (void)state;
    return rmdir(dir); /* fails, and the test with it, when anything was left behind */
}

static void test_guest_selftest__proves_this_machine(void **state) {
    char *why = NULL;

    (void)state;
    assert_int_equal(bk__guest_selftest(dir, &why), 0);
    assert_null(why);
}

static void *prove_often(void *unused) {
    intptr_t failed = 0;

    (void)unused;
    for (int i = 0; i < 25; i++) {
        char *why = NULL;

        failed += bk__guest_selftest(dir, &why) != 0;
        free(why);
    }
    return (void *)failed;
}

static void test_guest_selftest__may_run_many_at_a_time(void **state) {
    pthread_t threads[4];
    void *failed;

    (void)state;
    for (int i = 0; i < 4; i++)
        assert_int_equal(bk__thread_start(&threads[i], "test", prove_often, NULL), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void test_guest_selftest__names_a_folder_it_cannot_use(void **state) {
    char *why = NULL;

    (void)state;
    assert_int_equal(bk__guest_selftest("/proc/no-such-folder", &why), BK_EISOLATION);
    assert_non_null(why);
    assert_non_null(strstr(why, "/proc/no-such-folder"));
    free(why);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_guest_selftest__proves_this_machine,
                                        make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_guest_selftest__may_run_many_at_a_time,
                                        make_dir, remove_dir),
        cmocka_unit_test(test_guest_selftest__names_a_folder_it_cannot_use),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
