/*
 * zstd frames: independent ones of at most 1 MiB, each after a skippable frame that tells its size,
 * so that plain `zstd -d` reads them in a row and we read them in parallel; and any foreign zstd
 * stream. archive.c sees the row bk__codec_zstd alone.
 */
#ifndef BK_BACKUP_ARCHIVE_ZSTD_H
#define BK_BACKUP_ARCHIVE_ZSTD_H

#include <stdint.h>

#include <backup/archive/codec.h>

#define BK__ZSTD_HEAD                                                                    \
    12 /* a skippable frame: magic, 4, and the size of the frame after it */

/* The block's size with its head, from the head; 0: not ours. */
size_t bk__zstd_block_size(const unsigned char head[BK__ZSTD_HEAD]);

/* Any zstd stream of any number of frames. *ret_at is how many compressed bytes were used. */
enum bk__codec_why bk__zstd_foreign(const struct bk__codec_pipe *pipe, int64_t *ret_at);

#endif
