/*
 * Writing the note, and heeding one that a killed restore left. Not the watch, which frees the
 * server within moments: watch.c. Both end in REPLICAOF NO ONE.
 */
#include <store/redis/mark.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/redis/internal.h>
#include <store/redis/release.h>
#include <store/redis/watch.h>

#define NOTE "redis-restore.json"
#define LOCK "redis-restore.lock"
#define NOTE_MOST 65536

/* A file in state.dir. NULL: out of memory. */
static char *place(const struct bk__redis *redis, const char *name) {
    return bk__file_join(bk__config_text(bk__job_config(redis->job), BK__OPT_STATE_DIR),
                         name);
}

static int lock(const struct bk__redis *redis, int wait_ms) {
    char *path = place(redis, LOCK);
    int fd = path == NULL ? -ENOMEM : bk__file_lock(path, wait_ms, NULL);

    free(path);
    return fd;
}

/* ---- setting and ending --------------------------------------------------------------- */

/* Durably; 0 or -errno. note may be NULL: out of memory. */
static int save(const struct bk__redis *redis, struct json_object *note) {
    char *path = place(redis, NOTE);
    char *text = note == NULL ? NULL : bk__json_print(note);
    int err =
        path == NULL || text == NULL ? -ENOMEM : bk__file_save(path, text, strlen(text));

    free(text);
    free(path);
    return err;
}

static int note_begin(const struct bk__redis *redis, const char *host, const char *port) {
    struct json_object *note = bk__json_object();
    bool good = note != NULL && bk__json_add_text(note, "server", redis->at.shown) &&
                bk__json_add_text(note, "host", host) &&
                bk__json_add_text(note, "port", port);
    int err = save(redis, good ? note : NULL);

    json_object_put(note);
    return err == 0 ? 0
                    : bk__fail_errno(err, "cannot note that a restore of Redis begins",
                                     NOTE, "The server was not touched.");
}

int bk__redis_mark_set(struct bk__redis_mark *mark, struct bk__redis *redis,
                       const char *host, const char *port) {
    int rc;

    mark->lock = lock(redis, 0);
    if (mark->lock == -EWOULDBLOCK) {
        return bk__fail(BK_EBUSY,
                        "Another restore of Redis is running. The server was not touched "
                        "by this one. Wait for it.");
    }
    if (mark->lock < 0) {
        return bk__fail_errno(mark->lock, "cannot lock", LOCK,
                              "The server was not touched. Look at state.dir.");
    }
    rc = note_begin(redis, host, port);
    if (rc != 0) {
        bk__file_close(mark->lock);
        mark->lock = -1;
    }
    return rc;
}

static void forget(const struct bk__redis *redis) {
    char *path = place(redis, NOTE);

    if (path != NULL) {
        bk__file_remove(path);
    }
    free(path);
}

void bk__redis_mark_end(struct bk__redis_mark *mark, struct bk__redis *redis, int freed) {
    if (mark->lock < 0) {
        return;
    }
    if (freed == 0) {
        forget(redis);
    }
    bk__file_close(mark->lock);
    mark->lock = -1;
}

/* ---- heeding -------------------------------------------------------------------------- */

/* The note, or NULL. */
static struct json_object *load(const struct bk__redis *redis) {
    struct json_object *note = NULL;
    char *path = place(redis, NOTE);
    char *text = NULL;

    if (path != NULL && bk__file_exists(path) &&
        bk__file_load(path, NOTE_MOST, &text, NULL) == 0) {
        note = bk__json_parse(text, NULL);
    }
    free(text);
    free(path);
    return note;
}

/* By the source that it follows: the same server may be named in another way by now. */
static bool follows(const char *info, struct json_object *note) {
    char role[16];
    char host[128];
    char port[16];

    bk__redis_info_text(info, "role", role, sizeof role);
    bk__redis_info_text(info, "master_host", host, sizeof host);
    bk__redis_info_text(info, "master_port", port, sizeof port);
    return strcmp(role, "slave") == 0 &&
           strcmp(host, bk__json_text(note, "host", "")) == 0 &&
           strcmp(port, bk__json_text(note, "port", "")) == 0;
}

/* A server that loads refuses until it is done, and who opened it will not wait: a watch does. Not one
   for each time that it is opened. */
static void leave_watch(struct bk__redis *redis, struct json_object *note) {
    struct bk__redis_watch watch = {.told = 0};
    int64_t now = bk__job_wall(redis->job);

    if (now < bk__json_int(note, "watched_until", 0) ||
        bk__redis_watch_start(&watch, redis) != 0) {
        return;
    }
    bk__redis_watch_fire(&watch);
    if (bk__json_add_int(note, "watched_until", now + BK__REDIS_WATCH_MS)) {
        (void)save(redis, note); /* else there will be one more */
    }
}

static int set_free(struct bk__redis *redis, struct json_object *note) {
    int rc = bk__redis_release_once(redis);

    bk__job_log(redis->job, "warning",
                "The Redis server %s was left as a replica by a restore that was "
                "killed: it is %s",
                redis->at.shown,
                rc == 0 ? "a master again" : "made a master again when it has loaded");
    if (rc != 0) {
        leave_watch(redis, note);
    }
    return rc;
}

/* Whether the note has done its work. */
static bool settle(struct bk__redis *redis, struct json_object *note) {
    bool named = strcmp(bk__json_text(note, "server", ""), redis->at.shown) == 0;
    char *info = NULL;
    int rc = bk__redis_info(&redis->link, "replication", &info);

    if (rc == 0 && follows(info, note)) {
        rc = set_free(redis, note);
        named = true;
    }
    free(info);
    return rc == 0 && named;
}

void bk__redis_mark_heed(struct bk__redis *redis) {
    struct json_object *note = load(redis);
    int fd = note == NULL ? -1 : lock(redis, 0);

    if (fd >= 0) { /* nobody restores just now */
        if (settle(redis, note)) {
            forget(redis);
        }
        bk__file_close(fd);
    }
    json_object_put(note);
}
