/*
 * CRC-32 of the parts of an archive, as many as fit into 256, made while its bytes go by.
 * Not proof: that is the SHA-256 of the whole. It only says where.
 * Called by archive.c and manifest.c.
 */
#include <backup/archive/places.h>

#include <stdio.h>
#include <string.h>

#include <libdeflate.h>
#include <zlib.h>

size_t bk__places_count(const struct bk__places *places) {
    return places->part == 0 ? 0
                             : (size_t)(places->bytes / places->part +
                                        (places->bytes % places->part > 0));
}

/* Two neighbours become one. Called when all are full. */
static void halve(struct bk__places *places) {
    for (size_t i = 0; i < BK__PLACES_MOST / 2; i++) {
        const uint32_t *pair = &places->sums[2 * i];
        places->sums[i] =
            (uint32_t)crc32_combine(pair[0], pair[1], (z_off_t)places->part);
    }
    memset(places->sums + BK__PLACES_MOST / 2, 0, sizeof places->sums / 2);
    places->part *= 2;
}

void bk__places_add(struct bk__places *places, const unsigned char *bytes, size_t size) {
    if (places->part == 0) {
        places->part = BK__PLACES_FIRST;
    }
    while (size > 0) {
        if (places->bytes == places->part * BK__PLACES_MOST) {
            halve(places);
        }
        size_t room = (size_t)(places->part - places->bytes % places->part);
        size_t piece = size < room ? size : room;
        uint32_t *sum = &places->sums[places->bytes / places->part];
        *sum = libdeflate_crc32(*sum, bytes, piece);
        places->bytes += (int64_t)piece;
        bytes += piece;
        size -= piece;
    }
}

bool bk__places_differ(const struct bk__places *one, const struct bk__places *other,
                       int64_t *ret_from, int64_t *ret_to) {
    if (one->bytes != other->bytes || one->part != other->part) {
        return false;
    }
    for (size_t i = 0; i < bk__places_count(one); i++) {
        if (one->sums[i] != other->sums[i]) {
            int64_t to = (int64_t)(i + 1) * one->part;
            *ret_from = (int64_t)i * one->part;
            *ret_to = to < one->bytes ? to : one->bytes;
            return true;
        }
    }
    return false;
}

void bk__places_print(const struct bk__places *places,
                      char out[BK__PLACES_MOST * 8 + 1]) {
    out[0] = '\0';
    for (size_t i = 0; i < bk__places_count(places); i++) {
        snprintf(out + 8 * i, 9, "%08x", (unsigned)places->sums[i]);
    }
}

/* Eight digits; false when one of them is none. */
static bool parse_sum(const char *text, uint32_t *ret) {
    static const char digits[] = "0123456789abcdef";
    *ret = 0;
    for (int i = 0; i < 8; i++) {
        const char *digit = text[i] == '\0' ? NULL : strchr(digits, text[i]);
        if (digit == NULL) {
            return false;
        }
        *ret = *ret << 4 | (uint32_t)(digit - digits);
    }
    return true;
}

bool bk__places_parse(const char *text, int64_t part, int64_t bytes,
                      struct bk__places *ret) {
    struct bk__places places = {.bytes = bytes, .part = part};
    if (part < BK__PLACES_FIRST || bytes < 0 || bytes / part > BK__PLACES_MOST) {
        return false;
    }
    size_t count = bk__places_count(&places);
    if (count > BK__PLACES_MOST || strlen(text) != 8 * count) {
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!parse_sum(text + 8 * i, &places.sums[i])) {
            return false;
        }
    }
    *ret = places;
    return true;
}
