/*
 * The run functions of the lifecycle operations. Only operations.c includes it.
 */
#ifndef BK_LIFECYCLE_RUN_H
#define BK_LIFECYCLE_RUN_H

struct bk__job;

int bk__run_start(struct bk__job *job);
int bk__run_seen(struct bk__job *job);
int bk__run_stop(struct bk__job *job);
int bk__run_status(struct bk__job *job);

#endif
