/*
 * Tests of src/backup/seal/sealed.c: frames around each other row's blocks, and the row that reads frames
 * without a key. Not the frames' own bytes (seal.c), nor archives (tests/c/backup_encryption.c).
 */
#include <backup/seal/sealed.h>

#include <stdlib.h>
#include <string.h>

#include <backup/archive/pipeline.h>

#include "sandbox.h"
#include <cmocka.h>

static const struct bk__codec *const inner_rows[] = {&bk__codec_plain, &bk__codec_gzip,
                                                     &bk__codec_zstd};

static struct bk__sealing sealing_of(const struct bk__codec *inner) {
    struct bk__key key;
    struct bk__sealing sealing = {.inner = inner};
    assert_int_equal(bk__key_generate(BK__KEY_SHARED, &key), 0);
    assert_int_equal(bk__seal_begin(&key, &sealing.seal), 0);
    return sealing;
}

static struct bk__block block_of(size_t size, uint64_t index) {
    struct bk__block block = {
        .room = bk__codec_sealed.room, .in_size = size, .index = index};
    block.in = malloc(block.room);
    block.out = malloc(block.room);
    assert_true(block.in != NULL && block.out != NULL);
    for (size_t i = 0; i < size; i++) {
        block.in[i] = (unsigned char)(i * i >> 7);
    }
    return block;
}

/* What was packed is now what is read. */
static void turn(struct bk__block *block) {
    unsigned char *in = block->in;
    block->in = block->out;
    block->out = in;
    block->in_size = block->out_size;
}

static void block_free(struct bk__block *block) {
    free(block->in);
    free(block->out);
}

static void assert_comes_back(const struct bk__codec *inner, size_t size) {
    struct bk__sealing sealing = sealing_of(inner);
    struct bk__block block = block_of(size, 9);
    struct bk__block like = block_of(size, 9);
    void *state = bk__codec_sealed.begin(&sealing);
    assert_non_null(state);
    assert_int_equal(bk__codec_sealed.pack(state, &block), BK__CODEC_FINE);
    assert_int_equal(bk__codec_sealed.size(block.out), block.out_size);
    assert_true(block.out_size <= bk__codec_sealed.room);
    turn(&block);
    assert_int_equal(bk__codec_sealed.unpack(state, &block), BK__CODEC_FINE);
    assert_int_equal(block.out_size, size);
    assert_memory_equal(block.out, like.in, size);
    bk__codec_sealed.end(state);
    block_free(&block);
    block_free(&like);
}

static void test_backup_sealed__blocks_of_every_row_and_size_come_back(void **state) {
    static const size_t sizes[] = {0, 1, 4096, BK__CODEC_BLOCK - 1, BK__CODEC_BLOCK};
    (void)state;
    for (size_t row = 0; row < 3; row++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            assert_comes_back(inner_rows[row], sizes[i]);
        }
    }
}

static void test_backup_sealed__a_block_in_another_place_is_refused(void **state) {
    struct bk__sealing sealing = sealing_of(&bk__codec_gzip);
    struct bk__block block = block_of(5000, 3);
    void *worker = bk__codec_sealed.begin(&sealing);
    (void)state;
    assert_int_equal(bk__codec_sealed.pack(worker, &block), BK__CODEC_FINE);
    turn(&block);
    block.index = 4;
    assert_int_equal(bk__codec_sealed.unpack(worker, &block), BK__CODEC_SEAL);
    bk__codec_sealed.end(worker);
    block_free(&block);
}

/* Sealed with the right key, and yet no block of the inner row: who has the key can do that. */
static void
test_backup_sealed__damage_inside_a_good_frame_is_told_by_the_inner_row(void **state) {
    struct bk__sealing sealing = sealing_of(&bk__codec_gzip);
    struct bk__block block = block_of(100, 0);
    void *worker = bk__codec_sealed.begin(&sealing);
    (void)state;
    block.in_size = bk__seal_close_frame(&sealing.seal, 0, block.in, 100);
    assert_int_equal(bk__codec_sealed.unpack(worker, &block), BK__CODEC_FRAME);
    bk__codec_sealed.end(worker);
    block_free(&block);
}

static void test_backup_sealed__without_a_key_only_frames_are_seen(void **state) {
    struct bk__sealing sealing = sealing_of(&bk__codec_zstd);
    struct bk__block block = block_of(5000, 0);
    struct bk__block last = block_of(0, 1);
    void *worker = bk__codec_sealed.begin(&sealing);
    void *blind = bk__codec_shut.begin(NULL);
    (void)state;
    assert_int_equal(bk__codec_sealed.pack(worker, &block), BK__CODEC_FINE);
    assert_int_equal(bk__codec_sealed.pack(worker, &last), BK__CODEC_FINE);
    turn(&block);
    turn(&last);
    assert_int_equal(bk__codec_shut.unpack(blind, &block), BK__CODEC_FINE);
    assert_true(block.out_size > 0);
    assert_int_equal(bk__codec_shut.unpack(blind, &last), BK__CODEC_FINE);
    assert_int_equal(last.out_size, 0);
    bk__codec_shut.end(blind);
    bk__codec_sealed.end(worker);
    block_free(&block);
    block_free(&last);
}

static void test_backup_sealed__the_header_is_the_archives_beginning(void **state) {
    struct bk__sealing sealing = sealing_of(&bk__codec_gzip);
    struct bk__coding coding;
    (void)state;
    bk__sealed_coding(&sealing, &coding);
    assert_ptr_equal(coding.codec, &bk__codec_sealed);
    assert_int_equal(coding.prefix_size, BK__SEAL_HEADER);
    assert_memory_equal(coding.prefix, sealing.seal.header, BK__SEAL_HEADER);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_sealed__blocks_of_every_row_and_size_come_back),
        cmocka_unit_test(test_backup_sealed__a_block_in_another_place_is_refused),
        cmocka_unit_test(
            test_backup_sealed__damage_inside_a_good_frame_is_told_by_the_inner_row),
        cmocka_unit_test(test_backup_sealed__without_a_key_only_frames_are_seen),
        cmocka_unit_test(test_backup_sealed__the_header_is_the_archives_beginning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
