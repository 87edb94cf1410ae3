/*
 * Checksums of the parts of an archive, so that damage which only a sum of the whole finds can be
 * named by its place. At most 256 parts, whatever the size. archive.c takes them, manifest.c keeps
 * them.
 */
#ifndef BK_BACKUP_ARCHIVE_PLACES_H
#define BK_BACKUP_ARCHIVE_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BK__PLACES_MOST 256
#define BK__PLACES_FIRST                                                                 \
    4096 /* bytes of a part while there are few; doubled when there are too many */

/* Which bytes of an archive are damaged: from, up to and without to. to 0: not known. */
struct bk__damage {
    int64_t from, to;
};

/* All zero at the beginning: nothing is known. */
struct bk__places {
    int64_t bytes;                  /* of the whole so far */
    int64_t part;                   /* bytes of each part but the last */
    uint32_t sums[BK__PLACES_MOST]; /* CRC-32 */
};

/* The next bytes of the archive. */
void bk__places_add(struct bk__places *places, const unsigned char *bytes, size_t size);

size_t bk__places_count(const struct bk__places *places);

/* The first part that differs, of two sums over as many bytes in as large parts. False: there is
   none, or they cannot be compared. */
bool bk__places_differ(const struct bk__places *one, const struct bk__places *other,
                       int64_t *ret_from, int64_t *ret_to);

/* The sums as hexadecimal text, 8 digits each, and back: false when it is not that. */
void bk__places_print(const struct bk__places *places, char out[BK__PLACES_MOST * 8 + 1]);
bool bk__places_parse(const char *text, int64_t part, int64_t bytes,
                      struct bk__places *ret);

#endif
