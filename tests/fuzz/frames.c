/*
 * The fuzzer of encrypted archives' frames: any bytes as a header and as a frame, and any bytes as
 * what a frame with a good tag holds, which is what somebody with the key could forge. What it checks
 * beside memory: only what was sealed opens, in its place alone, and fits the room it is given.
 * tests/fuzz/run runs it; the first bytes choose the inner codec and what is damaged.
 */
#include <backup/seal/sealed.h>

#include <stdlib.h>
#include <string.h>

#include <backup/archive/pipeline.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct bk__codec *const rows[] = {&bk__codec_plain, &bk__codec_gzip,
                                               &bk__codec_zstd};
static struct bk__key key;
static struct bk__sealing sealings[3];
static void *states[3];

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static void begin(size_t which) {
    if (states[which] != NULL) {
        return;
    }
    if (key.mode == BK__KEY_NONE) {
        need(bk__key_generate(BK__KEY_SHARED, &key) == 0);
    }
    sealings[which].inner = rows[which];
    need(bk__seal_begin(&key, &sealings[which].seal) == 0);
    states[which] = bk__codec_sealed.begin(&sealings[which]);
    need(states[which] != NULL);
}

/* A block with buffers of exactly the room that archives have. */
static struct bk__block block_of(const uint8_t *data, size_t size, uint64_t index) {
    struct bk__block block = {.room = bk__codec_sealed.room, .index = index};
    block.in = malloc(block.room);
    block.out = malloc(block.room);
    need(block.in != NULL && block.out != NULL && size <= block.room);
    if (size > 0) {
        memcpy(block.in, data, size);
    }
    block.in_size = size;
    return block;
}

static void block_free(struct bk__block *block) {
    free(block->in);
    free(block->out);
}

/* Nobody knows the key, so no bytes from outside open. */
static void try_foreign(size_t which, const uint8_t *data, size_t size) {
    struct bk__seal_facts facts;
    struct bk__block block = block_of(data, size, 0);
    need(bk__codec_sealed.unpack(states[which], &block) == BK__CODEC_SEAL);
    need(bk__codec_shut.unpack(NULL, &block) == BK__CODEC_FINE);
    need(block.out_size == 0 || block.out_size == size);
    block_free(&block);
    if (size >= BK__SEAL_BEFORE) {
        size_t told = bk__seal_frame_size(data);
        need(told == 0 || (told >= BK__SEAL_AROUND && told <= bk__codec_sealed.room));
    }
    if (size >= BK__SEAL_HEADER) {
        bk__seal_facts(data, &facts);
    }
}

/* Whatever a frame holds, opening it ends well or says why. */
static void try_forged(size_t which, const uint8_t *data, size_t size, uint8_t damage) {
    struct bk__block block = block_of(NULL, 0, 7);
    if (size > 0) {
        memcpy(block.in + BK__SEAL_BEFORE, data, size);
    }
    block.in_size =
        bk__seal_close_frame(&sealings[which].seal, block.index, block.in, size);
    bool whole = damage == 0;
    if (damage == 1) {
        block.index++;
    } else if (damage > 1) {
        size_t at = (size_t)damage * 7919 % block.in_size;
        block.in[at] = (unsigned char)(block.in[at] ^ (1U << damage % 8));
    }
    enum bk__codec_why why = bk__codec_sealed.unpack(states[which], &block);
    need(whole || why == BK__CODEC_SEAL);
    if (why == BK__CODEC_FINE) {
        need(block.out_size <= block.room && (block.out_size > 0) == (size > 0));
    }
    if (whole && which == 0 && size > 0 && why == BK__CODEC_FINE) {
        need(block.out_size == size && memcmp(block.out, data, size) == 0);
    }
    block_free(&block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2 || size - 2 > BK__SEAL_LIMIT) {
        return 0;
    }
    size_t which = data[0] % 3;
    begin(which);
    try_foreign(which, data + 2, size - 2);
    try_forged(which, data + 2, size - 2, data[1]);
    return 0;
}
