/*
 * What another process sees of a file's locks, asked by a real child process; and a sandbox that
 * refuses close_range(). Not a test. The tests of the guest room use it.
 */
#ifndef BK_TESTS_LOCKPROBE_H
#define BK_TESTS_LOCKPROBE_H

#include <stdbool.h>

/* Takes a write lock on the first byte; fails the process when it cannot. */
void lock_first_byte(int fd);

/* Whether a process of its own, forked now, finds the first byte of path locked. */
bool is_locked_for_others(const char *path);

/* Runs body in a forked child; its return value, or 200 and more when the child died. */
int in_child(int (*body)(void *arg), void *arg);

/* From now on the kernel answers close_range() of this thread and its children with err. */
void refuse_close_range(int err);

#endif
