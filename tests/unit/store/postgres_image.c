/*
 * Reading pg_dump's custom format: an archive written here by its rules, whole, cut at each length,
 * with each byte changed, and in each version. What a real pg_dump writes: tests/postgres.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <base/buf.h>
#include <base/json.h>
#include <core/error.h>
#include <os/file.h>
#include <store/growth.h>
#include <store/postgres/internal.h>

#include "sandbox.h"
#include "storejob.h"

static struct bk__job *job;
static struct bk__buf dump;
static struct bk__pg_image image;
static int minor;

static int setup(void **state) {
    job = storejob_new();
    minor = 14;
    return sandbox_setup(state);
}

static int teardown(void **state) {
    bk__buf_free(&dump);
    bk__pg_image_free(&image);
    storejob_free();
    return sandbox_teardown(state);
}

/* ---- writing one ------------------------------------------------------------------------ */

static void put_byte(int byte) {
    char c = (char)byte;
    bk__buf_add(&dump, &c, 1);
}

static void put_int(int64_t value) {
    int64_t rest = value < 0 ? -value : value;
    put_byte(value < 0);
    for (int i = 0; i < 4; i++, rest >>= 8) {
        put_byte((int)(rest & 0xff));
    }
}

static void put_text(const char *text) {
    put_int(text == NULL ? -1 : (int64_t)strlen(text));
    bk__buf_text(&dump, text == NULL ? "" : text);
}

static void put_header(int count, int packed) {
    bk__buf_text(&dump, "PGDMP");
    put_byte(1);
    put_byte(minor);
    put_byte(0);
    put_byte(4);
    put_byte(8);
    put_byte(1);
    if (minor >= 15) {
        put_byte(packed);
    } else {
        put_int(packed ? -1 : 0);
    }
    for (int i = 0; i < 7; i++) {
        put_int(i);
    }
    put_text("bot");
    put_text("15.20 (Debian)");
    put_text("15.20");
    put_int(count);
}

/* An entry; its place's state. The place itself stays 0: it is set where state is 2, by patching. */
static size_t put_entry(int id, const char *kind, const char *space, int state) {
    bool rows = strcmp(kind, "TABLE DATA") == 0;
    put_int(id);
    put_int(state != 3);
    put_text("1259");
    put_text("4711");
    put_text(rows ? "users" : "thing");
    put_text(kind);
    put_int(3);
    put_text(strcmp(kind, "DATABASE") == 0 ? "CREATE DATABASE bot;" : "");
    put_text("");
    put_text(rows ? "COPY x FROM stdin;\n" : NULL);
    put_text(space);
    put_text("");
    if (minor >= 14) {
        put_text("heap");
    }
    if (minor >= 16) {
        put_int('r');
    }
    put_text("owner");
    put_text("false");
    put_text("1");
    put_text(NULL);
    put_byte(state);
    size_t at = dump.size;
    for (int i = 0; i < 8; i++) {
        put_byte(0);
    }
    return at;
}

static void put_place(size_t at) {
    for (int i = 0; i < 8; i++) {
        dump.data[at + (size_t)i] = (char)(dump.size >> (8 * i) & 0xff);
    }
}

static void put_rows(int id, const char *rows) {
    put_byte(1);
    put_int(id);
    if (*rows != '\0') {
        put_text(rows);
    }
    put_text("\\.\n\n\n");
    put_int(0);
}

/* Two tables of the same name in two schemas, a large object, a database. */
static void write_dump(void) {
    put_header(4, 0);
    put_entry(9, "DATABASE", NULL, 3);
    size_t one = put_entry(5, "TABLE DATA", "public", 2);
    size_t blobs = put_entry(7, "BLOBS", NULL, 2);
    size_t two = put_entry(3, "TABLE DATA", "other", 1);
    (void)two;
    put_place(one);
    put_rows(5, "1\ta\\nb\n2\t\\N\n3\t\n");
    put_place(blobs);
    put_byte(3);
    put_int(7);
    put_int(16413);
    put_text("\x01\x02\n");
    put_int(0);
    put_int(0);
    put_rows(3, "");
}

static int read_dump(size_t size) {
    const char *path = sandbox_path("x.dump");
    bk__pg_image_free(&image);
    assert_int_equal(bk__file_save(path, dump.data, size), 0);
    return bk__pg_image_read(job, path, &image);
}

/* ---- reading it --------------------------------------------------------------------------- */

static void test_store_postgres_image__rows_of_each_version(void **state) {
    (void)state;
    for (minor = 12; minor <= 16; minor++) {
        bk__buf_clear(&dump);
        write_dump();
        assert_int_equal(read_dump(dump.size), 0);
        assert_true(image.counted);
        assert_int_equal(image.minor, minor);
        assert_int_equal(image.bytes, (int64_t)dump.size);
        assert_int_equal(json_object_object_length(image.tables), 2);
        assert_int_equal(bk__json_int(image.tables, "users", -1), 3);
        assert_int_equal(bk__json_int(image.tables, "other.users", -1), 0);
        assert_string_equal(image.create, "CREATE DATABASE bot;");
        assert_string_equal(image.owner, "owner");
        assert_string_equal(image.server, "15.20 (Debian)");
        assert_int_equal(bk__pg_series(image.client), 1500);
    }
}

