/*
 * Tests of src/backup/archive/gzip.c, with and without ISA-L: members that zlib and the program gunzip
 * read, foreign streams, damage. Not of files and workers (pipeline.c, tests/c/backup_verify.c).
 */
#include <backup/archive/gzip.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <backup/archive/isal.h>
#include <backup/archive/pipeline.h>

#include "sandbox.h"
#include "stream.h"
#include <cmocka.h>

/* ---- both ways of packing as rows -------------------------------------------------------- */

static void *begin_fast(void *with) {
    (void)with;
    return bk__gzip_new(true);
}

static void *begin_plain(void *with) {
    (void)with;
    return bk__gzip_new(false);
}

static struct bk__codec rows[2];

static int make_rows(void **state) {
    (void)state;
    rows[0] = rows[1] = bk__codec_gzip;
    rows[0].begin = begin_fast;
    rows[1].begin = begin_plain;
    return 0;
}

/* ---- the tests ------------------------------------------------------------------------- */

static void test_backup_gzip__isal_is_found_on_this_machine(void **state) {
    (void)state;
    assert_true(bk__isal_there()); /* else half of these tests would test nothing */
}

static void test_backup_gzip__members_come_back(void **state) {
    static const size_t sizes[] = {1, 2, 100, 4096, BK__CODEC_BLOCK - 1, BK__CODEC_BLOCK};

    (void)state;
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        struct bytes in = stream_sample(sizes[i / 2]);
        struct bytes zipped = stream_packed(&rows[i % 2], &in);
        struct bytes out;
        assert_int_equal(stream_unpack(&rows[i % 2], &zipped, &out), BK__CODEC_FINE);
        stream_assert_same(&out, &in);
        free(in.data);
        free(zipped.data);
        free(out.data);
    }
}

static void test_backup_gzip__noise_fits_the_room(void **state) {
    struct bytes in = stream_noise(BK__CODEC_BLOCK);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bytes zipped = stream_packed(&rows[i], &in);
        assert_in_range(zipped.size, 1, BK__CODEC_ROOM);
        free(zipped.data);
    }
    free(in.data);
}

static void test_backup_gzip__both_ways_pack_about_as_well(void **state) {
    struct bytes in = stream_sample(4 * BK__CODEC_BLOCK);
    struct bytes fast = stream_packed(&rows[0], &in);
    struct bytes plain = stream_packed(&rows[1], &in);

    (void)state;
    assert_true(fast.size != plain.size); /* else ISA-L was not called */
    assert_true((double)fast.size < 1.15 * (double)plain.size);
    free(in.data);
    free(fast.data);
    free(plain.data);
}

static void test_backup_gzip__zlib_reads_our_members(void **state) {
    struct bytes in = stream_sample(3 * BK__CODEC_BLOCK + 77);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bytes zipped = stream_packed(&rows[i], &in);
        struct bytes out;
        int64_t at = 0;
        zipped.step = 1000;
        assert_int_equal(stream_foreign(&bk__codec_gzip, &zipped, &out, &at),
                         BK__CODEC_FINE);
        assert_int_equal(at, zipped.size);
        stream_assert_same(&out, &in);
        free(zipped.data);
        free(out.data);
    }
    free(in.data);
}

static void test_backup_gzip__plain_gunzip_reads_our_members(void **state) {
    struct bytes in = stream_sample(2 * BK__CODEC_BLOCK + 5);

    (void)state;
    for (int i = 0; i < 2; i++) {
        const char *command[] = {"gunzip", "-kf", sandbox_path("a.db.gz"), NULL};
        struct bytes zipped = stream_packed(&rows[i], &in);
        stream_save(sandbox_path("a.db.gz"), &zipped);
        stream_run(command);
        struct bytes out = stream_load(sandbox_path("a.db"));
        stream_assert_same(&out, &in);
        free(zipped.data);
        free(out.data);
    }
    free(in.data);
}

