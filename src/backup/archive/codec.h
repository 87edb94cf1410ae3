/*
 * How blocks of an image become blocks of an archive and back: one row for each compression.
 * Not files and not threads: archive.c runs it on the pipeline's workers. What encrypts is a row
 * too, which calls another one inside (struct bk__coding says with what).
 */
#ifndef BK_BACKUP_ARCHIVE_CODEC_H
#define BK_BACKUP_ARCHIVE_CODEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk__block;
struct bk__form;

#define BK__CODEC_BLOCK ((size_t)1 << 20) /* bytes of the image in one block, at most */

/* As much is put into one: half the memory for a two-hundredth more of archive. */
#define BK__CODEC_FILL (BK__CODEC_BLOCK / 2)

/* Bytes of one packed block, at most. Part of the format: readers believe no larger size, so it
   must not depend on how well some version of a library packs. */
#define BK__CODEC_ROOM (BK__CODEC_BLOCK + BK__CODEC_BLOCK / 64)

#define BK__CODEC_HEAD 32    /* the longest head of a row */
#define BK__CODEC_PREFIX 128 /* the longest beginning of an archive before its blocks */

/* Why a packed block is not what it should be. */
enum bk__codec_why {
    BK__CODEC_FINE,
    BK__CODEC_FRAME, /* header or trailer is not that of a block */
    BK__CODEC_DATA,  /* the compressed data is damaged */
    BK__CODEC_SUM,   /* it unpacks, but to other bytes */
    BK__CODEC_SHORT, /* the archive ends in the middle of a block, or before its last one */
    BK__CODEC_LONG,     /* something follows the last block */
    BK__CODEC_SEAL,     /* encrypted: not what was sealed in this place with this key */
    BK__CODEC_ROOMLESS, /* packing: the block does not fit */
    BK__CODEC_STOP,     /* foreign: source or sink said stop */
    BK__CODEC_MEMORY,
};
const char *bk__codec_why_text(enum bk__codec_why why);

/* A whole stream that no row wrote. source fills up to room bytes (0: the end, < 0: stop); sink
   takes a piece (nonzero: stop). */
struct bk__codec_pipe {
    void *context;
    int64_t (*source)(void *context, unsigned char *bytes, size_t room);
    int (*sink)(void *context, const unsigned char *bytes, size_t size);
};

struct bk__codec {
    /* Bytes of one packed block, at most, and how many of them tell its whole size. */
    size_t room;
    size_t head;
    size_t (*size)(const unsigned char *head); /* 0: this is no block of ours */

    /* The archive ends with a block that holds nothing, so that one which was cut between two
       blocks is known for it. */
    bool ends;

    /* unpack changes the bytes it reads. */
    bool in_place;

    /* One worker's own state; with is the coding's. NULL: out of memory. */
    void *(*begin)(void *with);
    void (*end)(void *state);

    /* block->in into block->out, setting out_size. The block's index counts from 0 within the
       archive. pack leaves in as it is, because what was packed is compared with it; unpack may
       let the two buffers change places. */
    enum bk__codec_why (*pack)(void *state, struct bk__block *block);
    enum bk__codec_why (*unpack)(void *state, struct bk__block *block);

    /* Streams of other programs; NULL: there are none. *ret_at: how many bytes were used. */
    enum bk__codec_why (*foreign)(const struct bk__codec_pipe *pipe, int64_t *ret_at);
};

/* How one archive is coded: by which row, what its states are given, and which bytes stand before
   the first block. */
struct bk__coding {
    const struct bk__codec *codec;
    void *with;
    size_t prefix_size;
    unsigned char prefix[BK__CODEC_PREFIX];
};

/* The row of a form's compression, whatever is around it. NULL: there is none. */
const struct bk__codec *bk__codec_for(const struct bk__form *form);

extern const struct bk__codec
    bk__codec_plain; /* the blocks as they are, without a head */
extern const struct bk__codec bk__codec_gzip;
extern const struct bk__codec bk__codec_zstd;

#endif
