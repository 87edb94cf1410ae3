/*
 * How rdb.c and rdb_value.c share the walk through a dump. Only they include it.
 */
#ifndef BK_STORE_REDIS_RDB_INSIDE_H
#define BK_STORE_REDIS_RDB_INSIDE_H

#include <store/redis/crc64.h>
#include <store/redis/rdb.h>

#define BK__RDB_BUFFER ((size_t)256 << 10)
#define BK__RDB_UNKNOWN                                                                  \
    1 /* a thing of a later Redis: no error, but the walk ends there */

struct bk__rdb {
    const struct bk__rdb_source *source;
    struct bk__rdb_facts *facts;
    char *why;
    size_t why_room;
    int64_t before;  /* bytes of the dump before the buffer */
    size_t at, size; /* in the buffer */
    size_t summed;   /* how far the buffer is in the sum */
    bool past;       /* what comes now is not in the sum */
    bool expires;    /* the next key has a time to live */
    struct bk__crc64 crc;
    unsigned char bytes[BK__RDB_BUFFER];
};

/* BK_ECORRUPT, and why with the place. */
int bk__rdb_wrong(struct bk__rdb *rdb, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
int bk__rdb_unknown(struct bk__rdb *rdb, const char *what, unsigned number);
int64_t bk__rdb_at(const struct bk__rdb *rdb);

/* Exactly size bytes; ret NULL: over them. */
int bk__rdb_take(struct bk__rdb *rdb, unsigned char *ret, uint64_t size);

/* rdb_value.c: a plain length; a string (its text when room is enough, else ""; ret may be NULL); a
   value of a type that is known; the parts of a module's value. */
int bk__rdb_length(struct bk__rdb *rdb, uint64_t *ret);
int bk__rdb_string(struct bk__rdb *rdb, char *ret, size_t room);
bool bk__rdb_knows(unsigned type);
int bk__rdb_value(struct bk__rdb *rdb, unsigned type);
int bk__rdb_module(struct bk__rdb *rdb);

#endif
