/*
 * Scheduled work on a keeper with a clock of the test's own: it runs when due, notes the next
 * time in schedule.json, survives a restart, waits for the database, tells of failures.
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
#include <base/stamp.h>
#include <core/keeper_inside.h>
#include <os/file.h>
#include <os/thread.h>
#include <sandbox.h>

#define HOUR INT64_C(3600000)
#define START INT64_C(1764844200000)

static bk_keeper *ticket;
static struct bk__keeper *k;
static int64_t shift; /* atomic: what the test moved both clocks by */

static int64_t fake_mono(void *context) {
    (void)context;
    return bk__clock_mono() + __atomic_load_n(&shift, __ATOMIC_ACQUIRE);
}

static int64_t fake_wall(void *context) {
    (void)context;
    return START + __atomic_load_n(&shift, __ATOMIC_ACQUIRE);
}

static const struct bk__clock fake_clock = {fake_mono, fake_wall, NULL};

static int start_plain(void *context, pthread_t *ret, const char *name,
                       void *(*entry)(void *), void *arg) {
    (void)context;
    return bk__thread_start(ret, name, entry, arg);
}

/* lifecycle.status needs neither a store nor arguments; with no record it fails. */
static const struct bk__plan rows[] = {{.operation = "lifecycle.status",
                                        .every = BK__OPT_BACKUP_EVERY,
                                        .unit_ms = HOUR,
                                        .by_cron = true,
                                        .enabled = BK__OPT_BACKUP_ENABLED,
                                        .first_ms = HOUR,
                                        .recorded = true,
                                        .needs_database = true}};

static const char *cron, *timezone_name; /* NULL: by the period */

static void open_keeper(void) {
    static const struct bk__lanes lanes = {.start = start_plain, .isolation = "own"};
    assert_int_equal(bk__keeper_new(&fake_clock, &ticket), 0);
    assert_int_equal(bk__keeper_get(ticket, &k), 0);
    assert_int_equal(bk__keeper_set(k, "database", sandbox_path("bot.db")), 0);
    assert_int_equal(bk__keeper_set(k, "state.dir", sandbox_dir()), 0);
    assert_int_equal(bk__keeper_set(k, "env.file", ""), 0);
    if (cron) {
        assert_int_equal(bk__keeper_set(k, "backup.cron", cron), 0);
        assert_int_equal(bk__keeper_set(k, "backup.timezone", timezone_name), 0);
    }
    assert_int_equal(bk__keeper_resolve(k), 0);
    assert_int_equal(bk__keeper_pass(k, BK__LIFE_NEW, BK__LIFE_OPENING, "test"), 0);
    assert_int_equal(bk__keeper_start(k, &lanes, NULL), 0);
    assert_int_equal(bk__keeper_plan(k, rows, 1), 0);
    assert_int_equal(bk__keeper_pass(k, BK__LIFE_OPENING, BK__LIFE_OPEN, "test"), 0);
}

static void close_keeper(void) {
    bk__keeper_stop(k, true, -1);
    bk__keeper_close(ticket);
    bk__keeper_put(k);
}

static int setup(void **state) {
    __atomic_store_n(&shift, 0, __ATOMIC_RELEASE);
    cron = NULL;
    return sandbox_setup(state);
}

/* The clock goes on, and the keeper thread looks at it. */
static void pass_time(int64_t ms) {
    __atomic_add_fetch(&shift, ms, __ATOMIC_ACQ_REL);
    pthread_mutex_lock(&k->lock);
    bk__keeper_poke(k);
    pthread_mutex_unlock(&k->lock);
}

static void pass_time_closed(int64_t ms) {
    __atomic_add_fetch(&shift, ms, __ATOMIC_ACQ_REL);
}

/* The next event but for the log's lines. */
static char *next_event(void) {
    char *text = bk__keeper_next(k, 10000);
    while (text && strstr(text, "\"event\":\"log\"")) {
        free(text);
        text = bk__keeper_next(k, 10000);
    }
    return text;
}

static void assert_scheduled(bool ok, int64_t next_due) {
    char *text = next_event();
    assert_non_null(text);
    struct json_object *event = bk__json_parse(text, NULL);
    char due[BK__STAMP_SIZE];
    bk__stamp_iso(next_due, due);
    assert_string_equal(bk__json_text(event, "event", ""), "scheduled");
    assert_string_equal(bk__json_text(event, "operation", ""), "lifecycle.status");
    assert_int_equal(bk__json_bool(event, "ok", !ok), ok);
    assert_string_equal(bk__json_text(event, "next_due_at", ""), due);
    json_object_put(event);
    free(text);
}

