/*
 * Packs a block by the inner row and seals it, and the other way, on the pipeline's workers.
 * Not which key: encryption.c. Blocks are sealed where they lie; only what the inner row left in
 * the other buffer is moved. Called through the row's functions, by archive.c.
 */
#include <backup/seal/sealed.h>

#include <stdlib.h>
#include <string.h>

#include <backup/archive/pipeline.h>

#define ROOM (BK__CODEC_ROOM + BK__SEAL_AROUND)

_Static_assert(BK__SEAL_LIMIT == BK__CODEC_ROOM, "a frame holds every packed block");

/* One worker's. */
struct state {
    const struct bk__sealing *sealing;
    void *inner;
};

void bk__sealed_coding(const struct bk__sealing *sealing, struct bk__coding *ret) {
    ret->codec = &bk__codec_sealed;
    ret->with = (void *)(uintptr_t)sealing;
    ret->prefix_size = sizeof sealing->seal.header;
    memcpy(ret->prefix, sealing->seal.header, sizeof sealing->seal.header);
}

static void *begin(void *with) {
    const struct bk__sealing *sealing = with;
    struct state *state = malloc(sizeof *state);
    if (state == NULL) {
        return NULL;
    }
    state->sealing = sealing;
    state->inner = sealing->inner->begin(NULL);
    if (state->inner == NULL) {
        free(state);
        return NULL;
    }
    return state;
}

static void end(void *with) {
    struct state *state = with;
    state->sealing->inner->end(state->inner);
    free(state);
}

/* A block of nothing becomes the last frame. */
static enum bk__codec_why pack(void *with, struct bk__block *block) {
    const struct state *state = with;
    unsigned char *contents = block->out + BK__SEAL_BEFORE;
    struct bk__block inside = *block;
    inside.out = contents;
    inside.room = block->room - BK__SEAL_AROUND;
    inside.out_size = 0;
    if (block->in_size > 0) {
        enum bk__codec_why why = state->sealing->inner->pack(state->inner, &inside);
        if (why != BK__CODEC_FINE) {
            return why;
        }
        if (inside.out_size == 0 || inside.out_size > BK__SEAL_LIMIT) {
            return BK__CODEC_ROOMLESS;
        }
    }
    if (inside.out != contents) { /* the inner row changed the buffers about */
        memmove(contents, inside.out, inside.out_size);
    }
    block->out_size = bk__seal_close_frame(&state->sealing->seal, block->index,
                                           block->out, inside.out_size);
    return BK__CODEC_FINE;
}

static enum bk__codec_why unpack(void *with, struct bk__block *block) {
    const struct state *state = with;
    if (!bk__seal_open_frame(&state->sealing->seal, block->index, block->in,
                             block->in_size)) {
        return BK__CODEC_SEAL;
    }
    block->out_size = 0;
    if (block->in_size == BK__SEAL_AROUND) {
        return BK__CODEC_FINE;
    }
    struct bk__block inside = *block;
    inside.in = block->in + BK__SEAL_BEFORE;
    inside.in_size = block->in_size - BK__SEAL_AROUND;
    inside.room = block->room - BK__SEAL_AROUND;
    enum bk__codec_why why = state->sealing->inner->unpack(state->inner, &inside);
    if (why == BK__CODEC_FINE && inside.out_size == 0) {
        return BK__CODEC_FRAME; /* only the last frame holds nothing */
    }
    if (inside.out != block->out) {
        memmove(block->out, inside.out, inside.out_size);
    }
    block->out_size = inside.out_size;
    return why;
}

const struct bk__codec bk__codec_sealed = {.room = ROOM,
                                           .head = BK__SEAL_BEFORE,
                                           .size = bk__seal_frame_size,
                                           .ends = true,
                                           .in_place = true,
                                           .begin = begin,
                                           .end = end,
                                           .pack = pack,
                                           .unpack = unpack};

/* ---- without a key -------------------------------------------------------------------- */

static void *shut_begin(void *with) {
    static char nothing;
    (void)with;
    return &nothing;
}

static void shut_end(void *state) {
    (void)state;
}

static enum bk__codec_why shut_unpack(void *state, struct bk__block *block) {
    (void)state;
    block->out_size = block->in_size == BK__SEAL_AROUND ? 0 : block->in_size;
    return BK__CODEC_FINE;
}

const struct bk__codec bk__codec_shut = {.room = ROOM,
                                         .head = BK__SEAL_BEFORE,
                                         .size = bk__seal_frame_size,
                                         .ends = true,
                                         .begin = shut_begin,
                                         .end = shut_end,
                                         .unpack = shut_unpack};
