/*
 * See growth.h: one number and one condition. Not the file itself.
 * Told by drivers and making.c, waited for by pack.c and changes.c.
 */
#include <store/growth.h>

void bk__growth_begin(struct bk__growth *growth) {
    *growth = (struct bk__growth){.lock = PTHREAD_MUTEX_INITIALIZER,
                                  .told = PTHREAD_COND_INITIALIZER};
}

void bk__growth_free(struct bk__growth *growth) {
    pthread_cond_destroy(&growth->told);
    pthread_mutex_destroy(&growth->lock);
}

void bk__growth_plan(struct bk__growth *growth, int page_size, int64_t pages) {
    if (growth != NULL) {
        pthread_mutex_lock(&growth->lock);
        growth->page_size = page_size;
        growth->pages = pages;
        pthread_mutex_unlock(&growth->lock);
    }
}

void bk__growth_tell(struct bk__growth *growth, int64_t bytes) {
    if (growth != NULL) {
        pthread_mutex_lock(&growth->lock);
        growth->bytes = bytes;
        pthread_cond_broadcast(&growth->told);
        pthread_mutex_unlock(&growth->lock);
    }
}

void bk__growth_end(struct bk__growth *growth, bool whole) {
    if (growth != NULL) {
        pthread_mutex_lock(&growth->lock);
        if (!whole || growth->state == BK__GROWING) {
            growth->state = whole ? BK__GROWN : BK__GIVEN_UP;
        }
        pthread_cond_broadcast(&growth->told);
        pthread_mutex_unlock(&growth->lock);
    }
}

bool bk__growth_wait(struct bk__growth *growth, int64_t bytes) {
    pthread_mutex_lock(&growth->lock);
    while (growth->state == BK__GROWING && growth->bytes < bytes) {
        pthread_cond_wait(&growth->told, &growth->lock);
    }
    bool good = growth->state != BK__GIVEN_UP;
    pthread_mutex_unlock(&growth->lock);
    return good;
}

bool bk__growth_planned(struct bk__growth *growth, int *ret_page_size,
                        int64_t *ret_pages) {
    bool there = bk__growth_wait(growth, 1);
    pthread_mutex_lock(&growth->lock);
    *ret_page_size = growth->page_size;
    *ret_pages = growth->pages;
    pthread_mutex_unlock(&growth->lock);
    return there && *ret_pages > 0;
}
