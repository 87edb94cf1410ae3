/*
 * bk_shutdown() through the public ABI: what it waits for, what it cancels, the last backup, how
 * the next start judges the run. Not what a backup is: tests/c/backup*.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <botkeep.h>
#include <sqlite3.h>

#include <sandbox.h>

static bk_keeper *k;

static void make_database(void) {
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(sandbox_path("bot.db"), &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "create table t(x);"
                                  "insert into t values(1);",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static bk_keeper *open_keeper(void) {
    bk_keeper *made = bk_new();
    assert_non_null(made);
    assert_int_equal(bk_set(made, "database", sandbox_path("bot.db")), 0);
    assert_int_equal(bk_set(made, "backup.dir", sandbox_path("backups")), 0);
    assert_int_equal(bk_set(made, "env.file", ""), 0);
    assert_int_equal(bk_set(made, "health.enabled", "false"), 0);
    return made;
}

static int setup(void **state) {
    if (sandbox_setup(state) != 0) {
        return -1;
    }
    k = open_keeper();
    return 0;
}

static int teardown(void **state) {
    bk_close(k);
    return sandbox_teardown(state);
}

static int count_backups(const char *start) {
    int count = 0;
    DIR *dir = opendir(sandbox_path("backups"));
    for (struct dirent *entry; dir && (entry = readdir(dir));) {
        size_t length = strlen(entry->d_name);
        count += strncmp(entry->d_name, start, strlen(start)) == 0 && length > 5 &&
                 strcmp(entry->d_name + length - 5, ".json") == 0;
    }
    if (dir) {
        closedir(dir);
    }
    return count;
}

static void assert_last_is_closed(void) {
    char last[64] = "";
    for (char *text; (text = bk_next(k, 0)); bk_free(text)) {
        snprintf(last, sizeof last, "%s", text);
    }
    assert_string_equal(last, "{\"event\":\"closed\"}");
    assert_string_not_equal(bk_last_error(), "");
}

/* How the run before ended, as the next start sees it. */
static void assert_ended(const char *how) {
    bk_keeper *next = open_keeper();
    assert_int_equal(bk_open(next), 0);
    char *run = bk_next(next, 1000);
    char *ended = bk_pick_text(run, "previous.ended");
    assert_non_null(ended);
    assert_string_equal(ended, how);
    bk_free(ended);
    bk_free(run);
    bk_close(next);
}

static void test_c_shutdown__makes_the_last_backup_and_ends_clean(void **state) {
    (void)state;
    make_database();
    assert_int_equal(bk_open(k), 0);
    assert_int_equal(bk_shutdown(k, 30000), 0);
    assert_int_equal(count_backups("shutdown_"), 1);
    assert_last_is_closed();
    assert_ended("clean");
}

static void test_c_shutdown__makes_no_backup_where_none_is_wanted(void **state) {
    (void)state;
    static const char *const options[][2] = {
        {"backup.on.shutdown", "false"}, {"backup.enabled", "no"}, {"run.track", "off"}};
    make_database();
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        bk_keeper *one = open_keeper();
        assert_int_equal(bk_set(one, options[i][0], options[i][1]), 0);
        assert_int_equal(bk_open(one), 0);
        assert_int_equal(bk_shutdown(one, 30000), 0);
        assert_int_equal(bk_close(one), 0);
    }
    assert_int_equal(count_backups(""), 0);
}

static void test_c_shutdown__needs_no_database(void **state) {
    (void)state;
    assert_int_equal(bk_open(k), 0);
    assert_int_equal(bk_shutdown(k, 30000), 0);
    assert_int_not_equal(access(sandbox_path("bot.db"), F_OK), 0);
    assert_ended("clean");
}

static void test_c_shutdown__a_keeper_never_opened_ends_too(void **state) {
    (void)state;
    assert_int_equal(bk_shutdown(k, 0), 0);
    assert_last_is_closed();
    assert_int_equal(bk_open(k), BK_ESTATE);
    assert_int_equal(bk_shutdown(k, 0), BK_ESTATE);
}

static void *shut_down(void *argument) {
    int *grace = argument;
    int code = bk_shutdown(k, *grace);
    return (void *)(intptr_t)code;
}

