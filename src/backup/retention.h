/*
 * Which backups go: a pure decision over a list, without clock, files or options. prune.c and
 * create.c carry it out.
 */
#ifndef BK_BACKUP_RETENTION_H
#define BK_BACKUP_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backup/name.h>

struct bk__retain {
    /* in */
    char name[BK__NAME_SIZE];
    char kind[BK__KIND_SIZE];
    int64_t sequence;
    int64_t created_ms;
    bool verified;
    /* out */
    bool drop;
    char reason[128]; /* why it goes; "" when it stays */
};

/*
 * Sorts the items newest first and marks what goes: in each kind, what has keep newer verified
 * ones. Never the newest of a kind, the newest verified of all, or the one named spare (may be
 * NULL). keep 0 keeps all. "Newer" is by sequence; the clock only parts equal sequences.
 */
void bk__retention_decide(struct bk__retain *items, size_t count, int64_t keep,
                          const char *spare);

#endif
