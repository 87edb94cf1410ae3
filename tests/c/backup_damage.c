/*
 * Every byte of a small archive flipped in turn, in every form, and bytes cut off and appended at
 * each length: found, with the place named, and what a restore would have changed is as it was.
 * Large archives and swapped ones: backup_verify.c. Encrypted ones: backup_encryption_damage.c.
 */
#include "backup_box.h"

#include <fcntl.h>

#define TEST(name) BOX_TEST(backup_damage, name)

/* Small enough that each of its bytes can be tried: two pages of 512 bytes. */
static void small_database(void) {
    box_do("PRAGMA page_size = 512; CREATE TABLE t(a); INSERT INTO t VALUES('one'), "
           "('two')");
}

static long size_of(const char *name) {
    struct stat info;
    assert_int_equal(stat(sandbox_path("backups/%s", name), &info), 0);
    return (long)info.st_size;
}

static void flip(const char *name, long at) {
    unsigned char byte = 0;
    int fd = open(sandbox_path("backups/%s", name), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= (unsigned char)(1 << (at % 8));
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

/* The error names a place that the byte lies in: "at byte 0", where a block begins, or "between
   bytes 0 and 512". */
static void assert_place(long at) {
    long from = -1;
    long to = -1;
    char *message = bk_pick_text(box_done, "error.message");
    assert_non_null(message);
    const char *place = strstr(message, "byte");
    bool placed = place != NULL && (sscanf(place, "byte %ld of", &from) == 1 ||
                                    sscanf(place, "bytes %ld and %ld", &from, &to) == 2);
    if (!placed || from > at || (to >= 0 && at > to)) {
        fail_msg("byte %ld: no place of it in: %s", at, message);
    }
    bk_free(message);
}

static void assert_untouched(void) {
    box_assert_failed("BK_ECORRUPT", "not touched", NULL);
}

/* The database as the sqlite3 program reads it. */
static void assert_rows(int rows) {
    char command[1024];
    snprintf(command, sizeof command,
             "sqlite3 '%s' \"SELECT CASE (SELECT * FROM pragma_integrity_check) WHEN "
             "'ok' THEN "
             "count(*) END FROM t\"",
             box_database());
    assert_int_equal(box_count(command), rows);
}

static void flip_every_byte(const char *compress) {
    char args[256];
    small_database();
    snprintf(args, sizeof args, "{\"compress\":\"%s\"}", compress);
    const char *name = box_create(args);
    const char *copy = sandbox_path("copy.db");
    char verify[256];
    char restore[2048];
    char to[2048];
    box_args(verify, sizeof verify, name, "");
    box_args(restore, sizeof restore, name, "");
    snprintf(to, sizeof to, "{\"name\":\"%s\",\"to\":\"%s\"}", name, copy);
    box_do("INSERT INTO t VALUES('three')");
    for (long at = 0; at < size_of(name); at++) {
        flip(name, at);
        box_run("backup.restore", at % 2 == 0 ? to : restore);
        assert_untouched();
        assert_place(at);
        assert_false(box_has("copy.db"));
        if (at % 64 == 0) {
            box_run("backup.verify", verify);
            assert_untouched();
            assert_place(at);
        }
        flip(name, at);
    }
    assert_rows(3);
    box_call("backup.restore", restore);
    assert_rows(2);
}

static void test_backup_damage__every_byte_of_a_plain_one(void **state) {
    (void)state;
    flip_every_byte("none");
}

static void test_backup_damage__every_byte_of_a_gzip_one(void **state) {
    (void)state;
    flip_every_byte("gzip");
}

static void test_backup_damage__every_byte_of_a_zstd_one(void **state) {
    (void)state;
    flip_every_byte("zstd");
}

/* ---- cut and appended -------------------------------------------------------------------- */

/* It is not listed any more, and its own name says why, with both sizes. */
static void assert_other_size(const char *name, long size, long known) {
    char args[256];
    char sizes[64];
    box_args(args, sizeof args, name, "");
    box_run("backup.restore", args);
    snprintf(sizes, sizeof sizes, "%ld", known);
    box_assert_failed("BK_ECORRUPT", name, "bytes", sizes, NULL);
    snprintf(sizes, sizeof sizes, "%ld", size);
    box_assert_failed("BK_ECORRUPT", sizes, NULL);
}

static void resize_to_every_length(const char *compress) {
    char args[256];
    char aside[1024];
    char archive[1024];
    char command[4096];
    small_database();
    snprintf(args, sizeof args, "{\"compress\":\"%s\"}", compress);
    const char *name = box_create(args);
    long known = size_of(name);
    snprintf(archive, sizeof archive, "%s", sandbox_path("backups/%s", name));
    snprintf(aside, sizeof aside, "%s", sandbox_path("whole"));
    snprintf(command, sizeof command, "cp '%s' '%s'", archive, aside);
    free(box_shell(command));
    box_do("INSERT INTO t VALUES('three')");
    for (long size = 0; size < known + 40; size += size < known - 20 ? 7 : 1) {
        if (size == known) {
            continue;
        }
        snprintf(command, sizeof command, "cp '%s' '%s' && truncate -s %ld '%s'", aside,
                 archive, size, archive);
        free(box_shell(command));
        assert_other_size(name, size, known);
    }
    assert_rows(3);
}

static void test_backup_damage__a_plain_one_of_every_other_length(void **state) {
    (void)state;
    resize_to_every_length("none");
}

static void test_backup_damage__a_gzip_one_of_every_other_length(void **state) {
    (void)state;
    resize_to_every_length("gzip");
}

static void test_backup_damage__a_zstd_one_of_every_other_length(void **state) {
    (void)state;
    resize_to_every_length("zstd");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_byte_of_a_plain_one),        TEST(every_byte_of_a_gzip_one),
        TEST(every_byte_of_a_zstd_one),         TEST(a_plain_one_of_every_other_length),
        TEST(a_gzip_one_of_every_other_length), TEST(a_zstd_one_of_every_other_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
