/*
 * Tests of src/base/text.c: numbers and words read strictly in any locale, UTF-8 to its corners,
 * redaction. Not of options, which are read with it (core/config).
 */
#include <base/text.h>

#include <stdlib.h>
#include <string.h>

#include "comma.h"
#include "sandbox.h"
#include <cmocka.h>

static void assert_int(const char *text, int64_t wanted) {
    int64_t value = 4711;

    if (!bk__text_int(text, &value) || value != wanted) {
        fail_msg("\"%s\" gave %lld", text, (long long)value);
    }
}

static void assert_no_int(const char *text) {
    int64_t value = 4711;

    if (bk__text_int(text, &value) || value != 4711) {
        fail_msg("\"%s\" gave %lld", text, (long long)value);
    }
}

static void assert_number(const char *text, double wanted) {
    double value = 4711;

    if (!bk__text_number(text, &value) || value != wanted) {
        fail_msg("\"%s\" gave %f", text, value);
    }
}

static void assert_no_number(const char *text) {
    double value = 4711;

    if (bk__text_number(text, &value) || value != 4711) {
        fail_msg("\"%s\" gave %f", text, value);
    }
}

static void assert_redacted(const char *url, const char *wanted) {
    char *text = bk__text_redact(url);

    assert_non_null(text);
    assert_string_equal(text, wanted);
    free(text);
}

static void assert_cleaned(const char *dirty, const char *wanted) {
    char *text = bk__text_clean(dirty);

    assert_non_null(text);
    assert_string_equal(text, wanted);
    assert_true(bk__text_utf8(text));
    free(text);
}

static void test_base_text__int_reads_the_whole_range(void **state) {
    (void)state;
    assert_int("0", 0);
    assert_int("-0", 0);
    assert_int("007", 7);
    assert_int("9223372036854775807", INT64_MAX);
    assert_int("-9223372036854775808", INT64_MIN);
    assert_no_int("9223372036854775808");
    assert_no_int("-9223372036854775809");
    assert_no_int("18446744073709551616"); /* 2^64: wraps to 0 where unchecked */
}

static void test_base_text__int_refuses_a_rest(void **state) {
    static const char *const wrong[] = {"",    "-",    "24abc", " 24", "24 ",
                                        "+24", "0x10", "2.0",   "--1", "1e3",
                                        "1_0", "٣",    "24\n"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_no_int(wrong[i]);
    }
}

static void test_base_text__number_reads_decimals(void **state) {
    (void)state;
    assert_number("0.5", 0.5);
    assert_number(".5", 0.5);
    assert_number("5.", 5);
    assert_number("-2.5e-3", -0.0025);
    assert_number("1E3", 1000);
    assert_number("9007199254740993", 9007199254740992.0);
    assert_number("1e-400", 0);
}

static void test_base_text__number_refuses_what_strtod_takes(void **state) {
    static const char *const wrong[] = {
        "",   ".",  "-",   "inf", "nan",  "infinity", "0x1p3",  " 1",    "1 ",
        "+1", "1e", "1e+", "1,5", "1.5h", "1e999",    "-1e999", "1.2.3", "e5"};

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_no_number(wrong[i]);
    }
}

static void test_base_text__number_keeps_the_point_in_a_comma_locale(void **state) {
    double point = 0, comma = 0;
    char *text;

    (void)state;
    comma_begin();
    bk__text_number("0.5", &point);
    comma = bk__text_number("0,5", &comma) ? comma : -1;
    text = bk__text_printf("%.1f", 0.5);
    comma_end();
    assert_true(point == 0.5);
    assert_true(comma == -1);
    assert_string_equal(text, "0.5");
    free(text);
}

static void test_base_text__bool_knows_eight_words_in_any_case(void **state) {
    static const char *const yes[] = {"true", "1", "yes", "on", "TRUE", "Yes", "oN"};
    static const char *const no[] = {"false", "0", "no", "off", "False", "NO", "oFF"};
    static const char *const neither[] = {"",      "t",     "y",  "2",
                                          "truee", "true ", "-1", "none"};
    bool value;

    (void)state;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        value = false;
        assert_true(bk__text_bool(yes[i], &value) && value);
        value = true;
        assert_true(bk__text_bool(no[i], &value) && !value);
    }
    for (size_t i = 0; i < sizeof neither / sizeof *neither; i++) {
        assert_false(bk__text_bool(neither[i], &value));
    }
}

static void test_base_text__utf8_accepts_the_first_and_last_of_each_length(void **state) {
    static const char *const good[] = {"",
                                       "\x01\x7F",
                                       "\xC2\x80",
                                       "\xDF\xBF",
                                       "\xE0\xA0\x80",
                                       "\xED\x9F\xBF",
                                       "\xEE\x80\x80",
                                       "\xEF\xBF\xBF",
                                       "\xF0\x90\x80\x80",
                                       "\xF4\x8F\xBF\xBF",
                                       "a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x98\x80z"};

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        if (!bk__text_utf8(good[i])) {
            fail_msg("number %zu is refused", i);
        }
    }
}

