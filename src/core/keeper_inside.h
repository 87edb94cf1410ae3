/*
 * The keeper's and the job's memory, and which lock guards what. Only files of core
 * include it.
 */
#ifndef BK_CORE_KEEPER_INSIDE_H
#define BK_CORE_KEEPER_INSIDE_H

#include <base/cron.h>
#include <core/config.h>
#include <core/error.h>
#include <core/event.h>
#include <core/inflight.h>
#include <core/job.h>
#include <core/keeper.h>
#include <core/operation.h>
#include <core/schedule.h>
#include <os/clock.h>
#include <os/wake.h>

#define BK__LANES 2
#define BK__JOBS_LIMIT 256
#define BK__PLANS_LIMIT 8
#define BK__TEXT_LIMIT (1024 * 1024)

enum bk__job_state { BK__JOB_QUEUED, BK__JOB_RUNNING, BK__JOB_ENDED };

/* Who learns of the job's end. */
enum bk__job_owner {
    BK__JOB_HOST,     /* the host, by a done event */
    BK__JOB_INSIDE,   /* a thread in bk__keeper_call(), from the record itself */
    BK__JOB_SCHEDULE, /* the keeper thread, from the record itself */
};

struct bk__job {
    /* -- immutable */
    struct bk__keeper *k;
    const struct bk__operation *operation;
    struct bk__job *root; /* what the lane runs; not itself in a bk__job_call() */
    int id;
    enum bk__job_owner owner;
    struct json_object *args;
    unsigned char *image; /* handed over by the host; NULL: none */
    size_t image_size;

    /* -- of the thread that runs it */
    struct json_object *result;
    bool tells_result;     /* even if it fails */
    int64_t progress_mono; /* when progress was last sent */

    /* -- atomic */
    bool cancel; /* of the root alone */

    /* -- guarded by k->lock */
    enum bk__job_state state;
    int waiters;    /* threads in bk_wait() */
    bool abandoned; /* its caller left: the lane frees it */
    int code;       /* once ended */
    char *why;      /* once failed; may be NULL (out of memory) */
    char *spare;    /* a done text made ahead, for when memory runs out */
    struct bk__event *reserved;
    struct bk__job *next;        /* in k->jobs */
    struct bk__job *next_queued; /* in its lane */
};

struct bk__lane_thread {
    struct bk__keeper *k;
    pthread_t thread;
    pthread_cond_t work;
    struct bk__job *first, *last;
    bool started;
};

struct bk__room_slot {
    void *data;
    void (*leave)(void *data);
    void (*free)(void *data);
};

struct bk__plan_state {
    const struct bk__plan *row;
    struct bk__cron cron; /* in force where zone is not NULL */
    struct bk__zone *zone;
    char rule[192]; /* of cron, as it is recorded; "" for a period */
    struct bk__due due;
    bool ours;           /* due is in force: this process runs it */
    bool unnoted;        /* it could not be recorded of late */
    int memory;          /* of row->ended */
    struct bk__job *job; /* running or waiting now */
};

/* Whether this process runs the bot's schedule; the lock is of its own thread. */
struct bk__leader {
    pthread_cond_t look;
    bool alive; /* its thread; the keeper thread ends after it */
    bool afar;  /* another process holds the lock for it */
    bool tried; /* once at least */
    bool leads;
};

struct bk__keeper {
    /* -- immutable once open */
    const struct bk__clock *clock;
    struct bk__config *config; /* guarded by lock until then */
    struct bk__lanes hooks;
    char *isolation_why;

    /* -- atomic */
    int refs;
    int64_t opened_mono;

    pthread_mutex_t lock;
    pthread_cond_t changed; /* for callers that wait: events, jobs, life */
    pthread_cond_t tick;    /* for the keeper thread */

