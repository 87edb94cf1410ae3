/*
 * A time zone: how far local time is from UTC, and since when. Made from the bytes of a TZif
 * file (RFC 8536); libc's own functions keep the zone in global state, which is the host's.
 * Pure: core/calendar.c reads the file. cron.c and backup/retention.c ask.
 */
#ifndef BK_BASE_ZONE_H
#define BK_BASE_ZONE_H

#include <stddef.h>
#include <stdint.h>

struct bk__zone;

/* NULL: *ret_why is a constant text that says what is wrong with the file ("out of memory"). */
struct bk__zone *bk__zone_parse(const void *bytes, size_t size, const char **ret_why);
struct bk__zone *bk__zone_utc(void); /* NULL: out of memory */
void bk__zone_free(struct bk__zone *zone);

/* Seconds to add to UTC at that second; *ret_until (may be NULL) is the first second for which
   another answer may hold, INT64_MAX: none. */
int bk__zone_offset(const struct bk__zone *zone, int64_t unix_s, int64_t *ret_until);

/* The first second at which a local clock shows this local time (counted as if it were UTC). One
   that the clock passes over: the first whole minute that it shows after; it counts as passed over
   once something later is shown, even if the clock then goes back to it. */
int64_t bk__zone_instant(const struct bk__zone *zone, int64_t local_s);

#endif
