/*
 * The queue of events a keeper's host has not taken yet: order, replacement of progress,
 * the bound on notices, the reserved done events, when to ring. No lock, no pipe, no
 * thread: the keeper has those. keeper_events.c and lane.c call it.
 */
#include <core/event.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct bk__event {
    struct bk__event *next;
    enum bk__event_kind kind;
    int job;
    char *text;
};

void bk__event_queue_init(struct bk__event_queue *queue) {
    memset(queue, 0, sizeof *queue);
    queue->quiet = true;
}

void bk__event_drop(struct bk__event *event) {
    if (event) {
        free(event->text);
        free(event);
    }
}

void bk__event_queue_free(struct bk__event_queue *queue) {
    while (queue->first) {
        struct bk__event *next = queue->first->next;
        bk__event_drop(queue->first);
        queue->first = next;
    }
    queue->last = NULL;
}

struct bk__event *bk__event_reserve(void) {
    return calloc(1, sizeof(struct bk__event));
}

static bool is_dropped_first(const struct bk__event *event) {
    return event->kind == BK__EVENT_PROGRESS || event->kind == BK__EVENT_NOTICE;
}

/* Unlinks the event after "before" (NULL: the first one) and gives it. */
static struct bk__event *unlink_after(struct bk__event_queue *queue,
                                      struct bk__event *before) {
    struct bk__event *event = before ? before->next : queue->first;
    if (before) {
        before->next = event->next;
    } else {
        queue->first = event->next;
    }
    if (queue->last == event) {
        queue->last = before;
    }
    if (is_dropped_first(event)) {
        queue->notices--;
    }
    event->next = NULL;
    return event;
}

static void drop_oldest(struct bk__event_queue *queue) {
    struct bk__event *before = NULL;
    for (struct bk__event *event = queue->first; event;
         before = event, event = event->next) {
        if (is_dropped_first(event)) {
            bk__event_drop(unlink_after(queue, before));
            queue->dropped++;
            return;
        }
    }
}

static void drop_progress(struct bk__event_queue *queue, int job) {
    struct bk__event *before = NULL;
    for (struct bk__event *event = queue->first; event;
         before = event, event = event->next) {
        if (event->kind == BK__EVENT_PROGRESS && event->job == job) {
            bk__event_drop(unlink_after(queue, before));
            return;
        }
    }
}

void bk__event_push_reserved(struct bk__event_queue *queue, struct bk__event *event,
                             enum bk__event_kind kind, int job, char *text) {
    if (queue->ended) {
        event->text = text;
        bk__event_drop(event);
        return;
    }
    queue->ended = kind == BK__EVENT_LAST;
    if (kind == BK__EVENT_PROGRESS) {
        drop_progress(queue, job);
    }
    event->next = NULL;
    event->kind = kind;
    event->job = job;
    event->text = text;
    if (queue->last) {
        queue->last->next = event;
    } else {
        queue->first = event;
    }
    queue->last = event;
    if (is_dropped_first(event) && ++queue->notices > BK__EVENT_NOTICES) {
        drop_oldest(queue);
    }
}

bool bk__event_push(struct bk__event_queue *queue, enum bk__event_kind kind, int job,
                    char *text) {
    struct bk__event *event = text ? bk__event_reserve() : NULL;
    if (!event) {
        free(text);
        queue->dropped++; /* the host learns of it as of any other one that was lost */
        return false;
    }
    bk__event_push_reserved(queue, event, kind, job, text);
    return true;
}

/* Where events were lost, the overflow event comes first: they were older than all that
 * wait. */
static char *take_overflow(struct bk__event_queue *queue) {
    char text[64];
    snprintf(text, sizeof text, "{\"event\":\"overflow\",\"dropped\":%d}",
             queue->dropped);
    char *copy = strdup(text);
    if (copy) {
        queue->dropped = 0;
    }
    return copy;
}

/* The first event nobody else waits for; *ret_before is the one before it. */
static struct bk__event *find_ready(struct bk__event_queue *queue,
                                    bool (*skip)(void *context, int job), void *context,
                                    struct bk__event **ret_before) {
    *ret_before = NULL;
    for (struct bk__event *event = queue->first; event; event = event->next) {
        bool reserved =
            event->kind == BK__EVENT_DONE && skip && skip(context, event->job);
        if (!reserved) {
            return event;
        }
        *ret_before = event;
    }
    return NULL;
}

char *bk__event_next(struct bk__event_queue *queue, bool (*skip)(void *context, int job),
                     void *context, int *ret_job) {
    int unused = 0;
    int *job = ret_job ? ret_job : &unused;
    *job = 0;
    if (queue->dropped > 0) {
        char *text = take_overflow(queue);
        if (text) {
            return text;
        }
    }
    struct bk__event *before = NULL;
    if (!find_ready(queue, skip, context, &before)) {
        queue->quiet = true;
        return NULL;
    }
    struct bk__event *event = unlink_after(queue, before);
    if (event->kind == BK__EVENT_DONE) {
        *job = event->job;
    }
    queue->finished = event->kind == BK__EVENT_LAST;
    char *text = event->text;
    event->text = NULL;
    bk__event_drop(event);
    return text;
}

char *bk__event_take_done(struct bk__event_queue *queue, int job) {
    struct bk__event *before = NULL;
    for (struct bk__event *event = queue->first; event;
         before = event, event = event->next) {
        if (event->kind == BK__EVENT_DONE && event->job == job) {
            event = unlink_after(queue, before);
            char *text = event->text;
            event->text = NULL;
            bk__event_drop(event);
            drop_progress(queue, job);
            return text;
        }
    }
    return NULL;
}

bool bk__event_should_ring(struct bk__event_queue *queue) {
    bool ring = queue->quiet && (queue->first || queue->dropped > 0);
    if (ring) {
        queue->quiet = false;
    }
    return ring;
}