static void test_store_postgres_image__every_cut_is_found(void **state) {
    (void)state;
    write_dump();
    for (size_t size = 0; size < dump.size; size++) {
        assert_int_equal(read_dump(size), BK_ECORRUPT);
    }
    put_byte(1);
    assert_int_equal(read_dump(dump.size), BK_ECORRUPT); /* and something appended */
}

/* A changed byte may be one of a text; where it passes, the rows are still counted. */
static void test_store_postgres_image__no_changed_byte_hurts(void **state) {
    (void)state;
    write_dump();
    int found = 0;
    for (size_t i = 0; i < dump.size; i++) {
        for (int bit = 0; bit < 8; bit++) {
            dump.data[i] = (char)(dump.data[i] ^ 1 << bit);
            int rc = read_dump(dump.size);
            assert_true(rc == 0 || rc == BK_ECORRUPT);
            found += rc != 0;
            dump.data[i] = (char)(dump.data[i] ^ 1 << bit);
        }
    }
    assert_true(found > (int)dump.size);
}

static void test_store_postgres_image__a_table_without_end_is_found(void **state) {
    (void)state;
    put_header(1, 0);
    put_entry(5, "TABLE DATA", "public", 1);
    put_byte(1);
    put_int(5);
    put_text("1\n2\n");
    put_int(0);
    assert_int_equal(read_dump(dump.size), BK_ECORRUPT);
    assert_non_null(strstr(bk__error_text(), "no end"));
}

static void test_store_postgres_image__data_that_is_missing_is_found(void **state) {
    (void)state;
    put_header(2, 0);
    put_entry(5, "TABLE DATA", "public", 1);
    put_entry(6, "TABLE DATA", "other", 1);
    put_rows(5, "1\n");
    assert_int_equal(read_dump(dump.size), BK_ECORRUPT);
    assert_non_null(strstr(bk__error_text(), "missing"));
}

/* Packed ones are walked, newer ones are not: neither gives rows that it does not know. */
static void test_store_postgres_image__rows_are_never_invented(void **state) {
    (void)state;
    put_header(1, 1);
    put_entry(5, "TABLE DATA", "public", 1);
    put_byte(1);
    put_int(5);
    put_text("x\x9c packed \n");
    put_int(0);
    assert_int_equal(read_dump(dump.size), 0);
    assert_false(image.counted);
    assert_int_equal(json_object_object_length(image.tables), 0);
    bk__buf_clear(&dump);
    minor = 17;
    put_header(0, 0);
    assert_int_equal(read_dump(dump.size), 0);
    assert_false(image.counted);
}

/* What is written into a pipe, taken out of it: kept as a file and told, or its error. */
static int take_dump(size_t size, int64_t *ret_told) {
    struct bk__growth growth;
    int ends[2];
    const char *path = sandbox_path("taken.dump");
    bk__pg_image_free(&image);
    bk__file_remove(path);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], dump.data, size), (ssize_t)size);
    close(ends[1]);
    bk__growth_begin(&growth);
    const struct bk__pg_stream stream = {.from_fd = ends[0],
                                         .path = path,
                                         .to_fd = bk__file_create(path),
                                         .growth = &growth};
    int rc = bk__pg_image_take(job, &stream, &image);
    *ret_told = growth.bytes;
    bk__growth_free(&growth);
    close(ends[0]);
    close(stream.to_fd);
    return rc;
}

static void test_store_postgres_image__out_of_a_pipe(void **state) {
    (void)state;
    int64_t told = 0;
    char *kept = NULL;
    size_t size = 0;
    write_dump();
    for (size_t cut = 0; cut < dump.size; cut++) {
        assert_int_equal(take_dump(cut, &told), BK_ECORRUPT);
    }
    assert_int_equal(take_dump(dump.size, &told), 0);
    assert_int_equal(told, (int64_t)dump.size);
    assert_int_equal(image.bytes, (int64_t)dump.size);
    assert_int_equal(bk__json_int(image.tables, "users", -1), 3);
    assert_int_equal(bk__file_load(sandbox_path("taken.dump"), 1 << 20, &kept, &size), 0);
    assert_int_equal(size, dump.size);
    assert_memory_equal(kept, dump.data, size);
    free(kept);
    minor = 17; /* what is not understood is kept all the same */
    bk__buf_clear(&dump);
    write_dump();
    assert_int_equal(take_dump(dump.size, &told), 0);
    assert_int_equal(told, (int64_t)dump.size);
    assert_int_equal(image.bytes, (int64_t)dump.size);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_postgres_image__rows_of_each_version),
        TEST(test_store_postgres_image__every_cut_is_found),
        TEST(test_store_postgres_image__no_changed_byte_hurts),
        TEST(test_store_postgres_image__a_table_without_end_is_found),
        TEST(test_store_postgres_image__data_that_is_missing_is_found),
        TEST(test_store_postgres_image__rows_are_never_invented),
        TEST(test_store_postgres_image__out_of_a_pipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
