/*
 * Walking a Redis dump (RDB) from its first byte to its last: structure, keys per database, sum.
 * It trusts no length in it. Not the meaning of values. prove.c and restore.c call it.
 */
#ifndef BK_STORE_REDIS_RDB_H
#define BK_STORE_REDIS_RDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BK__RDB_VERSION_KNOWN                                                            \
    11                 /* Redis 7.2; the types of later ones are not known here */
#define BK__RDB_TAIL 8 /* the sum after the last opcode */

struct bk__rdb_db {
    int64_t number;
    int64_t keys;
    int64_t expiring; /* of these, how many have a time to live */
};

struct bk__rdb_facts {
    int version;
    int64_t bytes;
    bool
        summed; /* it ends with a sum, and that is right; false: the server left it out */
    uint64_t sum;     /* of all bytes before that sum, computed */
    bool modules;     /* it holds data of modules */
    bool counted;     /* false: it holds a type of a later Redis, named in unknown */
    char unknown[64]; /* "value type 24 at byte 1234" */
    char server[32];  /* the version of who wrote it, "" when it does not say */
    bool valkey;      /* which is Valkey, not Redis */
    int64_t memory;   /* what it took there, in bytes; 0: it does not say */
    int64_t last_db;  /* the highest number of a database, as far as it was counted */
    struct bk__rdb_db *dbs; /* those with keys, in the order of the dump */
    size_t db_count;
};
void bk__rdb_facts_free(struct bk__rdb_facts *facts);

/* Where the bytes come from: fills up to room of them; 0: the end, < 0: stop (a BK_ code). */
struct bk__rdb_source {
    void *context;
    int64_t (*read)(void *context, unsigned char *bytes, size_t room);
};

/* 0; BK_ECORRUPT with why (what and where); BK_ENOMEM; or what the source stopped with. *ret is to
   be freed after 0. */
int bk__rdb_walk(const struct bk__rdb_source *source, struct bk__rdb_facts *ret,
                 char *why, size_t why_room);

#endif