    /* -- guarded by lock */
    enum bk__life life;
    bool given_up;   /* bk_close() was called */
    bool stopping;   /* threads end once their queues are empty */
    bool last_event; /* the keeper thread sends "closed" as it ends */
    bool threaded;   /* the keeper thread runs, so it alone rings */
    bool ring;       /* asked of it */
    bool look;       /* it was poked since it last looked */
    bool wake_open;
    struct bk__wake wake;
    struct bk__event_queue events;
    struct bk__job *jobs;
    int host_jobs;
    struct bk__lane_thread lanes[BK__LANES];
    int lanes_left;
    struct bk__inflight inflight;
    struct bk__room_slot rooms[BK__ROOM_COUNT];
    struct bk__leader leader;
    bool plans_on;

    /* -- of bk_open() until plans_on is set, then of the keeper thread */
    int plan_count;
    struct bk__plan_state plans[BK__PLANS_LIMIT];
};

/* keeper.c */
struct bk__keeper *bk__keeper_make(const struct bk__clock *clock); /* one reference */
void bk__keeper_hold(struct bk__keeper *k);
void bk__keeper_give_up(struct bk__keeper *k);
int64_t bk__keeper_mono(struct bk__keeper *k);
int64_t bk__keeper_wall(struct bk__keeper *k);
/* Waits last until a time of the system's monotonic clock, because condition variables know no
   other; the keeper's own clock is for what is recorded, measured and due. -1: no end. */
int64_t bk__keeper_until(int timeout_ms);

/* With the lock held: something changed for those who wait, and perhaps for the pipe. */
void bk__keeper_announce(struct bk__keeper *k);
/* With the lock held: the keeper thread looks round again. */
void bk__keeper_poke(struct bk__keeper *k);
/* With the lock held: waits on changed until mono_ms (< 0: no end). false: that time has
 * come. */
bool bk__keeper_sleep(struct bk__keeper *k, int64_t mono_ms);
/* Sends {"event":NAME, members...}; members is taken. */
void bk__keeper_send(struct bk__keeper *k, enum bk__event_kind kind, const char *event,
                     int job, struct json_object *members);
/* With the lock held: "closed", once. */
void bk__keeper_send_last(struct bk__keeper *k);
bool bk__keeper_wants_log(struct bk__keeper *k, const char *level);
void bk__keeper_send_log(struct bk__keeper *k, const char *level, const char *message,
                         int job);

/* jobs.c: a job in its lane's queue; args is taken. The lock must not be held. Its id, or
   an error; *ret (may be NULL) is not for jobs of the host, which may be gone already. */
int bk__jobs_add(struct bk__keeper *k, const struct bk__operation *operation,
                 struct json_object *args, enum bk__job_owner owner,
                 struct bk__job **ret);
struct bk__job *bk__jobs_find(struct bk__keeper *k, int id); /* with the lock held */
void bk__jobs_forget(struct bk__keeper *k,
                     struct bk__job *job);      /* with the lock held; frees */
void bk__jobs_cancel_all(struct bk__keeper *k); /* with the lock held */
void bk__jobs_cancel_locked(struct bk__keeper *k, struct bk__job *job);
struct bk__job *
bk__jobs_next(struct bk__lane_thread *lane);      /* with the lock held, or NULL */
void bk__jobs_end(struct bk__job *job, int code); /* lock not held; job is gone after */
bool bk__jobs_busy(const struct bk__keeper *k);   /* with the lock held */

/* job.c */
struct bk__job *bk__job_make(struct bk__keeper *k, const struct bk__operation *operation,
                             struct json_object *args); /* args is taken */
void bk__job_free(struct bk__job *job);
int bk__job_execute(struct bk__job *job); /* runs or relays it */

/* plan.c, on the keeper thread, the lock not held: runs what is due. In how many milliseconds to
   look again; -1: no need. */
int64_t bk__plan_tick(struct bk__keeper *k);
/* The same thread, as it ends: what has ended since is recorded and told. */
void bk__plan_finish(struct bk__keeper *k);
void bk__plan_clear(struct bk__keeper *k); /* nothing runs any more */

/* leader.c: starts the thread that is, or waits to be, the leader, and waits for its first look;
   not twice. BK_ENOMEM and the like. */
int bk__leader_start(struct bk__keeper *k);
void bk__leader_await(struct bk__keeper *k); /* its end, once the lanes have ended */

#endif
