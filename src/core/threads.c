/*
 * The keeper's threads: two lanes that run jobs one after another, and the keeper thread
 * that rings the pipe, runs the schedule and outlives the lanes. api/open.c starts and
 * stops them.
 */
#include <core/keeper_inside.h>

#include <stdlib.h>
#include <string.h>

#include <os/thread.h>

static const char *const lane_names[BK__LANES] = {"bk-work", "bk-quick"};

/* The last lane lets rooms close what lives in the guest descriptor table. */
static void leave_rooms(struct bk__keeper *k) {
    for (int i = 0; i < BK__ROOM_COUNT; i++) {
        pthread_mutex_lock(&k->lock);
        struct bk__room_slot slot = k->rooms[i];
        pthread_mutex_unlock(&k->lock);
        if (slot.leave) {
            slot.leave(slot.data);
        }
    }
}

static void *run_lane(void *argument) {
    struct bk__lane_thread *lane = argument;
    struct bk__keeper *k = lane->k;
    pthread_mutex_lock(&k->lock);
    for (;;) {
        struct bk__job *job = bk__jobs_next(lane);
        if (job) {
            pthread_mutex_unlock(&k->lock);
            bk__jobs_end(job, bk__job_execute(job));
            pthread_mutex_lock(&k->lock);
        } else if (k->stopping) {
            break;
        } else {
            pthread_cond_wait(&lane->work, &k->lock);
        }
    }
    bool last = --k->lanes_left == 0;
    bk__keeper_poke(k);
    pthread_mutex_unlock(&k->lock);
    if (last) {
        leave_rooms(k);
    }
    return NULL;
}

static void join_lanes(struct bk__keeper *k) {
    for (int i = 0; i < BK__LANES; i++) {
        if (k->lanes[i].started) {
            pthread_join(k->lanes[i].thread, NULL);
            k->lanes[i].started = false;
        }
    }
}

static void *run_keeper(void *argument) {
    struct bk__keeper *k = argument;
    pthread_mutex_lock(&k->lock);
    while (!k->stopping || k->lanes_left > 0) {
        if (k->ring) {
            k->ring = false;
            bk__wake_ring(&k->wake);
        }
        k->look = false;
        bool stopping = k->stopping;
        pthread_mutex_unlock(&k->lock);
        int64_t wait = stopping ? -1 : bk__plan_tick(k);
        pthread_mutex_lock(&k->lock);
        if (!k->look) {
            bk__cond_until(&k->tick, &k->lock, wait < 0 ? -1 : bk__clock_mono() + wait);
        }
    }
    pthread_mutex_unlock(&k->lock);
    join_lanes(k);
    bk__plan_finish(k);
    bk__leader_await(k);
    pthread_mutex_lock(&k->lock);
    k->threaded = false;
    if (k->last_event || k->given_up) {
        bk__keeper_send_last(k);
    }
    if (k->ring) {
        k->ring = false;
        bk__wake_ring(&k->wake);
    }
    bk__keeper_announce(k);
    pthread_mutex_unlock(&k->lock);
    bk__keeper_put(k);
    return NULL;
}

static int start_lanes(struct bk__keeper *k) {
    for (int i = 0; i < BK__LANES; i++) {
        struct bk__lane_thread *lane = &k->lanes[i];
        pthread_mutex_lock(&k->lock);
        k->lanes_left++;
        pthread_mutex_unlock(&k->lock);
        int err = k->hooks.start(k->hooks.context, &lane->thread, lane_names[i], run_lane,
                                 lane);
        if (err < 0) {
            pthread_mutex_lock(&k->lock);
            k->lanes_left--;
            pthread_mutex_unlock(&k->lock);
            return err;
        }
        lane->started = true;
    }
    return 0;
}

static void stop_lanes(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    k->stopping = true;
    for (int i = 0; i < BK__LANES; i++) {
        pthread_cond_broadcast(&k->lanes[i].work);
    }
    bk__keeper_poke(k);
    pthread_mutex_unlock(&k->lock);
}

/* The keeper thread holds a reference of its own and is waited for by k->threaded alone.
 */
static int start_keeper(struct bk__keeper *k) {
    pthread_t thread;
    bk__keeper_hold(k);
    pthread_mutex_lock(&k->lock);
    k->threaded = true;
    pthread_mutex_unlock(&k->lock);
    int err = bk__thread_start(&thread, "bk-keeper", run_keeper, k);
    if (err < 0) {
        pthread_mutex_lock(&k->lock);
        k->threaded = false;
        pthread_mutex_unlock(&k->lock);
        bk__keeper_put(k);
        return err;
    }
    pthread_detach(thread);
    return 0;
}

int bk__keeper_start(struct bk__keeper *k, const struct bk__lanes *lanes,
                     char *isolation_why) {
    pthread_mutex_lock(&k->lock);
    k->hooks = *lanes;
    free(k->isolation_why);
    k->isolation_why = isolation_why;
    k->stopping = k->given_up;
    k->last_event = false;
    pthread_mutex_unlock(&k->lock);
    int err = start_lanes(k);
    if (err == 0) {
        err = start_keeper(k);
    }
    if (err == 0) {
        return 0;
    }
    stop_lanes(k);
    join_lanes(k);
    pthread_mutex_lock(&k->lock);
    k->stopping = k->given_up;
    pthread_mutex_unlock(&k->lock);
    return bk__fail_errno(
        err, "cannot start its threads", NULL,
        "Data is safe. Raise the limit of threads (ulimit -u) and try again.");
}

int bk__keeper_stop(struct bk__keeper *k, bool closed, int64_t mono_ms) {
    pthread_mutex_lock(&k->lock);
    k->last_event = closed;
    pthread_mutex_unlock(&k->lock);
    stop_lanes(k);
    int code = 0;
    pthread_mutex_lock(&k->lock);
    while (code == 0 && k->threaded) {
        if (!bk__keeper_sleep(k, mono_ms)) {
            code = bk__fail(BK_ECANCELLED,
                            "A job did not stop in time; its thread ends when it "
                            "does. Data is safe.");
        }
    }
    k->life = closed ? BK__LIFE_CLOSED : BK__LIFE_NEW;
    if (closed && !k->threaded) {
        bk__keeper_send_last(k); /* a keeper whose threads never ran */
    }
    if (!closed && !k->given_up) {
        k->stopping = false;
        k->plans_on = false;
    }
    bk__keeper_announce(k);
    pthread_mutex_unlock(&k->lock);
    return code;
}
