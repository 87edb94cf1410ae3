/*
 * What a snapshot needs from before: pushed reports with an expiry, event-loop beats, the last
 * probe of each store. Memory only, so that reporting stays cheap. Not the measuring of a
 * snapshot (snapshot.c). api and stores.c write, snapshot.c reads.
 */
#ifndef BK_HEALTH_BOARD_H
#define BK_HEALTH_BOARD_H

#include <stdbool.h>
#include <stdint.h>

#include <health/level.h>

/* The stores that are probed: each has a check and a section of its own name. */
enum bk__health_store { BK__HEALTH_DATABASE, BK__HEALTH_REDIS, BK__HEALTH_STORES };

struct bk__health_board;

struct bk__health_board *bk__health_board_new(void); /* NULL: out of memory */
void bk__health_board_free(void *board);             /* as a keeper's room wants it */

/* See bk_report(). 0 or BK_EINVAL (name, level, ttl), BK_EBUSY (too many names). */
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

/* Keeps what a probe of a store found: its finding, and its report as the members of a JSON
   object. Both are copied. 0 or BK_ENOMEM. */
int bk__health_board_probe(struct bk__health_board *board, enum bk__health_store store,
                           const struct bk__finding *finding, const char *members,
                           int64_t mono_ms);

/* Keeps what was found about the backups, a copy; NULL: nothing is to be said of them. */
void bk__health_board_backup(struct bk__health_board *board,
                             const struct bk__finding *finding);

/* Adds every report, loop, the backups and the last probes to the verdict, judged at mono_ms;
   prints the loops as the members of an object, each store as a value. */
struct bk__board_view {
    int64_t mono_ms;
    int64_t stale_ms;               /* a probe older than that is unknown */
    bool wanted[BK__HEALTH_STORES]; /* whether the options name that store */
    struct bk__buf loops;
    struct bk__buf stores[BK__HEALTH_STORES];
};
void bk__health_board_read(struct bk__health_board *board, struct bk__verdict *verdict,
                           struct bk__board_view *view);

#endif
