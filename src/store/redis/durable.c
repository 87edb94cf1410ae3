/*
 * After a restore, until the server has written to its disk what it loaded: a crash of it before that
 * brings the old data back. Not the restore itself: restore.c, the only caller. Nothing here fails it.
 */
#include <store/redis/internal.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>
#include <store/redis/release.h>

#define ASK_MS 100
#define WRITE_MS 600000

static int64_t number(struct bk__redis *redis, const char *field) {
    char *info = NULL;
    int64_t value = -1;

    if (bk__redis_insist(redis, NULL, "persistence", &info) == 0) {
        value = bk__redis_info_int(info, field);
    }
    free(info);
    return value;
}

/* Whether it is through with both within the time; a cancel is heard, for the restore is done. */
static bool wait_until_idle(struct bk__redis *redis, const char *field,
                            const char *other) {
    int64_t until = bk__clock_mono() + WRITE_MS;
    int64_t busy;

    while ((busy = number(redis, field)) == 1 || number(redis, other) == 1) {
        if (bk__clock_mono() > until || bk__job_check(redis->job) != 0) {
            return false;
        }
        bk__clock_sleep(ASK_MS);
    }
    return busy == 0;
}

static void warn(const struct bk__redis *redis, const char *what) {
    bk__job_log(redis->job, "warning",
                "The Redis server %s is restored, but %s: a crash of it now would bring "
                "back the old data",
                redis->at.shown, what);
}

/* It fetched the dump into memory alone, and is meant to save: its own next save may be hours away. */
static bool needs_saving(struct bk__redis *redis) {
    char load[32];
    char save[32];

    return bk__redis_setting(&redis->link, "repl-diskless-load", load, sizeof load) ==
               0 &&
           bk__redis_setting(&redis->link, "save", save, sizeof save) == 0 &&
           load[0] != '\0' && strcmp(load, "disabled") != 0 && save[0] != '\0';
}

static void save_it(struct bk__redis *redis) {
    static const char *const words[] = {"BGSAVE", NULL};
    char status[16] = "";
    char *info = NULL;
    bool idle = wait_until_idle(redis, "rdb_bgsave_in_progress", "loading");

    if (bk__redis_order(&redis->link, words, "cannot save") != 0) {
        warn(redis, "only in memory, and will not save it now (give the user +bgsave, or "
                    "say BGSAVE yourself)");
        return;
    }
    idle = idle && wait_until_idle(redis, "rdb_bgsave_in_progress", "loading");
    if (bk__redis_insist(redis, NULL, "persistence", &info) == 0) {
        bk__redis_info_text(info, "rdb_last_bgsave_status", status, sizeof status);
    }
    free(info);
    if (!idle || strcmp(status, "ok") != 0) {
        warn(redis, "has not saved it yet");
    }
}

void bk__redis_make_durable(struct bk__redis *redis) {
    redis->link.stubborn = false;
    if (number(redis, "aof_enabled") == 1) {
        if (!wait_until_idle(redis, "aof_rewrite_in_progress", "aof_rewrite_scheduled")) {
            warn(redis, "has not written its append-only file anew yet");
        }
    } else if (needs_saving(redis)) {
        save_it(redis);
    }
}
