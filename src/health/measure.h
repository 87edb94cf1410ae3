/*
 * The parts of a snapshot that are measured at the moment: memory, CPU, disks; and the stores by
 * a job. Each prints its section and adds its finding to the verdict. snapshot.c calls them.
 */
#ifndef BK_HEALTH_MEASURE_H
#define BK_HEALTH_MEASURE_H

#include <health/level.h>

struct bk__config;
struct bk__job;
struct bk__meter;

/* What measuring remembers: limits found a moment ago, the CPU sample before. Guards itself. */
struct bk__meter *bk__meter_new(void); /* NULL: out of memory */
void bk__meter_free(struct bk__meter *meter);

/* Prints "memory":{...},"cpu":{...},"disk":[...] to out. */
void bk__meter_print(struct bk__meter *meter, const struct bk__config *config,
                     struct bk__buf *out, struct bk__verdict *verdict);

/* The sections of the disks alone; disks.c. */
void bk__health_disks(const struct bk__config *config, struct bk__buf *out,
                      struct bk__verdict *verdict);

/* Probes each store by store.probe and keeps what it found on the board; stores.c. An error only
   when the job itself must end (cancelled, out of memory). */
int bk__health_probe(struct bk__job *job);

/* Asks backup.status and keeps the check "backup" on the board. */
int bk__health_backups(struct bk__job *job);

#endif
