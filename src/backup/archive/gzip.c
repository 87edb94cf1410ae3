/*
 * gzip members by ISA-L or libdeflate, each telling its own size in an extra subfield "BK"; foreign
 * streams by zlib. Not files and not threads: pipeline.c runs this on its workers.
 * Called by archive.c alone.
 */
#include <backup/archive/gzip.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <libdeflate.h>
#include <zlib.h>

#include <base/bytes.h>
#include <backup/archive/isal.h>
#include <backup/archive/pipeline.h>

#define TAIL 8 /* CRC-32 and length */
#define PIECE 65536

struct bk__gzip {
    struct bk__isal *fast; /* NULL: libdeflate alone */
    struct libdeflate_compressor *deflater;
    struct libdeflate_decompressor *inflater;
};

struct bk__gzip *bk__gzip_new(bool fast) {
    struct bk__gzip *gzip = calloc(1, sizeof *gzip);
    if (gzip == NULL) {
        return NULL;
    }
    gzip->deflater = libdeflate_alloc_compressor(BK__GZIP_LEVEL);
    gzip->inflater = libdeflate_alloc_decompressor();
    gzip->fast = fast ? bk__isal_new() : NULL;
    if ((fast && gzip->fast == NULL) || gzip->deflater == NULL ||
        gzip->inflater == NULL) {
        bk__gzip_free(gzip);
        return NULL;
    }
    return gzip;
}

void bk__gzip_free(struct bk__gzip *gzip) {
    if (gzip != NULL) {
        bk__isal_free(gzip->fast);
        libdeflate_free_compressor(gzip->deflater);
        libdeflate_free_decompressor(gzip->inflater);
        free(gzip);
    }
}

/* Magic, deflate, FEXTRA; no time; fastest; Unix; 8 bytes of extra: "BK", 4, the size. */
static const unsigned char head_start[16] = {0x1f, 0x8b, 8, 4, 0,   0,   0, 0,
                                             4,    3,    8, 0, 'B', 'K', 4, 0};

/* What ISA-L cannot shrink enough, libdeflate stores as it is. */
static size_t deflate_body(struct bk__gzip *gzip, const unsigned char *in, size_t in_size,
                           unsigned char *out) {
    const size_t room = BK__CODEC_ROOM - BK__GZIP_HEAD - TAIL;
    size_t size =
        gzip->fast == NULL ? 0 : bk__isal_deflate(gzip->fast, in, in_size, out, room);
    return size > 0 ? size
                    : libdeflate_deflate_compress(gzip->deflater, in, in_size, out, room);
}

size_t bk__gzip_deflate(struct bk__gzip *gzip, const unsigned char *in, size_t in_size,
                        unsigned char *out) {
    size_t body = deflate_body(gzip, in, in_size, out + BK__GZIP_HEAD);
    if (body == 0) {
        return 0;
    }
    size_t size = BK__GZIP_HEAD + body + TAIL;
    memcpy(out, head_start, sizeof head_start);
    bk__put_le(out + 16, 4, (uint32_t)size);
    bk__put_le(out + BK__GZIP_HEAD + body, 4, libdeflate_crc32(0, in, in_size));
    bk__put_le(out + BK__GZIP_HEAD + body + 4, 4, (uint32_t)in_size);
    return size;
}

size_t bk__gzip_member_size(const unsigned char head[BK__GZIP_HEAD]) {
    /* Bytes 4 to 9 (time, level, system) are another tool's to set; the rest is the format. */
    if (memcmp(head, head_start, 4) != 0 || memcmp(head + 10, head_start + 10, 6) != 0) {
        return 0;
    }
    size_t size = bk__get_le(head + 16, 4);
    return size > BK__GZIP_HEAD + TAIL && size <= BK__CODEC_ROOM ? size : 0;
}

enum bk__codec_why bk__gzip_inflate(struct bk__gzip *gzip, const unsigned char *in,
                                    size_t in_size, unsigned char *out,
                                    size_t *ret_size) {
    if (in_size <= BK__GZIP_HEAD + TAIL || bk__gzip_member_size(in) != in_size) {
        return BK__CODEC_FRAME;
    }
    const unsigned char *tail = in + in_size - TAIL;
    size_t want = bk__get_le(tail + 4, 4);
    if (want > BK__CODEC_BLOCK) {
        return BK__CODEC_FRAME;
    }
    size_t used = 0;
    size_t got = 0;
    size_t body = in_size - BK__GZIP_HEAD - TAIL;
    enum libdeflate_result result = libdeflate_deflate_decompress_ex(
        gzip->inflater, in + BK__GZIP_HEAD, body, out, want, &used, &got);
    if (result != LIBDEFLATE_SUCCESS || used != body || got != want) {
        return BK__CODEC_DATA;
    }
    if (libdeflate_crc32(0, out, got) != bk__get_le(tail, 4)) {
        return BK__CODEC_SUM;
    }
    *ret_size = got;
    return BK__CODEC_FINE;
}

