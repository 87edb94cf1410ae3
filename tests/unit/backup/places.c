/*
 * Tests of src/backup/archive/places.c: sums in pieces of any size, few parts for any size, the first
 * difference found, text and back. Not of archives (tests/c/backup_verify.c).
 */
#include <backup/archive/places.h>

#include <stdlib.h>
#include <string.h>

#include "sandbox.h"
#include <cmocka.h>

#define MIB ((size_t)1 << 20)

static unsigned char *noise(size_t size) {
    unsigned char *bytes = malloc(size);
    uint32_t state = 2463534242U;
    assert_non_null(bytes);
    for (size_t i = 0; i < size; i++) {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        bytes[i] = (unsigned char)state;
    }
    return bytes;
}

/* In pieces of 1, 2, 4 ... and then as large ones as are left. */
static struct bk__places sums(const unsigned char *bytes, size_t size, size_t first) {
    struct bk__places places = {0};
    size_t piece = first;
    for (size_t at = 0; at < size; at += piece, piece *= 2) {
        piece = piece < size - at ? piece : size - at;
        bk__places_add(&places, bytes + at, piece);
    }
    return places;
}

static void test_backup_places__pieces_do_not_matter(void **state) {
    unsigned char *bytes = noise(5 * MIB + 77);
    static const size_t sizes[] = {0, 1, 4096, 4097, MIB, MIB + 1, 4 * MIB, 5 * MIB + 77};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bk__places one = sums(bytes, sizes[i], 1);
        struct bk__places other = sums(bytes, sizes[i], 12345);
        int64_t from, to;
        assert_false(bk__places_differ(&one, &other, &from, &to));
        assert_int_equal(one.bytes, sizes[i]);
        assert_memory_equal(&one, &other, sizeof one);
        assert_in_range(bk__places_count(&one), sizes[i] > 0, BK__PLACES_MOST);
    }
    free(bytes);
}

static void test_backup_places__a_flipped_byte_is_found_in_its_part(void **state) {
    size_t size = 3 * MIB + 5;
    unsigned char *bytes = noise(size);
    struct bk__places good = sums(bytes, size, 4096);
    (void)state;
    for (size_t at = 0; at < size; at += size / 37) {
        int64_t from = -1;
        int64_t to = -1;
        bytes[at] ^= 1;
        struct bk__places bad = sums(bytes, size, 4096);
        bytes[at] ^= 1;
        assert_true(bk__places_differ(&good, &bad, &from, &to));
        assert_true(from <= (int64_t)at && (int64_t)at < to && to <= (int64_t)size);
        assert_true(to - from <= (int64_t)size / 100); /* a part is small */
    }
    free(bytes);
}

static void test_backup_places__other_sizes_are_not_compared(void **state) {
    unsigned char *bytes = noise(2 * MIB);
    struct bk__places one = sums(bytes, MIB, 1);
    struct bk__places other = sums(bytes, MIB + 1, 1);
    struct bk__places none = {0};
    int64_t from, to;
    (void)state;
    assert_false(bk__places_differ(&one, &other, &from, &to));
    assert_false(bk__places_differ(&one, &none, &from, &to));
    free(bytes);
}

static void test_backup_places__text_comes_back(void **state) {
    unsigned char *bytes = noise(MIB + 9);
    struct bk__places places = sums(bytes, MIB + 9, 1);
    struct bk__places again;
    char text[BK__PLACES_MOST * 8 + 1];
    (void)state;
    bk__places_print(&places, text);
    assert_true(bk__places_parse(text, places.part, places.bytes, &again));
    assert_memory_equal(&places, &again, sizeof places);
    free(bytes);
}

static void test_backup_places__texts_that_are_none_are_refused(void **state) {
    struct bk__places ret;
    char text[BK__PLACES_MOST * 8 + 9];
    (void)state;
    assert_true(bk__places_parse("0123abcd", 4096, 1, &ret));
    assert_false(bk__places_parse("0123abcd", 4096, 4097, &ret));
    assert_false(bk__places_parse("0123abcd", 4095, 1, &ret));
    assert_false(bk__places_parse("0123abcd", 0, 1, &ret));
    assert_false(bk__places_parse("0123abcd", -4096, 1, &ret));
    assert_false(bk__places_parse("0123abcD", 4096, 1, &ret));
    assert_false(bk__places_parse("0123abc", 4096, 1, &ret));
    assert_false(bk__places_parse("0123abcd", INT64_MAX, -1, &ret));
    assert_true(bk__places_parse("0123abcd", INT64_MAX, INT64_MAX, &ret));
    memset(text, '0', sizeof text);
    text[sizeof text - 1] = '\0';
    assert_false(bk__places_parse(text, 4096, 4096 * (BK__PLACES_MOST + 1), &ret));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_places__pieces_do_not_matter),
        cmocka_unit_test(test_backup_places__a_flipped_byte_is_found_in_its_part),
        cmocka_unit_test(test_backup_places__other_sizes_are_not_compared),
        cmocka_unit_test(test_backup_places__text_comes_back),
        cmocka_unit_test(test_backup_places__texts_that_are_none_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
