/*
 * Tests of src/base/grammar.c: JSON to the letter, and what json-c would have let through.
 * Not of building values (json.c).
 */
#include <base/grammar.h>

#include <stdio.h>
#include <string.h>

#include "sandbox.h"
#include <cmocka.h>

static void assert_good(const char *text) {
    const char *why = bk__grammar_check(text, 32);

    if (why) {
        fail_msg("%s: %s", text, why);
    }
}

static void assert_wrong(const char *text, const char *part) {
    const char *why = bk__grammar_check(text, 32);

    if (!why || !strstr(why, part)) {
        fail_msg("%s: %s", text, why ? why : "accepted");
    }
}

static void test_base_grammar__accepts_all_of_json(void **state) {
    static const char *const good[] = {
        "{}",
        " \t\r\n{ } \n",
        "{\"a\":1,\"a\":2}",
        "{\"\":\"\"}",
        "{\"a\":[],\"b\":{},\"c\":[{},[],null,true,false]}",
        "{\"n\":[0,-0,1,10,-1.5,0.5,1e5,1E+5,1e-05,123456789012345678901234567890]}",
        "{\"s\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e4\\uD83D\\uDE00\\u0001\"}",
        "{\"s\":\"/\x7F\xC3\xA4\"}",
        "{\"a\" : [ 1 , 2 ] , \"b\" : 3 }",
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        assert_good(good[i]);
    }
}

static void test_base_grammar__refuses_other_roots_and_rests(void **state) {
    static const char *const roots[] = {"",     " ",     "[]", "1",
                                        "null", "\"a\"", "x",  "\xEF\xBB\xBF{}"};

    (void)state;
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        assert_wrong(roots[i], "not a JSON object");
    }
    assert_wrong("{}x", "behind its end");
    assert_wrong("{}{}", "behind its end");
    assert_wrong("{}}", "behind its end");
    assert_wrong("{}\v", "behind its end");
}

static void test_base_grammar__refuses_bad_numbers(void **state) {
    static const char *const numbers[] = {
        "01",   "-01",      "+1",        ".5",   "-",   "-a",  "1.",
        "1.e5", "1e",       "1e+",       "0x10", "1_0", "NaN", "-NaN",
        "nan",  "Infinity", "-Infinity", "inf",  "1f",  "--1", "1 2"};
    char text[64];

    (void)state;
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        strcpy(text, "{\"a\":");
        strcat(strcat(text, numbers[i]), "}");
        assert_wrong(text, "");
    }
}

static void test_base_grammar__refuses_bad_words(void **state) {
    static const char *const words[] = {"{\"a\":True}",
                                        "{\"a\":nul}",
                                        "{\"a\":nulll}",
                                        "{\"a\":tru",
                                        "{\"a\":undefined}",
                                        "{\"a\":}",
                                        "{\"a\":,}",
                                        "{\"a\"}",
                                        "{\"a\" 1}",
                                        "{a:1}",
                                        "{'a':1}",
                                        "{1:1}",
                                        "{null:1}",
                                        "{\"a\":'b'}",
                                        "{\"a\":1,}",
                                        "{,}",
                                        "{\"a\":[1,]}",
                                        "{\"a\":[,1]}",
                                        "{\"a\":[1 2]}",
                                        "{\"a\":1 \"b\":2}",
                                        "{\"a\":1;}",
                                        "{\"a\":[1}",
                                        "{\"a\":[1}]",
                                        "{\"a\":{]}",
                                        "{",
                                        "{\"a\":[",
                                        "{/**/}",
                                        "{}//",
                                        "{\"a\":1/**/}",
                                        "{\"a\":=1}"};

    (void)state;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        assert_wrong(words[i], "");
    }
}

static void test_base_grammar__refuses_bad_texts(void **state) {
    (void)state;
    assert_wrong("{\"a\":\"b}", "does not end");
    assert_wrong("{\"a\":\"b\\", "escape");
    assert_wrong("{\"a\":\"\n\"}", "control character");
    assert_wrong("{\"a\":\"\t\"}", "control character");
    assert_wrong("{\"\x1F\":1}", "control character");
    assert_wrong("{\"a\":\"\\x41\"}", "escape");
    assert_wrong("{\"a\":\"\\'\"}", "escape");
    assert_wrong("{\"a\":\"\\u12\"}", "four digits");
    assert_wrong("{\"a\":\"\\u12g4\"}", "four digits");
    assert_wrong("{\"a\":\"\\u", "four digits");
}

static void test_base_grammar__refuses_nul_in_texts_and_names(void **state) {
    (void)state;
    assert_wrong("{\"a\":\"x\\u0000y\"}", "NUL");
    assert_wrong("{\"a\\u0000\":1}", "NUL");
    assert_good("{\"a\":\"\\\\u0000\"}"); /* a backslash, then plain letters */
}

static const char *nested(int depth, char open, char close) {
    static char text[512];
    char *at = text + sprintf(text, "{\"a\":");

    for (int i = 1; i < depth; i++) {
        at += sprintf(at, open == '{' ? "{\"a\":" : "[");
    }
    if (open == '{') {
        *at++ = '1';
    }
    for (int i = 1; i < depth; i++) {
        *at++ = close;
    }
    strcpy(at, "}");
    return text;
}

static void test_base_grammar__depth_is_exact(void **state) {
    (void)state;
    assert_good(nested(32, '[', ']'));
    assert_wrong(nested(33, '[', ']'), "too deep");
    assert_good(nested(32, '{', '}'));
    assert_wrong(nested(33, '{', '}'), "too deep");
    /* Side by side is not deep. */
    assert_good(
        "{\"a\":[[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],[],"
        "[],[],[],[],[],[],[],[],[],[],[],[],[],[]]}");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_grammar__accepts_all_of_json),
        cmocka_unit_test(test_base_grammar__refuses_other_roots_and_rests),
        cmocka_unit_test(test_base_grammar__refuses_bad_numbers),
        cmocka_unit_test(test_base_grammar__refuses_bad_words),
        cmocka_unit_test(test_base_grammar__refuses_bad_texts),
        cmocka_unit_test(test_base_grammar__refuses_nul_in_texts_and_names),
        cmocka_unit_test(test_base_grammar__depth_is_exact),
    };

    return cmocka_run_group_tests_name("base/grammar", tests, NULL, NULL);
}
