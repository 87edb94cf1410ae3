/*
 * Cron expressions: "minute hour day month weekday", or @daily and the like. Pure: which second
 * comes next in a zone. core/calendar.c reads them from the options, core/schedule.c asks.
 */
#ifndef BK_BASE_CRON_H
#define BK_BASE_CRON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk__zone;

/* One bit for each value that is wanted. */
struct bk__cron {
    uint64_t minutes;
    uint64_t hours;
    uint64_t days;
    uint64_t months;
    uint64_t weekdays; /* 0 is Sunday */
    bool any_day; /* the field begins with a star: then the other one must hold, too; */
    bool any_weekday; /* else one of the two is enough, as in every cron */
};

/* false: why (why_room bytes) says what is wrong, as the end of a sentence. */
bool bk__cron_parse(const char *text, struct bk__cron *ret, char *why, size_t why_room);

/* The first second after after_s at which it is due. A local time that is skipped counts as the
   first minute after; one that is shown twice counts once. false: never, whatever the year. */
bool bk__cron_next(const struct bk__cron *cron, const struct bk__zone *zone,
                   int64_t after_s, int64_t *ret_s);

#endif
