/*
 * The rule at the end of a TZif file ("CET-1CEST,M3.5.0,M10.5.0/3"), which says how summer time
 * goes on for ever. Only zone.c includes it.
 */
#ifndef BK_BASE_ZONE_RULE_H
#define BK_BASE_ZONE_RULE_H

#include <stdbool.h>
#include <stdint.h>

/* When in a year the clocks change: Mm.w.d, Jn or n, and the seconds after midnight. */
struct bk__zone_change {
    char form; /* 'M', 'J' (1 to 365, never the 29th of February) or '0' (0 to 365) */
    int month, week, day;
    int time;
};

struct bk__zone_rule {
    int standard, summer; /* seconds to add to UTC */
    bool changes;         /* else standard time holds for ever */
    struct bk__zone_change to_summer, to_standard;
};

bool bk__zone_rule_parse(const char *text, struct bk__zone_rule *ret);

/* As bk__zone_offset. */
int bk__zone_rule_offset(const struct bk__zone_rule *rule, int64_t unix_s,
                         int64_t *ret_until);

#endif
