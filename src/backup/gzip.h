/*
 * gzip members: independent ones of at most 1 MiB that plain gunzip reads in a row and we read in
 * parallel; and any foreign gzip stream, through zlib. archive.c calls it.
 */
#ifndef BK_BACKUP_GZIP_H
#define BK_BACKUP_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BK__GZIP_BLOCK ((size_t)1 << 20) /* uncompressed bytes of one member, at most */
#define BK__GZIP_HEAD 20 /* 10 fixed, 2 length of extra, 4 subfield head, 4 size */
#define BK__GZIP_LEVEL 1

/* Bytes of one compressed member, at most. Part of the format: readers believe no larger size, so it
   must not depend on how well some version of a library packs. */
#define BK__GZIP_ROOM (BK__GZIP_BLOCK + BK__GZIP_BLOCK / 64)

/* A worker's own state. NULL: out of memory. */
struct bk__gzip;
struct bk__gzip *bk__gzip_new(void);
void bk__gzip_free(struct bk__gzip *gzip); /* NULL is fine */

/* One block into one member of at most BK__GZIP_ROOM bytes. Its size, or 0: it does not fit, which
   no block of at most BK__GZIP_BLOCK bytes does. */
size_t bk__gzip_deflate(struct bk__gzip *gzip, const unsigned char *in, size_t in_size,
                        unsigned char *out);

enum bk__gzip_why {
    BK__GZIP_FINE,
    BK__GZIP_FRAME, /* header or trailer is not that of a member */
    BK__GZIP_DATA,  /* the compressed data is damaged */
    BK__GZIP_SUM,   /* it inflates, but to other bytes */
    BK__GZIP_SHORT, /* foreign: the stream ends in the middle */
    BK__GZIP_STOP,  /* foreign: the sink said stop */
    BK__GZIP_MEMORY,
};
const char *bk__gzip_why_text(enum bk__gzip_why why);

/* The whole member's size from the first BK__GZIP_HEAD bytes of one of ours, or 0: not ours. */
size_t bk__gzip_member_size(const unsigned char head[BK__GZIP_HEAD]);

/* One whole member of ours into at most BK__GZIP_BLOCK bytes. */
enum bk__gzip_why bk__gzip_inflate(struct bk__gzip *gzip, const unsigned char *in,
                                   size_t in_size, unsigned char *out, size_t *ret_size);

/* Any gzip stream of any number of members. source fills up to room bytes (0: the end, < 0: stop);
   sink takes a piece (nonzero: stop). *ret_at is how many compressed bytes were used. */
struct bk__gzip_pipe {
    void *context;
    int64_t (*source)(void *context, unsigned char *bytes, size_t room);
    int (*sink)(void *context, const unsigned char *bytes, size_t size);
};
enum bk__gzip_why bk__gzip_foreign(const struct bk__gzip_pipe *pipe, int64_t *ret_at);

#endif
