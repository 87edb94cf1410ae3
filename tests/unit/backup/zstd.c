/*
 * Tests of src/backup/archive/zstd.c: blocks that the program zstd reads, streams that it wrote, damage.
 * Not of files and workers (pipeline.c, tests/c/backup_verify.c).
 */
#include <backup/archive/zstd.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox.h"
#include "stream.h"
#include <cmocka.h>

static const struct bk__codec *row = &bk__codec_zstd;

static void test_backup_zstd__blocks_come_back(void **state) {
    static const size_t sizes[] = {1, 2, 100, 4096, BK__CODEC_BLOCK - 1, BK__CODEC_BLOCK};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bytes in = stream_sample(sizes[i]);
        struct bytes packed = stream_packed(row, &in);
        struct bytes out;
        assert_int_equal(stream_unpack(row, &packed, &out), BK__CODEC_FINE);
        stream_assert_same(&out, &in);
        free(in.data);
        free(packed.data);
        free(out.data);
    }
}

static void test_backup_zstd__noise_fits_the_room(void **state) {
    struct bytes in = stream_noise(BK__CODEC_BLOCK);
    struct bytes packed = stream_packed(row, &in);

    (void)state;
    assert_in_range(packed.size, in.size, BK__CODEC_ROOM);
    free(in.data);
    free(packed.data);
}

static void test_backup_zstd__the_program_zstd_reads_our_blocks(void **state) {
    const char *test[] = {"zstd", "-qt", sandbox_path("a.db.zst"), NULL};
    const char *command[] = {"zstd", "-qdk", sandbox_path("a.db.zst"), NULL};
    struct bytes in = stream_sample(2 * BK__CODEC_BLOCK + 5);
    struct bytes packed = stream_packed(row, &in);

    (void)state;
    stream_save(sandbox_path("a.db.zst"), &packed);
    stream_run(test);
    stream_run(command);
    struct bytes out = stream_load(sandbox_path("a.db"));
    stream_assert_same(&out, &in);
    free(in.data);
    free(packed.data);
    free(out.data);
}

static void test_backup_zstd__reads_what_the_program_zstd_wrote(void **state) {
    static const char *const flags[] = {"-1",       "-19", "--no-check",
                                        "--fast=5", "-T2", "--long=24"};
    struct bytes in = stream_sample(3 * BK__CODEC_BLOCK + 5);

    (void)state;
    stream_save(sandbox_path("b.db"), &in);
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        const char *command[] = {"zstd", "-qkf", flags[i], sandbox_path("b.db"), NULL};
        struct bytes out;
        int64_t at = 0;
        stream_run(command);
        struct bytes packed = stream_load(sandbox_path("b.db.zst"));
        packed.step = i == 0 ? 1 : 100000;
        assert_int_equal(row->size(packed.data), 0);
        assert_int_equal(stream_foreign(row, &packed, &out, &at), BK__CODEC_FINE);
        assert_int_equal(at, packed.size);
        stream_assert_same(&out, &in);
        free(packed.data);
        free(out.data);
    }
    free(in.data);
}

/* Frames in a row, and skippable ones between them, are one stream: ours is such a one. */
static void test_backup_zstd__our_own_is_a_stream_as_well(void **state) {
    struct bytes in = stream_sample(3 * BK__CODEC_BLOCK + 77);
    struct bytes packed = stream_packed(row, &in);
    struct bytes out;
    int64_t at = 0;

    (void)state;
    packed.step = 1000;
    assert_int_equal(stream_foreign(row, &packed, &out, &at), BK__CODEC_FINE);
    assert_int_equal(at, packed.size);
    stream_assert_same(&out, &in);
    free(in.data);
    free(packed.data);
    free(out.data);
}

static void test_backup_zstd__a_foreign_stream_cut_anywhere_is_found(void **state) {
    struct bytes in = stream_sample(300);
    struct bytes packed = stream_packed(row, &in);

    (void)state;
    for (size_t size = 0; size < packed.size; size++) {
        struct bytes cut = {packed.data, size, 0, 0};
        struct bytes out;
        int64_t at = 0;
        enum bk__codec_why why = stream_foreign(row, &cut, &out, &at);
        /* After its skippable head the stream is a whole one that holds nothing. */
        assert_int_equal(why == BK__CODEC_FINE, size == BK__ZSTD_HEAD);
        assert_in_range(at, 0, size);
        free(out.data);
    }
    free(in.data);
    free(packed.data);
}

