/*
 * Making a server a master again, and asking one that loads or loses its connections. Not the watch,
 * which does the same when we cannot: watch.c. restore.c and mark.c call it.
 */
#ifndef BK_STORE_REDIS_RELEASE_H
#define BK_STORE_REDIS_RELEASE_H

struct bk__redis;
struct bk__redis_watch;

/* INFO, over another connection where that one is cut, for 20 seconds; watch, where there is one,
   is told that we live. */
int bk__redis_insist(struct bk__redis *redis, struct bk__redis_watch *watch,
                     const char *section, char **ret);

/* REPLICAOF NO ONE, and whether that is so now. */
int bk__redis_release_once(struct bk__redis *redis);
/* Again and again, for 20 seconds, or an hour while the server is busy loading. No cancel is heard. */
int bk__redis_release(struct bk__redis *redis, struct bk__redis_watch *watch);

#endif
