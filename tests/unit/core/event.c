/*
 * The event queue: order, replaced progress, the bound on notices, done events that stay, who
 * gets them, and when the pipe rings.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <core/event.h>

static struct bk__event_queue queue;

static int setup(void **state) {
    (void)state;
    bk__event_queue_init(&queue);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    bk__event_queue_free(&queue);
    return 0;
}

static void push(enum bk__event_kind kind, int job, const char *text) {
    assert_true(bk__event_push(&queue, kind, job, strdup(text)));
}

static void assert_next(const char *expected) {
    char *text = bk__event_next(&queue, NULL, NULL, NULL);
    if (!expected) {
        assert_null(text);
        return;
    }
    assert_non_null(text);
    assert_string_equal(text, expected);
    free(text);
}

static void test_core_event__order_is_kept(void **state) {
    (void)state;
    push(BK__EVENT_NOTICE, 0, "a");
    push(BK__EVENT_DONE, 1, "b");
    push(BK__EVENT_PROGRESS, 2, "c");
    assert_next("a");
    assert_next("b");
    assert_next("c");
    assert_next(NULL);
}

static void test_core_event__new_progress_replaces_old(void **state) {
    (void)state;
    push(BK__EVENT_PROGRESS, 1, "1 of 3");
    push(BK__EVENT_PROGRESS, 2, "other");
    push(BK__EVENT_PROGRESS, 1, "2 of 3");
    assert_next("other");
    assert_next("2 of 3");
    assert_next(NULL);
}

static void test_core_event__the_oldest_notice_goes_and_done_stays(void **state) {
    (void)state;
    push(BK__EVENT_DONE, 1, "done");
    for (int i = 0; i < BK__EVENT_NOTICES + 10; i++) {
        char text[16];
        snprintf(text, sizeof text, "%d", i);
        push(BK__EVENT_NOTICE, 0, text);
    }
    assert_next("{\"event\":\"overflow\",\"dropped\":10}");
    assert_next("done");
    assert_next("10");
    assert_int_equal(queue.notices, BK__EVENT_NOTICES - 1);
}

static void test_core_event__lost_memory_is_an_overflow(void **state) {
    (void)state;
    assert_false(bk__event_push(&queue, BK__EVENT_NOTICE, 0, NULL));
    assert_next("{\"event\":\"overflow\",\"dropped\":1}");
    assert_next(NULL);
}

static bool job_two_is_waited_for(void *context, int job) {
    (void)context;
    return job == 2;
}

static void test_core_event__a_done_somebody_waits_for_is_passed_over(void **state) {
    (void)state;
    push(BK__EVENT_DONE, 2, "two");
    push(BK__EVENT_DONE, 3, "three");
    int job = 0;
    char *text = bk__event_next(&queue, job_two_is_waited_for, NULL, &job);
    assert_string_equal(text, "three");
    assert_int_equal(job, 3);
    free(text);
    assert_null(bk__event_next(&queue, job_two_is_waited_for, NULL, &job));
    text = bk__event_take_done(&queue, 2);
    assert_string_equal(text, "two");
    free(text);
    assert_null(bk__event_take_done(&queue, 2));
    assert_next(NULL);
}

static void test_core_event__taking_a_done_takes_its_progress(void **state) {
    (void)state;
    push(BK__EVENT_PROGRESS, 2, "half");
    push(BK__EVENT_DONE, 2, "two");
    free(bk__event_take_done(&queue, 2));
    assert_next(NULL);
    assert_int_equal(queue.notices, 0);
}

static void test_core_event__rings_only_after_it_was_seen_empty(void **state) {
    (void)state;
    assert_false(bk__event_should_ring(&queue));
    push(BK__EVENT_NOTICE, 0, "a");
    assert_true(bk__event_should_ring(&queue));
    assert_false(bk__event_should_ring(&queue));
    push(BK__EVENT_NOTICE, 0, "b");
    assert_false(bk__event_should_ring(&queue));
    assert_next("a");
    push(BK__EVENT_NOTICE, 0, "c");
    assert_false(bk__event_should_ring(&queue));
    assert_next("b");
    assert_next("c");
    assert_next(NULL);
    push(BK__EVENT_NOTICE, 0, "d");
    assert_true(bk__event_should_ring(&queue));
}

static void test_core_event__nothing_comes_after_the_last(void **state) {
    (void)state;
    push(BK__EVENT_NOTICE, 0, "a");
    push(BK__EVENT_LAST, 0, "closed");
    push(BK__EVENT_NOTICE, 0, "late");
    assert_next("a");
    assert_false(queue.finished);
    assert_next("closed");
    assert_true(queue.finished);
    assert_next(NULL);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_core_event__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(order_is_kept),
        TEST(new_progress_replaces_old),
        TEST(the_oldest_notice_goes_and_done_stays),
        TEST(lost_memory_is_an_overflow),
        TEST(a_done_somebody_waits_for_is_passed_over),
        TEST(taking_a_done_takes_its_progress),
        TEST(rings_only_after_it_was_seen_empty),
        TEST(nothing_comes_after_the_last),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
