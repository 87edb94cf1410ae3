/*
 * gzip members: independent ones of at most 1 MiB that plain gunzip reads in a row and we read in
 * parallel; and any foreign gzip stream, through zlib. The row bk__codec_gzip is made of it;
 * archive.c sees that row alone.
 */
#ifndef BK_BACKUP_ARCHIVE_GZIP_H
#define BK_BACKUP_ARCHIVE_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backup/archive/codec.h>

#define BK__GZIP_HEAD 20 /* 10 fixed, 2 length of extra, 4 subfield head, 4 size */
#define BK__GZIP_LEVEL 1

/* A worker's own state. NULL: out of memory. fast: by ISA-L, which must be there. */
struct bk__gzip;
struct bk__gzip *bk__gzip_new(bool fast);
void bk__gzip_free(struct bk__gzip *gzip); /* NULL is fine */

/* One block into one member of at most BK__CODEC_ROOM bytes. Its size, or 0: it does not fit, which
   no block of at most BK__CODEC_BLOCK bytes does. */
size_t bk__gzip_deflate(struct bk__gzip *gzip, const unsigned char *in, size_t in_size,
                        unsigned char *out);

/* The whole member's size from the first BK__GZIP_HEAD bytes of one of ours, or 0: not ours. */
size_t bk__gzip_member_size(const unsigned char head[BK__GZIP_HEAD]);

/* One whole member of ours into at most BK__CODEC_BLOCK bytes. */
enum bk__codec_why bk__gzip_inflate(struct bk__gzip *gzip, const unsigned char *in,
                                    size_t in_size, unsigned char *out, size_t *ret_size);

/* Any gzip stream of any number of members. *ret_at is how many compressed bytes were used. */
enum bk__codec_why bk__gzip_foreign(const struct bk__codec_pipe *pipe, int64_t *ret_at);

#endif
