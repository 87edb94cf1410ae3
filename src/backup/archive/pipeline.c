/*
 * The ring of blocks between one filling and draining thread and its workers.
 * Not compression: what work() does with a block is the plan's business.
 * Called by archive.c and pack.c; workers share the descriptor table of the thread that calls. One lock
 * guards the whole ring.
 */
#include <backup/archive/pipeline.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include <core/error.h>
#include <os/thread.h>

enum state { EMPTY, FILLED, TAKEN, DONE };

struct slot {
    enum state state; /* guarded by the ring's lock; who set it owns the rest */
    struct bk__block block;
    int why;
};

struct worker {
    struct ring *ring;
    void *state;
    pthread_t thread;
};

struct ring {
    /* immutable while it runs */
    const struct bk__pipeline *plan;
    struct worker workers[BK__PIPELINE_WORKERS];
    int started;
    /* guarded by lock */
    pthread_mutex_t lock;
    pthread_cond_t filled; /* a slot became FILLED, or quit */
    pthread_cond_t done;   /* a slot became DONE */
    bool quit;
    struct slot slots[BK__PIPELINE_SLOTS];
    /* the caller's thread alone */
    uint64_t next_fill, next_drain;
    bool ended;
};

static void work_slot(const struct bk__pipeline *plan, void *state, struct slot *slot) {
    slot->why = plan->work(state, &slot->block);
}

/* The oldest waiting slot, so that draining, which is in order, never waits for a late start. */
static struct slot *take(struct ring *ring) {
    struct slot *oldest = NULL;
    for (size_t i = 0; i < BK__PIPELINE_SLOTS; i++) {
        struct slot *slot = &ring->slots[i];
        if (slot->state == FILLED &&
            (oldest == NULL || slot->block.index < oldest->block.index)) {
            oldest = slot;
        }
    }
    if (oldest != NULL) {
        oldest->state = TAKEN;
    }
    return oldest;
}

static void *work_on(void *arg) {
    struct worker *worker = arg;
    struct ring *ring = worker->ring;
    bk__thread_give_way();
    pthread_mutex_lock(&ring->lock);
    while (!ring->quit) {
        struct slot *slot = take(ring);
        if (slot == NULL) {
            pthread_cond_wait(&ring->filled, &ring->lock);
            continue;
        }
        pthread_mutex_unlock(&ring->lock);
        work_slot(ring->plan, worker->state, slot);
        pthread_mutex_lock(&ring->lock);
        slot->state = DONE;
        pthread_cond_signal(&ring->done);
        pthread_mutex_unlock(&ring->lock);
        bk__thread_pause(); /* for who fills and drains: all workers wait for it */
        pthread_mutex_lock(&ring->lock);
    }
    pthread_mutex_unlock(&ring->lock);
    return NULL;
}

/* Fills free slots until the ring is full or the data ends. */
static int fill_up(struct ring *ring) {
    while (!ring->ended && ring->next_fill - ring->next_drain < BK__PIPELINE_SLOTS) {
        struct slot *slot = &ring->slots[ring->next_fill % BK__PIPELINE_SLOTS];
        slot->block.index = ring->next_fill;
        int rc = ring->plan->fill(ring->plan->context, &slot->block);
        if (rc < 0) {
            return rc;
        }
        ring->ended = rc == 0;
        if (rc > 0) {
            pthread_mutex_lock(&ring->lock);
            slot->state = FILLED;
            pthread_cond_signal(&ring->filled);
            pthread_mutex_unlock(&ring->lock);
            ring->next_fill++;
        }
    }
    return 0;
}

/* Waits for the oldest block and hands it on. */
static int drain_one(struct ring *ring) {
    const struct bk__pipeline *plan = ring->plan;
    struct slot *slot = &ring->slots[ring->next_drain % BK__PIPELINE_SLOTS];
    if (ring->started == 0) {
        work_slot(plan, ring->workers[0].state, slot);
    } else {
        pthread_mutex_lock(&ring->lock);
        while (slot->state != DONE) {
            pthread_cond_wait(&ring->done, &ring->lock);
        }
        pthread_mutex_unlock(&ring->lock);
    }
    int rc = slot->why != 0 ? plan->blame(plan->context, &slot->block, slot->why)
                            : plan->drain(plan->context, &slot->block);
    pthread_mutex_lock(&ring->lock); /* the workers look at every slot */
    slot->state = EMPTY;
    pthread_mutex_unlock(&ring->lock);
    ring->next_drain++;
    return rc;
}

static int make_slots(struct ring *ring) {
    for (size_t i = 0; i < BK__PIPELINE_SLOTS; i++) {
        ring->slots[i].block.room = ring->plan->room;
        ring->slots[i].block.in = malloc(ring->plan->room);
        ring->slots[i].block.out = malloc(ring->plan->room);
        if (ring->slots[i].block.in == NULL || ring->slots[i].block.out == NULL) {
            return bk__fail_memory();
        }
    }
    return 0;
}

/* States for all workers, then threads for as many as the system gives. */
static int start_workers(struct ring *ring, int wish) {
    for (int i = 0; i < wish; i++) {
        struct worker *worker = &ring->workers[i];
        worker->ring = ring;
        worker->state = ring->plan->begin(ring->plan->context);
        if (worker->state == NULL) {
            return bk__fail_memory();
        }
    }
    for (int i = 0; i < wish; i++) {
        struct worker *worker = &ring->workers[i];
        if (bk__thread_start(&worker->thread, "bk-pipe", work_on, worker) != 0) {
            break;
        }
        ring->started++;
    }
    return 0;
}

static void finish(struct ring *ring) {
    pthread_mutex_lock(&ring->lock);
    ring->quit = true;
    pthread_cond_broadcast(&ring->filled);
    pthread_mutex_unlock(&ring->lock);
    for (int i = 0; i < ring->started; i++) {
        pthread_join(ring->workers[i].thread, NULL);
    }
    for (int i = 0; i < BK__PIPELINE_WORKERS; i++) {
        if (ring->workers[i].state != NULL) {
            ring->plan->end(ring->workers[i].state);
        }
    }
    for (size_t i = 0; i < BK__PIPELINE_SLOTS; i++) {
        free(ring->slots[i].block.in);
        free(ring->slots[i].block.out);
    }
    pthread_cond_destroy(&ring->filled);
    pthread_cond_destroy(&ring->done);
    pthread_mutex_destroy(&ring->lock);
}

int bk__pipeline_run(const struct bk__pipeline *plan, int workers) {
    struct ring ring = {.plan = plan,
                        .lock = PTHREAD_MUTEX_INITIALIZER,
                        .filled = PTHREAD_COND_INITIALIZER,
                        .done = PTHREAD_COND_INITIALIZER};
    int wish = workers < 1 ? 1 : workers;
    int rc = make_slots(&ring);
    if (rc == 0) {
        rc = start_workers(&ring,
                           wish < BK__PIPELINE_WORKERS ? wish : BK__PIPELINE_WORKERS);
    }
    while (rc == 0) {
        rc = fill_up(&ring);
        if (rc != 0 || ring.next_fill == ring.next_drain) {
            break;
        }
        rc = drain_one(&ring);
    }
    finish(&ring);
    return rc;
}
