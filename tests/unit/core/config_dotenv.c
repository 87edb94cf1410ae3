/*
 * The .env file: the forms of docker compose, dotenv and python-dotenv, and lines of others left
 * alone.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <core/config_inside.h>
#include <core/error.h>

static void assert_read(const char *text, const char *names, const char *expected) {
    char *value = NULL;
    char *name = NULL;
    assert_int_equal(bk__config_dotenv(text, names, &value, &name), 0);
    if (expected) {
        assert_non_null(value);
        assert_string_equal(value, expected);
    } else {
        assert_null(value);
    }
    free(value);
    free(name);
}

static void test_core_config_dotenv__plain_lines(void **state) {
    (void)state;
    assert_read("A=1\nB=two words \nC=\n", "B", "two words");
    assert_read("A=1\r\nB=2\r\n", "B", "2");
    assert_read("\xEF\xBB\xBF"
                "A=1",
                "A", "1");
    assert_read("  export  A = 1\n", "A", "1");
    assert_read("A=1", "B", NULL);
    assert_read("A=", "A", NULL);
    assert_read("", "A", NULL);
}

static void test_core_config_dotenv__a_name_must_be_whole(void **state) {
    (void)state;
    assert_read("AB=1\nXA=2\n", "A", NULL);
    assert_read("exportA=1\n", "A", NULL);
    assert_read("#A=1\n# A=2\n", "A", NULL);
}

static void test_core_config_dotenv__quotes_and_comments(void **state) {
    (void)state;
    assert_read("A='a # b' # c\n", "A", "a # b");
    assert_read("A=\"a\\n\\\"b\\\" \\\\\"\n", "A", "a\n\"b\" \\");
    assert_read("A='a\\n'\n", "A", "a\\n");
    assert_read("A=a#b # c\n", "A", "a#b");
    assert_read("A=# nothing\n", "A", NULL);
}

static void test_core_config_dotenv__the_last_line_and_the_first_name_win(void **state) {
    (void)state;
    assert_read("A=1\nA=2\n", "A", "2");
    assert_read("B=2\nA=1\n", "A,B", "1");
    assert_read("B=2\nA=\n", "A,B", "2");
}

static void test_core_config_dotenv__an_open_quote_is_told_with_its_line(void **state) {
    (void)state;
    char *value = NULL;
    char *name = NULL;
    assert_int_equal(bk__config_dotenv("X=1\nA=\"b\nC=2\n", "A", &value, &name),
                     BK_EINVAL);
    assert_non_null(strstr(bk__error_text(), "Line 2"));
    assert_null(value);
    assert_int_equal(bk__config_dotenv("A='b' c\n", "A", &value, &name), BK_EINVAL);
    assert_read("OTHER=\"open\nA=1\n", "A", "1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_config_dotenv__plain_lines),
        cmocka_unit_test(test_core_config_dotenv__a_name_must_be_whole),
        cmocka_unit_test(test_core_config_dotenv__quotes_and_comments),
        cmocka_unit_test(test_core_config_dotenv__the_last_line_and_the_first_name_win),
        cmocka_unit_test(test_core_config_dotenv__an_open_quote_is_told_with_its_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
