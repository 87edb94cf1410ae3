/*
 * Tests of src/base/buf.c: growth, sticking failures, giving the text away.
 * Not of what others print with it.
 */
#include <base/buf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "comma.h"
#include "sandbox.h"
#include <cmocka.h>

static void test_base_buf__grows_and_ends_in_nul(void **state) {
    struct bk__buf buf = {0};

    (void)state;
    for (int i = 0; i < 10000; i++) {
        bk__buf_printf(&buf, "%04d|", i);
    }
    assert_int_equal(buf.size, 50000);
    assert_int_equal(strlen(buf.data), 50000);
    assert_memory_equal(buf.data + 49990, "9998|9999|", 10);
    bk__buf_free(&buf);
    assert_null(buf.data);
}

static void test_base_buf__keeps_bytes_with_nul(void **state) {
    struct bk__buf buf = {0};

    (void)state;
    bk__buf_add(&buf, "a\0b", 3);
    bk__buf_text(&buf, "c");
    assert_int_equal(buf.size, 4);
    assert_memory_equal(buf.data, "a\0bc", 5);
    bk__buf_free(&buf);
}

static void test_base_buf__fills_its_room_to_the_last_byte(void **state) {
    char bytes[64];

    (void)state;
    memset(bytes, 'x', sizeof bytes);
    for (size_t size = 60; size <= 64; size++) { /* the first room is 64, with the NUL */
        struct bk__buf buf = {0};

        bk__buf_add(&buf, bytes, size);
        assert_true(buf.room > buf.size);
        assert_int_equal(buf.data[size], 0);
        bk__buf_free(&buf);
    }
}

static void test_base_buf__prints_pieces_of_any_length(void **state) {
    (void)state;
    /* Around what is printed at once (120), and what the first room holds. */
    for (int size = 0; size < 700; size++) {
        struct bk__buf buf = {0};

        bk__buf_text(&buf, "<");
        bk__buf_printf(&buf, "%0*d", size + 1, 7);
        bk__buf_printf(&buf, "%s", ">");
        assert_int_equal(buf.size, size + 3);
        assert_int_equal(strlen(buf.data), size + 3);
        assert_int_equal(strspn(buf.data + 1, "0"), size);
        assert_string_equal(buf.data + size + 1, "7>");
        bk__buf_free(&buf);
    }
}

static void test_base_buf__a_failed_print_adds_nothing(void **state) {
    struct bk__buf buf = {0};

    (void)state;
    bk__buf_text(&buf, "before");
    bk__buf_printf(&buf, "%d%lc", 5, (wint_t)0xD800); /* no character, in no locale */
    assert_true(buf.failed);
    assert_string_equal(buf.data, "before");
    assert_null(bk__buf_take(&buf));
}

static void test_base_buf__failure_sticks_until_taken(void **state) {
    struct bk__buf buf = {0};

    (void)state;
    bk__buf_text(&buf, "before");
    bk__buf_add(&buf, "x", SIZE_MAX / 2);
    assert_true(buf.failed);
    bk__buf_text(&buf, "after");
    assert_string_equal(buf.data, "before");
    assert_null(bk__buf_take(&buf));
    assert_null(buf.data);
    assert_false(buf.failed);
}

static void test_base_buf__take_of_nothing_is_empty_text(void **state) {
    struct bk__buf buf = {0};
    char *text = bk__buf_take(&buf);

    (void)state;
    assert_string_equal(text, "");
    assert_null(buf.data);
    free(text);
}

static void test_base_buf__clear_keeps_the_memory(void **state) {
    struct bk__buf buf = {0};
    char *data;

    (void)state;
    bk__buf_text(&buf, "one");
    data = buf.data;
    bk__buf_clear(&buf);
    assert_string_equal(buf.data, "");
    bk__buf_text(&buf, "two");
    assert_ptr_equal(buf.data, data);
    assert_string_equal(buf.data, "two");
    bk__buf_free(&buf);
}

static void test_base_buf__prints_a_point_in_a_comma_locale(void **state) {
    struct bk__buf buf = {0};
    char host[8];

    (void)state;
    comma_begin();
    bk__buf_printf(&buf, "%.2f %s", 2.25, "h");
    snprintf(host, sizeof host, "%.1f", 1.5);
    comma_end();
    assert_string_equal(buf.data, "2.25 h");
    assert_string_equal(host, "1,5"); /* the host's locale is as it was */
    bk__buf_free(&buf);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_buf__grows_and_ends_in_nul),
        cmocka_unit_test(test_base_buf__keeps_bytes_with_nul),
        cmocka_unit_test(test_base_buf__fills_its_room_to_the_last_byte),
        cmocka_unit_test(test_base_buf__prints_pieces_of_any_length),
        cmocka_unit_test(test_base_buf__a_failed_print_adds_nothing),
        cmocka_unit_test(test_base_buf__failure_sticks_until_taken),
        cmocka_unit_test(test_base_buf__take_of_nothing_is_empty_text),
        cmocka_unit_test(test_base_buf__clear_keeps_the_memory),
        cmocka_unit_test_setup_teardown(test_base_buf__prints_a_point_in_a_comma_locale,
                                        sandbox_setup, sandbox_teardown),
    };

    return cmocka_run_group_tests_name("base/buf", tests, NULL, NULL);
}
