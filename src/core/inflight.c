/*
 * The table behind bk_begin() and bk_end(): slots with generations, a list of the live
 * ones in the order they began, a list of the free ones. No lock and no clock: keeper.c
 * brings both.
 */
#include <core/inflight.h>

#include <stdio.h>
#include <stdlib.h>

#include <core/error.h>

#define SLOT_BITS 16
#define SLOT_LIMIT ((1 << SLOT_BITS) - 1)
#define GENERATION_LIMIT (1 << (31 - SLOT_BITS))

struct bk__inflight_slot {
    int generation; /* from 1; an id is generation and slot in one number */
    int live;
    int before, after; /* in the live list; after also in the free list */
    int64_t began_ms;
    char label[64];
};

void bk__inflight_init(struct bk__inflight *inflight) {
    *inflight = (struct bk__inflight){
        .oldest = -1, .newest = -1, .first_free = -1, .last_free = -1};
}

void bk__inflight_free(struct bk__inflight *inflight) {
    free(inflight->slots);
    bk__inflight_init(inflight);
}

static void add_free(struct bk__inflight *inflight, int slot) {
    inflight->slots[slot].after = -1;
    if (inflight->last_free >= 0) {
        inflight->slots[inflight->last_free].after = slot;
    } else {
        inflight->first_free = slot;
    }
    inflight->last_free = slot;
}

static int grow(struct bk__inflight *inflight) {
    int room = inflight->room ? inflight->room * 2 : 64;
    if (inflight->room >= SLOT_LIMIT) {
        return bk__fail(
            BK_EBUSY,
            "%d operations are in flight already. Data is safe. Call bk_end() "
            "for each that has ended.",
            inflight->count);
    }
    room = room > SLOT_LIMIT ? SLOT_LIMIT : room;
    struct bk__inflight_slot *slots =
        realloc(inflight->slots, (size_t)room * sizeof inflight->slots[0]);
    if (!slots) {
        return bk__fail_memory();
    }
    inflight->slots = slots;
    for (int i = inflight->room; i < room; i++) {
        slots[i] = (struct bk__inflight_slot){.generation = 1};
        add_free(inflight, i);
    }
    inflight->room = room;
    return 0;
}

int bk__inflight_begin(struct bk__inflight *inflight, const char *label,
                       int64_t mono_ms) {
    if (inflight->first_free < 0) {
        int code = grow(inflight);
        if (code < 0) {
            return code;
        }
    }
    int index = inflight->first_free;
    struct bk__inflight_slot *slot = &inflight->slots[index];
    inflight->first_free = slot->after;
    if (inflight->first_free < 0) {
        inflight->last_free = -1;
    }
    slot->live = 1;
    slot->began_ms = mono_ms;
    slot->before = inflight->newest;
    slot->after = -1;
    snprintf(slot->label, sizeof slot->label, "%s", label);
    if (inflight->newest >= 0) {
        inflight->slots[inflight->newest].after = index;
    } else {
        inflight->oldest = index;
    }
    inflight->newest = index;
    inflight->count++;
    return slot->generation << SLOT_BITS | index;
}

static void unlink_live(struct bk__inflight *inflight, int index) {
    struct bk__inflight_slot *slot = &inflight->slots[index];
    if (slot->before >= 0) {
        inflight->slots[slot->before].after = slot->after;
    } else {
        inflight->oldest = slot->after;
    }
    if (slot->after >= 0) {
        inflight->slots[slot->after].before = slot->before;
    } else {
        inflight->newest = slot->before;
    }
}

int bk__inflight_end(struct bk__inflight *inflight, int id) {
    int index = id & SLOT_LIMIT;
    int generation = id >> SLOT_BITS;
    if (id <= 0 || index >= inflight->room || !inflight->slots[index].live ||
        inflight->slots[index].generation != generation) {
        return bk__fail(BK_ENOTFOUND,
                        "No operation with the id %d is in flight. Nothing was "
                        "changed. It has ended before, or bk_begin() failed.",
                        id);
    }
    struct bk__inflight_slot *slot = &inflight->slots[index];
    unlink_live(inflight, index);
    slot->live = 0;
    slot->generation = slot->generation + 1 < GENERATION_LIMIT ? slot->generation + 1 : 1;
    add_free(inflight, index);
    inflight->count--;
    return 0;
}

int64_t bk__inflight_oldest(const struct bk__inflight *inflight, const char **ret_label) {
    if (inflight->oldest < 0) {
        return -1;
    }
    const struct bk__inflight_slot *slot = &inflight->slots[inflight->oldest];
    if (ret_label) {
        *ret_label = slot->label;
    }
    return slot->began_ms;
}
