/*
 * Starting the watch and speaking to it. Secrets go over its pipe alone. Called by restore.c, on a
 * thread of ours.
 */
#include <store/redis/watch.h>

#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <base/buf.h>
#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>
#include <store/redis/internal.h>

#define BEAT_MS 1000
#define SILENT_MS                                                                        \
    "30000" /* a host that is stopped, but not dead, is given up after this */
#define READY_MS 10000
#define END_MS 5000
#define UNDO "*3\r\n$9\r\nREPLICAOF\r\n$2\r\nNO\r\n$3\r\nONE\r\n"

/* A member of bytes as hex. False: out of memory. */
static bool add_hex(struct json_object *object, const char *name, const char *bytes,
                    size_t size) {
    struct bk__buf hex = {0};
    bool good;

    bk__buf_text(&hex, "");
    for (size_t i = 0; i < size; i++) {
        bk__buf_printf(&hex, "%02x", (unsigned)(unsigned char)bytes[i]);
    }
    good = !hex.failed && bk__json_add_text(object, name, hex.data);
    if (hex.data != NULL) {
        explicit_bzero(hex.data, hex.size);
    }
    bk__buf_free(&hex);
    return good;
}

/* The very address that we reached, as digits: names may lead elsewhere later. */
static bool add_address(struct json_object *order, struct bk__redis *redis) {
    struct sockaddr_storage peer = {0};
    socklen_t size = sizeof peer;
    char host[NI_MAXHOST];
    char port[NI_MAXSERV];

    if (redis->at.path != NULL) {
        return bk__json_add_text(order, "path", redis->at.path);
    }
    return redis->link.c != NULL &&
           getpeername(redis->link.c->fd, (struct sockaddr *)&peer, &size) == 0 &&
           getnameinfo((const struct sockaddr *)&peer, size, host, sizeof host, port,
                       sizeof port, NI_NUMERICHOST | NI_NUMERICSERV) == 0 &&
           bk__json_add_text(order, "host", host) &&
           bk__json_add_text(order, "port", port);
}

/* The order on one line. NULL: out of memory, or the server is gone. */
static char *write_order(struct bk__redis *redis) {
    struct json_object *order = bk__json_object();
    char *auth = NULL;
    char *text = NULL;
    size_t size = 0;

    if (order != NULL && bk__redis_auth_text(&redis->at, &auth, &size) == 0 &&
        add_address(order, redis) && add_hex(order, "auth", auth, size) &&
        add_hex(order, "undo", UNDO, strlen(UNDO)) &&
        bk__json_add_text(order, "silent_ms", SILENT_MS)) {
        text = bk__json_print(order);
    }
    if (auth != NULL) {
        explicit_bzero(auth, size);
        redisFreeCommand(auth);
    }
    json_object_put(order);
    return text;
}

static int tell(struct bk__redis_watch *watch, struct bk__redis *redis) {
    const bool *cancel = bk__job_cancel_flag(redis->job);
    struct json_object *ready = NULL;
    char *text = write_order(redis);
    int rc =
        text == NULL ? -1 : bk__helper_say(&watch->helper, text, strlen(text), cancel);

    if (rc == 0) {
        rc = bk__helper_say(&watch->helper, "\n", 1, cancel);
    }
    if (rc == 0) {
        rc = bk__helper_hear(&watch->helper, READY_MS, &ready);
    }
    if (text != NULL) {
        explicit_bzero(text, strlen(text));
    }
    free(text);
    json_object_put(ready);
    return rc == 1 ? 0 : -1;
}

static int refuse(char *why) {
    int rc = bk__fail(
        BK_EISOLATION,
        "The program that watches over a restore of Redis cannot be started: %s. The "
        "server was not touched. Put the program botkeep beside the library, or name it "
        "in BOTKEEP_HELPER.",
        why != NULL ? why : "it does not answer");

    free(why);
    return rc;
}

int bk__redis_watch_start(struct bk__redis_watch *watch, struct bk__redis *redis) {
    char *why = NULL;
    int rc = bk__job_check(redis->job);

    if (rc != 0) {
        return rc;
    }
    if (bk__helper_start_watch(&watch->helper, &why) != 0) {
        return refuse(why);
    }
    if (tell(watch, redis) != 0) {
        bk__helper_end(&watch->helper, 0);
        return refuse(NULL);
    }
    watch->told = bk__clock_mono();
    return 0;
}

void bk__redis_watch_beat(struct bk__redis_watch *watch) {
    int64_t now = bk__clock_mono();

    if (watch != NULL && watch->told != 0 && now - watch->told >= BEAT_MS) {
        watch->told = now;
        (void)bk__helper_say(&watch->helper, "\n", 1, NULL);
    }
}

void bk__redis_watch_done(struct bk__redis_watch *watch) {
    if (watch->told != 0) {
        (void)bk__helper_say(&watch->helper, "done\n", 5, NULL);
        bk__helper_end(&watch->helper, END_MS);
        watch->told = 0;
    }
}

void bk__redis_watch_fire(struct bk__redis_watch *watch) {
    if (watch->told != 0) {
        bk__helper_leave(&watch->helper);
        watch->told = 0;
    }
}