static void test_backup_zstd__what_follows_a_foreign_stream_is_found(void **state) {
    struct bytes in = stream_sample(300);
    struct bytes packed = stream_packed(row, &in);
    struct bytes out;
    int64_t at = 0;

    (void)state;
    stream_add(&packed, (const unsigned char *)"junk!", 5);
    assert_int_not_equal(stream_foreign(row, &packed, &out, &at), BK__CODEC_FINE);
    free(in.data);
    free(packed.data);
    free(out.data);
}

/* Every bit of one block is found, or changes nothing: padding, and how a size is written. The sums
   of the whole archive find these. */
static void test_backup_zstd__every_flipped_bit_is_found(void **state) {
    struct bytes in = stream_sample(2000);
    struct bytes packed = stream_packed(row, &in);
    int idle = 0;

    (void)state;
    for (size_t bit = 0; bit < packed.size * 8; bit++) {
        struct bytes out;
        packed.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (stream_unpack(row, &packed, &out) == BK__CODEC_FINE) {
            idle++;
            stream_assert_same(&out, &in);
        }
        free(out.data);
        packed.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_in_range(idle, 0, 32);
    free(in.data);
    free(packed.data);
}

static void test_backup_zstd__a_head_cannot_claim_any_size(void **state) {
    static const uint32_t sizes[] = {0, BK__CODEC_ROOM - BK__ZSTD_HEAD + 1, 0x7fffffff,
                                     0x80000000, 0xffffffff};
    struct bytes in = stream_sample(100);
    struct bytes packed = stream_packed(row, &in);

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int byte = 0; byte < 4; byte++) {
            packed.data[8 + byte] = (unsigned char)(sizes[i] >> 8 * byte);
        }
        assert_int_equal(row->size(packed.data), 0);
    }
    free(in.data);
    free(packed.data);
}

/* A block holds one frame: a second one after it, or a frame of more than 1 MiB, is none of ours. */
static void test_backup_zstd__a_block_is_one_small_frame(void **state) {
    const char *command[] = {"zstd", "-qkf", sandbox_path("big"), NULL};
    struct bytes big = {calloc(1, 2 * BK__CODEC_BLOCK), 2 * BK__CODEC_BLOCK, 0, 0};
    struct bytes in = stream_sample(100);
    struct bytes packed = stream_packed(row, &in);
    struct bytes twice = {0};
    struct bytes out;

    (void)state;
    stream_add(&twice, packed.data, packed.size);
    stream_add(&twice, packed.data + BK__ZSTD_HEAD, packed.size - BK__ZSTD_HEAD);
    twice.data[8] = (unsigned char)(2 * (packed.size - BK__ZSTD_HEAD));
    assert_int_equal(row->size(twice.data), twice.size);
    assert_int_equal(stream_unpack(row, &twice, &out), BK__CODEC_FRAME);

    stream_save(sandbox_path("big"), &big);
    stream_run(command);
    struct bytes foreign = stream_load(sandbox_path("big.zst"));
    struct bytes claimed = {0};
    stream_add(&claimed, packed.data, BK__ZSTD_HEAD);
    stream_add(&claimed, foreign.data, foreign.size);
    claimed.data[8] = (unsigned char)foreign.size;
    claimed.data[9] = (unsigned char)(foreign.size >> 8);
    assert_int_equal(row->size(claimed.data), claimed.size);
    assert_int_equal(stream_unpack(row, &claimed, &out), BK__CODEC_FRAME);
    free(big.data);
    free(in.data);
    free(packed.data);
    free(twice.data);
    free(foreign.data);
    free(claimed.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_zstd__blocks_come_back),
        cmocka_unit_test(test_backup_zstd__noise_fits_the_room),
        cmocka_unit_test_setup_teardown(
            test_backup_zstd__the_program_zstd_reads_our_blocks, sandbox_setup,
            sandbox_teardown),
        cmocka_unit_test_setup_teardown(
            test_backup_zstd__reads_what_the_program_zstd_wrote, sandbox_setup,
            sandbox_teardown),
        cmocka_unit_test(test_backup_zstd__our_own_is_a_stream_as_well),
        cmocka_unit_test(test_backup_zstd__a_foreign_stream_cut_anywhere_is_found),
        cmocka_unit_test(test_backup_zstd__what_follows_a_foreign_stream_is_found),
        cmocka_unit_test(test_backup_zstd__every_flipped_bit_is_found),
        cmocka_unit_test(test_backup_zstd__a_head_cannot_claim_any_size),
        cmocka_unit_test_setup_teardown(test_backup_zstd__a_block_is_one_small_frame,
                                        sandbox_setup, sandbox_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
