/*
 * Frames by zstd, each told its size by the skippable frame before it; foreign streams by the same
 * library. Not files and not threads: pipeline.c runs this on its workers.
 * Called by archive.c through the row at the end.
 */
#include <backup/archive/zstd.h>

#include <stdlib.h>
#include <string.h>

#define ZSTD_STATIC_LINKING_ONLY /* for literals; it is linked statically */
#include <zstd.h>
#include <zstd_errors.h>

#include <base/bytes.h>
#include <backup/archive/pipeline.h>

/* Level 1 with larger steps over what does not repeat, and literals packed all the same. Steps of 6
   would pack the short rows of a PostgreSQL dump to 1.4 times the size, more than pg_dump's own gzip.
   The window is the block, and the table fits a processor's cache. */
#define LEVEL 1
#define WINDOW_LOG 20
#define HASH_LOG 14
#define STEP 4

#define PIECE 65536

/* Magic of the 11th kind of skippable frame, little endian, and 4 bytes of content. */
static const unsigned char head_start[8] = {0x5b, 0x2a, 0x4d, 0x18, 4, 0, 0, 0};

struct zstd {
    ZSTD_CCtx *packer;
    ZSTD_DCtx *unpacker;
};

static void row_end(void *state) {
    struct zstd *zstd = state;
    ZSTD_freeCCtx(zstd->packer);
    ZSTD_freeDCtx(zstd->unpacker);
    free(zstd);
}

static bool set(ZSTD_CCtx *packer, ZSTD_cParameter parameter, int value) {
    return !ZSTD_isError(ZSTD_CCtx_setParameter(packer, parameter, value));
}

static void *row_begin(void *with) {
    struct zstd *zstd = calloc(1, sizeof *zstd);
    (void)with;
    if (zstd == NULL) {
        return NULL;
    }
    zstd->packer = ZSTD_createCCtx();
    zstd->unpacker = ZSTD_createDCtx();
    if (zstd->packer == NULL || zstd->unpacker == NULL ||
        !set(zstd->packer, ZSTD_c_compressionLevel, LEVEL) ||
        !set(zstd->packer, ZSTD_c_windowLog, WINDOW_LOG) ||
        !set(zstd->packer, ZSTD_c_hashLog, HASH_LOG) ||
        !set(zstd->packer, ZSTD_c_targetLength, STEP) ||
        !set(zstd->packer, ZSTD_c_literalCompressionMode, ZSTD_ps_enable) ||
        !set(zstd->packer, ZSTD_c_checksumFlag, 1)) {
        row_end(zstd);
        return NULL;
    }
    return zstd;
}

static enum bk__codec_why row_pack(void *state, struct bk__block *block) {
    struct zstd *zstd = state;
    size_t size =
        ZSTD_compress2(zstd->packer, block->out + BK__ZSTD_HEAD,
                       BK__CODEC_ROOM - BK__ZSTD_HEAD, block->in, block->in_size);
    if (ZSTD_isError(size)) {
        bool memory = ZSTD_getErrorCode(size) == ZSTD_error_memory_allocation;
        return memory ? BK__CODEC_MEMORY : BK__CODEC_ROOMLESS;
    }
    memcpy(block->out, head_start, sizeof head_start);
    bk__put_le(block->out + sizeof head_start, 4, (uint32_t)size);
    block->out_size = BK__ZSTD_HEAD + size;
    return BK__CODEC_FINE;
}

size_t bk__zstd_block_size(const unsigned char head[BK__ZSTD_HEAD]) {
    if (memcmp(head, head_start, sizeof head_start) != 0) {
        return 0;
    }
    size_t size = bk__get_le(head + sizeof head_start, 4);
    return size > 0 && size <= BK__CODEC_ROOM - BK__ZSTD_HEAD ? BK__ZSTD_HEAD + size : 0;
}

static enum bk__codec_why zstd_why(size_t code) {
    switch (ZSTD_getErrorCode(code)) {
    case ZSTD_error_no_error:
        return BK__CODEC_FINE;
    case ZSTD_error_checksum_wrong:
        return BK__CODEC_SUM;
    case ZSTD_error_memory_allocation:
        return BK__CODEC_MEMORY;
    default:
        return BK__CODEC_DATA;
    }
}

