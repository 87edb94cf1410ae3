/*
 * A keeper's memory, its life from new to closed, its rooms, and how it tells those who
 * wait. Not its jobs (jobs.c), threads (threads.c), schedule (plan.c) or tickets
 * (handle.c).
 *
 * Lock order: handle.c's table lock -> keeper->lock; nothing is called outside core under
 * either.
 */
#include <core/keeper_inside.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <base/text.h>
#include <os/thread.h>

/* ---- memory ------------------------------------------------------------------------ */

struct bk__keeper *bk__keeper_make(const struct bk__clock *clock) {
    struct bk__keeper *k = calloc(1, sizeof *k);
    if (!k) {
        return NULL;
    }
    k->config = bk__config_new();
    if (!k->config) {
        free(k);
        return NULL;
    }
    k->clock = clock;
    k->refs = 1;
    pthread_mutex_init(&k->lock, NULL);
    bk__cond_init(&k->changed);
    bk__cond_init(&k->tick);
    bk__cond_init(&k->leader.look);
    for (int i = 0; i < BK__LANES; i++) {
        k->lanes[i].k = k;
        bk__cond_init(&k->lanes[i].work);
    }
    bk__event_queue_init(&k->events);
    bk__inflight_init(&k->inflight);
    return k;
}

void bk__keeper_hold(struct bk__keeper *k) {
    __atomic_add_fetch(&k->refs, 1, __ATOMIC_RELAXED);
}

static void destroy(struct bk__keeper *k) {
    for (int i = 0; i < BK__ROOM_COUNT; i++) {
        if (k->rooms[i].free) {
            k->rooms[i].free(k->rooms[i].data);
        }
    }
    while (k->jobs) {
        bk__jobs_forget(k, k->jobs);
    }
    if (k->wake_open) {
        bk__wake_close(&k->wake);
    }
    for (int i = 0; i < BK__LANES; i++) {
        pthread_cond_destroy(&k->lanes[i].work);
    }
    bk__plan_clear(k);
    pthread_cond_destroy(&k->leader.look);
    pthread_cond_destroy(&k->tick);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    bk__event_queue_free(&k->events);
    bk__inflight_free(&k->inflight);
    bk__config_free(k->config);
    free(k->isolation_why);
    free(k);
}

/* Never the last one on a lane thread (the keeper thread outlives the lanes), because the
   pipe has to be closed in the host's descriptor table. */
