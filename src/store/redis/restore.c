/*
 * A restore into a server that lives on: it is made a replica of a small source of ours, takes the
 * dump as any replica does, and is made a master again. Everything that can be known to go wrong is
 * refused before the server is told anything, and every way out ends in REPLICAOF NO ONE: ours, or
 * that of the watch, which outlives us.
 */
#include <store/redis/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>
#include <store/redis/mark.h>
#include <store/redis/rdb.h>
#include <store/redis/source.h>
#include <store/redis/watch.h>

#define CALL_MS 30000 /* for the server to come to us */
#define STEP_MS 50
#define ASK_MS 100    /* between two looks at a server that loads */
#define DOWN_MS 10000 /* neither loading nor following us: it gave up */
#define AGAIN_MS                                                                         \
    20000 /* for a connection to be had again; then the watch goes on alone */
#define REWRITE_MS 600000
#define DOING "cannot be restored"

struct restoring {
    struct bk__redis *redis;
    struct bk__rdb_facts facts;
    struct bk__redis_source *source;
    struct bk__redis_watch watch;
    struct bk__redis_mark mark;
};

/* ---- being a master again ------------------------------------------------------------- */

/* A connection, whatever happened to the one before; a server that loads refuses it until it is
   done, however long that takes. */
static int reach_again(struct restoring *r) {
    int64_t until = bk__clock_mono() + AGAIN_MS;
    int rc = r->redis->link.c != NULL ? 0 : bk__redis_link_again(&r->redis->link);

    while (rc != 0 && (rc == BK_EBUSY || bk__clock_mono() < until)) {
        bk__redis_watch_beat(&r->watch);
        bk__clock_sleep(ASK_MS);
        rc = bk__redis_link_again(&r->redis->link);
    }
    return rc;
}

/* INFO, over another connection where that one is cut. */
static int ask_info(struct restoring *r, const char *section, char **ret) {
    int64_t until = bk__clock_mono() + AGAIN_MS;
    int rc;

    do {
        rc = reach_again(r);
        bk__redis_watch_beat(&r->watch);
        if (rc == 0) {
            rc = bk__redis_info(&r->redis->link, section, ret);
        }
    } while (rc == BK_EIO && bk__clock_mono() < until);
    return rc;
}

static bool is_master(const char *info) {
    char role[16];

    bk__redis_info_text(info, "role", role, sizeof role);
    return strcmp(role, "master") == 0;
}

static int free_once(struct restoring *r) {
    static const char *const words[] = {"REPLICAOF", "NO", "ONE", NULL};
    char *info = NULL;
    int rc = reach_again(r);

    if (rc == 0) {
        rc = bk__redis_order(&r->redis->link, words, "cannot be made a master again");
    }
    if (rc == 0) {
        rc = bk__redis_info(&r->redis->link, "replication", &info);
    }
    if (rc == 0 && !is_master(info)) {
        rc = bk__fail(BK_EIO, "The Redis server %s is still a replica of ours.",
                      r->redis->at.shown);
    }
    free(info);
    return rc;
}

/* Makes it a master again, whatever it takes; where that fails, the watch goes on. */
static int set_free(struct restoring *r) {
    int64_t until = bk__clock_mono() + AGAIN_MS;
    int rc;

    r->redis->link.stubborn = true;
    rc = free_once(r);
    while (rc != 0 && bk__clock_mono() < until) {
        bk__redis_watch_beat(&r->watch);
        bk__clock_sleep(ASK_MS);
        rc = free_once(r);
    }
    r->redis->link.stubborn = false;
    if (rc == 0) {
        bk__redis_watch_done(&r->watch);
    } else {
        bk__redis_watch_fire(&r->watch);
    }
    return rc;
}

/* ---- feeding it ----------------------------------------------------------------------- */

static int nobody_came(const struct restoring *r) {
    return bk__fail(BK_EIO,
                    "The Redis server %s did not come to fetch the dump from %s port %s "
                    "within 30 seconds. Let it reach this machine "
                    "(containers and firewalls often do not), or restore from a process "
                    "beside it.",
                    r->redis->at.shown, bk__redis_source_host(r->source),
                    bk__redis_source_port(r->source));
}

static int stalled(const struct restoring *r) {
    return bk__fail(BK_EIO,
                    "The Redis server %s took no byte of the dump for a minute. Look at "
                    "the network and restore again.",
                    r->redis->at.shown);
}

