/*
 * Tests of src/backup/gzip.c: members that zlib and the program gunzip read, foreign streams,
 * damage. Not of files and workers (pipeline.c, tests/c/backup_verify.c).
 */
#include <backup/gzip.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <zlib.h>

#include "sandbox.h"
#include <cmocka.h>

/* A growing piece of memory as a stream's end or beginning. */
struct bytes {
    unsigned char *data;
    size_t size, at;
    size_t step; /* so many at most are given at once */
};

static void add(struct bytes *to, const unsigned char *data, size_t size) {
    to->data = realloc(to->data, to->size + size + 1);
    assert_non_null(to->data);
    memcpy(to->data + to->size, data, size);
    to->size += size;
}

/* Rows of text with some noise: compresses about as a bot's database does. */
static struct bytes sample(size_t size) {
    struct bytes bytes = {malloc(size + 64), size, 0, 0};
    uint32_t noise = 2463534242U;
    assert_non_null(bytes.data);
    for (size_t i = 0; i < size;) {
        noise ^= noise << 13;
        noise ^= noise >> 17;
        noise ^= noise << 5;
        i += (size_t)sprintf((char *)bytes.data + i, "user %u wrote message %x; ",
                             noise % 1000, noise);
    }
    return bytes;
}

static struct bytes packed(const struct bytes *in) {
    struct bytes out = {0};
    struct bk__gzip *gzip = bk__gzip_new();
    unsigned char *room = malloc(BK__CODEC_ROOM);
    assert_true(gzip != NULL && room != NULL);
    for (size_t at = 0; at < in->size; at += BK__CODEC_BLOCK) {
        size_t left = in->size - at;
        size_t size = bk__gzip_deflate(
            gzip, in->data + at, left < BK__CODEC_BLOCK ? left : BK__CODEC_BLOCK, room);
        assert_true(size > 0);
        assert_int_equal(bk__gzip_member_size(room), size);
        add(&out, room, size);
    }
    free(room);
    bk__gzip_free(gzip);
    return out;
}

static int64_t give(void *context, unsigned char *bytes, size_t room) {
    struct bytes *from = context;
    size_t left = from->size - from->at;
    size_t size = left < room ? left : room;
    size = from->step > 0 && size > from->step ? from->step : size;
    memcpy(bytes, from->data + from->at, size);
    from->at += size;
    return (int64_t)size;
}

struct both {
    struct bytes from, to;
};

static int64_t give_both(void *context, unsigned char *bytes, size_t room) {
    return give(&((struct both *)context)->from, bytes, room);
}

static int take_both(void *context, const unsigned char *bytes, size_t size) {
    add(&((struct both *)context)->to, bytes, size);
    return 0;
}

/* Through zlib; the result is in both.to. */
static enum bk__codec_why foreign(struct both *both, int64_t *ret_at) {
    const struct bk__codec_pipe pipe = {both, give_both, take_both};
    return bk__gzip_foreign(&pipe, ret_at);
}

static void assert_same(const struct bytes *a, const struct bytes *b) {
    assert_int_equal(a->size, b->size);
    assert_memory_equal(a->data, b->data, a->size);
}

static void test_backup_gzip__members_come_back(void **state) {
    static const size_t sizes[] = {1, 2, 4096, BK__CODEC_BLOCK - 1, BK__CODEC_BLOCK};
    struct bk__gzip *gzip = bk__gzip_new();
    unsigned char *out = malloc(BK__CODEC_BLOCK);

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct bytes in = sample(sizes[i]);
        struct bytes zipped = packed(&in);
        size_t size = 0;
        assert_int_equal(bk__gzip_inflate(gzip, zipped.data, zipped.size, out, &size),
                         BK__CODEC_FINE);
        assert_int_equal(size, sizes[i]);
        assert_memory_equal(out, in.data, size);
        free(in.data);
        free(zipped.data);
    }
    free(out);
    bk__gzip_free(gzip);
}

static void test_backup_gzip__noise_fits_the_room(void **state) {
    struct bytes in = sample(BK__CODEC_BLOCK);
    uint64_t noise = 88172645463325252ULL;

    (void)state;
    for (size_t i = 0; i + 8 <= in.size; i += 8) {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        memcpy(in.data + i, &noise, 8);
    }
    struct bytes zipped = packed(&in);
    assert_true(zipped.size <= BK__CODEC_ROOM);
    free(in.data);
    free(zipped.data);
}

