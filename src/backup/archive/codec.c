/*
 * The table of codecs, their reasons as text, and the codec that changes nothing.
 * Not compression: gzip.c and zstd.c. Not reading or writing of files.
 * Called by archive.c.
 */
#include <backup/archive/codec.h>

#include <string.h>

#include <backup/catalogue/name.h>
#include <backup/archive/pipeline.h>

const char *bk__codec_why_text(enum bk__codec_why why) {
    static const char *const texts[] = {
        [BK__CODEC_FINE] = "it is fine",
        [BK__CODEC_FRAME] = "a block's header or trailer is damaged",
        [BK__CODEC_DATA] = "compressed data is damaged",
        [BK__CODEC_SUM] = "a block's checksum does not match",
        [BK__CODEC_SHORT] = "it ends in the middle",
        [BK__CODEC_LONG] = "something follows its end",
        [BK__CODEC_SEAL] = "a block is not what was encrypted in this place",
        [BK__CODEC_ROOMLESS] = "a block does not fit",
        [BK__CODEC_STOP] = "reading was stopped",
        [BK__CODEC_MEMORY] = "there is not enough memory",
    };
    return texts[why];
}

const struct bk__codec *bk__codec_for(const struct bk__form *form) {
    static const struct bk__codec *const rows[] = {
        [BK__PLAIN] = &bk__codec_plain,
        [BK__GZIP] = &bk__codec_gzip,
        [BK__ZSTD] = &bk__codec_zstd,
    };
    return rows[form->compression];
}

/* ---- plain ------------------------------------------------------------------------------ */

static void *plain_begin(void *with) {
    static char nothing;
    (void)with;
    return &nothing;
}

static void plain_end(void *state) {
    (void)state;
}

static enum bk__codec_why plain_pack(void *state, struct bk__block *block) {
    (void)state;
    memcpy(block->out, block->in, block->in_size);
    block->out_size = block->in_size;
    return BK__CODEC_FINE;
}

static enum bk__codec_why plain_unpack(void *state, struct bk__block *block) {
    unsigned char *in = block->in;
    (void)state;
    block->in = block->out;
    block->out = in;
    block->out_size = block->in_size;
    return BK__CODEC_FINE;
}

const struct bk__codec bk__codec_plain = {
    .room = BK__CODEC_BLOCK,
    .begin = plain_begin,
    .end = plain_end,
    .pack = plain_pack,
    .unpack = plain_unpack,
};
