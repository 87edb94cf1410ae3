/*
 * Error texts: always UTF-8, never too long, of one thread alone; errno becomes a public error
 * with advice; every public error has its name.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <base/text.h>
#include <core/error.h>

static void test_core_error__a_text_is_kept_until_cleared(void **state) {
    (void)state;
    assert_int_equal(bk__fail(BK_EIO, "a %d", 7), BK_EIO);
    assert_string_equal(bk__error_text(), "a 7");
    assert_int_equal(bk__fail(BK_EIO, "b (%s)", bk__error_text()), BK_EIO);
    assert_string_equal(bk__error_text(), "b (a 7)");
    bk__error_clear();
    assert_string_equal(bk__error_text(), "");
}

static void test_core_error__texts_are_always_utf8(void **state) {
    (void)state;
    bk__fail(BK_EIO, "%s", "good \xC3\xA4 bad \xFF \xC3 \xED\xA0\x80 end");
    assert_string_equal(bk__error_text(), "good \xC3\xA4 bad ? ? ??? end");
    bk__fail(BK_EIO, "%.2s", "a\xC3\xA4");
    assert_string_equal(bk__error_text(), "a?");
    char *huge = malloc(9001);
    assert_non_null(huge);
    for (int i = 0; i < 9000; i += 3) {
        memcpy(huge + i, "\xE2\x82\xAC", 3);
    }
    huge[9000] = '\0';
    for (int shift = 0; shift < 3; shift++) {
        bk__fail(BK_EIO, "%.*s%s", shift, "xx", huge);
        assert_true(strlen(bk__error_text()) > 1000);
        assert_true(bk__text_utf8(bk__error_text()));
    }
    free(huge);
}

static void *other_thread(void *argument) {
    (void)argument;
    const char *before = bk__error_text();
    bool empty = before[0] == '\0';
    bk__fail(BK_EIO, "of the other thread");
    return empty ? NULL : (void *)1;
}

static void test_core_error__each_thread_has_its_own(void **state) {
    (void)state;
    pthread_t thread;
    void *wrong = NULL;
    bk__fail(BK_EIO, "of this thread");
    assert_int_equal(pthread_create(&thread, NULL, other_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, &wrong), 0);
    assert_null(wrong);
    assert_string_equal(bk__error_text(), "of this thread");
}

static void test_core_error__errno_becomes_an_error_with_advice(void **state) {
    (void)state;
    static const int rows[][2] = {
        {ENOSPC, BK_ENOSPC}, {EDQUOT, BK_ENOSPC},  {EACCES, BK_EDENIED},
        {EROFS, BK_EDENIED}, {EIO, BK_EIO},        {ENOENT, BK_ENOTFOUND},
        {ENOMEM, BK_ENOMEM}, {ENOTDIR, BK_EINVAL}, {12345, BK_EIO}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(bk__fail_errno(rows[i][0], "cannot try", "/x", NULL),
                         rows[i][1]);
        assert_int_equal(bk__fail_errno(-rows[i][0], "cannot try", "/x", NULL),
                         rows[i][1]);
        assert_non_null(strstr(bk__error_text(), "cannot try \"/x\": "));
    }
    assert_int_equal(bk__fail_errno(EIO, "cannot try", NULL, "Do this."), BK_EIO);
    assert_non_null(strstr(bk__error_text(), "Do this."));
}

static void test_core_error__every_error_has_its_name(void **state) {
    (void)state;
#define E(name, number, text) assert_string_equal(bk__error_name(number), "BK_" #name);
    BK_ERRORS(E)
#undef E
    assert_string_equal(bk__error_name(0), "BK_OK");
    assert_string_equal(bk__error_name(7), "BK_OK");
    assert_string_equal(bk__error_name(-1000), "BK_EUNKNOWN");
    assert_string_equal(bk__error_name(INT32_MIN), "BK_EUNKNOWN");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_error__a_text_is_kept_until_cleared),
        cmocka_unit_test(test_core_error__texts_are_always_utf8),
        cmocka_unit_test(test_core_error__each_thread_has_its_own),
        cmocka_unit_test(test_core_error__errno_becomes_an_error_with_advice),
        cmocka_unit_test(test_core_error__every_error_has_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
