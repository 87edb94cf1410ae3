/*
 * Numbers as they stand in files and frames: unsigned, of 1 to 8 bytes, little or big endian.
 * Not text and not signed numbers. Called by whoever reads or writes a binary format.
 */
#ifndef BK_BASE_BYTES_H
#define BK_BASE_BYTES_H

#include <stddef.h>
#include <stdint.h>

static inline void bk__put_le(unsigned char *to, size_t size, uint64_t value) {
    for (size_t i = 0; i < size; i++) {
        to[i] = (unsigned char)(value >> (8 * i));
    }
}

static inline uint64_t bk__get_le(const unsigned char *from, size_t size) {
    uint64_t value = 0;
    for (size_t i = size; i-- > 0;) {
        value = value << 8 | from[i];
    }
    return value;
}

static inline uint64_t bk__get_be(const unsigned char *from, size_t size) {
    uint64_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | from[i];
    }
    return value;
}

#endif
