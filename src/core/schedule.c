/*
 * Due times that survive restarts and clocks that jump. Wall time says when, so that
 * "daily" holds over restarts; monotonic time says how often at most. Pure: plan.c and
 * the tests bring the clocks.
 */
#include <core/schedule.h>

#define RETRY_MS (15 * 60 * 1000)

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

void bk__due_start(struct bk__due *due, int64_t period_ms, int64_t recorded_wall,
                   int64_t first_ms, int64_t now_wall) {
    due->period_ms = period_ms;
    due->ran_mono = -1;
    if (recorded_wall < 0) {
        due->due_wall = now_wall + smaller(first_ms, period_ms);
    } else {
        /* A shorter period than before, or a clock set back, must not leave it far away.
         */
        due->due_wall = smaller(recorded_wall, now_wall + period_ms);
    }
}

int64_t bk__due_wait(struct bk__due *due, int64_t now_wall, int64_t now_mono) {
    due->due_wall = smaller(due->due_wall, now_wall + due->period_ms);
    int64_t wait = due->due_wall - now_wall;
    if (due->ran_mono >= 0) {
        /* A retry after a failure comes sooner than half a period, and is bounded by
         * itself. */
        int64_t least = smaller(due->period_ms / 2, RETRY_MS);
        int64_t quiet = due->ran_mono + least - now_mono;
        wait = wait > quiet ? wait : quiet;
    }
    return wait > 0 ? wait : 0;
}

void bk__due_began(struct bk__due *due, int64_t now_wall, int64_t now_mono) {
    int64_t next = due->due_wall + due->period_ms;
    due->due_wall = next > now_wall ? next : now_wall + due->period_ms;
    due->ran_mono = now_mono;
}

void bk__due_failed(struct bk__due *due, int64_t now_wall) {
    due->due_wall = smaller(due->due_wall, now_wall + smaller(due->period_ms, RETRY_MS));
}
