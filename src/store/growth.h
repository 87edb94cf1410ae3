/*
 * How far a file that is being written is final, for threads that read along. A driver that writes
 * an image from front to back tells it; one that does not costs the readers only time.
 */
#ifndef BK_STORE_GROWTH_H
#define BK_STORE_GROWTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum bk__growth_state { BK__GROWING, BK__GROWN, BK__GIVEN_UP };

struct bk__growth {
    pthread_mutex_t lock;
    pthread_cond_t told;
    /* guarded by lock */
    enum bk__growth_state state;
    int64_t bytes; /* the first so many will not change any more */
    int page_size; /* and pages: of the file when it is whole; 0: not told */
    int64_t pages;
};

void bk__growth_begin(struct bk__growth *growth);
void bk__growth_free(struct bk__growth *growth);

/* What the file will be, and how far it is. NULL is fine: nobody reads along. */
void bk__growth_plan(struct bk__growth *growth, int page_size, int64_t pages);
void bk__growth_tell(struct bk__growth *growth, int64_t bytes);

/* The file is whole, or what was told proved wrong and who read along has nothing: that is the last
   word, whichever came first. */
void bk__growth_end(struct bk__growth *growth, bool whole);

/* Waits until the file is there. False: it was given up, or what it will be was not told. */
bool bk__growth_planned(struct bk__growth *growth, int *ret_page_size,
                        int64_t *ret_pages);

/* Waits until so many bytes are final or the file is whole: false when it was given up. */
bool bk__growth_wait(struct bk__growth *growth, int64_t bytes);

#endif
