/*
 * Days of the Gregorian calendar as numbers since 1970-01-01, and back. Pure; no time zone
 * (zone.h) and no text (stamp.h). Those two, cron.c and retention call it.
 */
#ifndef BK_BASE_CIVIL_H
#define BK_BASE_CIVIL_H

#include <stdint.h>

struct bk__date {
    int64_t year;
    int month; /* 1 to 12 */
    int day;   /* 1 to 31 */
};

int64_t bk__civil_days(int64_t year, int month, int day);
struct bk__date bk__civil_date(int64_t days);
int bk__civil_weekday(int64_t days); /* 0 is Sunday */

/* a divided by b (above 0), rounded down also for what lies before 1970. */
int64_t bk__civil_floor(int64_t a, int64_t b);

#endif
