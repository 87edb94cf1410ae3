/*
 * state.dir/schedule.json: when scheduled work is due, what it last began and by which rule, so
 * that restarts keep it. Not the reckoning (schedule.h). Only plan.c includes it.
 */
#ifndef BK_CORE_DUE_RECORD_H
#define BK_CORE_DUE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct bk__due_record {
    int64_t due_wall; /* -1: nothing is recorded */
    int64_t ran_wall; /* when it last began; -1: it never did */
    char rule[192];   /* the cron expression and its zone; "" for a period */
    bool unfinished;  /* it began and nobody was there to say how it ended */
};

void bk__due_record_load(const char *state_dir, const char *operation,
                         struct bk__due_record *ret);

/* Saved atomically, beside what is recorded of other operations. 0 or -errno. */
int bk__due_record_save(const char *state_dir, const char *operation,
                        const struct bk__due_record *record);

#endif
