/*
 * What the options backup.timezone and backup.cron mean: the zone, read from the system's files,
 * and the expression. Not when work is due (schedule.h). bk_open() checks them, plan.c and the
 * backup room use them.
 */
#ifndef BK_CORE_CALENDAR_H
#define BK_CORE_CALENDAR_H

#include <stdint.h>

#include <base/cron.h>

struct bk__config;
struct bk__zone;

/* The zone of backup.timezone; release it with bk__zone_free(). BK_EINVAL names the option. */
int bk__calendar_zone(const struct bk__config *config, struct bk__zone **ret);

/* 1 and *ret is the expression of backup.cron; 0: it is not set; BK_EINVAL names it and what is
   wrong. */
int bk__calendar_cron(const struct bk__config *config, struct bk__cron *ret);

/* When the first automatic backup after a time is due, by the options; -1: none is. */
int64_t bk__calendar_due_after(const struct bk__config *config, int64_t wall_ms);

/* From when on a backup is too old that was verified at wall_ms, by health.backup.age. Nobody set that
   and backups are made less often: then an hour after the next one was due. -1: never. */
int64_t bk__calendar_stale_at(const struct bk__config *config, int64_t wall_ms);

/* Both are good: 0, or an error. */
int bk__calendar_check(const struct bk__config *config);

#endif
