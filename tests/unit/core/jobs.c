/*
 * Jobs on real lanes with operations of the test's own: done exactly once and to whom, cancel,
 * the bound on untaken jobs, closing at any moment, the wake-up pipe, calls inside.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <base/json.h>
#include <core/keeper_inside.h>
#include <os/thread.h>

static bk_keeper *ticket;
static struct bk__keeper *k;
static int gate_open; /* atomic: gated jobs go on */

static int run_echo(struct bk__job *job) {
    return bk__json_add_int(bk__job_result(job), "number", bk__job_int(job, "number", -1))
               ? 0
               : BK_ENOMEM;
}

static int run_fail(struct bk__job *job) {
    (void)job;
    return bk__fail(BK_ENOSPC, "The disk is \"full\".");
}

static int run_silent_fail(struct bk__job *job) {
    (void)job;
    return BK_EIO;
}

/* Runs until the gate opens or it is cancelled. */
static int run_gated(struct bk__job *job) {
    while (!__atomic_load_n(&gate_open, __ATOMIC_ACQUIRE)) {
        int code = bk__job_check(job);
        if (code < 0) {
            return code;
        }
        bk__clock_sleep(1);
    }
    return 0;
}

static int run_talk(struct bk__job *job) {
    for (int i = 1; i <= 50; i++) {
        bk__job_progress(job, "talking", i, 50);
    }
    bk__job_log(job, "info", "spoke of %s",
                "\xff"
                "it");
    bk__job_log(job, "debug", "not at this level");
    return 0;
}

static const struct bk__field echo_fields[] = {{"number", "int", "5", "", "A number."},
                                               {0}};
static const struct bk__operation echo = {.name = "test.echo",
                                          .lane = BK__LANE_QUICK,
                                          .arguments = echo_fields,
                                          .run = run_echo};
static const struct bk__operation fail = {.name = "test.fail", .run = run_fail};
static const struct bk__operation silent = {.name = "test.silent",
                                            .run = run_silent_fail};
static const struct bk__operation gated = {.name = "test.gated", .run = run_gated};
static const struct bk__operation talk = {.name = "test.talk", .run = run_talk};

static int start_plain(void *context, pthread_t *ret, const char *name,
                       void *(*entry)(void *), void *arg) {
    (void)context;
    return bk__thread_start(ret, name, entry, arg);
}

static int setup(void **state) {
    (void)state;
    static const struct bk__lanes lanes = {.start = start_plain, .isolation = "own"};
    __atomic_store_n(&gate_open, 0, __ATOMIC_RELEASE);
    if (bk__keeper_new(&bk__clock_system, &ticket) < 0 ||
        bk__keeper_get(ticket, &k) < 0 ||
        bk__keeper_pass(k, BK__LIFE_NEW, BK__LIFE_OPENING, "test") < 0 ||
        bk__keeper_start(k, &lanes, NULL) < 0) {
        return -1;
    }
    return bk__keeper_pass(k, BK__LIFE_OPENING, BK__LIFE_OPEN, "test");
}

static int teardown(void **state) {
    (void)state;
    __atomic_store_n(&gate_open, 1, __ATOMIC_RELEASE);
    bk__keeper_close(ticket);
    bk__keeper_put(k);
    return 0;
}

static int add(const struct bk__operation *operation) {
    struct json_object *args = NULL;
    assert_int_equal(bk__operation_parse(operation, NULL, &args), 0);
    int id = bk__jobs_add(k, operation, args, BK__JOB_HOST, NULL);
    assert_true(id > 0);
    return id;
}

/* The done event of a job that is waited for. */
static void assert_done(int id, bool ok, const char *path, const char *value) {
    char *text = bk__keeper_wait(k, id, 10000);
    assert_non_null(text);
    struct json_object *done = bk__json_parse(text, NULL);
    assert_int_equal(strncmp(text, "{\"event\":\"done\",\"job\":", 22), 0);
    assert_int_equal(bk__json_int(done, "job", 0), id);
    assert_int_equal(bk__json_bool(done, "ok", !ok), ok);
    assert_string_equal(json_object_get_string(bk__json_pick(done, path)), value);
    json_object_put(done);
    free(text);
}

static void test_core_jobs__a_result_comes_back(void **state) {
    (void)state;
    assert_done(add(&echo), true, "result.number", "5");
    assert_done(add(&fail), false, "error.code", "BK_ENOSPC");
    assert_done(add(&fail), false, "error.message", "The disk is \"full\".");
}

static void test_core_jobs__an_error_without_a_text_gets_one(void **state) {
    (void)state;
    char *text = bk__keeper_wait(k, add(&silent), 10000);
    assert_non_null(strstr(text, "test.silent failed without saying why (BK_EIO)"));
    free(text);
}