static void test_c_shutdown__waits_for_operations_in_flight(void **state) {
    (void)state;
    assert_int_equal(bk_open(k), 0);
    int id = bk_begin(k, "play");
    assert_true(id > 0);
    pthread_t thread;
    int grace = 60000;
    assert_int_equal(pthread_create(&thread, NULL, shut_down, &grace), 0);
    int refused = 0;
    for (int i = 0; i < 10000 && refused != BK_ESTATE; i++) {
        refused = bk_begin(k, "late");
        if (refused > 0) {
            assert_int_equal(bk_end(k, refused), 0);
            usleep(1000); /* the other thread must get its turn */
        }
    }
    assert_int_equal(refused, BK_ESTATE);
    assert_int_equal(bk_run(k, "lifecycle.status", NULL), BK_ESTATE);
    assert_int_equal(bk_end(k, id), 0);
    void *code = NULL;
    assert_int_equal(pthread_join(thread, &code), 0);
    assert_int_equal((intptr_t)code, 0);
    assert_last_is_closed();
}

static void test_c_shutdown__time_up_is_cancelled_and_still_clean(void **state) {
    (void)state;
    make_database();
    assert_int_equal(bk_open(k), 0);
    assert_true(bk_begin(k, "hangs for ever") > 0);
    assert_int_equal(bk_shutdown(k, 200), BK_ECANCELLED);
    assert_non_null(strstr(bk_last_error(), "hangs for ever"));
    assert_last_is_closed();
    assert_ended("clean");
}

static void test_c_shutdown__every_job_is_told_before_closed(void **state) {
    (void)state;
    make_database();
    assert_int_equal(bk_set(k, "backup.on.shutdown", "false"), 0);
    assert_int_equal(bk_open(k), 0);
    enum { JOBS = 20 };
    for (int i = 0; i < JOBS; i++) {
        assert_true(bk_run(k, i % 2 ? "backup.create" : "lifecycle.status", NULL) > 0);
    }
    int code = bk_shutdown(k, 0);
    assert_true(code == BK_ECANCELLED || code == 0);
    int done = 0;
    int closed = 0;
    for (char *text; (text = bk_next(k, 0)); bk_free(text)) {
        int is_done = strncmp(text, "{\"event\":\"done\"", 15) == 0;
        done += is_done;
        closed += strcmp(text, "{\"event\":\"closed\"}") == 0;
        assert_true(closed == 0 || !is_done);
    }
    assert_int_equal(done, JOBS);
    assert_int_equal(closed, 1);
}

static void test_c_shutdown__close_alone_is_no_clean_end(void **state) {
    (void)state;
    assert_int_equal(bk_open(k), 0);
    assert_int_equal(bk_close(k), 0);
    /* The lock of the run goes with the threads, which end on their own. */
    char *ended = NULL;
    for (int i = 0; i < 1000 && !ended; i++) {
        bk_keeper *next = open_keeper();
        assert_int_equal(bk_open(next), 0);
        char *run = NULL;
        while ((run = bk_next(next, 1000)) && !strstr(run, "\"event\":\"run\"")) {
            bk_free(run);
        }
        ended = bk_pick_text(run, "previous.ended");
        bk_free(run);
        bk_close(next);
    }
    assert_non_null(ended);
    assert_string_equal(ended, "crash");
    bk_free(ended);
}

static void test_c_shutdown__the_grace_has_a_range(void **state) {
    (void)state;
    assert_int_equal(bk_open(k), 0);
    assert_int_equal(bk_shutdown(k, -1), BK_EINVAL);
    assert_int_equal(bk_shutdown(k, 3600001), BK_EINVAL);
    assert_int_equal(bk_shutdown(k, 3600000), 0);
    assert_int_equal(bk_shutdown(k, 0), BK_ESTATE);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_c_shutdown__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(makes_the_last_backup_and_ends_clean),
        TEST(makes_no_backup_where_none_is_wanted),
        TEST(needs_no_database),
        TEST(a_keeper_never_opened_ends_too),
        TEST(waits_for_operations_in_flight),
        TEST(time_up_is_cancelled_and_still_clean),
        TEST(every_job_is_told_before_closed),
        TEST(close_alone_is_no_clean_end),
        TEST(the_grace_has_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