static void assert_recorded(int64_t due) {
    char *text = NULL;
    char expected[BK__STAMP_SIZE];
    assert_int_equal(bk__file_load(sandbox_path("schedule.json"), 1000, &text, NULL), 0);
    bk__stamp_iso(due, expected);
    assert_non_null(strstr(text, expected));
    free(text);
}

static void write_run(void) {
    sandbox_write("run.json",
                  "{\"run_id\":\"x\",\"started_at\":\"2025-12-04T10:30:00.000Z\"}");
}

static void test_core_plan__runs_when_due_and_notes_the_next_time(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    open_keeper();
    assert_null(bk__keeper_next(k, 20));
    pass_time(HOUR);
    assert_scheduled(true, START + 25 * HOUR);
    assert_recorded(START + 25 * HOUR);
    pass_time(23 * HOUR);
    assert_null(bk__keeper_next(k, 20));
    pass_time(HOUR);
    assert_scheduled(true, START + 49 * HOUR);
    close_keeper();
}

static void test_core_plan__a_restart_keeps_the_time_and_catches_up_once(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    sandbox_write("schedule.json",
                  "{\"lifecycle.status\":{\"due_at\":\"2025-12-01T00:00:00.000Z\"},"
                  "\"other\":{\"due_at\":\"2025-12-01T00:00:00.000Z\"}}");
    open_keeper();
    assert_scheduled(true, START + 24 * HOUR);
    close_keeper();
    open_keeper();
    assert_null(bk__keeper_next(k, 20));
    pass_time(24 * HOUR);
    assert_scheduled(true, START + 48 * HOUR);
    char *text = NULL;
    assert_int_equal(bk__file_load(sandbox_path("schedule.json"), 1000, &text, NULL), 0);
    assert_non_null(strstr(text, "other")); /* what is not ours stays */
    free(text);
    close_keeper();
}

static void test_core_plan__many_short_lives_add_up(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    for (int life = 0; life < 4; life++) {
        open_keeper();
        assert_null(bk__keeper_next(k, 10));
        close_keeper();
        __atomic_add_fetch(&shift, HOUR / 4, __ATOMIC_ACQ_REL);
    }
    open_keeper();
    assert_scheduled(true, START + 25 * HOUR);
    close_keeper();
}

static void test_core_plan__waits_while_there_is_no_database(void **state) {
    (void)state;
    write_run();
    open_keeper();
    pass_time(2 * HOUR);
    assert_null(bk__keeper_next(k, 20));
    sandbox_write("bot.db", "");
    pass_time(60000);
    assert_scheduled(true, START + 25 * HOUR);
    close_keeper();
}

static void test_core_plan__a_failure_is_told_and_tried_again(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    open_keeper();
    pass_time(HOUR);
    assert_scheduled(false, START + HOUR + 15 * 60000);
    assert_recorded(START + HOUR + 15 * 60000);
    write_run();
    pass_time(15 * 60000);
    assert_scheduled(true, START + 25 * HOUR + 15 * 60000);
    close_keeper();
}

/* Another process of the bot, as the kernel sees one: another open file with the lock. */
static int hold_lead(void) {
    int fd = bk__file_lock(sandbox_path("leader.lock"), 0, NULL);
    assert_true(fd >= 0);
    assert_int_equal(bk__file_pwrite(fd, "4711", 4, 0), 0);
    return fd;
}

static void test_core_plan__another_leader_runs_it(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    int other = hold_lead();
    open_keeper();
    assert_false(bk__keeper_leads(k));
    assert_int_equal(bk__keeper_leader_pid(k), 4711);
    pass_time(2 * HOUR);
    assert_null(bk__keeper_next(k, 50));
    assert_false(bk__file_exists(sandbox_path("schedule.json")));
    bk__file_close(other);
    close_keeper();
}

static void test_core_plan__who_takes_over_goes_on_where_the_other_was(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    int other = hold_lead();
    open_keeper();
    sandbox_write("schedule.json",
                  "{\"lifecycle.status\":{\"due_at\":\"2025-12-04T20:30:00.000Z\"}}");
    bk__file_close(other);
    while (!bk__keeper_leads(k)) {
        bk__clock_sleep(20);
    }
    assert_int_equal(bk__keeper_leader_pid(k), getpid());
    char *told = bk__keeper_next(k, 10000);
    assert_non_null(strstr(told, "this one runs it now"));
    free(told);
    pass_time(9 * HOUR);
    assert_null(bk__keeper_next(k, 50));
    pass_time(HOUR);
    assert_scheduled(true, START + 34 * HOUR);
    close_keeper();
}

