/*
 * The date and time that a script wrote into a name, in any of the usual forms, and which instant that
 * was: few scripts say whose clock it is. Pure. pattern.c and foreign.c call it.
 */
#ifndef BK_BACKUP_FOREIGN_MOMENT_H
#define BK_BACKUP_FOREIGN_MOMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk__zone;

struct bk__moment {
    int64_t ms; /* what the clock showed, counted as if it were UTC's */
    bool timed; /* it has a time of day */
    bool utc;   /* and that is UTC for certain */
};

/* How many bytes of the text are one; 0: it does not begin with one. */
size_t bk__moment_parse(const char *text, struct bk__moment *ret);

/* In that zone. NULL: nobody knows the zone; then it is the one in which the file was last changed
   right after the moment, and UTC where there is none. */
int64_t bk__moment_instant(const struct bk__moment *moment, const struct bk__zone *zone,
                           int64_t changed_ms);

#endif
