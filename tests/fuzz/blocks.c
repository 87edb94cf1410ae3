/*
 * The fuzzer of archives' blocks: any bytes where a packed block or a foreign stream should be. What
 * it checks beside memory: what is accepted fits the room it is given, and packs and comes back.
 * tests/fuzz/run runs it; the first byte of an input chooses the codec.
 */
#include <backup/archive/codec.h>

#include <stdlib.h>
#include <string.h>

#include <backup/archive/pipeline.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MOST ((size_t)4 << 20) /* of a foreign stream: a few bytes can become very many */

static const struct bk__codec *const rows[] = {&bk__codec_plain, &bk__codec_gzip,
                                               &bk__codec_zstd};
static void *states[3];

static void need(bool good) {
    if (!good) {
        abort();
    }
}

/* A block with buffers of exactly the room that archive.c gives. */
static struct bk__block block_new(void) {
    struct bk__block block = {.room = BK__CODEC_ROOM};
    block.in = malloc(block.room);
    block.out = malloc(block.room);
    need(block.in != NULL && block.out != NULL);
    return block;
}

static void block_free(struct bk__block *block) {
    free(block->in);
    free(block->out);
}

/* What was accepted, packed anew and unpacked, is the same. */
static void again(const struct bk__codec *row, void *state, struct bk__block *accepted) {
    struct bk__block block = block_new();
    memcpy(block.in, accepted->out, accepted->out_size);
    block.in_size = accepted->out_size;
    need(row->pack(state, &block) == BK__CODEC_FINE && block.out_size <= row->room);
    unsigned char *packed = block.out;
    block.out = block.in;
    block.in = packed;
    block.in_size = block.out_size;
    need(row->unpack(state, &block) == BK__CODEC_FINE);
    need(block.out_size == accepted->out_size);
    need(memcmp(block.out, accepted->out, block.out_size) == 0);
    block_free(&block);
}

static void unpack(const struct bk__codec *row, void *state, const uint8_t *data,
                   size_t size) {
    struct bk__block block = block_new();
    if (size <= row->room) {
        memcpy(block.in, data, size);
        block.in_size = size;
        enum bk__codec_why why = row->unpack(state, &block);
        need(bk__codec_why_text(why)[0] != '\0');
        if (why == BK__CODEC_FINE) {
            need(block.out_size <= BK__CODEC_BLOCK);
            again(row, state, &block);
        }
    }
    block_free(&block);
}

struct stream {
    const uint8_t *data;
    size_t size, at, out;
};

static int64_t source(void *context, unsigned char *bytes, size_t room) {
    struct stream *stream = context;
    size_t left = stream->size - stream->at;
    size_t piece = left < room ? left : room;
    memcpy(bytes, stream->data + stream->at, piece);
    stream->at += piece;
    return (int64_t)piece;
}

static int sink(void *context, const unsigned char *bytes, size_t size) {
    struct stream *stream = context;
    need(size > 0 && bytes != NULL);
    stream->out += size;
    return stream->out > MOST;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    size_t which = data[0] % 3;
    const struct bk__codec *row = rows[which];
    if (states[which] == NULL) {
        states[which] = row->begin(NULL);
        need(states[which] != NULL);
    }
    if (row->head > 0 && size - 1 >= row->head) {
        size_t told = row->size(data + 1);
        need(told == 0 || (told > row->head && told <= row->room));
    }
    unpack(row, states[which], data + 1, size - 1);
    if (row->foreign != NULL) {
        struct stream stream = {data + 1, size - 1, 0, 0};
        const struct bk__codec_pipe pipe = {&stream, source, sink};
        int64_t at = -1;
        row->foreign(&pipe, &at);
        need(at >= 0 && at <= (int64_t)(size - 1));
    }
    return 0;
}