static void test_base_text__utf8_refuses_everything_else(void **state) {
    static const char *const bad[] = {
        "\x80",             /* a continuation with nothing to continue */
        "\xC0\x80",         /* NUL, too long */
        "\xC1\xBF",         /* U+007F, too long */
        "\xE0\x9F\xBF",     /* U+07FF, too long */
        "\xF0\x8F\xBF\xBF", /* U+FFFF, too long */
        "\xED\xA0\x80",     /* U+D800, a surrogate */
        "\xED\xBF\xBF",     /* U+DFFF, a surrogate */
        "\xF4\x90\x80\x80", /* U+110000 */
        "\xF5\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xF8\x88\x80\x80\x80",
        "\xC3", /* cut off by the end */
        "\xE2\x82",
        "\xF0\x9F\x98",
        "ok\xE2\x82(",
        "caf\xE9"};

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        if (bk__text_utf8(bad[i])) {
            fail_msg("number %zu is accepted", i);
        }
    }
}

static void test_base_text__clean_replaces_each_bad_byte(void **state) {
    (void)state;
    assert_cleaned("", "");
    assert_cleaned("h\xC3\xA4lt", "h\xC3\xA4lt");
    assert_cleaned("caf\xE9!", "caf\xEF\xBF\xBD!");
    assert_cleaned("\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_cleaned("\xE2\x82", "\xEF\xBF\xBD\xEF\xBF\xBD");
    assert_cleaned("\xF0\x9F\xF0\x9F\x98\x80",
                   "\xEF\xBF\xBD\xEF\xBF\xBD\xF0\x9F\x98\x80");
}

static void test_base_text__starts_and_ends(void **state) {
    (void)state;
    assert_true(bk__text_starts("backup", "back"));
    assert_true(bk__text_starts("backup", ""));
    assert_false(bk__text_starts("back", "backup"));
    assert_true(bk__text_ends("a.db.gz", ".gz"));
    assert_true(bk__text_ends("a", ""));
    assert_false(bk__text_ends("gz", ".gz"));
    assert_false(bk__text_ends("", "x"));
}

static void test_base_text__redact_hides_passwords(void **state) {
    (void)state;
    assert_redacted("postgres://user:p%40ss@host", "postgres://user:***@host");
    assert_redacted("postgres://user:p%40ss@host:5432/db?sslmode=require",
                    "postgres://user:***@host:5432/db?sslmode=require");
    assert_redacted("redis://:secret@host/0", "redis://:***@host/0");
    assert_redacted("sqlite+aiosqlite://u:p@h/x", "sqlite+aiosqlite://u:***@h/x");
}

static void test_base_text__redact_hides_passwords_pasted_raw(void **state) {
    (void)state;
    assert_redacted("postgres://u:p@ss@host/db", "postgres://u:***@host/db");
    assert_redacted("postgres://u:p/ss#x?y@host/db", "postgres://u:***@host/db");
    assert_redacted("postgres://u:12/34@host/db", "postgres://u:***@host/db");
    assert_redacted("postgres://u:a:b@host/db", "postgres://u:***@host/db");
    assert_redacted("postgres://u:p%4", "postgres://u:***"); /* its end was lost */
    assert_redacted("http://host:80/a", "http://host:80/a");
    assert_redacted("postgres://a:1,b:2/db", "postgres://a:1,b:2/db");
}

static void test_base_text__redact_hides_secrets_in_the_query(void **state) {
    (void)state;
    assert_redacted("postgres://h/db?user=u&password=p1&x=2",
                    "postgres://h/db?user=u&password=***&x=2");
    assert_redacted("postgres://h/db?sslPassword=p1", "postgres://h/db?sslPassword=***");
    assert_redacted("https://h/?access_token=abc;y=1#password=z",
                    "https://h/?access_token=***;y=1#password=***");
    assert_redacted("https://h/?password=&passwords=3",
                    "https://h/?password=&passwords=3");
}

static void test_base_text__redact_leaves_the_rest_alone(void **state) {
    static const char *const plain[] = {
        "",
        "data/bot.db",
        "user:pass@host", /* no URL */
        "sqlite:///data/bot.db",
        "postgres://user@host:5432/db",
        "postgres://host:5432/db",
        "https://host/a/b?x=1&y=2#z",
        "file:bot.db?mode=ro",
    };

    (void)state;
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        assert_redacted(plain[i], plain[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_text__int_reads_the_whole_range),
        cmocka_unit_test(test_base_text__int_refuses_a_rest),
        cmocka_unit_test(test_base_text__number_reads_decimals),
        cmocka_unit_test(test_base_text__number_refuses_what_strtod_takes),
        cmocka_unit_test_setup_teardown(
            test_base_text__number_keeps_the_point_in_a_comma_locale, sandbox_setup,
            sandbox_teardown),
        cmocka_unit_test(test_base_text__bool_knows_eight_words_in_any_case),
        cmocka_unit_test(test_base_text__utf8_accepts_the_first_and_last_of_each_length),
        cmocka_unit_test(test_base_text__utf8_refuses_everything_else),
        cmocka_unit_test(test_base_text__clean_replaces_each_bad_byte),
        cmocka_unit_test(test_base_text__starts_and_ends),
        cmocka_unit_test(test_base_text__redact_hides_passwords),
        cmocka_unit_test(test_base_text__redact_hides_passwords_pasted_raw),
        cmocka_unit_test(test_base_text__redact_hides_secrets_in_the_query),
        cmocka_unit_test(test_base_text__redact_leaves_the_rest_alone),
    };

    return cmocka_run_group_tests_name("base/text", tests, NULL, NULL);
}
