/*
 * Bytes in memory as the ends of a codec's stream, samples to pack, and the programs that read or
 * write the same formats. Not a codec: it calls the rows as archive.c does, a block after the other.
 */
#ifndef TESTS_STREAM_H
#define TESTS_STREAM_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backup/archive/codec.h>
#include <backup/archive/pipeline.h>

#include "sandbox.h"
#include <cmocka.h>

/* A growing piece of memory; as a source it gives at most step bytes at once (0: any). */
struct bytes {
    unsigned char *data;
    size_t size, at;
    size_t step;
};

static inline void stream_add(struct bytes *to, const unsigned char *data, size_t size) {
    if (size >= PTRDIFF_MAX - to->size) {
        abort(); /* which tells the compiler, too, that it cannot be */
    }
    to->data = realloc(to->data, to->size + size + 1);
    assert_non_null(to->data);
    if (size > 0) {
        memcpy(to->data + to->size, data, size);
    }
    to->size += size;
}

/* Text: packs about as a bot's database does. */
static inline struct bytes stream_sample(size_t size) {
    struct bytes bytes = {malloc(size + 64), size, 0, 0};
    uint32_t noise = 2463534242U;
    assert_non_null(bytes.data);
    for (size_t i = 0; i < size;) {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        i += (size_t)sprintf((char *)bytes.data + i, "user %u wrote message %x; ",
                             noise % 1000, noise);
    }
    return bytes;
}

/* Packs not at all. */
static inline struct bytes stream_noise(size_t size) {
    struct bytes bytes = stream_sample(size);
    uint64_t noise = 88172645463325252ULL;
    for (size_t i = 0; i + 8 <= size; i += 8) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        memcpy(bytes.data + i, &noise, 8);
    }
    return bytes;
}

static inline void stream_assert_same(const struct bytes *a, const struct bytes *b) {
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

/* What a block needs: the room both of its buffers have. */
static inline struct bk__block block_of(const struct bk__codec *codec) {
    size_t room = codec->room > BK__CODEC_BLOCK ? codec->room : BK__CODEC_BLOCK;
    struct bk__block block = {.in = malloc(room), .out = malloc(room), .room = room};
    assert_true(block.in != NULL && block.out != NULL);
    return block;
}

/* All blocks of the input, packed into a row. */
static inline struct bytes stream_packed(const struct bk__codec *codec,
                                         const struct bytes *in) {
    struct bytes out = {0};
    struct bk__block block = block_of(codec);
    void *state = codec->begin(NULL);
    assert_non_null(state);
    for (size_t at = 0; at < in->size; at += block.in_size) {
        size_t left = in->size - at;
        block.in_size = left < BK__CODEC_BLOCK ? left : BK__CODEC_BLOCK;
        memcpy(block.in, in->data + at, block.in_size);
        assert_int_equal(codec->pack(state, &block), BK__CODEC_FINE);
        assert_in_range(block.out_size, 1, codec->room);
        assert_memory_equal(block.in, in->data + at, block.in_size);
        if (codec->head > 0) {
            assert_int_equal(codec->size(block.out), block.out_size);
        }
        stream_add(&out, block.out, block.out_size);
        block.index++;
    }
    codec->end(state);
    free(block.in);
    free(block.out);
    return out;
}

/* One packed block; *ret holds what was in it. */
static inline enum bk__codec_why
stream_unpack(const struct bk__codec *codec, const struct bytes *in, struct bytes *ret) {
    struct bk__block block = block_of(codec);
    void *state = codec->begin(NULL);
    assert_non_null(state);
    assert_true(in->size <= block.room);
    memcpy(block.in, in->data, in->size);
    block.in_size = in->size;
    enum bk__codec_why why = codec->unpack(state, &block);
    *ret = (struct bytes){0};
    if (why == BK__CODEC_FINE) {
        assert_in_range(block.out_size, 0, BK__CODEC_BLOCK);
        stream_add(ret, block.out, block.out_size);
    }
    codec->end(state);
    free(block.in);
    free(block.out);
    return why;
}

struct ends {
    struct bytes *from, *to;
};

static inline int64_t give(void *context, unsigned char *bytes, size_t room) {
    struct bytes *from = ((struct ends *)context)->from;
    size_t left = from->size - from->at;
    size_t size = left < room ? left : room;
    size = from->step > 0 && size > from->step ? from->step : size;
    memcpy(bytes, from->data + from->at, size);
    from->at += size;
    return (int64_t)size;
}

static inline int take(void *context, const unsigned char *bytes, size_t size) {
    stream_add(((struct ends *)context)->to, bytes, size);
    return 0;
}

/* A whole stream through codec->foreign. */
static inline enum bk__codec_why stream_foreign(const struct bk__codec *codec,
                                                struct bytes *from, struct bytes *ret,
                                                int64_t *ret_at) {
    struct ends ends = {from, ret};
    const struct bk__codec_pipe pipe = {&ends, give, take};
    *ret = (struct bytes){0};
    return codec->foreign(&pipe, ret_at);
}

static inline void stream_save(const char *path, const struct bytes *bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->data, 1, bytes->size, file), bytes->size);
    assert_int_equal(fclose(file), 0);
}

static inline struct bytes stream_load(const char *path) {
    struct bytes bytes = {0};
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    bytes.size = (size_t)info.st_size;
    bytes.data = malloc(bytes.size + 1);
    FILE *file = fopen(path, "rb");
    assert_true(file != NULL && bytes.data != NULL);
    assert_int_equal(fread(bytes.data, 1, bytes.size, file), bytes.size);
    fclose(file);
    return bytes;
}

/* NULL ends the command; it must succeed. */
static inline void stream_run(const char *const *command) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execvp(command[0], (char *const *)(uintptr_t)command);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

#endif