static void test_core_jobs__done_is_given_once(void **state) {
    (void)state;
    int id = add(&echo);
    free(bk__keeper_wait(k, id, 10000));
    assert_null(bk__keeper_next(k, 0));
    assert_null(bk__keeper_wait(k, id, 0));
    assert_non_null(strstr(bk__error_text(), "no job"));
    id = add(&echo);
    char *text = bk__keeper_next(k, 10000);
    assert_non_null(strstr(text, "test.echo"));
    free(text);
    assert_null(bk__keeper_wait(k, id, 0));
    assert_int_equal(k->host_jobs, 0);
}

static void *wait_for(void *argument) {
    int *id = argument;
    return bk__keeper_wait(k, *id, 10000);
}

static void test_core_jobs__next_passes_over_a_job_waited_for(void **state) {
    (void)state;
    int id = add(&gated);
    pthread_t thread;
    assert_int_equal(bk__thread_start(&thread, "waiter", wait_for, &id), 0);
    for (int waiters = 0; !waiters; bk__clock_sleep(1)) {
        pthread_mutex_lock(&k->lock);
        waiters = bk__jobs_find(k, id)->waiters;
        pthread_mutex_unlock(&k->lock);
    }
    __atomic_store_n(&gate_open, 1, __ATOMIC_RELEASE);
    assert_null(bk__keeper_next(k, 50));
    void *text = NULL;
    pthread_join(thread, &text);
    assert_non_null(text);
    free(text);
    assert_null(bk__keeper_next(k, 0));
}

static void test_core_jobs__quick_work_does_not_wait_behind_long_work(void **state) {
    (void)state;
    int slow = add(&gated);
    assert_done(add(&echo), true, "result.number", "5");
    assert_null(bk__keeper_wait(k, slow, 0));
    __atomic_store_n(&gate_open, 1, __ATOMIC_RELEASE);
    assert_done(slow, true, "operation", "test.gated");
}

static void test_core_jobs__a_running_job_is_cancelled(void **state) {
    (void)state;
    int id = add(&gated);
    assert_int_equal(bk__keeper_cancel(k, id), 0);
    assert_done(id, false, "error.code", "BK_ECANCELLED");
    assert_int_equal(bk__keeper_cancel(k, id), BK_ENOTFOUND);
}

static void test_core_jobs__a_queued_job_is_cancelled_at_once(void **state) {
    (void)state;
    int first = add(&gated);
    int second = add(&gated);
    int third = add(&gated);
    assert_int_equal(bk__keeper_cancel(k, second), 0);
    assert_done(second, false, "error.code", "BK_ECANCELLED");
    assert_null(bk__keeper_wait(k, first, 0));
    __atomic_store_n(&gate_open, 1, __ATOMIC_RELEASE);
    assert_done(third, true, "operation", "test.gated");
    assert_int_equal(bk__keeper_cancel(k, first), 0); /* ended, not taken: harmless */
    assert_done(first, true, "operation", "test.gated");
}

static void test_core_jobs__never_more_than_256_untaken(void **state) {
    (void)state;
    for (int i = 0; i < BK__JOBS_LIMIT; i++) {
        add(&echo);
    }
    struct json_object *args = NULL;
    assert_int_equal(bk__operation_parse(&echo, NULL, &args), 0);
    assert_int_equal(bk__jobs_add(k, &echo, args, BK__JOB_HOST, NULL), BK_EBUSY);
    for (int i = 0; i < BK__JOBS_LIMIT; i++) {
        char *text = bk__keeper_next(k, 10000);
        assert_non_null(text);
        free(text);
    }
    assert_null(bk__keeper_next(k, 0));
    assert_done(add(&echo), true, "result.number", "5");
}

static void test_core_jobs__progress_is_bounded_and_logs_are_clean(void **state) {
    (void)state;
    int id = add(&talk);
    char *done = bk__keeper_wait(k, id, 10000);
    free(done);
    int progress = 0;
    int logs = 0;
    for (char *text; (text = bk__keeper_next(k, 0)); free(text)) {
        progress += strncmp(text, "{\"event\":\"progress\"", 19) == 0;
        logs += strncmp(text, "{\"event\":\"log\"", 14) == 0;
        struct json_object *event = bk__json_parse(text, NULL);
        assert_non_null(event);
        json_object_put(event);
    }
    assert_int_equal(progress, 0); /* taken with its done event */
    assert_int_equal(logs, 1);
}

static void test_core_jobs__calls_from_inside_are_silent(void **state) {
    (void)state;
    struct json_object *result = NULL;
    assert_int_equal(bk__keeper_call(k, "doctor.none", NULL, -1, &result), BK_ENOTFOUND);
    assert_int_equal(bk__keeper_call(k, "lifecycle.status", NULL, -1, &result),
                     BK_ENOTFOUND);
    assert_null(result);
    assert_null(bk__keeper_next(k, 0));
    assert_null(k->jobs);
}

static bool is_readable(int fd) {
    char byte[16];
    bool any = false;
    while (read(fd, byte, sizeof byte) > 0) {
        any = true;
    }
    return any;
}

static void assert_rings(int fd, bool rings) {
    bool rang = is_readable(fd);
    for (int i = 0; rings && !rang && i < 5000; i++) {
        bk__clock_sleep(1);
        rang = is_readable(fd);
    }
    assert_int_equal(rang, rings);
}

