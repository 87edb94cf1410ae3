/*
 * Threads of our own: named, small stacks, every asynchronous signal blocked so that the host's
 * handlers never run on them. Core and guest start them.
 */
#ifndef BK_OS_THREAD_H
#define BK_OS_THREAD_H

#include <pthread.h>
#include <stdint.h>

/* 0 or -errno. The stack is 1 MiB: SQLite at its limits and libdeflate fit. */
int bk__thread_start(pthread_t *ret, const char *name, void *(*entry)(void *), void *arg);

/* The calling thread gives way to every other one of the process from now on, for good: for work
   that fills a processor and holds no lock the host may want. */
void bk__thread_give_way(void);

/* Whoever waits for this processor may have it now. Threads that give way do not interrupt each
   other, so one that many others wait for would wait for the end of their time slices. */
void bk__thread_pause(void);

/* A condition variable on CLOCK_MONOTONIC, and a wait until a monotonic millisecond (< 0: no end).
   Returns 0 or ETIMEDOUT. */
int bk__cond_init(pthread_cond_t *cond);
int bk__cond_until(pthread_cond_t *cond, pthread_mutex_t *mutex, int64_t mono_ms);

int bk__cpu_count(void); /* processors this process may use, at least 1 */

#endif
