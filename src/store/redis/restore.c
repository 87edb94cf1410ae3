/*
 * A restore into a server that lives on: it is made a replica of a small source of ours, takes the
 * dump as any replica does, and is made a master again. bk__redis_restore(), at the end, reads as the
 * list of what happens; every way out of under_watch() goes through REPLICAOF NO ONE.
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
#include <store/redis/release.h>
#include <store/redis/source.h>
#include <store/redis/watch.h>

#define CALL_MS 30000 /* for the server to come to us */
#define STEP_MS 50
#define ASK_MS 100    /* between two looks at a server that loads */
#define DOWN_MS 10000 /* neither loading nor following us: it gave up */

struct restoring {
    struct bk__redis *redis;
    struct bk__rdb_facts facts;
    struct bk__redis_source *source;
    struct bk__redis_watch watch;
    struct bk__redis_mark mark;
    int64_t told;           /* monotonic: when it was told to follow us */
    int64_t refused_before; /* writes, until then */
};

/* ---- step 1: it follows us, and clients that write are refused -------------------------- */

static int follow(struct restoring *r) {
    const char *const words[] = {"REPLICAOF", bk__redis_source_host(r->source),
                                 bk__redis_source_port(r->source), NULL};
    int rc = bk__job_check(r->redis->job);

    r->told = bk__clock_mono();
    return rc != 0 ? rc : bk__redis_order(&r->redis->link, words, "cannot be restored");
}

/* ---- step 2: it is fed; until the last byte has left it keeps its old data ---------------- */

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

