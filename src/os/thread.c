/*
 * Threads of our own: named, small stacks, every asynchronous signal blocked from their
 * first instruction on. Not queues or jobs (core). Core and guest start them.
 */
#include <os/thread.h>

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* SQLite needs up to 450 KB for expressions at its limits; what is not used is never there. */
#define STACK_BYTES (1024 * 1024)

struct start {
    void *(*entry)(void *);
    void *arg;
    char name[16];
};

static void *begin(void *given) {
    struct start start = *(struct start *)given;

    free(given);
    /* A thread names itself by prctl(); naming another one opens a file in /proc. */
    pthread_setname_np(pthread_self(), start.name);
    return start.entry(start.arg);
}

/* All but those the kernel sends to the very thread that did something wrong: blocked,
   they would kill the process without the host's crash handler having a word. */
static void asynchronous(sigset_t *set) {
    static const int synchronous[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

    sigfillset(set);
    for (size_t i = 0; i < sizeof synchronous / sizeof *synchronous; i++) {
        sigdelset(set, synchronous[i]);
    }
}

static int prepare(pthread_attr_t *attributes) {
    sigset_t blocked;
    int error = pthread_attr_setstacksize(attributes, STACK_BYTES);

    asynchronous(&blocked);
    /* The mask is part of the thread's birth: the caller's own mask is never touched. */
    return error ? error : pthread_attr_setsigmask_np(attributes, &blocked);
}

int bk__thread_start(pthread_t *ret, const char *name, void *(*entry)(void *),
                     void *arg) {
    struct start *start;
    pthread_attr_t attributes;
    pthread_t thread;
    int error = pthread_attr_init(&attributes);

    if (error) {
        return -error;
    }
    start = malloc(sizeof *start);
    if (!start) {
        error = ENOMEM;
        goto out;
    }
    *start = (struct start){.entry = entry, .arg = arg};
    strncpy(start->name, name, sizeof start->name - 1);
    error = prepare(&attributes);
    if (!error) {
        error = pthread_create(&thread, &attributes, begin, start);
    }
    if (error) {
        free(start);
    } else {
        *ret = thread;
    }
out:
    pthread_attr_destroy(&attributes);
    return -error;
}

int bk__cond_init(pthread_cond_t *cond) {
    pthread_condattr_t attributes;
    int error = pthread_condattr_init(&attributes);

    if (error) {
        return -error;
    }
    error = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    if (!error) {
        error = pthread_cond_init(cond, &attributes);
    }
    pthread_condattr_destroy(&attributes);
    return -error;
}

int bk__cond_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t mono_ms) {
    struct timespec end;

    if (mono_ms < 0) {
        return pthread_cond_wait(cond, mutex);
    }
    end.tv_sec = (time_t)(mono_ms / 1000);
    end.tv_nsec = (long)(mono_ms % 1000) * 1000000;
    return pthread_cond_timedwait(cond, mutex, &end);
}

int bk__cpu_count(void) {
    /* The set must be at least as large as the kernel's own, which only a try can tell.
     */
    for (int room = 1024; room <= 1 << 20; room *= 2) {
        cpu_set_t *set = CPU_ALLOC((size_t)room);
        size_t size = CPU_ALLOC_SIZE((size_t)room);
        int count = 0;

        if (!set) {
            return 1;
        }
        if (sched_getaffinity(0, size, set) == 0) {
            count = CPU_COUNT_S(size, set);
        }
        CPU_FREE(set);
        if (count > 0) {
            return count;
        }
        if (errno != EINVAL) {
            break;
        }
    }
    return sysconf(_SC_NPROCESSORS_ONLN) > 0 ? (int)sysconf(_SC_NPROCESSORS_ONLN) : 1;
}

void bk__thread_give_way(void) {
    const struct sched_param none = {.sched_priority = 0};

    /* Idle, not merely nice: a nice thread still ends its time slice before the host's thread
       that wakes up gets a processor, which is a millisecond of a commit. Where the system
       refuses, the work is done all the same. */
    (void)sched_setscheduler(0, SCHED_IDLE, &none);
}

void bk__thread_pause(void) {
    sched_yield();
}