/* One step, and how long it may go on without one. */
static int step(struct restoring *r, int64_t *until) {
    int64_t before = bk__redis_source_sent(r->source);
    int rc = bk__job_check(r->redis->job);
    int64_t sent;

    bk__redis_watch_beat(&r->watch);
    if (rc == 0) {
        rc = bk__redis_source_step(r->source, STEP_MS);
    }
    if (rc != 0) {
        return rc;
    }
    sent = bk__redis_source_sent(r->source);
    bk__job_progress(r->redis->job, "restore", sent, r->facts.bytes);
    if (sent > before) {
        *until = bk__clock_mono() + BK__REDIS_STALL_MS;
    }
    if (bk__clock_mono() < *until) {
        return 0;
    }
    return sent == 0 ? nobody_came(r) : stalled(r);
}

/* Until the last byte is sent the server has its old data and keeps it. */
static int feed(struct restoring *r) {
    int64_t until = bk__clock_mono() + CALL_MS;
    int rc = 0;

    while (rc == 0 && !bk__redis_source_served(r->source)) {
        rc = step(r, &until);
    }
    return rc;
}

/* ---- waiting until it has it ---------------------------------------------------------- */

enum look { LOADING, FOLLOWING, ASTRAY };

static enum look look_at(const char *info) {
    char status[16];

    bk__redis_info_text(info, "master_link_status", status, sizeof status);
    if (bk__redis_info_int(info, "loading") == 1 ||
        bk__redis_info_int(info, "async_loading") == 1) {
        return LOADING;
    }
    return strcmp(status, "up") == 0 ? FOLLOWING : ASTRAY;
}

static int went_astray(const struct restoring *r) {
    return bk__fail(
        BK_EIO,
        "The Redis server %s took the whole dump but did not load it. Look at "
        "its log; what it holds now may be its old data, the new, or none. "
        "The pre_restore backup has the old.",
        r->redis->at.shown);
}

/* From here on a cancel would leave it half loaded, so there is none. */
static int wait_until_loaded(struct restoring *r) {
    int64_t until = bk__clock_mono() + DOWN_MS;
    int rc = 0;

    while (rc == 0) {
        enum look look = ASTRAY;
        char *info = NULL;

        bk__redis_watch_beat(&r->watch);
        rc = ask_info(r, "everything", &info);
        if (rc == 0) {
            look = look_at(info);
            free(info);
        }
        if (rc == 0 && look == FOLLOWING) {
            return 0;
        }
        if (look == LOADING) {
            until = bk__clock_mono() + DOWN_MS;
        }
        if (rc == 0 && bk__clock_mono() > until) {
            rc = went_astray(r);
        }
        if (rc == 0) {
            rc = bk__redis_source_step(r->source, ASK_MS);
        }
    }
    return rc;
}

/* ---- is it what it was? --------------------------------------------------------------- */

/* While it still follows us it drops no key whose time is over, and takes none from clients. */
static int compare(const struct restoring *r, struct json_object *keys) {
    char name[24];

    if (json_object_object_length(keys) != (int)r->facts.db_count) {
        return bk__fail(BK_EIO, "it has %d databases with keys, the dump %zu",
                        json_object_object_length(keys), r->facts.db_count);
    }
    for (size_t i = 0; i < r->facts.db_count; i++) {
        long long wanted = (long long)r->facts.dbs[i].keys;
        long long found;

        snprintf(name, sizeof name, "db%lld", (long long)r->facts.dbs[i].number);
        found = (long long)bk__json_int(keys, name, 0);
        if (found != wanted) {
            return bk__fail(BK_EIO, "%s has %lld keys, the dump %lld", name, found,
                            wanted);
        }
    }
    return 0;
}

static int verify(struct restoring *r) {
    struct json_object *keys;
    char *info = NULL;
    int rc;

    if (!r->facts.counted) {
        return 0;
    }
    rc = ask_info(r, "keyspace", &info);
    if (rc != 0) {
        return rc;
    }
    keys = bk__redis_info_keys(info);
    rc = keys == NULL ? bk__fail_memory() : compare(r, keys);
    json_object_put(keys);
    free(info);
    if (rc == BK_EIO) {
        char *why = strdup(bk__error_text());
        rc =
            bk__fail(BK_EIO,
                     "The Redis server %s loaded the dump, but not as it was proven: %s. "
                     "The pre_restore backup has what was there before.",
                     r->redis->at.shown, why != NULL ? why : "");
        free(why);
    }
    return rc;
}

