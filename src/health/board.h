/*
 * What the host told us: pushed reports with an expiry, and event-loop beats. Memory
 * only, so that reporting stays cheap. Not the measuring of a snapshot (snapshot.c). api
 * writes, snapshot.c reads.
 */
#ifndef BK_HEALTH_BOARD_H
#define BK_HEALTH_BOARD_H

#include <stdint.h>

#include <health/level.h>

struct bk__health_board;
struct json_object;

struct bk__health_board *bk__health_board_new(void); /* NULL: out of memory */
void bk__health_board_free(void *board);             /* as a keeper's room wants it */

/* See bk_report(). 0 or BK_EINVAL (name, level, ttl), BK_EBUSY (too many names),
 * BK_ENOMEM. */
struct bk__health_report {
    const char *check;
    const char *level;
    const char *message; /* may be NULL */
    int ttl_ms;
};
int bk__health_board_report(struct bk__health_board *board,
                            const struct bk__health_report *report, int64_t mono_ms);

/* See bk_beat(). period_ms is the promise of health.loop.period. */
int bk__health_board_beat(struct bk__health_board *board, const char *loop,
                          int64_t mono_ms, int period_ms);

/* The CPU time since the call before, in percent of quota_cores; -1 at the first call. */
double bk__health_board_cpu(struct bk__health_board *board, int64_t process_ms,
                            int64_t mono_ms, double quota_cores);

/* Adds every report to checks and every loop to loops, judged at mono_ms. */
int bk__health_board_read(struct bk__health_board *board, int64_t mono_ms,
                          struct bk__health_verdict *verdict, struct json_object *loops);

#endif
