/*
 * Tests of src/backup/seal/seal.c: what is sealed comes back whole with its key, and nothing else does.
 * Not of archives on disk (tests/c/backup_encryption.c); tests/format reads the same bytes by
 * the documentation alone.
 */
#include <backup/seal/seal.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>

#include "sandbox.h"
#include <cmocka.h>

#define SIZE 1000

static struct bk__key key_of(enum bk__key_mode mode) {
    struct bk__key key;
    assert_int_equal(bk__key_generate(mode, &key), 0);
    return key;
}

/* The key as the option backup.recipient gives it. */
static struct bk__key public_of(const struct bk__key *key) {
    char text[BK__KEY_PUBLIC_SIZE];
    struct bk__key other;
    bk__key_show(key, text);
    assert_null(bk__key_read_public(text, &other));
    return other;
}

static struct bk__seal begun(const struct bk__key *key) {
    struct bk__seal seal;
    assert_int_equal(bk__seal_begin(key, &seal), 0);
    return seal;
}

/* A frame of size bytes that count up from first. */
static unsigned char *framed(const struct bk__seal *seal, uint64_t index, size_t size,
                             size_t *ret) {
    unsigned char *frame = malloc(size + BK__SEAL_AROUND);
    assert_non_null(frame);
    for (size_t i = 0; i < size; i++) {
        frame[BK__SEAL_BEFORE + i] = (unsigned char)(i * 7);
    }
    *ret = bk__seal_close_frame(seal, index, frame, size);
    assert_int_equal(*ret, size + BK__SEAL_AROUND);
    assert_int_equal(bk__seal_frame_size(frame), *ret);
    return frame;
}

static void assert_opens(const struct bk__seal *seal, size_t size) {
    size_t whole = 0;
    unsigned char *frame = framed(seal, 5, size, &whole);
    assert_true(bk__seal_open_frame(seal, 5, frame, whole));
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(frame[BK__SEAL_BEFORE + i], (unsigned char)(i * 7));
    }
    free(frame);
}

static void test_backup_seal__frames_of_every_size_come_back(void **state) {
    static const size_t sizes[] = {0, 1, 15, 16, 17, SIZE, BK__SEAL_LIMIT};
    struct bk__key key = key_of(BK__KEY_SHARED);
    struct bk__seal seal = begun(&key);
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        assert_opens(&seal, sizes[i]);
    }
}

static void test_backup_seal__contents_are_not_readable(void **state) {
    struct bk__key key = key_of(BK__KEY_SHARED);
    struct bk__seal seal = begun(&key);
    unsigned char frame[SIZE + BK__SEAL_AROUND];
    (void)state;
    memset(frame, 'A', sizeof frame);
    bk__seal_close_frame(&seal, 0, frame, SIZE);
    size_t same = 0;
    for (size_t i = 0; i < SIZE; i++) {
        same += frame[BK__SEAL_BEFORE + i] == 'A';
    }
    assert_in_range(same, 0, 40);
    assert_null(memmem(seal.header, sizeof seal.header, key.secret, 8));
    assert_memory_not_equal(seal.key, key.secret, sizeof seal.key);
}

static void assert_reads(enum bk__key_mode mode) {
    struct bk__key key = key_of(mode);
    struct bk__key writer = mode == BK__KEY_SHARED ? key : public_of(&key);
    struct bk__seal seal = begun(&writer);
    struct bk__seal again;
    struct bk__seal_facts facts;
    size_t whole = 0;
    unsigned char *frame = framed(&seal, 0, SIZE, &whole);
    assert_null(bk__seal_facts(seal.header, &facts));
    assert_int_equal(facts.mode, mode);
    assert_string_equal(facts.key_id, key.id);
    assert_true(bk__seal_open(seal.header, &key, &again));
    assert_memory_equal(again.key, seal.key, sizeof seal.key);
    assert_true(bk__seal_open_frame(&again, 0, frame, whole));
    free(frame);
}

static void test_backup_seal__shared_key_reads_what_it_wrote(void **state) {
    (void)state;
    assert_reads(BK__KEY_SHARED);
}

static void test_backup_seal__recipient_reads_what_the_public_key_wrote(void **state) {
    (void)state;
    assert_reads(BK__KEY_RECIPIENT);
}

static void test_backup_seal__public_key_does_not_read(void **state) {
    struct bk__key key = key_of(BK__KEY_RECIPIENT);
    struct bk__key writer = public_of(&key);
    struct bk__seal seal = begun(&writer);
    struct bk__seal again;
    (void)state;
    assert_false(bk__seal_open(seal.header, &writer, &again));
}

static void test_backup_seal__other_keys_do_not_read(void **state) {
    struct bk__key key = key_of(BK__KEY_SHARED);
    struct bk__key other = key_of(BK__KEY_SHARED);
    struct bk__seal seal = begun(&key);
    struct bk__seal again;
    (void)state;
    assert_false(bk__seal_open(seal.header, &other, &again));
    memcpy(other.id, key.id, sizeof other.id); /* the id alone opens nothing */
    assert_true(bk__seal_open(seal.header, &other, &again));
    size_t whole = 0;
    unsigned char *frame = framed(&seal, 0, SIZE, &whole);
    assert_false(bk__seal_open_frame(&again, 0, frame, whole));
    free(frame);
}

static void test_backup_seal__two_archives_of_one_key_share_nothing(void **state) {
    struct bk__key key = key_of(BK__KEY_SHARED);
    struct bk__seal one = begun(&key);
    struct bk__seal two = begun(&key);
    size_t whole = 0;
    unsigned char *frame = framed(&one, 0, SIZE, &whole);
    (void)state;
    assert_memory_not_equal(one.key, two.key, sizeof one.key);
    assert_false(bk__seal_open_frame(&two, 0, frame, whole));
    memcpy(two.key, one.key, sizeof two.key); /* the header alone parts them too */
    assert_false(bk__seal_open_frame(&two, 0, frame, whole));
    free(frame);
}

