/*
 * Tests of src/backup/set/tar.c: what the program tar reads and writes, names and kinds that are
 * refused, damage anywhere. Not of sets (tests/c/backup_sets.c).
 */
#include <backup/set/tar.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox.h"
#include <cmocka.h>

#define AT 1764844200

/* What a reading heard: "name(size)" and the bytes, "." at the end of each entry. */
struct heard {
    char text[65536];
    size_t size;
    int64_t left;
};

static void hear(struct heard *heard, const void *bytes, size_t size) {
    assert_true(heard->size + size < sizeof heard->text);
    memcpy(heard->text + heard->size, bytes, size);
    heard->size += size;
    heard->text[heard->size] = '\0';
}

static int on_begin(void *context, const char *name, int64_t size) {
    struct heard *heard = context;
    char line[BK__TAR_NAME + 32];
    snprintf(line, sizeof line, "%s(%lld)", name, (long long)size);
    hear(heard, line, strlen(line));
    heard->left = size;
    return 0;
}

static int on_data(void *context, const unsigned char *bytes, size_t size) {
    struct heard *heard = context;
    assert_true(size > 0 && (int64_t)size <= heard->left);
    heard->left -= (int64_t)size;
    hear(heard, bytes, size);
    return 0;
}

static int on_end(void *context) {
    struct heard *heard = context;
    assert_int_equal(heard->left, 0);
    hear(heard, ".", 1);
    return 0;
}

static int stop_at_data(void *context, const unsigned char *bytes, size_t size) {
    (void)context;
    (void)bytes;
    (void)size;
    return 1;
}

static enum bk__tar_why read_in(const unsigned char *bytes, size_t size, size_t step,
                                struct heard *heard) {
    const struct bk__tar_sink sink = {heard, on_begin, on_data, on_end};
    struct bk__tar tar;
    memset(heard, 0, sizeof *heard);
    bk__tar_begin(&tar, &sink);
    for (size_t at = 0; at < size; at += step) {
        size_t part = size - at < step ? size - at : step;
        if (bk__tar_push(&tar, bytes + at, part) != BK__TAR_FINE) {
            return tar.why;
        }
    }
    return bk__tar_finish(&tar);
}

static size_t add_entry(unsigned char *to, const char *name, const char *content) {
    size_t size = strlen(content);
    assert_true(bk__tar_header(to, name, (int64_t)size, AT));
    memcpy(to + BK__TAR_BLOCK, content, size);
    memset(to + BK__TAR_BLOCK + size, 0, bk__tar_padding((int64_t)size));
    return BK__TAR_BLOCK + size + bk__tar_padding((int64_t)size);
}

/* A folder and three files; how many bytes. */
static size_t sample(unsigned char *to) {
    size_t size = add_entry(to, "set/", "");
    size += add_entry(to + size, "set/database.db", "many rows");
    size += add_entry(to + size, "set/empty", "");
    size += add_entry(to + size, "set/redis.rdb", "REDIS0011");
    memset(to + size, 0, BK__TAR_END);
    return size + BK__TAR_END;
}

#define HEARD                                                                            \
    "set/(0).set/database.db(9)many rows.set/empty(0).set/redis.rdb(9)REDIS0011."

static size_t load(const char *path, unsigned char *to, size_t room) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    size_t size = fread(to, 1, room, file);
    fclose(file);
    return size;
}

/* ---- the tests -------------------------------------------------------------------------- */

static void test_backup_tar__comes_back_in_pieces_of_any_size(void **state) {
    unsigned char bytes[8192];
    struct heard heard;
    size_t size = sample(bytes);
    (void)state;
    for (size_t step = 1; step <= size; step = step * 2 + 1) {
        assert_int_equal(read_in(bytes, size, step, &heard), BK__TAR_FINE);
        assert_string_equal(heard.text, HEARD);
    }
}

