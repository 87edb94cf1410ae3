/*
 * The bot's leader: of all processes with one state.dir the one that holds the kernel's lock on
 * state.dir/leader.lock, and so runs the schedule. The kernel lets go of it with its holder,
 * kill -9 included; whoever waits sees it within a second. plan.c starts it and asks.
 *
 * The lock's descriptor belongs to a thread of its own, in the guest table: flock belongs to the
 * open file, and a forked child that had a copy would keep the lock. Where the kernel has no
 * second table, a helper process holds it, which ends with this one.
 */
#include <core/keeper_inside.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <os/file.h>
#include <os/thread.h>

#define LOCK_FILE "leader.lock"
#define TRY_EVERY_MS 1000
#define FIRST_NEWS_MS 5000
#define FIRST_TRY_MS 60 /* somebody may just be looking whether it is held */
#define PID_SIZE 16

static char *lock_path(const struct bk__keeper *k) {
    return bk__file_join(bk__config_text(k->config, BK__OPT_STATE_DIR), LOCK_FILE);
}

/* Only for others to read: who it is. Nothing hangs on it. */
static void sign(int fd) {
    char pid[PID_SIZE];
    int size = snprintf(pid, sizeof pid, "%-10d\n", (int)getpid());
    bk__file_pwrite(fd, pid, (size_t)size, 0);
}

/* How the lock is held, by the leader's thread alone. */
struct grip {
    int fd;     /* ours, -1: none */
    void *hold; /* the helper's; NULL: none */
};

static int take_ourselves(struct grip *grip, const char *path, int wait_ms) {
    grip->fd = bk__file_lock(path, wait_ms, NULL);
    if (grip->fd < 0) {
        return grip->fd;
    }
    sign(grip->fd);
    return 0;
}

/* Where no helper can be started, the lock is ours after all. */
static int take_afar(struct bk__keeper *k, struct grip *grip, const char *path) {
    bool begins = !grip->hold;
    if (begins) {
        grip->hold = k->hooks.hold_begin(path);
    }
    if (!grip->hold) {
        return take_ourselves(grip, path, 0);
    }
    int held = k->hooks.hold_ask(grip->hold, begins ? FIRST_NEWS_MS : 0);
    if (held < 0) {
        k->hooks.hold_end(grip->hold);
        grip->hold = NULL;
    }
    return held == 1 ? 0 : -EWOULDBLOCK;
}

/* 0: held, -EWOULDBLOCK: by somebody else, or -errno. */
static int take(struct bk__keeper *k, struct grip *grip, bool first) {
    if (grip->fd >= 0) {
        return 0;
    }
    char *path = lock_path(k);
    int code = !path            ? -ENOMEM
               : k->leader.afar ? take_afar(k, grip, path)
                                : take_ourselves(grip, path, first ? FIRST_TRY_MS : 0);
    free(path);
    return code;
}

static void let_go(struct bk__keeper *k, struct grip *grip) {
    if (grip->fd >= 0) {
        bk__file_close(grip->fd);
    }
    if (grip->hold) {
        k->hooks.hold_end(grip->hold);
    }
}

static void tell(struct bk__keeper *k, int outcome, bool first) {
    if (outcome == 0 && !first) {
        bk__keeper_log(k, "info",
                       "The process that ran the schedule of this bot is gone; this one "
                       "runs it now.");
    } else if (outcome < 0 && outcome != -EWOULDBLOCK && first) {
        bk__keeper_log(k, "warning",
                       "Whether another process of this bot runs its schedule cannot be "
                       "found out (%s), so this one does not.",
                       strerror(-outcome));
    }
}

/* With the lock held: the leader stays one until all that it leads has ended. */
static bool is_over(const struct bk__keeper *k) {
    return k->stopping && k->lanes_left == 0;
}

/* With the lock held, which is let go meanwhile: whether we lead now. */
static void look(struct bk__keeper *k, struct grip *grip) {
    bool first = !k->leader.tried;
    bool led = k->leader.leads;
    pthread_mutex_unlock(&k->lock);
    int outcome = take(k, grip, first);
    if ((outcome == 0) != led) {
        tell(k, outcome, first);
    }
    pthread_mutex_lock(&k->lock);
    k->leader.leads = outcome == 0;
    k->leader.tried = true;
    if (first || led != k->leader.leads) {
        pthread_cond_broadcast(&k->changed);
        bk__keeper_poke(k);
    }
}

/* The keeper thread waits for the end of this one, so k lives as long. */
static void *run_leader(void *argument) {
    struct bk__keeper *k = argument;
    struct grip grip = {.fd = -1};
    pthread_detach(pthread_self());
    pthread_mutex_lock(&k->lock);
    while (!is_over(k)) {
        if (!k->stopping) {
            look(k, &grip);
        }
        if (!is_over(k)) {
            int64_t again = grip.fd >= 0 ? -1 : bk__clock_mono() + TRY_EVERY_MS;
            bk__cond_until(&k->leader.look, &k->lock, again);
        }
    }
    pthread_mutex_unlock(&k->lock);
    let_go(k, &grip);
    pthread_mutex_lock(&k->lock);
    k->leader.leads = false;
    k->leader.alive = false;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    return NULL;
}

/* With the lock held: unless the keeper ends already. */
static bool reserve(struct bk__keeper *k) {
    if (k->stopping || k->leader.alive) {
        return false;
    }
    k->leader.alive = true;
    k->leader.tried = false;
    return true;
}

/* Apart where it can be, else an ordinary one with a helper. */
static int start_thread(struct bk__keeper *k) {
    pthread_t thread;
    k->leader.afar = false;
    int err = k->hooks.start_apart
                  ? k->hooks.start_apart(&thread, "bk-leader", run_leader, k)
                  : -ENOSYS;
    if (err < 0) {
        k->leader.afar = k->hooks.hold_begin != NULL;
        err = bk__thread_start(&thread, "bk-leader", run_leader, k);
    }
    if (err < 0) {
        pthread_mutex_lock(&k->lock);
        k->leader.alive = false;
        pthread_cond_broadcast(&k->changed);
        pthread_mutex_unlock(&k->lock);
    }
    return err;
}

int bk__leader_start(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    bool ours = reserve(k);
    pthread_mutex_unlock(&k->lock);
    int err = ours ? start_thread(k) : 0;
    if (err < 0) {
        return bk__fail_errno(
            err, "cannot start its threads", NULL,
            "Data is safe. Raise the limit of threads (ulimit -u) and try again.");
    }
    pthread_mutex_lock(&k->lock);
    while (k->leader.alive && !k->leader.tried) {
        bk__keeper_sleep(k, -1);
    }
    pthread_mutex_unlock(&k->lock);
    return 0;
}

void bk__leader_await(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    pthread_cond_broadcast(&k->leader.look);
    while (k->leader.alive) {
        bk__keeper_sleep(k, -1);
    }
    pthread_mutex_unlock(&k->lock);
}

bool bk__keeper_leads(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    bool leads = k->leader.leads;
    pthread_mutex_unlock(&k->lock);
    return leads;
}

int bk__keeper_leader_pid(struct bk__keeper *k) {
    char text[PID_SIZE] = "";
    if (bk__keeper_leads(k)) {
        return (int)getpid();
    }
    char *path = lock_path(k);
    bool held = path && bk__file_lock_look(path, text, sizeof text) == 1;
    free(path);
    return held ? (int)strtol(text, NULL, 10) : 0;
}
