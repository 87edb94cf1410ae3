/*
 * The parts of a snapshot: memory, CPU, disks, database, run. Each adds its section to
 * the result and its finding to the verdict. snapshot.c calls them one after another.
 */
#ifndef BK_HEALTH_MEASURE_H
#define BK_HEALTH_MEASURE_H

struct bk__health_verdict;
struct bk__job;
struct json_object;

int bk__health_memory(struct bk__job *job, struct bk__health_verdict *verdict);
int bk__health_cpu(struct bk__job *job);
int bk__health_disks(struct bk__job *job, struct bk__health_verdict *verdict);
int bk__health_database(struct bk__job *job, struct bk__health_verdict *verdict);
int bk__health_run(struct bk__job *job);

#endif