static void test_backup_tar__the_program_tar_reads_ours(void **state) {
    unsigned char bytes[8192];
    char command[1024];
    size_t size = sample(bytes);
    (void)state;
    FILE *file = fopen(sandbox_path("ours.tar"), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    fclose(file);
    snprintf(command, sizeof command,
             "cd '%s' && tar xf ours.tar 2>err && test ! -s err && "
             "test \"$(cat set/database.db set/empty set/redis.rdb)\" = "
             "'many rowsREDIS0011' && test $(stat -c %%a set) = 700 && "
             "test $(stat -c %%a set/empty) = 600",
             sandbox_dir());
    assert_int_equal(system(command), 0);
}

static void test_backup_tar__reads_what_the_program_tar_wrote(void **state) {
    static const char *const formats[] = {"gnu", "ustar", "v7", "posix"};
    static unsigned char bytes[65536];
    struct heard heard;
    (void)state;
    sandbox_write("set/database.db", "many rows");
    sandbox_write("set/empty", "");
    sandbox_write("set/redis.rdb", "REDIS0011");
    for (size_t i = 0; i < 4; i++) {
        for (int dotted = 0; dotted < 2; dotted++) {
            char command[1024];
            snprintf(command, sizeof command,
                     "cd '%s' && tar cf t.tar --sort=name --format=%s %s", sandbox_dir(),
                     formats[i], dotted ? "./set" : "set");
            assert_int_equal(system(command), 0);
            size_t size = load(sandbox_path("t.tar"), bytes, sizeof bytes);
            assert_int_equal(read_in(bytes, size, 700, &heard), BK__TAR_FINE);
            assert_string_equal(heard.text, HEARD);
        }
    }
}

static void test_backup_tar__a_folder_packed_as_dot_is_read(void **state) {
    static unsigned char bytes[65536];
    struct heard heard;
    char command[1024];
    (void)state;
    sandbox_write("in/a", "1");
    snprintf(command, sizeof command, "cd '%s' && tar cf t.tar -C in .", sandbox_dir());
    assert_int_equal(system(command), 0);
    size_t size = load(sandbox_path("t.tar"), bytes, sizeof bytes);
    assert_int_equal(read_in(bytes, size, 512, &heard), BK__TAR_FINE);
    assert_string_equal(heard.text, "a(1)1.");
}

static void test_backup_tar__links_and_devices_are_refused(void **state) {
    static const char *const makes[] = {"ln -s /etc/passwd set/x", "mkfifo set/x",
                                        "ln set/a set/x"};
    static unsigned char bytes[65536];
    struct heard heard;
    (void)state;
    sandbox_write("set/a", "1");
    for (size_t i = 0; i < 3; i++) {
        char command[1024];
        snprintf(command, sizeof command,
                 "cd '%s' && rm -f set/x && %s && tar cf t.tar set", sandbox_dir(),
                 makes[i]);
        assert_int_equal(system(command), 0);
        size_t size = load(sandbox_path("t.tar"), bytes, sizeof bytes);
        assert_int_equal(read_in(bytes, size, 512, &heard), BK__TAR_KIND);
    }
}

static void test_backup_tar__long_names_of_extensions_are_refused(void **state) {
    static const char *const formats[] = {"gnu", "posix"};
    static unsigned char bytes[65536];
    struct heard heard;
    char name[256], command[2048];
    (void)state;
    memset(name, 'n', sizeof name);
    snprintf(name + 220, sizeof name - 220, ".db");
    sandbox_write(name, "1");
    for (size_t i = 0; i < 2; i++) {
        snprintf(command, sizeof command, "cd '%s' && tar cf t.tar --format=%s '%s'",
                 sandbox_dir(), formats[i], name);
        assert_int_equal(system(command), 0);
        size_t size = load(sandbox_path("t.tar"), bytes, sizeof bytes);
        assert_int_equal(read_in(bytes, size, 512, &heard), BK__TAR_KIND);
    }
}

/* Puts another name into a header and mends its sum. */
static void rename_entry(unsigned char *header, const char *name) {
    unsigned sum = 0;
    memset(header, 0, 100);
    memcpy(header, name, strlen(name));
    memset(header + 148, ' ', 8);
    for (size_t i = 0; i < BK__TAR_BLOCK; i++) {
        sum += header[i];
    }
    snprintf((char *)header + 148, 8, "%06o", sum);
}

static void test_backup_tar__names_that_lead_out_are_refused(void **state) {
    static const char *const bad[] = {"/etc/passwd", "../x", "a/../x", "a/..",  "a//b",
                                      "..",          ".",    "",       "a/./b", "/",
                                      "a\nb",        "a\\b", "\xff",   "./../x"};
    unsigned char bytes[8192];
    unsigned char header[BK__TAR_BLOCK];
    struct heard heard;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        size_t size = sample(bytes);
        rename_entry(bytes + BK__TAR_BLOCK, bad[i]);
        assert_int_equal(read_in(bytes, size, 512, &heard), BK__TAR_PATH);
        assert_false(bk__tar_header(header, bad[i], 1, AT));
    }
}

