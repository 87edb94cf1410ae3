/*
 * CRC-64/Jones, eight bytes at a step. Not the dump's format: rdb.c. Called by what reads, receives
 * and sends dumps.
 */
#include <store/redis/crc64.h>

#include <endian.h>
#include <string.h>

#define POLYNOMIAL UINT64_C(0x95ac9329ac4bc9b5) /* 0xad93d23594c935a9, bits reversed */

void bk__crc64_begin(struct bk__crc64 *crc) {
    crc->sum = 0;
    for (unsigned i = 0; i < 256; i++) {
        uint64_t value = i;
        for (int bit = 0; bit < 8; bit++) {
            value = value & 1 ? value >> 1 ^ POLYNOMIAL : value >> 1;
        }
        crc->table[0][i] = value;
    }
    for (unsigned i = 0; i < 256; i++) {
        for (int row = 1; row < 8; row++) {
            uint64_t before = crc->table[row - 1][i];
            crc->table[row][i] = before >> 8 ^ crc->table[0][before & 255];
        }
    }
}

static uint64_t step(const struct bk__crc64 *crc, uint64_t sum,
                     const unsigned char *bytes) {
    uint64_t mixed = 0;

    sum ^= bk__crc64_read(bytes);
    for (int i = 0; i < 8; i++) {
        mixed ^= crc->table[7 - i][sum >> (8 * i) & 255];
    }
    return mixed;
}

void bk__crc64_add(struct bk__crc64 *crc, const unsigned char *bytes, size_t size) {
    uint64_t sum = crc->sum;

    for (; size >= 8; size -= 8, bytes += 8) {
        sum = step(crc, sum, bytes);
    }
    for (; size > 0; size--) {
        sum = sum >> 8 ^ crc->table[0][(sum ^ *bytes++) & 255];
    }
    crc->sum = sum;
}

uint64_t bk__crc64_read(const unsigned char bytes[8]) {
    uint64_t little;

    memcpy(&little, bytes, sizeof little);
    return le64toh(little);
}
