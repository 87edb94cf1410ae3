/*
 * CRC-64 as Redis closes its dumps with (Jones' polynomial, reflected, from 0). Not a proof against
 * malice: SHA-256 is. rdb.c, receive.c and source.c call it.
 */
#ifndef BK_STORE_REDIS_CRC64_H
#define BK_STORE_REDIS_CRC64_H

#include <stddef.h>
#include <stdint.h>

/* One running sum with its tables: 16 KB, so that no state is shared. */
struct bk__crc64 {
    uint64_t sum;
    uint64_t table[8][256];
};

void bk__crc64_begin(struct bk__crc64 *crc);
void bk__crc64_add(struct bk__crc64 *crc, const unsigned char *bytes, size_t size);

/* The sum as the last 8 bytes of a dump hold it. */
uint64_t bk__crc64_read(const unsigned char bytes[8]);

#endif