static void test_backup_tar__a_cut_anywhere_is_found(void **state) {
    unsigned char bytes[8192];
    struct heard heard;
    size_t size = sample(bytes);
    (void)state;
    for (size_t cut = 0; cut < size; cut++) {
        assert_int_equal(read_in(bytes, cut, 4096, &heard), BK__TAR_SHORT);
    }
    memset(bytes + size, 0, 1024);
    assert_int_equal(read_in(bytes, size + 512, 4096, &heard), BK__TAR_FINE);
    add_entry(bytes + size, "more", "");
    assert_int_equal(read_in(bytes, size + 512, 4096, &heard), BK__TAR_JUNK);
}

static void test_backup_tar__a_flipped_bit_in_a_header_is_found(void **state) {
    unsigned char bytes[8192];
    struct heard heard;
    size_t size = sample(bytes);
    (void)state;
    for (size_t bit = 0; bit < (size_t)BK__TAR_BLOCK * 8; bit++) {
        unsigned char *header = bytes + BK__TAR_BLOCK;
        header[bit / 8] ^= (unsigned char)(1U << bit % 8);
        enum bk__tar_why why = read_in(bytes, size, 4096, &heard);
        /* Blanks and NULs around the sum's own digits say nothing. */
        assert_true(why != BK__TAR_FINE || (bit / 8 >= 148 && bit / 8 < 156));
        assert_true(why != BK__TAR_FINE || strcmp(heard.text, HEARD) == 0);
        header[bit / 8] ^= (unsigned char)(1U << bit % 8);
    }
}

static void test_backup_tar__sizes_beyond_octal_are_told(void **state) {
    struct heard heard = {0};
    struct bk__tar_sink hearing = {&heard, on_begin, stop_at_data, on_end};
    unsigned char header[BK__TAR_BLOCK];
    struct bk__tar tar;
    (void)state;
    assert_true(bk__tar_header(header, "big", INT64_C(20) << 30, AT));
    bk__tar_begin(&tar, &hearing);
    assert_int_equal(bk__tar_push(&tar, header, sizeof header), BK__TAR_FINE);
    assert_string_equal(heard.text, "big(21474836480)");
    assert_int_equal(bk__tar_push(&tar, header, 1), BK__TAR_STOPPED);
    assert_int_equal(bk__tar_push(&tar, header, 1), BK__TAR_STOPPED);
    assert_false(bk__tar_header(header, "big", BK__TAR_LIMIT + 1, AT));
    assert_false(bk__tar_header(header, "big", -1, AT));
    assert_false(bk__tar_header(header, "folder/", 1, AT));
}

static void test_backup_tar__endless_entries_are_refused(void **state) {
    unsigned char header[BK__TAR_BLOCK];
    struct heard heard = {0};
    const struct bk__tar_sink sink = {&heard, on_begin, on_data, on_end};
    struct bk__tar tar;
    enum bk__tar_why why = BK__TAR_FINE;
    int taken = 0;
    (void)state;
    assert_true(bk__tar_header(header, "a", 0, AT));
    bk__tar_begin(&tar, &sink);
    for (; why == BK__TAR_FINE && taken < 100000; taken++) {
        heard.size = 0;
        why = bk__tar_push(&tar, header, sizeof header);
    }
    assert_int_equal(why, BK__TAR_MANY);
    assert_int_equal(taken, BK__TAR_ENTRIES + 1);
}

#define BOXED(test) cmocka_unit_test_setup_teardown(test, sandbox_setup, sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_tar__comes_back_in_pieces_of_any_size),
        BOXED(test_backup_tar__the_program_tar_reads_ours),
        BOXED(test_backup_tar__reads_what_the_program_tar_wrote),
        BOXED(test_backup_tar__a_folder_packed_as_dot_is_read),
        BOXED(test_backup_tar__links_and_devices_are_refused),
        BOXED(test_backup_tar__long_names_of_extensions_are_refused),
        cmocka_unit_test(test_backup_tar__names_that_lead_out_are_refused),
        cmocka_unit_test(test_backup_tar__a_cut_anywhere_is_found),
        cmocka_unit_test(test_backup_tar__a_flipped_bit_in_a_header_is_found),
        cmocka_unit_test(test_backup_tar__sizes_beyond_octal_are_told),
        cmocka_unit_test(test_backup_tar__endless_entries_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
