/*
 * The events' table, and the queue in which they wait. The queue is plain data without a lock:
 * the keeper that owns it guards it. keeper.c, jobs.c and describe.c use it.
 */
#ifndef BK_CORE_EVENT_H
#define BK_CORE_EVENT_H

#include <stdbool.h>
#include <stddef.h>

#include <core/operation.h>

#define BK__EVENT_NOTICES 1024 /* waiting at most; the oldest goes first */

/* Every event has "event" first; fields is ended by a NULL name. */
struct bk__event_row {
    const char *name;
    const char *doc;
    const struct bk__field *fields;
};
extern const struct bk__event_row bk__event_rows[]; /* ended by a NULL name */

enum bk__event_kind {
    BK__EVENT_DONE,     /* of a job: never dropped */
    BK__EVENT_PROGRESS, /* of a job: the newest replaces one that waits */
    BK__EVENT_NOTICE,   /* all others: the oldest is dropped when too many wait */
    BK__EVENT_LAST,     /* closed: nothing is given after it */
};

struct bk__event; /* one that waits */

struct bk__event_queue {
    struct bk__event *first, *last;
    int notices;
    int dropped;   /* since the last overflow event was given */
    bool quiet;    /* a reader saw it empty: the next event rings */
    bool ended;    /* the last event was added: what comes after it is dropped */
    bool finished; /* the last event was given */
};

void bk__event_queue_init(struct bk__event_queue *queue);
void bk__event_queue_free(struct bk__event_queue *queue);

/* Adds an event; takes text, which malloc gave. job is 0 for events of no job. ENOMEM drops it:
   false. A done event must not need memory: bk__event_reserve() before the job starts. */
bool bk__event_push(struct bk__event_queue *queue, enum bk__event_kind kind, int job,
                    char *text);

/* An event's memory ahead of its time, and its use. */
struct bk__event *bk__event_reserve(void);
void bk__event_drop(struct bk__event *event);
void bk__event_push_reserved(struct bk__event_queue *queue, struct bk__event *event,
                             enum bk__event_kind kind, int job, char *text);

/*
 * The next text for bk_next(), yours; NULL: none. skip says of a job whether somebody waits for
 * its done event; *ret_job (may be NULL) is the job of a done event, else 0.
 */
char *bk__event_next(struct bk__event_queue *queue, bool (*skip)(void *context, int job),
                     void *context, int *ret_job);

/* Takes a job's done event out; NULL: none waits. Its progress goes with it. */
char *bk__event_take_done(struct bk__event_queue *queue, int job);

/* True once after an event was added while the reader had seen the queue empty. */
bool bk__event_should_ring(struct bk__event_queue *queue);

#endif
