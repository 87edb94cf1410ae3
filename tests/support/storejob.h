/*
 * A job for tests of the store room: a real one of core, on a keeper that was never opened, run by
 * the test's own thread. Not a way to run operations.
 */
#ifndef BK_TESTS_STOREJOB_H
#define BK_TESTS_STOREJOB_H

struct bk__job;

struct bk__job *storejob_new(void); /* options at their defaults */
void storejob_free(void);
void storejob_set(const char *option, const char *value);

/* Cancels it when core has looked at its clock so often: 0 at once, -1 not at all. */
void storejob_cancel_at(int looks);
void storejob_kill_at(int looks); /* the same with SIGKILL for the whole process */

/* From now on core's clock goes on by so much more at each look. */
void storejob_hurry(int ms);

#endif
