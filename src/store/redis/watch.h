/*
 * The watch over a restore: a small process that tells the server to follow nobody when it hears no
 * more of us. Not the program itself: cli/watch.c. restore.c starts and ends it.
 */
#ifndef BK_STORE_REDIS_WATCH_H
#define BK_STORE_REDIS_WATCH_H

#include <stdint.h>

#include <guest/helper.h>

struct bk__redis;

#define BK__REDIS_WATCH_MS 600000 /* how long it goes on trying, at least */

/* Start with {0}. */
struct bk__redis_watch {
    struct bk__helper helper;
    int64_t told; /* monotonic: the last sign of life; 0: it does not run */
};

/* Started, told everything, and ready. BK_EISOLATION: the program is not there. */
int bk__redis_watch_start(struct bk__redis_watch *watch, struct bk__redis *redis);
/* A sign of life, at most one a second. NULL is fine. */
void bk__redis_watch_beat(struct bk__redis_watch *watch);
/* All is well, or was put right: it ends. */
void bk__redis_watch_done(struct bk__redis_watch *watch);
/* It is to act now, and goes on trying when we are gone. */
void bk__redis_watch_fire(struct bk__redis_watch *watch);

#endif
