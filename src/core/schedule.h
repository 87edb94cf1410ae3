/*
 * When scheduled work is due: pure functions of two clocks, and the table row of what is
 * scheduled. Not the thread that runs it: that is plan.c. api/open.c names the rows.
 */
#ifndef BK_CORE_SCHEDULE_H
#define BK_CORE_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include <core/config.h>

struct bk__cron;
struct bk__keeper;
struct bk__zone;
struct json_object;

#define BK__SCHEDULE_FILE "schedule.json" /* in state.dir */

/* How scheduled work ended. */
struct bk__plan_end {
    int code;
    const char *why;            /* the error's text, "" when there is none */
    struct json_object *result; /* borrowed; NULL on failure */
    int64_t next_due_wall;
    int *memory; /* the row's own, 0 at first, for what it wants to know next time */
};

/* One kind of scheduled work; rows live as long as the process. */
struct bk__plan {
    const char *operation;
    const char *args; /* JSON, or NULL */
    const char
        *gap; /* its argument, in minutes, for which an earlier one is enough; NULL */
    int64_t fixed_ms;      /* the period, whatever the options say; 0: they say */
    enum bk__option every; /* the option with the period, 0: never */
    int64_t unit_ms;       /* of that option */
    bool by_cron; /* where backup.cron is set, it says when, in backup.timezone */
    enum bk__option enabled; /* the boolean option that allows it */
    int64_t first_ms;    /* when there is no record: so long after the start, at most */
    bool recorded;       /* of the whole bot, not of each process: the due time stands in
                            schedule.json, survives restarts, and only the leader runs it */
    bool needs_database; /* waits while the database file does not exist */
    /* What becomes of it, on the keeper thread; NULL: a "scheduled" event is sent. */
    void (*ended)(struct bk__keeper *k, const struct bk__plan_end *end);
};

/* The due time of one kind of work: of a period, or of a cron expression in a zone. */
struct bk__due {
    int64_t period_ms; /* of cron: from the time it last ran for to the one after that */
    const struct bk__cron *cron; /* NULL: by the period */
    const struct bk__zone *zone;
    int64_t due_wall;
    int64_t ran_wall; /* when it last began, also in an earlier process; -1: never */
    int64_t ran_mono; /* when it last began in this process, -1: not yet */
};

/* recorded_wall: the due time an earlier run of the bot noted, -1: none. A missed one is
   due at once, and once only. */
void bk__due_start(struct bk__due *due, int64_t period_ms, int64_t recorded_wall,
                   int64_t first_ms, int64_t now_wall);

/* The same by a cron expression that comes true: due has cron, zone (both must outlive it) and
   ran_wall. Without a record it is due when the expression says so for the first time. */
void bk__due_start_cron(struct bk__due *due, int64_t recorded_wall, int64_t now_wall);

/* Milliseconds until it is due, 0: now. A wall clock that jumped back never postpones it
   by more than a period (of cron: beyond the jump, so that no time of the expression comes
   twice); one that jumps to and fro never runs it twice within half a period. */
int64_t bk__due_wait(struct bk__due *due, int64_t now_wall, int64_t now_mono);

/* It begins now: when it is due next. */
void bk__due_began(struct bk__due *due, int64_t now_wall, int64_t now_mono);

/* It failed: again after a quarter of an hour, or the period if that is shorter. */
void bk__due_failed(struct bk__due *due, int64_t now_wall);

#endif
