/*
 * Tickets: stale, foreign and NULL ones are refused, none is used twice, a forked child gets
 * BK_EFORK and a table of its own, and threads that close and use one keeper never crash.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <core/error.h>
#include <core/keeper.h>
#include <os/clock.h>
#include <os/thread.h>

static bk_keeper *make(void) {
    bk_keeper *ticket = NULL;
    assert_int_equal(bk__keeper_new(&bk__clock_system, &ticket), 0);
    assert_non_null(ticket);
    return ticket;
}

static void test_core_handle__only_live_tickets_are_taken(void **state) {
    (void)state;
    struct bk__keeper *k = NULL;
    bk_keeper *ticket = make();
    assert_int_equal(bk__keeper_get(ticket, &k), 0);
    bk__keeper_put(k);
    int local = 0;
    const void *junk[] = {
        NULL, &local, (void *)1, (void *)-1, (char *)ticket + 1, (char *)ticket + 16};
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        assert_int_equal(bk__keeper_get(junk[i], &k), BK_EHANDLE);
        assert_int_equal(bk__keeper_close(junk[i]), BK_EHANDLE);
    }
    assert_int_equal(bk__keeper_close(ticket), 0);
    assert_int_equal(bk__keeper_get(ticket, &k), BK_EHANDLE);
    assert_int_equal(bk__keeper_close(ticket), BK_EHANDLE);
}

static void test_core_handle__no_ticket_comes_back(void **state) {
    (void)state;
    bk_keeper *first = make();
    assert_int_equal(bk__keeper_close(first), 0);
    for (int i = 0; i < 1000; i++) {
        bk_keeper *next = make();
        assert_true(next != first);
        assert_int_equal(bk__keeper_close(first), BK_EHANDLE);
        assert_int_equal(bk__keeper_close(next), 0);
    }
}

static void test_core_handle__what_is_in_use_outlives_its_ticket(void **state) {
    (void)state;
    struct bk__keeper *k = NULL;
    bk_keeper *ticket = make();
    assert_int_equal(bk__keeper_get(ticket, &k), 0);
    assert_int_equal(bk__keeper_close(ticket), 0);
    assert_true(bk__keeper_given_up(k));
    assert_int_equal(bk__keeper_begin(k, "late"), BK_ESTATE);
    bk__keeper_put(k);
}

/* The child's verdict: 0 when all is as it should be, else the number of the step. */
static int in_child(bk_keeper *parents) {
    struct bk__keeper *k = NULL;
    bk_keeper *own = NULL;
    if (bk__keeper_get(parents, &k) != BK_EFORK ||
        bk__keeper_close(parents) != BK_EFORK) {
        return 1;
    }
    if (bk__keeper_new(&bk__clock_system, &own) != 0 || own == parents) {
        return 2;
    }
    if (bk__keeper_get(own, &k) != 0) {
        return 3;
    }
    bk__keeper_put(k);
    if (bk__keeper_close(own) != 0 || bk__keeper_get(own, &k) != BK_EHANDLE) {
        return 4;
    }
    return bk__keeper_get(parents, &k) == BK_EFORK ? 0 : 5;
}

static void test_core_handle__a_forked_child_is_told(void **state) {
    (void)state;
    bk_keeper *ticket = make();
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        _exit(in_child(ticket));
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    struct bk__keeper *k = NULL;
    assert_int_equal(bk__keeper_get(ticket, &k), 0);
    bk__keeper_put(k);
    assert_int_equal(bk__keeper_close(ticket), 0);
}

static bk_keeper *shared; /* atomic */

static void *hammer(void *argument) {
    (void)argument;
    for (int i = 0; i < 3000; i++) {
        struct bk__keeper *k = NULL;
        bk_keeper *ticket = __atomic_load_n(&shared, __ATOMIC_ACQUIRE);
        if (bk__keeper_get(ticket, &k) == 0) {
            bk__keeper_begin(k, "work");
            free(bk__keeper_next(k, 0));
            free(bk__keeper_show(k, "backup.dir"));
            bk__keeper_put(k);
        }
        if (i % 50 == 0) {
            bk_keeper *fresh = NULL;
            if (bk__keeper_new(&bk__clock_system, &fresh) == 0) {
                bk__keeper_close(__atomic_exchange_n(&shared, fresh, __ATOMIC_ACQ_REL));
            }
        }
    }
    return NULL;
}

static void test_core_handle__eight_threads_use_and_close(void **state) {
    (void)state;
    pthread_t threads[8];
    __atomic_store_n(&shared, make(), __ATOMIC_RELEASE);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(bk__thread_start(&threads[i], "hammer", hammer, NULL), 0);
    }
    for (int i = 0; i < 8; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(bk__keeper_close(shared), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_handle__only_live_tickets_are_taken),
        cmocka_unit_test(test_core_handle__no_ticket_comes_back),
        cmocka_unit_test(test_core_handle__what_is_in_use_outlives_its_ticket),
        cmocka_unit_test(test_core_handle__a_forked_child_is_told),
        cmocka_unit_test(test_core_handle__eight_threads_use_and_close),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
