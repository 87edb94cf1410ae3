/*
 * Tests of src/backup/archive/ahead.c and pack.c: an image packed while it grows gives the archive of the
 * whole one; given up, it gives none. Not of drivers (tests/unit/store/growth.c).
 */
#include <backup/archive/ahead.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/clock.h>
#include <os/file.h>
#include <store/growth.h>
#include <backup/catalogue/name.h>

#include "sandbox.h"
#include "storejob.h"
#include "stream.h"
#include <cmocka.h>

static struct bk__job *job;
static char image[1024];
static char archive[1024];
static struct bk__growth growth;

/* Begins to pack the image that will grow. */
static void begin(struct bk__ahead *ahead, const struct bk__coding *coding) {
    const struct bk__packing what = {
        .image = image, .growth = &growth, .archive = archive, .coding = coding};
    bk__growth_begin(&growth);
    bk__ahead_begin(ahead, job, &what);
    assert_true(ahead->aside.begun);
}

static int setup(void **state) {
    job = storejob_new();
    sandbox_setup(state);
    snprintf(image, sizeof image, "%s", sandbox_path("image"));
    snprintf(archive, sizeof archive, "%s", sandbox_path("archive"));
    return 0;
}

static int teardown(void **state) {
    storejob_free();
    return sandbox_teardown(state);
}

static struct bk__archive_facts packed_whole(const struct bk__coding *coding) {
    struct bk__archive_facts facts = {0};
    const char *path = sandbox_path("whole");
    const struct bk__packing what = {.image = image, .archive = path, .coding = coding};
    assert_int_equal(bk__archive_pack(job, &what, &facts), 0);
    bk__file_remove(path);
    return facts;
}

/* Writes the image in pieces that end anywhere and tells of each a little late. */
static void grow(struct bk__growth *along, const struct bytes *bytes) {
    int fd = bk__file_create(image);
    int64_t told = 0;
    assert_true(fd >= 0);
    for (size_t at = 0; at < bytes->size;) {
        size_t left = bytes->size - at;
        size_t piece = left < 300001 ? left : 300001;
        assert_int_equal(bk__file_write(fd, bytes->data + at, piece), 0);
        at += piece;
        bk__growth_tell(along, told);
        told = (int64_t)at;
        bk__clock_sleep(1);
    }
    bk__file_close(fd);
}

static void assert_archive(const struct bk__archive_facts *facts) {
    struct bk__damage at = {0, 0};
    assert_int_equal(bk__file_size_of(archive), facts->bytes);
    assert_int_equal(bk__archive_reread(job, archive, facts, &at), 0);
    assert_int_equal(at.to, 0);
}

static void test_backup_ahead__gives_the_archive_of_the_whole(void **state) {
    static const size_t sizes[] = {1, BK__CODEC_FILL, BK__CODEC_FILL + 1,
                                   7 * BK__CODEC_FILL + 77};
    static const struct bk__codec *const rows[] = {&bk__codec_gzip, &bk__codec_zstd};
    (void)state;
    for (size_t i = 0; i < 2 * sizeof sizes / sizeof *sizes; i++) {
        const struct bk__coding coding = {.codec = rows[i % 2]};
        struct bytes bytes = stream_sample(sizes[i / 2]);
        struct bk__ahead ahead = {0};
        struct bk__archive_facts facts = {0};
        begin(&ahead, &coding);
        grow(&growth, &bytes);
        bk__growth_end(&growth, true);
        assert_int_equal(bk__ahead_end(&ahead, &facts), 0);
        assert_archive(&facts);
        struct bk__archive_facts whole = packed_whole(&coding);
        assert_string_equal(facts.sha256, whole.sha256);
        assert_string_equal(facts.archive_sha256, whole.archive_sha256);
        assert_int_equal(facts.database_bytes, bytes.size);
        assert_int_equal(bk__file_size_of(archive), facts.bytes);
        bk__file_remove(archive);
        bk__file_remove(image);
        free(bytes.data);
    }
}

/* A file that is told of only when it is whole: by a driver that writes in another order. */
static void test_backup_ahead__waits_for_who_tells_nothing(void **state) {
    const struct bk__coding coding = {.codec = &bk__codec_gzip};
    struct bytes bytes = stream_sample(3 * BK__CODEC_FILL);
    struct bk__ahead ahead = {0};
    struct bk__archive_facts facts = {0};
    (void)state;
    begin(&ahead, &coding);
    grow(NULL, &bytes);
    bk__growth_end(&growth, true);
    assert_int_equal(bk__ahead_end(&ahead, &facts), 0);
    assert_archive(&facts);
    free(bytes.data);
}

static void test_backup_ahead__given_up_is_no_archive(void **state) {
    const struct bk__coding coding = {.codec = &bk__codec_zstd};
    struct bytes bytes = stream_sample(5 * BK__CODEC_FILL);
    struct bk__archive_facts facts = {0};
    (void)state;
    for (int way = 0; way < 3; way++) {
        struct bk__ahead ahead = {0};
        begin(&ahead, &coding);
        if (way > 0) {
            grow(&growth, &bytes);
        }
        bk__growth_end(&growth, false);
        bk__error_clear();
        if (way == 2) {
            bk__aside_drop(&ahead.aside);
            assert_string_equal(bk__error_text(), "");
        } else {
            assert_int_equal(bk__ahead_end(&ahead, &facts), BK_ECANCELLED);
        }
        assert_int_equal(bk__ahead_end(&ahead, &facts), 0); /* nothing any more */
        bk__file_remove(archive);
        bk__file_remove(image);
    }
    free(bytes.data);
}

static void test_backup_ahead__an_error_has_its_text_here(void **state) {
    const struct bk__coding coding = {.codec = &bk__codec_zstd};
    struct bk__ahead ahead = {0};
    struct bk__archive_facts facts = {0};
    (void)state;
    begin(&ahead, &coding);
    bk__growth_end(&growth, true); /* there is no such image */
    bk__error_clear();
    assert_true(bk__ahead_end(&ahead, &facts) < 0);
    assert_non_null(strstr(bk__error_text(), image));
}

static void test_backup_ahead__a_changed_byte_is_seen_when_read_again(void **state) {
    const struct bk__coding coding = {.codec = &bk__codec_gzip};
    struct bytes bytes = stream_sample(3 * BK__CODEC_FILL);
    struct bk__archive_facts facts = {0};
    const struct bk__packing what = {
        .image = image, .archive = archive, .coding = &coding};
    struct bk__damage at = {0, 0};
    (void)state;
    stream_save(image, &bytes);
    assert_int_equal(bk__archive_pack(job, &what, &facts), 0);
    struct bytes written = stream_load(archive);
    written.data[written.size / 2] ^= 4;
    stream_save(archive, &written);
    assert_int_equal(bk__archive_reread(job, archive, &facts, &at), 0);
    assert_in_range(written.size / 2, at.from, at.to - 1);
    written.size--;
    stream_save(archive, &written);
    assert_int_equal(bk__archive_reread(job, archive, &facts, &at), 0);
    assert_int_equal(at.from, written.size);
    free(bytes.data);
    free(written.data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_backup_ahead__gives_the_archive_of_the_whole,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_backup_ahead__waits_for_who_tells_nothing,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_backup_ahead__given_up_is_no_archive, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_backup_ahead__an_error_has_its_text_here,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_backup_ahead__a_changed_byte_is_seen_when_read_again, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
