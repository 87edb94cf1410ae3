/*
 * A note in state.dir while a server follows us: if we and the watch die together, as in a container
 * that is killed, whoever opens the server next sets it free. restore.c and driver.c call it.
 */
#ifndef BK_STORE_REDIS_MARK_H
#define BK_STORE_REDIS_MARK_H

struct bk__redis;

/* Start with {.lock = -1}. */
struct bk__redis_mark {
    int lock; /* held while the restore runs: the kernel drops it with us */
};

/* Notes, durably, that the server is to follow host and port. BK_EBUSY: another restore runs. */
int bk__redis_mark_set(struct bk__redis_mark *mark, struct bk__redis *redis,
                       const char *host, const char *port);
/* freed: the note goes as well; else it stays for the next one who opens the server. */
void bk__redis_mark_end(struct bk__redis_mark *mark, struct bk__redis *redis, int freed);

/* After opening: a server that still follows a source which is dead is made a master. What cannot be
   done is told and left for next time. */
void bk__redis_mark_heed(struct bk__redis *redis);

#endif
