/*
 * Due times that survive restarts and clocks that jump. Wall time says when, so that
 * "daily" holds over restarts; monotonic time says how often at most. Pure: plan.c and
 * the tests bring the clocks.
 */
#include <core/schedule.h>

#include <base/civil.h>
#include <base/cron.h>

#define RETRY_MS (15 * 60 * 1000)
#define DAY_MS INT64_C(86400000)

static int64_t smaller(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/* ---- cron -------------------------------------------------------------------------- */

/* The first time of the expression after that one. bk_open() has seen that there is one. */
static int64_t next_time(const struct bk__due *due, int64_t after_wall) {
    int64_t second = 0;
    bool found =
        bk__cron_next(due->cron, due->zone, bk__civil_floor(after_wall, 1000), &second);
    return found ? second * 1000 : after_wall + DAY_MS;
}

/* How far the expression's times lie apart where it last ran. */
static int64_t distance(const struct bk__due *due, int64_t wall) {
    return next_time(due, wall) - wall;
}

/* The next time, and none that was served: a clock that went back less than to the time before
   shows a time again that has had its run. One that went back further had been wrong. */
static int64_t next_unserved(const struct bk__due *due, int64_t now_wall) {
    if (due->ran_wall > now_wall &&
        due->ran_wall - now_wall <= distance(due, due->ran_wall)) {
        return next_time(due, due->ran_wall);
    }
    return next_time(due, now_wall);
}

/* ---- either ------------------------------------------------------------------------ */

static int64_t latest(const struct bk__due *due, int64_t now_wall) {
    return due->cron ? next_unserved(due, now_wall) : now_wall + due->period_ms;
}

void bk__due_start_cron(struct bk__due *due, int64_t recorded_wall, int64_t now_wall) {
    int64_t next = latest(due, now_wall);
    due->ran_mono = -1;
    due->due_wall = recorded_wall < 0 ? next : smaller(recorded_wall, next);
}

void bk__due_start(struct bk__due *due, int64_t period_ms, int64_t recorded_wall,
                   int64_t first_ms, int64_t now_wall) {
    *due = (struct bk__due){.period_ms = period_ms, .ran_wall = -1, .ran_mono = -1};
    if (recorded_wall < 0) {
        due->due_wall = now_wall + smaller(first_ms, period_ms);
    } else {
        /* A shorter period than before, or a clock set back, must not leave it far away.
         */
        due->due_wall = smaller(recorded_wall, now_wall + period_ms);
    }
}

/* How soon after the last run it may run again at all: half a period, or, because a retry after
   a failure comes sooner, what that waits. */
static int64_t quiet_time(const struct bk__due *due) {
    return smaller(due->period_ms / 2, RETRY_MS);
}

int64_t bk__due_wait(struct bk__due *due, int64_t now_wall, int64_t now_mono) {
    due->due_wall = smaller(due->due_wall, latest(due, now_wall));
    int64_t wait = due->due_wall - now_wall;
    if (due->ran_mono >= 0) {
        int64_t quiet = due->ran_mono + quiet_time(due) - now_mono;
        wait = wait > quiet ? wait : quiet;
    }
    return wait > 0 ? wait : 0;
}

void bk__due_began(struct bk__due *due, int64_t now_wall, int64_t now_mono) {
    due->ran_wall = now_wall;
    due->ran_mono = now_mono;
    if (due->cron) {
        due->period_ms = distance(due, due->due_wall); /* also where it runs late */
        due->due_wall = next_time(due, now_wall);
        return;
    }
    int64_t next = due->due_wall + due->period_ms;
    due->due_wall = next > now_wall ? next : now_wall + due->period_ms;
}

void bk__due_failed(struct bk__due *due, int64_t now_wall) {
    int64_t retry = due->cron ? RETRY_MS : smaller(due->period_ms, RETRY_MS);
    due->due_wall = smaller(due->due_wall, now_wall + retry);
}
