/*
 * Insisting: a question or REPLICAOF NO ONE to a server that is loading, restarting, or cuts its
 * connections. Not when that is to be said: restore.c, mark.c.
 */
#include <store/redis/release.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/clock.h>
#include <store/redis/internal.h>
#include <store/redis/watch.h>

#define PAUSE_MS 100
#define AGAIN_MS 20000  /* for a connection to be had again */
#define BUSY_MS 3600000 /* for a server that says itself that it is busy */

/* Whether a failure is worth another try, after a pause. */
static bool try_again(struct bk__redis_watch *watch, int rc, int64_t began) {
    int64_t limit = rc == BK_EBUSY ? BUSY_MS : rc == BK_EIO ? AGAIN_MS : 0;

    if (rc == 0 || bk__clock_mono() - began > limit) {
        return false;
    }
    bk__redis_watch_beat(watch);
    bk__clock_sleep(PAUSE_MS);
    return true;
}

static int reach(struct bk__redis *redis) {
    return redis->link.c != NULL ? 0 : bk__redis_link_again(&redis->link);
}

int bk__redis_insist(struct bk__redis *redis, struct bk__redis_watch *watch,
                     const char *section, char **ret) {
    int64_t began = bk__clock_mono();
    int rc;

    bk__redis_watch_beat(watch);
    do {
        rc = reach(redis);
        if (rc == 0) {
            rc = bk__redis_info(&redis->link, section, ret);
        }
    } while (try_again(watch, rc, began));
    return rc;
}

static bool is_master(const char *info) {
    char role[16];

    bk__redis_info_text(info, "role", role, sizeof role);
    return strcmp(role, "master") == 0;
}

int bk__redis_release_once(struct bk__redis *redis) {
    static const char *const words[] = {"REPLICAOF", "NO", "ONE", NULL};
    char *info = NULL;
    int rc = reach(redis);

    if (rc == 0) {
        rc = bk__redis_order(&redis->link, words, "cannot be made a master again");
    }
    if (rc == 0) {
        rc = bk__redis_info(&redis->link, "replication", &info);
    }
    if (rc == 0 && !is_master(info)) {
        rc = bk__fail(BK_EIO, "The Redis server %s is still a replica of ours.",
                      redis->at.shown);
    }
    free(info);
    return rc;
}

int bk__redis_release(struct bk__redis *redis, struct bk__redis_watch *watch) {
    int64_t began = bk__clock_mono();
    bool stubborn = redis->link.stubborn;
    int rc;

    redis->link.stubborn = true;
    do {
        rc = bk__redis_release_once(redis);
    } while (try_again(watch, rc, began));
    redis->link.stubborn = stubborn;
    return rc;
}
