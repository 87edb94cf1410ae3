/*
 * Eight threads on one open keeper, every function that may be called from any thread, and then
 * bk_shutdown() or bk_close() in the middle of it: nothing crashes, hangs, or is told twice. Not
 * hostile arguments: tests/abi/hostile.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <poll.h>
#include <stdbool.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <botkeep.h>
#include <sqlite3.h>

#include <sandbox.h>

#define THREADS 8
#define ROUNDS 6

static bk_keeper *k;
static int started; /* atomic: jobs that bk_run() took */
static int told;    /* atomic: done events, by whichever way */
static int halt;    /* atomic */

static int setup(void **state) {
    sqlite3 *db = NULL;
    if (sandbox_setup(state) != 0 ||
        sqlite3_open(sandbox_path("bot.db"), &db) != SQLITE_OK ||
        sqlite3_exec(db, "create table t(x);", NULL, NULL, NULL) != SQLITE_OK) {
        return -1;
    }
    return sqlite3_close(db);
}

static void open_keeper(void) {
    k = bk_new();
    assert_non_null(k);
    assert_int_equal(bk_set(k, "database", sandbox_path("bot.db")), 0);
    assert_int_equal(bk_set(k, "backup.dir", sandbox_path("backups")), 0);
    assert_int_equal(bk_set(k, "health.every", "0.01"), 0);
    assert_int_equal(bk_open(k), 0);
    __atomic_store_n(&started, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&told, 0, __ATOMIC_RELEASE);
    __atomic_store_n(&halt, 0, __ATOMIC_RELEASE);
}

static bool take(char *event) {
    if (event && strncmp(event, "{\"event\":\"done\"", 15) == 0) {
        __atomic_add_fetch(&told, 1, __ATOMIC_RELAXED);
    }
    bool any = event != NULL;
    bk_free(event);
    return any;
}

static void report(int i) {
    int id = bk_begin(k, "command");
    bk_beat(k, i % 2 ? "main" : "other");
    bk_report(k, "discord", i % 3 ? "healthy" : "degraded", NULL, 1000);
    bk_free(bk_health(k));
    bk_free(bk_get(k, "backup.dir"));
    bk_end(k, id);
    bk_end(k, id);
}

static void work(int i) {
    static const char *const operations[] = {"lifecycle.status", "store.probe",
                                             "backup.create"};
    int job = bk_run(k, operations[i % 40 == 0 ? 2 : i % 2], NULL);
    if (job < 0) {
        return;
    }
    __atomic_add_fetch(&started, 1, __ATOMIC_RELAXED);
    if (i % 5 == 0) {
        bk_cancel(k, job);
    }
    if (i % 3 == 0) {
        take(bk_wait(k, job, i % 2 ? -1 : 1));
    }
}

static void *hammer(void *argument) {
    int i = *(int *)argument;
    while (!__atomic_load_n(&halt, __ATOMIC_ACQUIRE)) {
        i++;
        if (i % 4 == 0) {
            report(i);
        }
        work(i);
        take(bk_next(k, i % 7 == 0 ? 1 : 0));
    }
    return NULL;
}

static void start_threads(pthread_t threads[THREADS]) {
    static int seeds[THREADS];
    for (int i = 0; i < THREADS; i++) {
        seeds[i] = i * 13;
        assert_int_equal(pthread_create(&threads[i], NULL, hammer, &seeds[i]), 0);
    }
}

static void join_threads(pthread_t threads[THREADS]) {
    __atomic_store_n(&halt, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void test_c_hammer__shutdown_in_the_middle_tells_every_job_once(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        open_keeper();
        start_threads(threads);
        usleep(60000);
        bk_shutdown(k, 20000);
        join_threads(threads);
        while (take(bk_next(k, 0))) {
        }
        assert_true(__atomic_load_n(&started, __ATOMIC_ACQUIRE) > 0);
        assert_int_equal(__atomic_load_n(&told, __ATOMIC_ACQUIRE),
                         __atomic_load_n(&started, __ATOMIC_ACQUIRE));
        assert_int_equal(bk_close(k), 0);
    }
}

static void test_c_hammer__close_in_the_middle_harms_nobody(void **state) {
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        pthread_t threads[THREADS];
        open_keeper();
        start_threads(threads);
        usleep(20000);
        assert_int_equal(bk_close(k), 0);
        join_threads(threads);
        assert_int_equal(bk_close(k), BK_EHANDLE);
    }
}

static void *open_it(void *argument) {
    int code = bk_open(argument);
    return (void *)(intptr_t)code;
}

static void test_c_hammer__close_while_it_opens(void **state) {
    (void)state;
    for (int round = 0; round < 40; round++) {
        bk_keeper *one = bk_new();
        assert_non_null(one);
        assert_int_equal(bk_set(one, "database", sandbox_path("bot.db")), 0);
        pthread_t thread;
        assert_int_equal(pthread_create(&thread, NULL, open_it, one), 0);
        usleep((unsigned)round * 50);
        assert_int_equal(bk_close(one), 0);
        void *code = NULL;
        assert_int_equal(pthread_join(thread, &code), 0);
        assert_true((intptr_t)code <= 0);
        assert_int_equal(bk_close(one), BK_EHANDLE);
    }
}

/* As an event loop does it: sleep on the pipe, read it empty, take all events. */
static void test_c_hammer__the_pipe_misses_nothing(void **state) {
    (void)state;
    open_keeper();
    int fd = bk_wakeup_fd(k);
    assert_true(fd >= 0);
    enum { JOBS = 300 };
    int run = 0;
    int done = 0;
    while (done < JOBS) {
        if (run < JOBS && bk_run(k, "lifecycle.status", NULL) > 0) {
            run++;
            if (run % 3) {
                continue;
            }
        }
        struct pollfd wait = {fd, POLLIN, 0};
        assert_int_equal(poll(&wait, 1, 20000), 1);
        char bytes[64];
        while (read(fd, bytes, sizeof bytes) > 0) {
        }
        int before = __atomic_load_n(&told, __ATOMIC_ACQUIRE);
        while (take(bk_next(k, 0))) {
        }
        done += __atomic_load_n(&told, __ATOMIC_ACQUIRE) - before;
    }
    close(fd);
    assert_int_equal(bk_close(k), 0);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_c_hammer__##name, setup, sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(shutdown_in_the_middle_tells_every_job_once),
        TEST(close_in_the_middle_harms_nobody),
        TEST(close_while_it_opens),
        TEST(the_pipe_misses_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
