/*
 * Tests of src/backup/archive/pipeline.c: order, errors from each side, any number of workers.
 * Not of compression (gzip.c).
 */
#include <backup/archive/pipeline.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>

#include "sandbox.h"
#include <cmocka.h>

#define ROOM 64

/* Counts blocks in, checks them out; fails where it is told to. */
struct course {
    int64_t blocks;
    int64_t filled, drained;
    int64_t fail_fill, fail_work, fail_drain; /* block numbers, -1: never */
};

static int fill(void *context, struct bk__block *block) {
    struct course *course = context;
    if (course->filled == course->fail_fill) {
        return bk__fail(BK_EIO, "fill %d", (int)course->filled);
    }
    if (course->filled == course->blocks) {
        return 0;
    }
    block->at = course->filled;
    bool bad = course->filled == course->fail_work;
    memset(block->in, 0, ROOM);
    memcpy(block->in, &course->filled, sizeof course->filled);
    block->in[ROOM - 1] = bad;
    block->in_size = ROOM;
    course->filled++;
    return 1;
}

static void *begin(void *context) {
    (void)context;
    return malloc(1);
}

/* The first bytes doubled; later blocks take less time, so that order has to be made. */
static int work(void *state, struct bk__block *block) {
    int64_t number = 0;
    assert_non_null(state);
    memcpy(&number, block->in, sizeof number);
    for (volatile int spin = 0; spin < 2000 - (int)(number % 8) * 250; spin++) {
    }
    number *= 2;
    memcpy(block->out, &number, sizeof number);
    block->out_size = sizeof number;
    return block->in[ROOM - 1] ? 7 : 0;
}

static int drain(void *context, const struct bk__block *block) {
    struct course *course = context;
    int64_t number = 0;
    assert_int_equal(block->out_size, sizeof number);
    memcpy(&number, block->out, sizeof number);
    assert_true(number == course->drained * 2);
    if (course->drained == course->fail_drain) {
        return bk__fail(BK_ENOSPC, "drain %d", (int)course->drained);
    }
    course->drained++;
    return 0;
}

static int blame(void *context, const struct bk__block *block, int why) {
    (void)context;
    return bk__fail(BK_ECORRUPT, "block %d: %d", (int)block->at, why);
}

static int run(struct course *course, int workers) {
    const struct bk__pipeline plan = {.context = course,
                                      .room = ROOM,
                                      .fill = fill,
                                      .drain = drain,
                                      .blame = blame,
                                      .begin = begin,
                                      .work = work,
                                      .end = free};
    bk__error_clear();
    return bk__pipeline_run(&plan, workers);
}

static void
test_backup_pipeline__keeps_the_order_with_any_number_of_workers(void **state) {
    (void)state;
    for (int workers = 0; workers <= 9; workers++) {
        for (int64_t blocks = 0; blocks < 70; blocks += 1 + blocks / 2) {
            struct course course = {blocks, 0, 0, -1, -1, -1};
            assert_int_equal(run(&course, workers), 0);
            assert_int_equal(course.drained, blocks);
        }
    }
}

static void test_backup_pipeline__an_error_of_the_filler_ends_it(void **state) {
    struct course course = {100, 0, 0, 50, -1, -1};
    (void)state;
    assert_int_equal(run(&course, 3), BK_EIO);
    assert_string_equal(bk__error_text(), "fill 50");
    assert_true(course.drained <= 50);
}

static void
test_backup_pipeline__an_error_of_a_worker_is_told_with_its_place(void **state) {
    (void)state;
    for (int64_t at = 0; at < 20; at++) {
        struct course course = {20, 0, 0, -1, at, -1};
        assert_int_equal(run(&course, 2), BK_ECORRUPT);
        assert_int_equal(course.drained, at);
        char want[32];
        snprintf(want, sizeof want, "block %d: 7", (int)at);
        assert_string_equal(bk__error_text(), want);
    }
}

static void test_backup_pipeline__an_error_of_the_drain_ends_it(void **state) {
    struct course course = {100, 0, 0, -1, -1, 10};
    (void)state;
    assert_int_equal(run(&course, 4), BK_ENOSPC);
    assert_true(course.filled <= 10 + BK__PIPELINE_SLOTS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_backup_pipeline__keeps_the_order_with_any_number_of_workers),
        cmocka_unit_test(test_backup_pipeline__an_error_of_the_filler_ends_it),
        cmocka_unit_test(
            test_backup_pipeline__an_error_of_a_worker_is_told_with_its_place),
        cmocka_unit_test(test_backup_pipeline__an_error_of_the_drain_ends_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
