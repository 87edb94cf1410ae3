/*
 * The keeper from inside: live handles, lanes, jobs, events, rooms. Not what an operation sees
 * while it runs: that is core/job.h. api calls it; of the features only health and lifecycle do,
 * for their room and for operations in flight.
 */
#ifndef BK_CORE_KEEPER_H
#define BK_CORE_KEEPER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include <botkeep.h>

struct bk__clock;
struct bk__config;
/* A bk_keeper * is only its ticket: a number that is never used again. */
struct bk__keeper;
struct bk__job;
struct bk__plan;
struct json_object;

/* ---- tickets (handle.c) ------------------------------------------------------------ */

/* The ticket's keeper with a reference taken; put it back. BK_EHANDLE, BK_EFORK. */
int bk__keeper_get(const bk_keeper *ticket, struct bk__keeper **ret);
void bk__keeper_put(struct bk__keeper *k);

/* A keeper not open yet and its ticket; clock is the system's or a test's. BK_ENOMEM. */
int bk__keeper_new(const struct bk__clock *clock, bk_keeper **ret_ticket);

/* Takes the ticket back, cancels everything, never blocks. BK_EHANDLE, BK_EFORK. */
int bk__keeper_close(const bk_keeper *ticket);

/* ---- rooms: what a feature keeps with a keeper, unknown to core -------------------- */

enum bk__room { BK__ROOM_HEALTH, BK__ROOM_LIFECYCLE, BK__ROOM_COUNT };

/*
 * Hangs a feature's data into the keeper; only once for each room. leave (may be NULL) runs on a
 * lane thread as the lanes end, for descriptors that live in the guest table; free runs when the
 * keeper's memory goes, on any other thread.
 */
void bk__keeper_attach(struct bk__keeper *k, enum bk__room room, void *data,
                       void (*leave)(void *data), void (*free)(void *data));
/* NULL: nothing attached. */
void *bk__keeper_room(struct bk__keeper *k, enum bk__room room);

/* ---- what anybody may ask ---------------------------------------------------------- */

struct bk__config *bk__keeper_config(struct bk__keeper *k);
const struct bk__clock *bk__keeper_clock(struct bk__keeper *k);
/* When bk_open() ended well, else 0. */
int64_t bk__keeper_opened_mono(struct bk__keeper *k);

/* How the store is reached: "thread", "process", "own", "" before bk_open(); and why. */
const char *bk__keeper_isolation(struct bk__keeper *k);
const char *bk__keeper_isolation_why(struct bk__keeper *k);

/* Whether this process runs the schedule of the bot, and the pid of the one that does, as that
   process sees it; 0: nobody does. Tools may ask. */
bool bk__keeper_leads(struct bk__keeper *k);
int bk__keeper_leader_pid(struct bk__keeper *k);

/* Operations of the host between bk_begin() and bk_end(); *ret_oldest_ms is -1 when none is. */
int bk__keeper_active(struct bk__keeper *k, int64_t *ret_oldest_ms);

/* A log event outside any job, and any other event of the table; members is taken. */
void bk__keeper_log(struct bk__keeper *k, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void bk__keeper_event(struct bk__keeper *k, const char *event,
                      struct json_object *members);

/* ---- life, for api ----------------------------------------------------------------- */

enum bk__life {
    BK__LIFE_NEW,      /* options may be set */
    BK__LIFE_OPENING,  /* bk_open() runs */
    BK__LIFE_OPEN,     /* work is taken */
    BK__LIFE_DRAINING, /* bk_shutdown() runs */
    BK__LIFE_CLOSED,   /* threads have ended or end soon; the last events can be taken */
};

/* From one life to the next when it is still the first; else BK_ESTATE: "it cannot be DONE now". */
int bk__keeper_pass(struct bk__keeper *k, enum bk__life from, enum bk__life to,
                    const char *done);
enum bk__life bk__keeper_life(struct bk__keeper *k);
/* bk_close() was called: end what you do. */
bool bk__keeper_given_up(struct bk__keeper *k);

/* Options under the keeper's lock: before bk_open() has resolved them, threads may race. */
int bk__keeper_set(struct bk__keeper *k, const char *option, const char *value);
char *bk__keeper_show(struct bk__keeper *k, const char *option);
int bk__keeper_resolve(struct bk__keeper *k);

/* How lanes are made, injected by api so that core does not know the guest room. */
struct bk__lanes {
    /* A joinable thread: 0 or -errno. context lives as long as the process. */
    int (*start)(void *context, pthread_t *ret, const char *name, void *(*entry)(void *),
                 void *arg);
    void *context;
    /* The same for a thread whose descriptors no fork copies; NULL: any will do. */
    int (*start_apart)(pthread_t *ret, const char *name, void *(*entry)(void *),
                       void *arg);
    /* Where that cannot be had: a lock held by another process (guest/hold.h). NULL: none. */
    void *(*hold_begin)(const char *path);
    int (*hold_ask)(void *hold, int wait_ms);
    void (*hold_end)(void *hold);
    /* Runs BK__PLACE_STORE operations; NULL: the lane does. */
    int (*relay)(struct bk__job *job);
    const char *isolation; /* a constant */
};
/* Starts the lanes and the keeper thread. isolation_why is taken. An error with its text. */
int bk__keeper_start(struct bk__keeper *k, const struct bk__lanes *lanes,
                     char *isolation_why);
/* Asks the threads to end once their queues are empty; waits until mono_ms (< 0: no end).
   closed: the life after it is CLOSED with its last event, else NEW (bk_open() failed).
   BK_ECANCELLED when the threads still run. */
int bk__keeper_stop(struct bk__keeper *k, bool closed, int64_t mono_ms);

/* Scheduled work of an open keeper (core/schedule.h); rows must live as long as the process. This
   process leads the bot, or waits to, from then on. */
int bk__keeper_plan(struct bk__keeper *k, const struct bk__plan *rows, int count);

/* ---- jobs, for api ----------------------------------------------------------------- */

int bk__keeper_run(struct bk__keeper *k, const char *operation, const char *args_json);
/* The same with bytes for the operation, which are taken, also on an error. */
int bk__keeper_run_image(struct bk__keeper *k, const char *operation,
                         const char *args_json, unsigned char *image, size_t size);
char *bk__keeper_wait(struct bk__keeper *k, int job, int timeout_ms);
int bk__keeper_cancel(struct bk__keeper *k, int job);
void bk__keeper_cancel_all(struct bk__keeper *k);
char *bk__keeper_next(struct bk__keeper *k, int timeout_ms);
int bk__keeper_wakeup_fd(struct bk__keeper *k);

/* Waits until no job runs or waits and, if asked, no operation is in flight. BK_ECANCELLED when
   mono_ms came first or bk_close() was called. */
int bk__keeper_idle(struct bk__keeper *k, bool in_flight_too, int64_t mono_ms);

/* Runs an operation, internal ones too, on its lane and waits; no done event is sent. At mono_ms
   (< 0: no end) the job is cancelled. args is taken; *ret_result is yours, may be NULL. */
int bk__keeper_call(struct bk__keeper *k, const char *operation, struct json_object *args,
                    int64_t mono_ms, struct json_object **ret_result);

/* ---- operations in flight, for api ------------------------------------------------- */

int bk__keeper_begin(struct bk__keeper *k, const char *label);
int bk__keeper_end(struct bk__keeper *k, int id);

#endif