static enum bk__codec_why row_unpack(void *state, struct bk__block *block) {
    struct zstd *zstd = state;
    if (block->in_size <= BK__ZSTD_HEAD ||
        bk__zstd_block_size(block->in) != block->in_size) {
        return BK__CODEC_FRAME;
    }
    const unsigned char *frame = block->in + BK__ZSTD_HEAD;
    size_t size = block->in_size - BK__ZSTD_HEAD;
    /* One frame alone: a second one, or one that only skips, has no business here. */
    unsigned long long want = ZSTD_getFrameContentSize(frame, size);
    if (want > BK__CODEC_BLOCK || ZSTD_findFrameCompressedSize(frame, size) != size ||
        bk__get_le(frame, 4) != ZSTD_MAGICNUMBER) {
        return BK__CODEC_FRAME;
    }
    size_t got =
        ZSTD_decompressDCtx(zstd->unpacker, block->out, BK__CODEC_BLOCK, frame, size);
    if (ZSTD_isError(got)) {
        return zstd_why(got);
    }
    block->out_size = got;
    return got == want ? BK__CODEC_FINE : BK__CODEC_DATA;
}

const struct bk__codec bk__codec_zstd = {
    .room = BK__CODEC_ROOM,
    .head = BK__ZSTD_HEAD,
    .size = bk__zstd_block_size,
    .begin = row_begin,
    .end = row_end,
    .pack = row_pack,
    .unpack = row_unpack,
    .foreign = bk__zstd_foreign,
};

/* ---- foreign streams ------------------------------------------------------------------ */

struct foreign {
    const struct bk__codec_pipe *pipe;
    ZSTD_DCtx *unpacker;
    ZSTD_inBuffer input;
    int64_t at; /* bytes that came from the source */
    bool ended; /* the source has no more */
    bool whole; /* no frame is open */
    unsigned char in[PIECE];
    unsigned char out[PIECE];
};

/* Refills the input when it is used up. */
static enum bk__codec_why refill(struct foreign *f) {
    if (f->input.pos < f->input.size || f->ended) {
        return BK__CODEC_FINE;
    }
    int64_t got = f->pipe->source(f->pipe->context, f->in, sizeof f->in);
    if (got < 0) {
        return BK__CODEC_STOP;
    }
    f->ended = got == 0;
    f->input = (ZSTD_inBuffer){f->in, (size_t)got, 0};
    f->at += got;
    return BK__CODEC_FINE;
}

/* Unpacks one output piece and hands it on. */
static enum bk__codec_why step(struct foreign *f) {
    ZSTD_outBuffer output = {f->out, sizeof f->out, 0};
    size_t before = f->input.pos;
    size_t left = ZSTD_decompressStream(f->unpacker, &output, &f->input);
    if (ZSTD_isError(left)) {
        return zstd_why(left);
    }
    f->whole = left == 0;
    if (output.pos > 0 && f->pipe->sink(f->pipe->context, f->out, output.pos) != 0) {
        return BK__CODEC_STOP;
    }
    bool stuck = output.pos == 0 && f->input.pos == before;
    return stuck && f->ended && !f->whole ? BK__CODEC_SHORT : BK__CODEC_FINE;
}

static enum bk__codec_why read_frames(struct foreign *f) {
    bool any = false;
    for (;;) {
        enum bk__codec_why why = refill(f);
        bool over = f->ended && f->whole && f->input.pos == f->input.size;
        if (why != BK__CODEC_FINE || over) {
            return why == BK__CODEC_FINE && !any ? BK__CODEC_SHORT : why;
        }
        any = true;
        why = step(f);
        if (why != BK__CODEC_FINE) {
            return why;
        }
    }
}

enum bk__codec_why bk__zstd_foreign(const struct bk__codec_pipe *pipe, int64_t *ret_at) {
    enum bk__codec_why why = BK__CODEC_MEMORY;
    struct foreign *f = calloc(1, sizeof *f);
    *ret_at = 0;
    if (f == NULL) {
        return why;
    }
    f->pipe = pipe;
    f->whole = true;
    f->unpacker = ZSTD_createDCtx();
    if (f->unpacker != NULL) {
        why = read_frames(f);
        ZSTD_freeDCtx(f->unpacker);
    }
    *ret_at = f->at - (int64_t)(f->input.size - f->input.pos);
    free(f);
    return why;
}
