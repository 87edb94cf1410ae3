/*
 * The payload of an archive of content "delta": the pages in which a database image differs from an
 * earlier one. Pure bytes, no files. changes.c writes it, chain.c reads it.
 *
 *   header, 64 bytes: "BKDELTA1", u32 page size, u32 0, u64 pages of the image that results,
 *       u64 pages of the parent's image, the SHA-256 of the parent's image (32 bytes);
 *   runs: u64 number of the first page (from 1), u32 count (from 1), u32 0, then count pages;
 *       runs rise and do not overlap, and lie within the image that results;
 *   end, 48 bytes: a run whose 16 bytes are 0, then the SHA-256 of the image that results.
 *
 * Numbers are little endian. To restore: the parent's image; cut it or let it grow to as many pages
 * as the header says; write each run's pages over those of their numbers; compare the SHA-256.
 * Pages that are new are always in a run. The payload is packed and sealed as any image is.
 */
#ifndef BK_BACKUP_DELTA_DELTA_H
#define BK_BACKUP_DELTA_DELTA_H

#include <stddef.h>
#include <stdint.h>

#include <base/hash.h>

#define BK__DELTA_HEADER 64
#define BK__DELTA_RUN 16
#define BK__DELTA_END (BK__DELTA_RUN + 32)

struct bk__delta {
    int page_size;
    int64_t pages, parent_pages;
    char parent_sha256[BK__SHA256_HEX];
    char sha256[BK__SHA256_HEX]; /* of the image that results: stands at the end */
};

void bk__delta_header(const struct bk__delta *delta, unsigned char out[BK__DELTA_HEADER]);
void bk__delta_run(int64_t first, int64_t count, unsigned char out[BK__DELTA_RUN]);
void bk__delta_end(const struct bk__delta *delta, unsigned char out[BK__DELTA_END]);

/* Reading: fed piece by piece, it hands on the bytes of pages with their place in the image. */
struct bk__delta_reader {
    int (*put)(void *context, const unsigned char *bytes, size_t size, int64_t at);
    void *context;
    struct bk__delta found; /* filled while reading */
    int rc;                 /* what put returned, when that was not 0 */
    /* its own */
    int step;
    unsigned char held[BK__DELTA_HEADER];
    size_t have;
    int64_t at, left; /* of the run: where its next byte belongs, how many follow */
    int64_t next;     /* the least page a further run may begin with */
};

/* NULL: go on; or why this is no payload. After a put that failed rc is set and it is "". */
const char *bk__delta_feed(struct bk__delta_reader *reader, const unsigned char *bytes,
                           size_t size);
const char *
bk__delta_ended(const struct bk__delta_reader *reader); /* NULL: it is whole */

#endif
