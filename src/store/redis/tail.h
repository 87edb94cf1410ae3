/*
 * A stream whose last bytes mean something else: they are held back, whatever pieces it comes in, and
 * all before them is let go in order. receive.c and rdb.c use it.
 */
#ifndef BK_STORE_REDIS_TAIL_H
#define BK_STORE_REDIS_TAIL_H

#include <stddef.h>

#define BK__REDIS_TAIL 48

struct bk__tail {
    size_t most; /* how many are held back: at most BK__REDIS_TAIL */
    size_t size; /* how many there are so far */
    unsigned char bytes[BK__REDIS_TAIL];
    int (*let_go)(void *context, const unsigned char *bytes, size_t size); /* 0 or < 0 */
    void *context;
};

/* 0, or what let_go() failed with. */
int bk__tail_add(struct bk__tail *tail, const unsigned char *bytes, size_t size);

#endif
