/*
 * Tests of src/os/thread.c: what a thread of ours is born with, and waiting on the monotonic
 * clock. Not of guest threads (guest).
 */
#include <os/thread.h>

#include <errno.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <os/clock.h>

#include "sandbox.h"
#include <cmocka.h>

struct seen {
    sigset_t mask;
    char name[16];
    size_t stack;
};

static void *look(void *arg) {
    struct seen *seen = arg;
    pthread_attr_t attributes;
    void *base;

    pthread_sigmask(SIG_BLOCK, NULL, &seen->mask);
    pthread_getname_np(pthread_self(), seen->name, sizeof seen->name);
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &base, &seen->stack);
    pthread_attr_destroy(&attributes);
    return seen;
}

static struct seen look_from_inside(const char *name) {
    struct seen seen;
    pthread_t thread;
    void *result;

    assert_int_equal(bk__thread_start(&thread, name, look, &seen), 0);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_ptr_equal(result, &seen);
    return seen;
}

static void test_os_thread__blocks_what_is_asynchronous(void **state) {
    static const int blocked[] = {SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                                  SIGUSR2, SIGPIPE,  SIGALRM, SIGCHLD, SIGPROF,
                                  SIGTSTP, SIGWINCH, SIGIO,   SIGABRT};
    static const int open[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
    struct seen seen = look_from_inside("lane");

    (void)state;
    for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++) {
        assert_int_equal(sigismember(&seen.mask, blocked[i]), 1);
    }
    for (size_t i = 0; i < sizeof open / sizeof *open; i++) {
        assert_int_equal(sigismember(&seen.mask, open[i]), 0);
    }
    assert_int_equal(sigismember(&seen.mask, SIGRTMIN), 1);
    assert_int_equal(sigismember(&seen.mask, SIGRTMAX), 1);
}

static void test_os_thread__leaves_the_caller_alone(void **state) {
    sigset_t before, after;

    (void)state;
    pthread_sigmask(SIG_BLOCK, NULL, &before);
    look_from_inside("lane");
    pthread_sigmask(SIG_BLOCK, NULL, &after);
    for (int i = 1; i < NSIG; i++) {
        assert_int_equal(sigismember(&before, i), sigismember(&after, i));
    }
}

static volatile sig_atomic_t handled_by_main;
static pthread_t main_thread;

static void handle(int number) {
    (void)number;
    handled_by_main = pthread_equal(pthread_self(), main_thread) ? 1 : -1;
}

static void *send_to_process(void *arg) {
    kill(getpid(), SIGUSR1);
    return arg;
}

static void test_os_thread__hosts_handlers_never_run_on_it(void **state) {
    struct sigaction act = {.sa_handler = handle}, before;
    pthread_t thread;

    (void)state;
    main_thread = pthread_self();
    sigaction(SIGUSR1, &act, &before);
    assert_int_equal(bk__thread_start(&thread, "sender", send_to_process, NULL), 0);
    pthread_join(thread, NULL);
    sigaction(SIGUSR1, &before, NULL);
    assert_int_equal(handled_by_main, 1);
}

static void test_os_thread__has_its_name_and_stack(void **state) {
    struct seen seen = look_from_inside("bk-work");

    (void)state;
    assert_string_equal(seen.name, "bk-work");
    assert_in_range(seen.stack, 1024 * 1024, 2048 * 1024); /* a sanitizer adds its own */
    assert_string_equal(look_from_inside("a name that is too long").name,
                        "a name that is ");
}

struct door {
    pthread_mutex_t mutex;
    pthread_cond_t cond;
    bool open;
};

static void *open_door(void *arg) {
    struct door *door = arg;

    pthread_mutex_lock(&door->mutex);
    door->open = true;
    pthread_cond_signal(&door->cond);
    pthread_mutex_unlock(&door->mutex);
    return NULL;
}

/* Waits for a thread to open it. */
static int wait_for_door(int64_t until) {
    struct door door = {.mutex = PTHREAD_MUTEX_INITIALIZER, .open = false};
    pthread_t thread;
    int error = 0;

    assert_int_equal(bk__cond_init(&door.cond), 0);
    pthread_mutex_lock(&door.mutex);
    assert_int_equal(bk__thread_start(&thread, "opener", open_door, &door), 0);
    while (!door.open && !error) {
        error = bk__cond_until(&door.cond, &door.mutex, until);
    }
    pthread_mutex_unlock(&door.mutex);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&door.cond);
    return error;
}

static void test_os_thread__cond_wakes_with_and_without_an_end(void **state) {
    (void)state;
    assert_int_equal(wait_for_door(-1), 0);
    assert_int_equal(wait_for_door(bk__clock_mono() + 3600000), 0);
}

static void test_os_thread__cond_ends_at_its_monotonic_time(void **state) {
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    int64_t until = bk__clock_mono() + 30;
    pthread_cond_t cond;
    int error = 0;

    (void)state;
    assert_int_equal(bk__cond_init(&cond), 0);
    pthread_mutex_lock(&mutex);
    while (!error) {
        error = bk__cond_until(&cond, &mutex, until);
    }
    assert_int_equal(error, ETIMEDOUT);
    assert_true(bk__clock_mono() >= until); /* by the wall clock it were long past */
    assert_int_equal(bk__cond_until(&cond, &mutex, 0), ETIMEDOUT);
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&cond);
}

static void *count_on_one_cpu(void *arg) {
    cpu_set_t all, one;
    size_t first = 0;

    sched_getaffinity(0, sizeof all, &all);
    while (!CPU_ISSET(first, &all)) {
        first++;
    }
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    *(int *)arg = sched_setaffinity(0, sizeof one, &one) == 0 ? bk__cpu_count() : -1;
    return NULL;
}

static void test_os_thread__counts_the_processors_it_may_use(void **state) {
    cpu_set_t all;
    pthread_t thread;
    int count = 0;

    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof all, &all), 0);
    assert_int_equal(bk__cpu_count(), CPU_COUNT(&all));
    assert_int_equal(bk__thread_start(&thread, "one", count_on_one_cpu, &count), 0);
    pthread_join(thread, NULL);
    assert_int_equal(count, 1);
}

static void *give_way(void *policies) {
    int *policy = policies;

    policy[0] = sched_getscheduler(0);
    bk__thread_give_way();
    policy[1] = sched_getscheduler(0);
    return NULL;
}

static void test_os_thread__gives_way_alone(void **state) {
    int policy[2] = {-1, -1};
    pthread_t thread;

    (void)state;
    assert_int_equal(bk__thread_start(&thread, "meek", give_way, policy), 0);
    pthread_join(thread, NULL);
    assert_int_equal(policy[0], sched_getscheduler(0));
    assert_int_equal(policy[1], SCHED_IDLE);
    assert_int_not_equal(sched_getscheduler(0), SCHED_IDLE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_os_thread__blocks_what_is_asynchronous),
        cmocka_unit_test(test_os_thread__leaves_the_caller_alone),
        cmocka_unit_test(test_os_thread__hosts_handlers_never_run_on_it),
        cmocka_unit_test(test_os_thread__has_its_name_and_stack),
        cmocka_unit_test(test_os_thread__cond_wakes_with_and_without_an_end),
        cmocka_unit_test(test_os_thread__cond_ends_at_its_monotonic_time),
        cmocka_unit_test(test_os_thread__gives_way_alone),
        cmocka_unit_test(test_os_thread__counts_the_processors_it_may_use),
    };

    return cmocka_run_group_tests_name("os/thread", tests, NULL, NULL);
}