static void use_cron(const char *expression, const char *zone) {
    cron = expression;
    timezone_name = zone;
}

static void test_core_plan__cron_says_when(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    use_cron("0 3 * * *", "Europe/Berlin"); /* 02:00 UTC in winter; it is 10:30 now */
    open_keeper();
    assert_recorded(START + 15 * HOUR + HOUR / 2);
    pass_time(15 * HOUR);
    assert_null(bk__keeper_next(k, 20));
    pass_time(HOUR / 2);
    assert_scheduled(true, START + 39 * HOUR + HOUR / 2);
    close_keeper();
    pass_time_closed(100 * HOUR); /* four are missed */
    open_keeper();
    assert_scheduled(true, START + 135 * HOUR + HOUR / 2);
    assert_null(bk__keeper_next(k, 20));
    close_keeper();
}

static void test_core_plan__another_rule_sets_another_time(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    use_cron("0 12 * * *", "UTC");
    open_keeper();
    assert_recorded(START + 3 * HOUR / 2);
    close_keeper();
    use_cron("30 10 1 * *", "UTC");
    open_keeper();
    assert_recorded(START + 28 * 24 * HOUR); /* 1 January, not today at noon */
    close_keeper();
    use_cron(NULL, NULL);
    open_keeper();
    assert_recorded(START + HOUR);
    close_keeper();
}

static void test_core_plan__a_cron_time_is_not_served_twice(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    use_cron("30 11 * * *", "UTC");
    open_keeper();
    pass_time(HOUR + 100);
    assert_scheduled(true, START + 25 * HOUR);
    close_keeper();
    pass_time_closed(-HOUR); /* the clock was wrong by an hour */
    open_keeper();
    pass_time(HOUR + HOUR / 2);
    assert_null(bk__keeper_next(k, 50));
    pass_time(24 * HOUR);
    assert_scheduled(true, START + 49 * HOUR);
    close_keeper();
}

/* Due tomorrow, because it began today; but the process was killed before it had ended. */
static void test_core_plan__what_was_killed_is_tried_again_soon(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    sandbox_write("schedule.json",
                  "{\"lifecycle.status\":{\"due_at\":\"2025-12-05T10:29:00.000Z\","
                  "\"ran_at\":\"2025-12-04T10:29:00.000Z\",\"unfinished\":true}}");
    open_keeper();
    assert_recorded(START + HOUR / 4);
    close_keeper();
    pass_time_closed(HOUR / 8);
    open_keeper(); /* a crash loop does not put it off */
    assert_recorded(START + HOUR / 4);
    pass_time(HOUR / 8);
    assert_scheduled(true, START + 24 * HOUR + HOUR / 4);
    assert_recorded(START + 24 * HOUR + HOUR / 4);
    close_keeper();
}

static void test_core_plan__a_broken_record_is_no_obstacle(void **state) {
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    sandbox_write("schedule.json", "{\"lifecycle.status\":{\"due_at\":7");
    open_keeper();
    pass_time(HOUR);
    assert_scheduled(true, START + 25 * HOUR);
    assert_recorded(START + 25 * HOUR);
    close_keeper();
}

/* Ended while the keeper closes: nobody looks at the schedule any more, but it is written down. */
static void test_core_plan__what_ends_with_the_keeper_is_noted(void **state) {
    char *text = NULL;
    (void)state;
    sandbox_write("bot.db", "");
    write_run();
    open_keeper();
    pass_time(HOUR);
    while (!bk__file_exists(sandbox_path("schedule.json")) || !text ||
           !strstr(text, "2025-12-05T11:30:00.000Z")) {
        free(text);
        text = NULL;
        bk__file_load(sandbox_path("schedule.json"), 1000, &text, NULL);
    }
    free(text);
    close_keeper();
    assert_int_equal(bk__file_load(sandbox_path("schedule.json"), 1000, &text, NULL), 0);
    assert_null(strstr(text, "unfinished"));
    free(text);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_core_plan__##name, setup, sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(runs_when_due_and_notes_the_next_time),
        TEST(a_restart_keeps_the_time_and_catches_up_once),
        TEST(many_short_lives_add_up),
        TEST(waits_while_there_is_no_database),
        TEST(a_failure_is_told_and_tried_again),
        TEST(another_leader_runs_it),
        TEST(who_takes_over_goes_on_where_the_other_was),
        TEST(cron_says_when),
        TEST(another_rule_sets_another_time),
        TEST(a_cron_time_is_not_served_twice),
        TEST(what_was_killed_is_tried_again_soon),
        TEST(what_ends_with_the_keeper_is_noted),
        TEST(a_broken_record_is_no_obstacle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
