/*
 * Starting, hearing and losing a helper program, with scripts that misbehave in its place. What is
 * said to it is relay.c's. tests/unit/run runs it.
 */
#include <guest/helper.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <base/json.h>
#include <botkeep.h>
#include <os/thread.h>

#include "fakehelper.h"

static char dir[4096];

static int make_dir(void **state) {
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%s/botkeep-helper-XXXXXX", base ? base : "/tmp");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state) {
    char path[4200];

    (void)state;
    unsetenv("BOTKEEP_HELPER");
    snprintf(path, sizeof path, "%s/helper", dir);
    unlink(path);
    return rmdir(dir);
}

static void assert_refused(const char *expected) {
    struct bk__helper helper = {0};
    char *why = NULL;

    assert_int_equal(bk__helper_start(&helper, &why), BK_EISOLATION);
    assert_non_null(why);
    if (strstr(why, expected) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", why, expected);
    free(why);
}

static void assert_started(struct bk__helper *helper) {
    char *why = NULL;

    if (bk__helper_start(helper, &why) != 0)
        fail_msg("%s", why);
}

static void test_guest_helper__one_that_is_missing_is_named(void **state) {
    (void)state;
    setenv("BOTKEEP_HELPER", "/no/such/botkeep", 1);
    assert_refused("/no/such/botkeep");
    setenv("BOTKEEP_HELPER", dir, 1); /* a folder may be called botkeep, too */
    assert_refused(dir);
}

static void test_guest_helper__another_version_is_refused(void **state) {
    (void)state;
    use_fake_helper(dir,
                    "echo '{\"event\":\"helper\",\"version\":\"0.0.7-other\"}'\ncat\n");
    assert_refused("0.0.7-other");
}

static void test_guest_helper__a_program_that_is_none_is_refused(void **state) {
    (void)state;
    use_fake_helper(dir, "echo usage: something\nexit 64\n");
    assert_refused("no helper");
    use_fake_helper(dir, "exit 64\n");
    assert_refused("status 64");
    use_fake_helper(dir, "kill -9 $$\n");
    assert_refused("signal 9");
}

static void test_guest_helper__lines_come_in_order_and_whole(void **state) {
    struct bk__helper helper = {0};
    struct json_object *line = NULL;

    (void)state;
    use_fake_helper(dir, GREETING "printf '{\"n\":1}\\n{\"n\":2}\\n{\"n\"'\nread go\n"
                                  "printf ':3}\\n'\n");
    assert_started(&helper);
    for (int n = 1; n <= 2; n++) {
        assert_int_equal(bk__helper_hear(&helper, 10000, &line), 1);
        assert_int_equal(bk__json_int(line, "n", 0), n);
        json_object_put(line);
    }
    assert_int_equal(bk__helper_hear(&helper, 50, &line), 0);
    assert_int_equal(bk__helper_say(&helper, "go\n", 3, NULL), 0);
    assert_int_equal(bk__helper_hear(&helper, 10000, &line), 1);
    assert_int_equal(bk__json_int(line, "n", 0), 3);
    json_object_put(line);
    assert_int_equal(bk__helper_hear(&helper, 10000, &line), -EPIPE);
    assert_int_equal(bk__helper_end(&helper, 10000), 0);
}

static void test_guest_helper__huge_lines_pass(void **state) {
    struct bk__helper helper = {0};
    struct json_object *line = NULL;

    (void)state;
    use_fake_helper(dir,
                    GREETING "printf '{\"text\":\"'\n"
                             "head -c 5000000 /dev/zero | tr '\\0' x\nprintf '\"}\\n'\n");
    assert_started(&helper);
    assert_int_equal(bk__helper_hear(&helper, 60000, &line), 1);
    assert_int_equal(strlen(bk__json_text(line, "text", "")), 5000000);
    json_object_put(line);
    assert_int_equal(bk__helper_end(&helper, 10000), 0);
}

static void test_guest_helper__a_line_that_is_no_object_is_an_error(void **state) {
    struct bk__helper helper = {0};
    struct json_object *line = NULL;

    (void)state;
    use_fake_helper(dir, GREETING "echo Segmentation fault\n");
    assert_started(&helper);
    assert_int_equal(bk__helper_hear(&helper, 10000, &line), -EPROTO);
    bk__helper_end(&helper, 0);
}

/* More than a pipe holds, to a helper that never reads: the cancel flag ends it. */
static void test_guest_helper__a_cancel_ends_a_write_nobody_reads(void **state) {
    struct bk__helper helper = {0};
    bool cancel = true;
    size_t size = 4 << 20;
    char *text = calloc(1, size);

    (void)state;
    assert_non_null(text);
    use_fake_helper(dir, GREETING "exec sleep 1000\n");
    assert_started(&helper);
    assert_int_equal(bk__helper_say(&helper, text, size, &cancel), -ECANCELED);
    assert_true(WIFSIGNALED(bk__helper_end(&helper, 0)));
    free(text);
}

/* On a thread of ours, where SIGPIPE is blocked, as the lanes are. */
static void *say_to_the_dead(void *arg) {
    struct bk__helper *helper = arg;
    struct json_object *line = NULL;

    if (bk__helper_hear(helper, 10000, &line) != -EPIPE)
        return "it did not end";
    /* The kernel closes a dead process's descriptors one after another, in any order. */
    for (int i = 0; i < 1000; i++) {
        int error = bk__helper_say(helper, "hello", 5, NULL);
        if (error < 0)
            return error == -EPIPE ? NULL : "not EPIPE";
        usleep(1000);
    }
    return "no EPIPE";
}

static void test_guest_helper__a_write_to_a_dead_one_fails_quietly(void **state) {
    struct bk__helper helper = {0};
    pthread_t thread;
    void *wrong;

    (void)state;
    use_fake_helper(dir, GREETING "kill -9 $$\n");
    assert_started(&helper);
    assert_int_equal(bk__thread_start(&thread, "test", say_to_the_dead, &helper), 0);
    pthread_join(thread, &wrong);
    assert_null(wrong);
    assert_int_equal(WTERMSIG(bk__helper_end(&helper, 10000)), SIGKILL);
}

/* A host that never wants to hear of its children: they are gone without a trace. */
static void test_guest_helper__a_host_that_ignores_its_children_is_fine(void **state) {
    struct sigaction ignore = {.sa_handler = SIG_IGN, .sa_flags = SA_NOCLDWAIT};
    struct sigaction before;
    struct bk__helper helper = {0};

    (void)state;
    assert_int_equal(sigaction(SIGCHLD, &ignore, &before), 0);
    use_fake_helper(dir, GREETING "cat >/dev/null\n");
    assert_started(&helper);
    assert_int_equal(bk__helper_end(&helper, 10000), -ECHILD);
    assert_int_equal(sigaction(SIGCHLD, &before, NULL), 0);
}

#define test_in_dir(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_in_dir(test_guest_helper__one_that_is_missing_is_named),
        test_in_dir(test_guest_helper__another_version_is_refused),
        test_in_dir(test_guest_helper__a_program_that_is_none_is_refused),
        test_in_dir(test_guest_helper__lines_come_in_order_and_whole),
        test_in_dir(test_guest_helper__huge_lines_pass),
        test_in_dir(test_guest_helper__a_line_that_is_no_object_is_an_error),
        test_in_dir(test_guest_helper__a_cancel_ends_a_write_nobody_reads),
        test_in_dir(test_guest_helper__a_write_to_a_dead_one_fails_quietly),
        test_in_dir(test_guest_helper__a_host_that_ignores_its_children_is_fine),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