/* One piece. *until is when it must have gone on. */
static int feed_piece(struct restoring *r, int64_t *until) {
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

static int feed(struct restoring *r) {
    int64_t until = bk__clock_mono() + CALL_MS;
    int rc = 0;

    while (rc == 0 && !bk__redis_source_served(r->source)) {
        rc = feed_piece(r, &until);
    }
    return rc;
}

/* ---- step 3: it loads; a cancel would leave it half loaded, so none is heard -------------- */

enum look { LOADING, FOLLOWING, ASTRAY };

static int look_at(struct restoring *r, enum look *ret) {
    char status[16];
    char *info = NULL;
    int rc = bk__redis_insist(r->redis, &r->watch, "everything", &info);

    if (rc != 0) {
        return rc;
    }
    bk__redis_info_text(info, "master_link_status", status, sizeof status);
    *ret = bk__redis_info_is_loading(info) ? LOADING
           : strcmp(status, "up") == 0     ? FOLLOWING
                                           : ASTRAY;
    free(info);
    return 0;
}

static int went_astray(const struct restoring *r) {
    return bk__fail(BK_EIO,
                    "The Redis server %s took the whole dump but did not load it. Look "
                    "at its log; what it holds now may be its old data, the new, or "
                    "none. The pre_restore backup has the old.",
                    r->redis->at.shown);
}

static int load(struct restoring *r) {
    int64_t until = bk__clock_mono() + DOWN_MS;
    enum look look = ASTRAY;
    int rc;

    r->redis->link.stubborn = true;
    rc = look_at(r, &look);
    while (rc == 0 && look != FOLLOWING) {
        if (look == LOADING) {
            until = bk__clock_mono() + DOWN_MS;
        }
        if (bk__clock_mono() > until) {
            return went_astray(r);
        }
        rc = bk__redis_source_step(r->source, ASK_MS);
        if (rc == 0) {
            rc = look_at(r, &look);
        }
    }
    return rc;
}

/* ---- step 4: is it what it was? It still takes no writes, and expires no key -------------- */

static int differs(const struct restoring *r, const char *how) {
    return bk__fail(BK_EIO,
                    "The Redis server %s loaded the dump, but not as it was proven: %s. "
                    "The pre_restore backup has what was there before.",
                    r->redis->at.shown, how);
}

static int compare_keys(const struct restoring *r, struct json_object *keys) {
    char how[96];
    char name[24];

    if (json_object_object_length(keys) != (int)r->facts.db_count) {
        snprintf(how, sizeof how, "it has %d databases with keys, the dump %zu",
                 json_object_object_length(keys), r->facts.db_count);
        return differs(r, how);
    }
    for (size_t i = 0; i < r->facts.db_count; i++) {
        long long wanted = (long long)r->facts.dbs[i].keys;
        long long found;

        snprintf(name, sizeof name, "db%lld", (long long)r->facts.dbs[i].number);
        found = (long long)bk__json_int(keys, name, 0);
        if (found != wanted) {
            snprintf(how, sizeof how, "%s has %lld keys, the dump %lld", name, found,
                     wanted);
            return differs(r, how);
        }
    }
    return 0;
}

static int compare(struct restoring *r) {
    struct json_object *keys;
    char *info = NULL;
    int rc;

    if (!r->facts.counted) {
        return 0;
    }
    rc = bk__redis_insist(r->redis, &r->watch, "keyspace", &info);
    if (rc != 0) {
        return rc;
    }
    keys = bk__redis_info_keys(info);
    rc = keys == NULL ? bk__fail_memory() : compare_keys(r, keys);
    json_object_put(keys);
    free(info);
    return rc;
}

/* ---- before and after: the watch, the note, REPLICAOF NO ONE ------------------------------ */

/* The watch first, then the note for the case that it dies as well; the server knows nothing yet. */
static int arm(struct restoring *r) {
    int rc = bk__redis_watch_start(&r->watch, r->redis);

    if (rc == 0) {
        rc = bk__redis_mark_set(&r->mark, r->redis, bk__redis_source_host(r->source),
                                bk__redis_source_port(r->source));
        if (rc != 0) {
            bk__redis_watch_done(&r->watch);
        }
    }
    return rc;
}

/* What went wrong, what the server holds, and that it is a master or who goes on making it one. */
static int explain(const struct restoring *r, int rc, const char *why, int freed) {
    bool kept = !bk__redis_source_served(r->source);

    return bk__fail(rc, "%s %s%s", why != NULL ? why : "The restore failed.",
                    kept ? "The Redis server has its old data"
                         : "The server was fed whole",
                    freed == 0 ? ", and is a master."
                               : ", and is being made a master again by a process that "
                                 "stays behind.");
}

/* rc is what the steps ended with. The watch and the note end when the server is free, not before. */
static int disarm(struct restoring *r, int rc) {
    char *why = rc == 0 ? NULL : strdup(bk__error_text());
    int freed = bk__redis_release(r->redis, &r->watch);

    if (freed == 0) {
        bk__redis_watch_done(&r->watch);
    } else {
        bk__redis_watch_fire(&r->watch);
        if (rc == 0) {
            rc = freed;
            why = strdup(bk__error_text());
        }
    }
    bk__redis_mark_end(&r->mark, r->redis, freed);
    if (rc != 0) {
        rc = explain(r, rc, why, freed);
    }
    free(why);
    return rc;
}

/* How many writes of clients the server has refused so far because it was a replica. */
static int64_t count_refused(struct restoring *r) {
    char text[32] = "";
    char *info = NULL;
    long long count = 0;

    if (bk__redis_insist(r->redis, &r->watch, "errorstats", &info) == 0) {
        bk__redis_info_text(info, "errorstat_READONLY", text, sizeof text);
    }
    free(info);
    return sscanf(text, "count=%lld", &count) == 1 ? count : 0;
}

/* What clients wrote meanwhile was refused, and they were told; what they wrote just before was not. */
static void tell_of_writers(struct restoring *r) {
    int64_t refused = count_refused(r) - r->refused_before;
    bool any = refused > 0;

    bk__job_log(r->redis->job, any ? "warning" : "info",
                "The Redis server %s was restored while it ran: for %lld ms it refused "
                "writes (%lld of clients); what was written since the pre_restore backup "
                "is gone",
                r->redis->at.shown, (long long)(bk__clock_mono() - r->told),
                any ? (long long)refused : 0);
}

static int under_watch(struct restoring *r) {
    static int (*const steps[])(struct restoring *) = {follow, feed, load, compare};
    int rc = arm(r);

    if (rc != 0) {
        return rc;
    }
    r->refused_before = count_refused(r);
    for (size_t i = 0; rc == 0 && i < sizeof steps / sizeof *steps; i++) {
        rc = steps[i](r);
    }
    rc = disarm(r, rc);
    if (rc == 0) {
        tell_of_writers(r);
    }
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
        bk__redis_make_durable(r.redis);
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