/* ---- foreign streams ------------------------------------------------------------------ */

struct foreign {
    const struct bk__codec_pipe *pipe;
    z_stream z;
    bool ended;  /* the source has no more */
    bool inside; /* a member has begun and not ended */
    unsigned char in[PIECE];
    unsigned char out[PIECE];
};

static enum bk__codec_why zlib_why(int code) {
    if (code == Z_OK || code == Z_STREAM_END || code == Z_BUF_ERROR) {
        return BK__CODEC_FINE;
    }
    return code == Z_MEM_ERROR ? BK__CODEC_MEMORY : BK__CODEC_DATA;
}

/* Refills the input when it is used up. */
static enum bk__codec_why refill(struct foreign *f, int64_t *at) {
    if (f->z.avail_in > 0 || f->ended) {
        return BK__CODEC_FINE;
    }
    int64_t got = f->pipe->source(f->pipe->context, f->in, sizeof f->in);
    if (got < 0) {
        return BK__CODEC_STOP;
    }
    f->ended = got == 0;
    f->z.next_in = f->in;
    f->z.avail_in = (uInt)got;
    *at += got;
    return BK__CODEC_FINE;
}

/* Inflates one output piece and hands it on. */
static enum bk__codec_why step(struct foreign *f) {
    if (!f->inside && inflateReset(&f->z) != Z_OK) {
        return BK__CODEC_DATA;
    }
    f->inside = true;
    f->z.next_out = f->out;
    f->z.avail_out = sizeof f->out;
    int code = inflate(&f->z, Z_NO_FLUSH);
    enum bk__codec_why why = zlib_why(code);
    size_t size = sizeof f->out - f->z.avail_out;
    if (why == BK__CODEC_FINE && size > 0 &&
        f->pipe->sink(f->pipe->context, f->out, size) != 0) {
        return BK__CODEC_STOP;
    }
    if (why == BK__CODEC_FINE && f->ended && f->z.avail_in == 0 && size == 0 &&
        code != Z_STREAM_END) {
        return BK__CODEC_SHORT;
    }
    f->inside = code != Z_STREAM_END;
    return why;
}

enum bk__codec_why bk__gzip_foreign(const struct bk__codec_pipe *pipe, int64_t *ret_at) {
    int64_t at = 0;
    enum bk__codec_why why = BK__CODEC_MEMORY;
    struct foreign *f = calloc(1, sizeof *f);
    if (f == NULL) {
        return why;
    }
    f->pipe = pipe;
    /* 16 more than the window's bits: gzip framing, its CRC checked by zlib. */
    if (inflateInit2(&f->z, 16 + MAX_WBITS) == Z_OK) {
        bool any = false;
        do {
            why = refill(f, &at);
            if (why != BK__CODEC_FINE || (!f->inside && f->z.avail_in == 0)) {
                break;
            }
            any = true;
            why = step(f);
        } while (why == BK__CODEC_FINE);
        at -= f->z.avail_in;
        why = why == BK__CODEC_FINE && !any ? BK__CODEC_SHORT : why;
        inflateEnd(&f->z);
    }
    free(f);
    *ret_at = at;
    return why;
}

/* ---- the row ---------------------------------------------------------------------------- */

static void *row_begin(void *with) {
    (void)with;
    return bk__gzip_new(bk__isal_there());
}

static void row_end(void *state) {
    bk__gzip_free(state);
}

static enum bk__codec_why row_pack(void *state, struct bk__block *block) {
    block->out_size = bk__gzip_deflate(state, block->in, block->in_size, block->out);
    return block->out_size > 0 ? BK__CODEC_FINE : BK__CODEC_ROOMLESS;
}

static enum bk__codec_why row_unpack(void *state, struct bk__block *block) {
    return bk__gzip_inflate(state, block->in, block->in_size, block->out,
                            &block->out_size);
}

const struct bk__codec bk__codec_gzip = {
    .room = BK__CODEC_ROOM,
    .head = BK__GZIP_HEAD,
    .size = bk__gzip_member_size,
    .begin = row_begin,
    .end = row_end,
    .pack = row_pack,
    .unpack = row_unpack,
    .foreign = bk__gzip_foreign,
};