static void test_backup_gzip__reads_what_the_program_gzip_wrote(void **state) {
    const char *command[] = {"gzip", "-k", sandbox_path("b.db"), NULL};
    struct bytes in = stream_sample(2 * BK__CODEC_BLOCK + 5);
    struct bytes out;
    int64_t at = 0;

    (void)state;
    stream_save(sandbox_path("b.db"), &in);
    stream_run(command);
    struct bytes zipped = stream_load(sandbox_path("b.db.gz"));
    assert_int_equal(bk__gzip_member_size(zipped.data), 0);
    assert_int_equal(stream_foreign(&bk__codec_gzip, &zipped, &out, &at), BK__CODEC_FINE);
    stream_assert_same(&out, &in);
    free(in.data);
    free(zipped.data);
    free(out.data);
}

static void test_backup_gzip__a_foreign_stream_cut_anywhere_is_found(void **state) {
    struct bytes in = stream_sample(300);
    struct bytes zipped = stream_packed(&rows[1], &in);

    (void)state;
    for (size_t size = 0; size < zipped.size; size++) {
        struct bytes cut = {zipped.data, size, 0, 0};
        struct bytes out;
        int64_t at = 0;
        assert_int_not_equal(stream_foreign(&bk__codec_gzip, &cut, &out, &at),
                             BK__CODEC_FINE);
        free(out.data);
    }
    free(in.data);
    free(zipped.data);
}

/* Every bit of one member: it is found, or the bytes inside are the same, because it is one of
   the header's 48 that mean nothing or one of at most 7 after the compressed data's end. */
static void test_backup_gzip__every_flipped_bit_is_found(void **state) {
    struct bytes in = stream_sample(2000);

    (void)state;
    for (int i = 0; i < 2; i++) {
        struct bytes zipped = stream_packed(&rows[i], &in);
        int idle = 0;
        for (size_t bit = 0; bit < zipped.size * 8; bit++) {
            struct bytes out;
            zipped.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
            if (stream_unpack(&rows[i], &zipped, &out) == BK__CODEC_FINE) {
                idle++;
                stream_assert_same(&out, &in);
            }
            free(out.data);
            zipped.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
        assert_in_range(idle, 48, 48 + 7);
        free(zipped.data);
    }
    free(in.data);
}

static void test_backup_gzip__a_header_cannot_claim_any_size(void **state) {
    static const uint32_t sizes[] = {0, 1, 28, 0x7fffffff, 0x80000000, 0xffffffff};
    struct bytes in = stream_sample(100);
    struct bytes zipped = stream_packed(&rows[1], &in);

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int byte = 0; byte < 4; byte++) {
            zipped.data[16 + byte] = (unsigned char)(sizes[i] >> 8 * byte);
        }
        assert_int_equal(bk__gzip_member_size(zipped.data), 0);
    }
    free(in.data);
    free(zipped.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_gzip__isal_is_found_on_this_machine),
        cmocka_unit_test(test_backup_gzip__members_come_back),
        cmocka_unit_test(test_backup_gzip__noise_fits_the_room),
        cmocka_unit_test(test_backup_gzip__both_ways_pack_about_as_well),
        cmocka_unit_test(test_backup_gzip__zlib_reads_our_members),
        cmocka_unit_test_setup_teardown(test_backup_gzip__plain_gunzip_reads_our_members,
                                        sandbox_setup, sandbox_teardown),
        cmocka_unit_test_setup_teardown(
            test_backup_gzip__reads_what_the_program_gzip_wrote, sandbox_setup,
            sandbox_teardown),
        cmocka_unit_test(test_backup_gzip__a_foreign_stream_cut_anywhere_is_found),
        cmocka_unit_test(test_backup_gzip__every_flipped_bit_is_found),
        cmocka_unit_test(test_backup_gzip__a_header_cannot_claim_any_size),
    };

    return cmocka_run_group_tests(tests, make_rows, NULL);
}
