/*
 * The relay, through the public functions: what becomes of an operation when the helper does it,
 * and when the helper misbehaves. How helpers start and end is helper.c's. tests/unit/run runs it.
 */
#include <guest/guest.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <botkeep.h>

#include "fakehelper.h"

static char dir[4096];

static char *in_dir(const char *name) {
    static char path[4200];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return path;
}

static int make_dir(void **state) {
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%s/botkeep-relay-XXXXXX", base ? base : "/tmp");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state) {
    char command[4300];

    (void)state;
    unsetenv("BOTKEEP_HELPER");
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

/* The program of this build: build/PROFILE/botkeep, seen from build/PROFILE/tests/unit/guest. */
static void use_real_helper(void) {
    char path[4096];
    ssize_t size = readlink("/proc/self/exe", path, sizeof path - 1);

    assert_true(size > 0);
    path[size] = '\0';
    for (int up = 0; up < 4; up++)
        *strrchr(path, '/') = '\0';
    strncat(path, "/botkeep", sizeof path - strlen(path) - 1);
    assert_int_equal(setenv("BOTKEEP_HELPER", path, 1), 0);
}

static bk_keeper *open_keeper(void) {
    char database[4200];
    bk_keeper *keeper = bk_new();

    assert_non_null(keeper);
    snprintf(database, sizeof database, "%s/s3cret-name.db", dir);
    assert_int_equal(bk_set(keeper, "database", database), 0);
    assert_int_equal(bk_set(keeper, "state.dir", in_dir("state")), 0);
    assert_int_equal(bk_set(keeper, "backup.dir", in_dir("backups")), 0);
    assert_int_equal(bk_set(keeper, "guest.isolation", "process"), 0);
    assert_int_equal(bk_set(keeper, "env.file", ""), 0);
    assert_int_equal(bk_set(keeper, "backup.on.shutdown", "false"), 0);
    assert_int_equal(bk_set(keeper, "log.level", "debug"), 0);
    if (bk_open(keeper) != 0)
        fail_msg("%s", bk_last_error());
    return keeper;
}

static void close_keeper(bk_keeper *keeper) {
    assert_int_equal(bk_shutdown(keeper, 20000), 0);
    assert_int_equal(bk_close(keeper), 0);
}

static void assert_says(const char *json, const char *path, const char *expected) {
    char *text = bk_pick_text(json, path);

    if (text == NULL || strstr(text, expected) == NULL)
        fail_msg("%s of %s does not say %s", path, json, expected);
    bk_free(text);
}

/* An operation that reaches the store, with this script in the helper's place. */
static char *run_with(bk_keeper *keeper, const char *script) {
    char *done;

    use_fake_helper(dir, script);
    done = bk_call(keeper, "store.probe", NULL);
    assert_non_null(done);
    return done;
}

static void assert_fails(const char *script, const char *code, const char *message) {
    use_real_helper();

    bk_keeper *keeper = open_keeper();
    char *done = run_with(keeper, script);

    assert_says(done, "error.code", code);
    assert_says(done, "error.message", message);
    bk_free(done);
    use_real_helper();
    close_keeper(keeper);
}

static void test_guest_relay__a_real_helper_does_the_work(void **state) {
    (void)state;
    use_real_helper();

    bk_keeper *keeper = open_keeper();
    char *done = bk_call(keeper, "store.probe", NULL);

    assert_non_null(done);
    assert_says(done, "error.code", "BK_ENOTFOUND"); /* there is no database yet */
    assert_says(done, "error.message", "s3cret-name.db");
    bk_free(done);
    done = bk_call(keeper, "backup.status", NULL);
    assert_says(done, "result.isolation", "process");
    assert_says(done, "result.dir", "backups");
    bk_free(done);
    close_keeper(keeper);
}

static void test_guest_relay__arguments_and_results_of_a_megabyte_pass(void **state) {
    size_t size = 1 << 20;
    char *args = malloc(size + 64);

    (void)state;
    assert_non_null(args);
    use_real_helper();

    bk_keeper *keeper = open_keeper();

    strcpy(args, "{\"name\":\"");
    memset(args + strlen(args), 'n', size / 2);
    strcpy(args + 9 + size / 2, "\"}");
    char *done = bk_call(keeper, "backup.verify", args);

    assert_non_null(done);
    assert_says(done, "error.code",
                "BK_E"); /* no such backup: the helper has read it all */
    bk_free(done);
    done =
        run_with(keeper, GREETING "read request\nprintf '{\"event\":\"done\",\"ok\":true,"
                                  "\"result\":{\"text\":\"'\nhead -c 3000000 /dev/zero | "
                                  "tr '\\0' x\nprintf '\"}}\\n'\n");
    char *text = bk_pick_text(done, "result.text");

    assert_non_null(text);
    assert_int_equal(strlen(text), 3000000);
    bk_free(text);
    bk_free(done);
    free(args);
    use_real_helper();
    close_keeper(keeper);
}

/* What a failed operation still tells comes through the helper, too. */
static void test_guest_relay__a_failure_brings_its_result(void **state) {
    (void)state;
    use_real_helper();

    bk_keeper *keeper = open_keeper();
    char *done = run_with(keeper, GREETING
                          "read request\nprintf '{\"event\":\"done\",\"ok\":false,"
                          "\"result\":{\"failed\":1},\"error\":{\"code\":"
                          "\"BK_ECORRUPT\",\"message\":\"torn\"}}\\n'\n");

    assert_non_null(done);
    assert_says(done, "error.code", "BK_ECORRUPT");
    assert_true(bk_pick_number(done, "result.failed", 0) == 1);
    bk_free(done);
    use_real_helper();
    close_keeper(keeper);
}

static void test_guest_relay__a_killed_helper_is_an_error(void **state) {
    (void)state;
    assert_fails(GREETING "read request\nkill -9 $$\n", "BK_EIO", "signal 9");
}

static void test_guest_relay__a_helper_that_just_ends_is_an_error(void **state) {
    (void)state;
    assert_fails(GREETING "read request\nexit 0\n", "BK_EIO", "without an outcome");
    assert_fails(GREETING "exit 0\n", "BK_EIO", "without an outcome");
}

static void test_guest_relay__a_helper_that_talks_nonsense_is_an_error(void **state) {
    (void)state;
    assert_fails(GREETING "read request\necho Segmentation fault\n", "BK_EIO", "Run");
}

static void test_guest_relay__a_helper_that_went_missing_is_named(void **state) {
    (void)state;
    use_real_helper();

    bk_keeper *keeper = open_keeper();

    setenv("BOTKEEP_HELPER", "/no/such/botkeep", 1);
    char *done = bk_call(keeper, "store.probe", NULL);

    assert_says(done, "error.code", "BK_EISOLATION");
    assert_says(done, "error.message", "/no/such/botkeep");
    bk_free(done);
    use_real_helper();
    close_keeper(keeper);
}

static void test_guest_relay__the_helpers_error_is_the_jobs(void **state) {
    (void)state;
    assert_fails(GREETING
                 "read request\necho '{\"event\":\"done\",\"ok\":false,\"error\":{"
                 "\"code\":\"BK_ENOSPC\",\"message\":\"The disk says 100%s\"}}'\n",
                 "BK_ENOSPC", "The disk says 100%s");
}

/* The script does not end by itself: it is told to, by the end of its input. */
static void test_guest_relay__a_cancel_reaches_the_helper(void **state) {
    (void)state;
    use_real_helper();

    bk_keeper *keeper = open_keeper();

    use_fake_helper(dir,
                    GREETING "read request\necho '{\"event\":\"log\",\"level\":\"info\","
                             "\"message\":\"begun\"}'\ncat >/dev/null\n"
                             "echo '{\"event\":\"done\",\"ok\":false,\"error\":{\"code\":"
                             "\"BK_ECANCELLED\",\"message\":\"cleaned up\"}}'\n");
    int job = bk_run(keeper, "store.probe", NULL);
    assert_true(job > 0);
    for (char *event, *message = NULL; message == NULL; bk_free(event)) {
        event = bk_next(keeper, -1);
        assert_non_null(event);
        message = strstr(event, "begun");
    }
    assert_int_equal(bk_cancel(keeper, job), 0);
    char *done = bk_wait(keeper, job, -1);

    assert_says(done, "error.code", "BK_ECANCELLED");
    assert_says(done, "error.message", "cleaned up");
    bk_free(done);
    use_real_helper();
    close_keeper(keeper);
}

static void test_guest_relay__progress_and_logs_become_the_jobs(void **state) {
    bool progress = false;
    bool log = false;
    bool done = false;

    (void)state;
    use_real_helper();

    bk_keeper *keeper = open_keeper();

    use_fake_helper(
        dir, GREETING
        "read request\n"
        "echo '{\"event\":\"run\",\"run_id\":\"the helpers own\"}'\n"
        "echo '{\"event\":\"progress\",\"job\":1,\"operation\":\"x\",\"phase\":"
        "\"snapshot\",\"done\":5,\"total\":9}'\n"
        "echo '{\"event\":\"log\",\"level\":\"warning\",\"message\":\"slow disk\"}'\n"
        "echo '{\"event\":\"done\",\"ok\":true,\"result\":{\"isolation\":\"own\"}}'\n");
    int job = bk_run(keeper, "store.probe", NULL);
    while (!done) {
        char *event = bk_next(keeper, -1);

        assert_non_null(event);
        assert_null(strstr(event, "the helpers own"));
        progress = progress || (strstr(event, "\"phase\":\"snapshot\"") != NULL &&
                                bk_pick_number(event, "job", 0) == job &&
                                bk_pick_number(event, "total", 0) == 9);
        log = log || strstr(event, "slow disk") != NULL;
        done = strstr(event, "\"event\":\"done\"") != NULL;
        if (done)
            assert_says(event, "result.isolation", "process");
        bk_free(event);
    }
    assert_true(progress);
    assert_true(log);
    use_real_helper();
    close_keeper(keeper);
}

/* Whatever is in the options, others on the machine can list neither argv nor environment of it. */
static void test_guest_relay__nothing_stands_in_argv_or_environment(void **state) {
    (void)state;
    use_real_helper();

    bk_keeper *keeper = open_keeper();

    setenv("OUT", dir, 1);
    char *done =
        run_with(keeper, GREETING
                 "read request\necho \"$0 $*\" >\"$OUT/argv\"\nenv >\"$OUT/environ\"\n"
                 "echo \"$request\" >\"$OUT/request\"\n"
                 "echo '{\"event\":\"done\",\"ok\":true,\"result\":{}}'\n");
    bk_free(done);
    unsetenv("OUT");
    setenv("D", dir, 1);
    assert_int_equal(
        system("grep -q s3cret-name \"$D/request\" && grep -q helper \"$D/argv\" && "
               "! grep -q s3cret-name \"$D/argv\" \"$D/environ\""),
        0);
    unsetenv("D");
    use_real_helper();
    close_keeper(keeper);
}

#define test_in_dir(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_in_dir(test_guest_relay__a_real_helper_does_the_work),
        test_in_dir(test_guest_relay__arguments_and_results_of_a_megabyte_pass),
        test_in_dir(test_guest_relay__a_failure_brings_its_result),
        test_in_dir(test_guest_relay__a_killed_helper_is_an_error),
        test_in_dir(test_guest_relay__a_helper_that_just_ends_is_an_error),
        test_in_dir(test_guest_relay__a_helper_that_talks_nonsense_is_an_error),
        test_in_dir(test_guest_relay__a_helper_that_went_missing_is_named),
        test_in_dir(test_guest_relay__the_helpers_error_is_the_jobs),
        test_in_dir(test_guest_relay__a_cancel_reaches_the_helper),
        test_in_dir(test_guest_relay__progress_and_logs_become_the_jobs),
        test_in_dir(test_guest_relay__nothing_stands_in_argv_or_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
