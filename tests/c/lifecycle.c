/*
 * Runs as the host sees them: a killed process is noticed by the next one, a second living one is
 * no crash, tools read and leave no trace. How an end is judged: tests/unit/lifecycle/record.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <botkeep.h>

#include <sandbox.h>

static bk_keeper *open_keeper(const char *track) {
    bk_keeper *k = bk_new();
    assert_non_null(k);
    assert_int_equal(bk_set(k, "database", sandbox_path("bot.db")), 0);
    assert_int_equal(bk_set(k, "backup.dir", sandbox_path("backups")), 0);
    assert_int_equal(bk_set(k, "env.file", ""), 0);
    assert_int_equal(bk_set(k, "run.track", track), 0);
    assert_int_equal(bk_open(k), 0);
    return k;
}

/* The first event of that name; the caller frees it. */
static char *event(bk_keeper *k, const char *name) {
    char start[64];
    snprintf(start, sizeof start, "{\"event\":\"%s\"", name);
    char *text = bk_next(k, 0);
    while (text && strncmp(text, start, strlen(start)) != 0) {
        bk_free(text);
        text = bk_next(k, 0);
    }
    return text;
}

static void assert_picked(const char *json, const char *path, const char *expected) {
    char *value = bk_pick_text(json, path);
    if (expected) {
        assert_non_null(value);
        assert_string_equal(value, expected);
    } else {
        assert_null(value);
    }
    bk_free(value);
}

static void test_c_lifecycle__a_killed_process_is_noticed(void **state) {
    (void)state;
    int ready[2];
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        open_keeper("true");
        (void)!write(ready[1], "x", 1);
        pause();
        _exit(0);
    }
    char byte = 0;
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(kill(child, SIGKILL), 0);
    assert_int_equal(waitpid(child, NULL, 0), child);
    bk_keeper *k = open_keeper("true");
    char *run = event(k, "run");
    assert_picked(run, "previous.ended", "crash");
    assert_true(bk_pick_number(run, "previous.uptime_ms", -1) >= 0);
    char *status = bk_call(k, "lifecycle.status", NULL);
    assert_picked(status, "result.previous.ended", "crash");
    assert_picked(status, "result.recorded", "true");
    bk_free(status);
    bk_free(run);
    assert_int_equal(bk_close(k), 0);
    close(ready[0]);
    close(ready[1]);
}

static void test_c_lifecycle__a_second_living_one_is_no_crash(void **state) {
    (void)state;
    bk_keeper *first = open_keeper("true");
    bk_keeper *second = open_keeper("true");
    char *log = event(second, "log");
    assert_non_null(log);
    assert_non_null(strstr(log, "Another process"));
    char *run = event(second, "run");
    assert_picked(run, "previous", NULL);
    bk_free(log);
    bk_free(run);
    assert_int_equal(bk_shutdown(second, 1000), 0);
    assert_int_equal(bk_shutdown(first, 1000), 0);
    bk_keeper *third = open_keeper("true");
    run = event(third, "run");
    assert_picked(run, "previous.ended", "clean");
    bk_free(run);
    bk_close(third);
    bk_close(second);
    bk_close(first);
}

static void test_c_lifecycle__tools_read_and_leave_no_trace(void **state) {
    (void)state;
    bk_keeper *tool = open_keeper("false");
    char *status = bk_call(tool, "lifecycle.status", NULL);
    assert_picked(status, "error.code", "BK_ENOTFOUND");
    bk_free(status);
    bk_keeper *bot = open_keeper("true");
    char *run = event(bot, "run");
    char *id = bk_pick_text(run, "run_id");
    status = bk_call(tool, "lifecycle.status", NULL);
    assert_picked(status, "result.run_id", id);
    bk_free(status);
    bk_free(run);
    assert_int_equal(bk_shutdown(tool, 1000), 0);
    assert_int_equal(access(sandbox_path("bot.db.botkeep/run.json"), F_OK), 0);
    assert_int_equal(bk_shutdown(bot, 1000), 0);
    bk_free(id);
    bk_close(bot);
    bk_close(tool);
}

/* A folder where the record should be: saving fails as on a full disk, and the bot starts. */
static void test_c_lifecycle__a_record_that_fails_does_not_stop_the_bot(void **state) {
    (void)state;
    sandbox_write("bot.db.botkeep/run.json/x", "");
    bk_keeper *k = open_keeper("true");
    char *log = event(k, "log");
    assert_non_null(log);
    char *status = bk_call(k, "lifecycle.status", NULL);
    assert_picked(status, "result.recorded", "false");
    bk_free(status);
    bk_free(log);
    assert_int_equal(bk_shutdown(k, 1000), 0);
    bk_close(k);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_c_lifecycle__##name, sandbox_setup,             \
                                    sandbox_teardown)

int main(void) {
    /* The first test forks, so it comes before this process has guest threads. */
    const struct CMUnitTest tests[] = {
        TEST(a_killed_process_is_noticed),
        TEST(a_second_living_one_is_no_crash),
        TEST(a_record_that_fails_does_not_stop_the_bot),
        TEST(tools_read_and_leave_no_trace),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