static void test_backup_gzip__zlib_reads_our_members(void **state) {
    struct bytes in = sample(3 * BK__CODEC_BLOCK + 77);
    struct both both = {.from = packed(&in)};
    int64_t at = 0;

    (void)state;
    both.from.step = 1000;
    assert_int_equal(foreign(&both, &at), BK__CODEC_FINE);
    assert_int_equal(at, both.from.size);
    assert_same(&both.to, &in);
    free(in.data);
    free(both.from.data);
    free(both.to.data);
}

static void write_file(const char *path, const struct bytes *bytes) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes->data, 1, bytes->size, file), bytes->size);
    assert_int_equal(fclose(file), 0);
}

static struct bytes read_file(const char *path) {
    struct bytes bytes = {0};
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    bytes.size = (size_t)info.st_size;
    bytes.data = malloc(bytes.size + 1);
    FILE *file = fopen(path, "rb");
    assert_true(file != NULL && bytes.data != NULL);
    assert_int_equal(fread(bytes.data, 1, bytes.size, file), bytes.size);
    fclose(file);
    return bytes;
}

static void run_program(const char *program, const char *flag, const char *path) {
    int status = 0;
    pid_t child = fork();
    if (child == 0) {
        execlp(program, program, flag, path, (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

static void test_backup_gzip__plain_gunzip_reads_our_members(void **state) {
    struct bytes in = sample(2 * BK__CODEC_BLOCK + 5);
    struct bytes zipped = packed(&in);

    (void)state;
    write_file(sandbox_path("a.db.gz"), &zipped);
    run_program("gunzip", "-k", sandbox_path("a.db.gz"));
    struct bytes out = read_file(sandbox_path("a.db"));
    assert_same(&out, &in);
    free(in.data);
    free(zipped.data);
    free(out.data);
}

static void test_backup_gzip__reads_what_the_program_gzip_wrote(void **state) {
    struct bytes in = sample(2 * BK__CODEC_BLOCK + 5);
    struct both both = {0};
    int64_t at = 0;

    (void)state;
    write_file(sandbox_path("b.db"), &in);
    run_program("gzip", "-k", sandbox_path("b.db"));
    both.from = read_file(sandbox_path("b.db.gz"));
    assert_int_equal(bk__gzip_member_size(both.from.data), 0);
    assert_int_equal(foreign(&both, &at), BK__CODEC_FINE);
    assert_same(&both.to, &in);
    free(in.data);
    free(both.from.data);
    free(both.to.data);
}

static void test_backup_gzip__a_foreign_stream_cut_anywhere_is_found(void **state) {
    struct bytes in = sample(300);
    struct bytes zipped = packed(&in);

    (void)state;
    for (size_t size = 0; size < zipped.size; size++) {
        struct both both = {.from = {zipped.data, size, 0, 0}};
        int64_t at = 0;
        assert_int_not_equal(foreign(&both, &at), BK__CODEC_FINE);
        free(both.to.data);
    }
    free(in.data);
    free(zipped.data);
}

/* Every bit of one member: it is found, or the bytes inside are the same, because it is one of
   the header's 48 that mean nothing or one of at most 7 after the compressed data's end. */
static void test_backup_gzip__every_flipped_bit_is_found(void **state) {
    struct bytes in = sample(2000);
    struct bytes zipped = packed(&in);
    struct bk__gzip *gzip = bk__gzip_new();
    unsigned char *out = malloc(BK__CODEC_BLOCK);
    int idle = 0;

    (void)state;
    for (size_t bit = 0; bit < zipped.size * 8; bit++) {
        size_t size = 0;
        zipped.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
        enum bk__codec_why why =
            bk__gzip_inflate(gzip, zipped.data, zipped.size, out, &size);
        if (why == BK__CODEC_FINE) {
            idle++;
            assert_int_equal(size, in.size);
            assert_memory_equal(out, in.data, size);
        }
        zipped.data[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
    assert_in_range(idle, 48, 48 + 7);
    free(in.data);
    free(zipped.data);
    free(out);
    bk__gzip_free(gzip);
}

static void test_backup_gzip__a_header_cannot_claim_any_size(void **state) {
    static const uint32_t sizes[] = {0, 1, 28, 0x7fffffff, 0x80000000, 0xffffffff};
    struct bytes in = sample(100);
    struct bytes zipped = packed(&in);

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
        cmocka_unit_test(test_backup_gzip__members_come_back),
        cmocka_unit_test(test_backup_gzip__noise_fits_the_room),
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

    return cmocka_run_group_tests(tests, NULL, NULL);
}