static void test_core_jobs__the_pipe_rings_once_until_seen_empty(void **state) {
    (void)state;
    int fd = bk__keeper_wakeup_fd(k);
    assert_true(fd >= 0);
    assert_rings(fd, false);
    add(&echo);
    assert_rings(fd, true);
    int second = add(&echo);
    char *text = bk__keeper_wait(k, second, 10000);
    free(text);
    assert_rings(fd, false);
    assert_non_null(text = bk__keeper_next(k, 0));
    free(text);
    assert_null(bk__keeper_next(k, 0));
    add(&echo);
    assert_rings(fd, true);
    close(fd);
}

static void test_core_jobs__a_pipe_made_late_rings_for_what_waits(void **state) {
    (void)state;
    free(bk__keeper_wait(k, add(&talk), 10000));
    int fd = bk__keeper_wakeup_fd(k);
    assert_rings(fd, true);
    close(fd);
}

static void *next_for_ever(void *argument) {
    (void)argument;
    char *text = bk__keeper_next(k, -1);
    char *code = text ? text : strdup(bk__error_text());
    return code;
}

static void test_core_jobs__closing_wakes_everybody(void **state) {
    (void)state;
    pthread_t threads[4];
    int id = add(&gated);
    for (int i = 0; i < 4; i++) {
        void *(*entry)(void *) = i < 2 ? next_for_ever : wait_for;
        assert_int_equal(bk__thread_start(&threads[i], "waiter", entry, &id), 0);
    }
    bk__clock_sleep(20);
    assert_int_equal(bk__keeper_close(ticket), 0);
    int closed = 0;
    for (int i = 0; i < 4; i++) {
        void *text = NULL;
        pthread_join(threads[i], &text);
        closed += text && strcmp(text, "{\"event\":\"closed\"}") == 0;
        free(text);
    }
    assert_int_equal(closed, 1);
    assert_int_equal(bk__keeper_close(ticket), BK_EHANDLE);
}

static void test_core_jobs__a_failed_open_can_be_tried_again(void **state) {
    (void)state;
    static const struct bk__lanes lanes = {.start = start_plain, .isolation = "own"};
    assert_int_equal(bk__keeper_stop(k, false, -1), 0);
    assert_int_equal(bk__keeper_life(k), BK__LIFE_NEW);
    bk__error_clear();
    assert_null(bk__keeper_next(k, 0));
    assert_string_equal(bk__error_text(), "");
    assert_int_equal(bk__keeper_pass(k, BK__LIFE_NEW, BK__LIFE_OPENING, "test"), 0);
    assert_int_equal(bk__keeper_start(k, &lanes, NULL), 0);
    assert_int_equal(bk__keeper_pass(k, BK__LIFE_OPENING, BK__LIFE_OPEN, "test"), 0);
    assert_done(add(&echo), true, "result.number", "5");
}

static void test_core_jobs__stopping_waits_and_says_closed_last(void **state) {
    (void)state;
    int id = add(&echo);
    assert_int_equal(bk__keeper_idle(k, true, -1), 0);
    assert_int_equal(bk__keeper_stop(k, true, -1), 0);
    char *text = bk__keeper_next(k, 0);
    assert_non_null(strstr(text, "\"done\""));
    free(text);
    text = bk__keeper_next(k, 0);
    assert_string_equal(text, "{\"event\":\"closed\"}");
    free(text);
    assert_null(bk__keeper_next(k, -1));
    assert_non_null(strstr(bk__error_text(), "shut down"));
    assert_null(bk__keeper_wait(k, id, 0));
}

static void test_core_jobs__idle_tells_what_is_in_flight(void **state) {
    (void)state;
    bk__error_clear();
    int id = bk__keeper_begin(k, "playing a song");
    assert_int_equal(bk__keeper_idle(k, true, bk__clock_mono() + 10), BK_ECANCELLED);
    assert_non_null(strstr(bk__error_text(), "playing a song"));
    assert_int_equal(bk__keeper_idle(k, false, bk__clock_mono() + 10), 0);
    assert_int_equal(bk__keeper_end(k, id), 0);
    assert_int_equal(bk__keeper_idle(k, true, bk__clock_mono() + 10), 0);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_core_jobs__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_result_comes_back),
        TEST(an_error_without_a_text_gets_one),
        TEST(done_is_given_once),
        TEST(next_passes_over_a_job_waited_for),
        TEST(quick_work_does_not_wait_behind_long_work),
        TEST(a_running_job_is_cancelled),
        TEST(a_queued_job_is_cancelled_at_once),
        TEST(never_more_than_256_untaken),
        TEST(progress_is_bounded_and_logs_are_clean),
        TEST(calls_from_inside_are_silent),
        TEST(the_pipe_rings_once_until_seen_empty),
        TEST(a_pipe_made_late_rings_for_what_waits),
        TEST(closing_wakes_everybody),
        TEST(a_failed_open_can_be_tried_again),
        TEST(stopping_waits_and_says_closed_last),
        TEST(idle_tells_what_is_in_flight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