void bk__keeper_put(struct bk__keeper *k) {
    if (__atomic_sub_fetch(&k->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        destroy(k);
    }
}

/* ---- telling those who wait -------------------------------------------------------- */

int64_t bk__keeper_mono(struct bk__keeper *k) {
    return k->clock->mono_ms(k->clock->context);
}

int64_t bk__keeper_wall(struct bk__keeper *k) {
    return k->clock->wall_ms(k->clock->context);
}

int64_t bk__keeper_until(int timeout_ms) {
    return timeout_ms < 0 ? -1 : bk__clock_mono() + timeout_ms;
}

void bk__keeper_poke(struct bk__keeper *k) {
    k->look = true;
    pthread_cond_signal(&k->tick);
}

void bk__keeper_announce(struct bk__keeper *k) {
    pthread_cond_broadcast(&k->changed);
    if (!k->wake_open || !bk__event_should_ring(&k->events)) {
        return;
    }
    if (k->threaded) {
        k->ring = true; /* lanes have no descriptor of ours */
        bk__keeper_poke(k);
    } else {
        bk__wake_ring(&k->wake);
    }
}

bool bk__keeper_sleep(struct bk__keeper *k, int64_t mono_ms) {
    if (mono_ms >= 0 && bk__clock_mono() >= mono_ms) {
        return false;
    }
    bk__cond_until(&k->changed, &k->lock, mono_ms);
    return true;
}

int bk__keeper_wakeup_fd(struct bk__keeper *k) {
    int fd = 0;
    pthread_mutex_lock(&k->lock);
    if (!k->wake_open) {
        fd = bk__wake_open(&k->wake);
        k->wake_open = fd == 0;
        if (k->wake_open && (k->events.first || k->events.dropped)) {
            k->events.quiet = false;
            bk__wake_ring(&k->wake);
        }
    }
    if (k->wake_open) {
        fd = bk__wake_dup(&k->wake);
    }
    pthread_mutex_unlock(&k->lock);
    return fd >= 0 ? fd
                   : bk__fail_errno(
                         fd, "cannot make the wake-up pipe", NULL,
                         "Data is safe. Raise the limit of open files (ulimit -n).");
}

/* ---- events ------------------------------------------------------------------------ */

void bk__keeper_send(struct bk__keeper *k, enum bk__event_kind kind, const char *event,
                     int job, struct json_object *members) {
    struct json_object *whole = bk__json_object();
    char *text = NULL;
    if (whole && bk__json_add_text(whole, "event", event)) {
        bool good = true;
        if (members) {
            json_object_object_foreach(members, name, value) {
                good = good && bk__json_put(whole, name, json_object_get(value));
            }
        }
        text = good ? bk__json_print(whole) : NULL;
    }
    json_object_put(whole);
    json_object_put(members);
    pthread_mutex_lock(&k->lock);
    bk__event_push(&k->events, kind, job, text);
    bk__keeper_announce(k);
    pthread_mutex_unlock(&k->lock);
}

void bk__keeper_send_last(struct bk__keeper *k) {
    if (!k->events.ended) {
        bk__event_push(&k->events, BK__EVENT_LAST, 0, strdup("{\"event\":\"closed\"}"));
    }
    bk__keeper_announce(k);
}

void bk__keeper_event(struct bk__keeper *k, const char *event,
                      struct json_object *members) {
    bk__keeper_send(k, BK__EVENT_NOTICE, event, 0, members);
}

static int level_rank(const char *level) {
    static const char *const levels[] = {"debug", "info", "warning", "error", "none"};
    for (int i = 0; i < 5; i++) {
        if (strcmp(levels[i], level) == 0) {
            return i;
        }
    }
    return 1;
}

bool bk__keeper_wants_log(struct bk__keeper *k, const char *level) {
    return level_rank(level) >= level_rank(bk__config_text(k->config, BK__OPT_LOG_LEVEL));
}

void bk__keeper_send_log(struct bk__keeper *k, const char *level, const char *message,
                         int job) {
    char now[BK__STAMP_SIZE];
    bk__stamp_iso(bk__keeper_wall(k), now);
    struct json_object *members = bk__json_object();
    if (!members) {
        return; /* a log line is not worth failing for */
    }
    bk__json_add_text(members, "level", level);
    bk__json_add_text(members, "message", message);
    bk__json_add_text(members, "time", now);
    if (job > 0) {
        bk__json_add_int(members, "job", job);
    }
    bk__keeper_send(k, BK__EVENT_NOTICE, "log", 0, members);
}

void bk__keeper_log(struct bk__keeper *k, const char *level, const char *format, ...) {
    if (!bk__keeper_wants_log(k, level)) {
        return;
    }
    char message[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    bk__keeper_send_log(k, level, message, 0);
}

static bool somebody_waits(void *context, int id) {
    struct bk__job *job = bk__jobs_find(context, id);
    return job && job->waiters > 0;
}

static int refuse_finished(const struct bk__keeper *k) {
    return k->given_up
               ? bk__fail(BK_EHANDLE,
                          "This keeper was closed. Data is safe. Make a new one.")
               : bk__fail(BK_ESTATE,
                          "This keeper was shut down and its last event was taken. Data "
                          "is safe. Close it.");
}

char *bk__keeper_next(struct bk__keeper *k, int timeout_ms) {
    int64_t until = bk__keeper_until(timeout_ms);
    char *text = NULL;
    bool wait = true;
    pthread_mutex_lock(&k->lock);
    while (!text && wait) {
        int job = 0;
        text = bk__event_next(&k->events, somebody_waits, k, &job);
        if (job > 0) {
            bk__jobs_forget(k, bk__jobs_find(k, job));
        }
        if (!text && k->events.finished) {
            refuse_finished(k);
            break;
        }
        wait = !text && bk__keeper_sleep(k, until);
    }
    pthread_mutex_unlock(&k->lock);
    return text;
}

/* ---- options ----------------------------------------------------------------------- */

int bk__keeper_set(struct bk__keeper *k, const char *option, const char *value) {
    pthread_mutex_lock(&k->lock);
    int code =
        k->life == BK__LIFE_NEW
            ? bk__config_set(k->config, option, value)
            : bk__fail(
                  BK_ESTATE,
                  "Options are set before the keeper is opened. Nothing was changed. "
                  "Make a new keeper to change %.100s.",
                  option);
    pthread_mutex_unlock(&k->lock);
    return code;
}

char *bk__keeper_show(struct bk__keeper *k, const char *option) {
    pthread_mutex_lock(&k->lock);
    char *shown = bk__config_show(k->config, option);
    pthread_mutex_unlock(&k->lock);
    return shown;
}

int bk__keeper_resolve(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    int code = bk__config_resolve(k->config);
    pthread_mutex_unlock(&k->lock);
    return code;
}

/* ---- life -------------------------------------------------------------------------- */

static const char *life_text(enum bk__life life) {
    static const char *const texts[] = {"not open yet", "being opened", "open already",
                                        "shutting down", "shut down already"};
    return texts[life];
}

int bk__keeper_pass(struct bk__keeper *k, enum bk__life from, enum bk__life to,
                    const char *done) {
    int code = 0;
    pthread_mutex_lock(&k->lock);
    if (k->given_up) {
        code = refuse_finished(k);
    } else if (k->life != from) {
        code = bk__fail(BK_ESTATE,
                        "The keeper is %s, so it cannot be %s now. Nothing was changed.",
                        life_text(k->life), done);
    } else {
        k->life = to;
        if (to == BK__LIFE_OPEN) {
            __atomic_store_n(&k->opened_mono, bk__keeper_mono(k), __ATOMIC_RELEASE);
            bk__keeper_poke(k);
        }
    }
    pthread_mutex_unlock(&k->lock);
    return code;
}

enum bk__life bk__keeper_life(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    enum bk__life life = k->life;
    pthread_mutex_unlock(&k->lock);
    return life;
}

bool bk__keeper_given_up(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    bool given_up = k->given_up;
    pthread_mutex_unlock(&k->lock);
    return given_up;
}

/* Those who wait in bk_next() and bk_wait() go at once; the threads end when they can.
   All under one hold of the lock, so that no job slips in uncancelled. */
void bk__keeper_give_up(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    k->given_up = true;
    k->stopping = true;
    bk__jobs_cancel_all(k);
    bk__keeper_send_last(k);
    for (int i = 0; i < BK__LANES; i++) {
        pthread_cond_broadcast(&k->lanes[i].work);
    }
    bk__keeper_poke(k);
    pthread_mutex_unlock(&k->lock);
}

/* ---- rooms and what anybody may ask ------------------------------------------------ */

void bk__keeper_attach(struct bk__keeper *k, enum bk__room room, void *data,
                       void (*leave)(void *data), void (*release)(void *data)) {
    pthread_mutex_lock(&k->lock);
    struct bk__room_slot old = k->rooms[room];
    k->rooms[room] = (struct bk__room_slot){data, leave, release};
    pthread_mutex_unlock(&k->lock);
    if (old.free) {
        old.free(old.data); /* of a bk_open() that failed; its lanes have left it */
    }
}

void *bk__keeper_room(struct bk__keeper *k, enum bk__room room) {
    pthread_mutex_lock(&k->lock);
    void *data = k->rooms[room].data;
    pthread_mutex_unlock(&k->lock);
    return data;
}

struct bk__config *bk__keeper_config(struct bk__keeper *k) {
    return k->config;
}

const struct bk__clock *bk__keeper_clock(struct bk__keeper *k) {
    return k->clock;
}

int64_t bk__keeper_opened_mono(struct bk__keeper *k) {
    return __atomic_load_n(&k->opened_mono, __ATOMIC_ACQUIRE);
}

const char *bk__keeper_isolation(struct bk__keeper *k) {
    return k->hooks.isolation ? k->hooks.isolation : "";
}

const char *bk__keeper_isolation_why(struct bk__keeper *k) {
    return k->isolation_why ? k->isolation_why : "";
}

/* ---- operations in flight ---------------------------------------------------------- */

int bk__keeper_begin(struct bk__keeper *k, const char *label) {
    pthread_mutex_lock(&k->lock);
    int id = k->given_up || k->life >= BK__LIFE_DRAINING
                 ? bk__fail(BK_ESTATE,
                            "The keeper is %s, so no new operation may begin. Data is "
                            "safe. Tell the user to come back after the restart.",
                            life_text(k->life))
                 : bk__inflight_begin(&k->inflight, label, bk__keeper_mono(k));
    pthread_mutex_unlock(&k->lock);
    return id;
}

int bk__keeper_end(struct bk__keeper *k, int id) {
    pthread_mutex_lock(&k->lock);
    int code = bk__inflight_end(&k->inflight, id);
    if (k->inflight.count == 0) {
        pthread_cond_broadcast(&k->changed);
    }
    pthread_mutex_unlock(&k->lock);
    return code;
}

int bk__keeper_active(struct bk__keeper *k, int64_t *ret_oldest_ms) {
    pthread_mutex_lock(&k->lock);
    int count = k->inflight.count;
    int64_t began = bk__inflight_oldest(&k->inflight, NULL);
    *ret_oldest_ms = began < 0 ? -1 : bk__keeper_mono(k) - began;
    pthread_mutex_unlock(&k->lock);
    return count;
}

int bk__keeper_idle(struct bk__keeper *k, bool in_flight_too, int64_t mono_ms) {
    int code = 0;
    pthread_mutex_lock(&k->lock);
    while (code == 0 && (bk__jobs_busy(k) || (in_flight_too && k->inflight.count > 0))) {
        if (k->given_up || !bk__keeper_sleep(k, mono_ms)) {
            code = BK_ECANCELLED;
        }
    }
    int left = k->inflight.count;
    const char *label = "";
    bk__inflight_oldest(&k->inflight, &label);
    if (code < 0) {
        bk__fail(
            code,
            "Time was up while work went on (%d operations of the host in flight%s%s). "
            "Data is safe: unfinished work leaves no trace. Give it more time.",
            left, left ? ", the oldest is " : "", left ? label : "");
    }
    pthread_mutex_unlock(&k->lock);
    return code;
}