/* A server that appends to a file writes that anew after such a load; until it has, a crash of it
   would bring the old data back. */
static void wait_for_rewrite(struct restoring *r) {
    int64_t until = bk__clock_mono() + REWRITE_MS;
    bool busy = true;

    while (busy && bk__clock_mono() < until && bk__job_check(r->redis->job) == 0) {
        char *info = NULL;

        if (ask_info(r, "persistence", &info) != 0) {
            break;
        }
        busy = bk__redis_info_int(info, "aof_enabled") == 1 &&
               (bk__redis_info_int(info, "aof_rewrite_in_progress") == 1 ||
                bk__redis_info_int(info, "aof_rewrite_scheduled") == 1);
        free(info);
        if (busy) {
            bk__clock_sleep(ASK_MS);
        }
    }
    if (busy) {
        bk__job_log(
            r->redis->job, "warning",
            "The Redis server %s is restored, but has not written its append-only "
            "file anew yet: a crash of it now would bring back the old data",
            r->redis->at.shown);
    }
}

/* ---- the order of it ------------------------------------------------------------------ */

static int follow_us(struct restoring *r) {
    const char *const words[] = {"REPLICAOF", bk__redis_source_host(r->source),
                                 bk__redis_source_port(r->source), NULL};
    return bk__redis_order(&r->redis->link, words, DOING);
}

static int feed_and_verify(struct restoring *r) {
    int rc = follow_us(r);

    if (rc == 0) {
        rc = feed(r);
    }
    if (rc == 0) {
        r->redis->link.stubborn = true;
        rc = wait_until_loaded(r);
    }
    return rc == 0 ? verify(r) : rc;
}

/* What went wrong, and that the server is a master again, or who goes on making it one. */
static int explain(struct restoring *r, int rc, int freed) {
    char *why = strdup(bk__error_text());
    bool kept = !bk__redis_source_served(r->source);

    rc = bk__fail(rc, "%s %s%s", why != NULL ? why : "The restore failed.",
                  kept ? "The Redis server has its old data" : "The server was fed whole",
                  freed == 0 ? ", and is a master."
                             : ", and is being made a master again "
                               "by a process that stays behind.");
    free(why);
    return rc;
}

/* Between the first word to the server and the last one the watch is there. */
static int under_watch(struct restoring *r) {
    int rc = bk__redis_watch_start(&r->watch, r->redis);
    char *why;
    int freed;

    if (rc != 0) {
        return rc;
    }
    rc = bk__redis_mark_set(&r->mark, r->redis, bk__redis_source_host(r->source),
                            bk__redis_source_port(r->source));
    if (rc != 0) {
        bk__redis_watch_done(&r->watch);
        return rc;
    }
    rc = feed_and_verify(r);
    why = rc == 0 ? NULL : strdup(bk__error_text());
    freed = set_free(r);
    bk__redis_mark_end(&r->mark, r->redis, freed);
    if (rc != 0) {
        bk__fail(rc, "%s", why != NULL ? why : "The restore failed.");
        rc = explain(r, rc, freed);
    } else if (freed != 0) {
        rc = explain(r, freed, freed);
    }
    free(why);
    return rc;
}

int bk__redis_restore(struct bk__store *store, const char *image_path, char **ret_kept) {
    struct restoring r = {.redis = (struct bk__redis *)store, .mark = {.lock = -1}};
    int rc = bk__redis_image_walk(r.redis->job, image_path, &r.facts);

    (void)ret_kept; /* the old data is in the pre_restore backup alone */
    if (rc != 0) {
        return rc;
    }
    rc = bk__redis_check(r.redis, &r.facts);
    if (rc == 0) {
        rc = bk__redis_source_open(&r.source, r.redis->job, r.redis->link.c->fd,
                                   image_path, &r.facts);
    }
    if (rc == 0) {
        rc = under_watch(&r);
    }
    bk__redis_source_close(r.source);
    if (rc == 0) {
        wait_for_rewrite(&r);
    }
    bk__rdb_facts_free(&r.facts);
    return rc;
}

int bk__redis_ready(struct bk__store *store, const char *image_path) {
    struct bk__redis *redis = (struct bk__redis *)store;
    struct bk__rdb_facts facts = {0};
    int rc = bk__redis_image_walk(redis->job, image_path, &facts);

    if (rc != 0) {
        return rc;
    }
    rc = bk__redis_check(redis, &facts);
    bk__rdb_facts_free(&facts);
    return rc;
}
