/*
 * Operations of the host between bk_begin() and bk_end(): ids that are checked, how many,
 * since when the oldest. Plain data without a lock: the keeper guards it.
 */
#ifndef BK_CORE_INFLIGHT_H
#define BK_CORE_INFLIGHT_H

#include <stdint.h>

struct bk__inflight_slot;

struct bk__inflight {
    struct bk__inflight_slot *slots;
    int room;           /* slots allocated */
    int count;          /* in flight */
    int oldest, newest; /* slots in the order they began, -1: none */
    int first_free,
        last_free; /* used in turn, so that an id comes back as late as can be */
};

void bk__inflight_init(struct bk__inflight *inflight);
void bk__inflight_free(struct bk__inflight *inflight);

/* An id > 0, or BK_EBUSY (65535 are in flight), BK_ENOMEM. label is copied, cut at 63
 * bytes. */
int bk__inflight_begin(struct bk__inflight *inflight, const char *label, int64_t mono_ms);
int bk__inflight_end(struct bk__inflight *inflight, int id); /* BK_ENOTFOUND */

/* When the oldest began, and its label (until it ends); -1: none is in flight. */
int64_t bk__inflight_oldest(const struct bk__inflight *inflight, const char **ret_label);

#endif
