/*
 * A lock that another process holds for us: for machines where no thread of ours can have a
 * descriptor table that forks do not copy. api/open.c hands it to core/leader.c.
 */
#ifndef BK_GUEST_HOLD_H
#define BK_GUEST_HOLD_H

/* Starts the program that waits for the lock and holds it until bk__hold_end() or our death. NULL:
   it cannot be started. */
void *bk__hold_begin(const char *path);

/* 1: it holds the lock; 0: somebody else does; -EPIPE: the program is gone. Waits for news at most
   so long. */
int bk__hold_ask(void *hold, int wait_ms);

void bk__hold_end(void *hold); /* the lock is free after */

#endif