static void test_backup_seal__place_is_part_of_a_frame(void **state) {
    struct bk__key key = key_of(BK__KEY_SHARED);
    struct bk__seal seal = begun(&key);
    (void)state;
    for (uint64_t other = 0; other < 3; other++) {
        size_t whole = 0;
        unsigned char *frame = framed(&seal, 1, SIZE, &whole);
        assert_int_equal(bk__seal_open_frame(&seal, other, frame, whole), other == 1);
        free(frame);
    }
    size_t whole = 0;
    unsigned char *far = framed(&seal, UINT64_C(1) << 40, 8, &whole);
    assert_false(bk__seal_open_frame(&seal, 0, far, whole));
    free(far);
}

static void test_backup_seal__every_flipped_bit_of_a_frame_is_found(void **state) {
    struct bk__key key = key_of(BK__KEY_SHARED);
    struct bk__seal seal = begun(&key);
    size_t whole = 0;
    unsigned char *frame = framed(&seal, 3, 20, &whole);
    (void)state;
    for (size_t bit = 0; bit < whole * 8; bit++) {
        unsigned char copy[20 + BK__SEAL_AROUND];
        memcpy(copy, frame, whole);
        copy[bit / 8] = (unsigned char)(copy[bit / 8] ^ (1U << bit % 8));
        assert_false(bk__seal_open_frame(&seal, 3, copy, whole));
    }
    assert_true(bk__seal_open_frame(&seal, 3, frame, whole));
    free(frame);
}

static void test_backup_seal__frame_cut_short_is_not_the_last(void **state) {
    struct bk__key key = key_of(BK__KEY_SHARED);
    struct bk__seal seal = begun(&key);
    size_t whole = 0;
    unsigned char *frame = framed(&seal, 0, 1, &whole);
    (void)state;
    frame[0] = 16; /* its byte is cut out: only a last frame may hold nothing */
    memmove(frame + 4, frame + 5, 16);
    assert_int_equal(bk__seal_frame_size(frame), BK__SEAL_AROUND);
    assert_false(bk__seal_open_frame(&seal, 0, frame, BK__SEAL_AROUND));
    free(frame);
}

static void test_backup_seal__lengths_beyond_bounds_are_no_frames(void **state) {
    (void)state;
    assert_int_equal(bk__seal_frame_size((const unsigned char *)"\x0f\0\0\0"), 0);
    assert_int_equal(bk__seal_frame_size((const unsigned char *)"\x10\0\0\0"), 20);
    assert_int_equal(bk__seal_frame_size((const unsigned char *)"\x10\x40\x10\0"),
                     BK__SEAL_ROOM);
    assert_int_equal(bk__seal_frame_size((const unsigned char *)"\x11\x40\x10\0"), 0);
    assert_int_equal(bk__seal_frame_size((const unsigned char *)"\xff\xff\xff\xff"), 0);
}

static void test_backup_seal__every_flipped_bit_of_the_header_is_found(void **state) {
    struct bk__key key = key_of(BK__KEY_RECIPIENT);
    struct bk__seal seal = begun(&key);
    struct bk__seal again;
    struct bk__seal_facts facts;
    (void)state;
    for (size_t bit = 0; bit < sizeof seal.header * 8; bit++) {
        unsigned char copy[BK__SEAL_HEADER];
        memcpy(copy, seal.header, sizeof copy);
        copy[bit / 8] = (unsigned char)(copy[bit / 8] ^ (1U << bit % 8));
        assert_non_null(bk__seal_facts(copy, &facts));
        assert_false(bk__seal_open(copy, &key, &again));
    }
}

static void test_backup_seal__public_key_that_is_none_writes_nothing(void **state) {
    struct bk__key key = key_of(BK__KEY_RECIPIENT);
    struct bk__seal seal;
    (void)state;
    memset(key.shown, 0, sizeof key.shown); /* a point of small order */
    assert_int_equal(bk__seal_begin(&key, &seal), BK_EINVAL);
    assert_non_null(strstr(bk__error_text(), key.id));
}

static void test_backup_seal__wiping_leaves_zeros(void **state) {
    static const struct bk__seal none;
    struct bk__key key = key_of(BK__KEY_SHARED);
    struct bk__seal seal = begun(&key);
    (void)state;
    bk__seal_wipe(&seal);
    assert_memory_equal(&seal, &none, sizeof none);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_seal__frames_of_every_size_come_back),
        cmocka_unit_test(test_backup_seal__contents_are_not_readable),
        cmocka_unit_test(test_backup_seal__shared_key_reads_what_it_wrote),
        cmocka_unit_test(test_backup_seal__recipient_reads_what_the_public_key_wrote),
        cmocka_unit_test(test_backup_seal__public_key_does_not_read),
        cmocka_unit_test(test_backup_seal__other_keys_do_not_read),
        cmocka_unit_test(test_backup_seal__two_archives_of_one_key_share_nothing),
        cmocka_unit_test(test_backup_seal__place_is_part_of_a_frame),
        cmocka_unit_test(test_backup_seal__every_flipped_bit_of_a_frame_is_found),
        cmocka_unit_test(test_backup_seal__frame_cut_short_is_not_the_last),
        cmocka_unit_test(test_backup_seal__lengths_beyond_bounds_are_no_frames),
        cmocka_unit_test(test_backup_seal__every_flipped_bit_of_the_header_is_found),
        cmocka_unit_test(test_backup_seal__public_key_that_is_none_writes_nothing),
        cmocka_unit_test(test_backup_seal__wiping_leaves_zeros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
