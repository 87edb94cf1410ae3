/*
 * Which backups go: a pure decision over a list, without files or options. The clock and the zone
 * are given; docs/guide/schedule.md has the rules as a table. prune.c and create.c carry it out.
 */
#ifndef BK_BACKUP_RETENTION_H
#define BK_BACKUP_RETENTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backup/catalogue/name.h>

struct bk__zone;

/* Why a backup stays, one bit for each rule that holds it. */
enum bk__stay {
    BK__STAY_BEST = 1,   /* the newest verified one of all */
    BK__STAY_NEWEST = 2, /* the newest of its kind */
    BK__STAY_SPARED = 4, /* named by the caller */
    BK__STAY_ALL = 8,    /* keep is 0 */
    BK__STAY_COUNT = 16, /* fewer than keep verified ones of its kind are newer */
    BK__STAY_DAYS = 32,  /* younger than days */
    BK__STAY_DAILY = 64, /* the last one of one of the newest days, weeks, months */
    BK__STAY_WEEKLY = 128,
    BK__STAY_MONTHLY = 256,
    BK__STAY_BASE = 512 /* one that stays is made of changes to it */
};

struct bk__retain {
    /* in */
    char name[BK__NAME_SIZE];
    char kind[BK__KIND_SIZE];
    char parent[BK__NAME_SIZE]; /* the stem of the backup it needs, "" none */
    int64_t sequence;
    int64_t created_ms;
    bool verified;
    bool partial; /* a set that lacks a store; not verified, whatever its parts are */
    bool pinned;  /* it stays in any case */
    /* out */
    bool drop;
    unsigned
        stays; /* bk__stay; exactly BK__STAY_BASE: only as a base, so that it could go
                         once those that need it are made whole */
    char reason[320]; /* why it goes, or why it stays */
    /* of the decision */
    bool in_order;  /* its time agrees with its place among the others */
    int64_t age_ms; /* a time it is certainly not younger than */
    size_t link, slot;
};

struct bk__rules {
    int64_t keep;                   /* of each kind; 0: all */
    int64_t days;                   /* 0: age keeps none */
    int64_t daily, weekly, monthly; /* 0: none */
    int64_t now_ms;                 /* by a clock that does not jump */
    int64_t wall_ms; /* by the wall clock, for where most backups are later than now_ms */
    struct bk__zone *zone; /* of days, weeks and months */
    const char *spare;     /* a name that stays in any case; NULL: none */
};

/*
 * Sorts the items newest first, by sequence, and says of each whether it goes. The clock orders
 * nothing. A time that disagrees with the sequence (a clock that jumped) is not believed: such an
 * item is as old as the next newer one that is in order, and stands for no day, week or month.
 */
void bk__retention_decide(struct bk__retain *items, size_t count,
                          const struct bk__rules *rules);

#endif
