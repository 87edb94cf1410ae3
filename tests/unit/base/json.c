/*
 * Tests of src/base/json.c: parsing, typed reading, picking by path, printing for any host.
 * Not of the grammar's corners (grammar.c).
 */
#include <base/json.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>

#include "comma.h"
#include "sandbox.h"
#include <cmocka.h>

static struct json_object *parsed(const char *text) {
    const char *why = "";
    struct json_object *object = bk__json_parse(text, &why);

    if (!object) {
        fail_msg("%s: %s", text, why);
    }
    return object;
}

/* Prints and releases it. */
static void assert_prints(struct json_object *object, const char *wanted) {
    char *text = bk__json_print(object);

    assert_non_null(text);
    assert_string_equal(text, wanted);
    assert_true(bk__text_utf8(text));
    free(text);
    json_object_put(object);
}

static void assert_picks(struct json_object *root, const char *path, const char *wanted) {
    struct json_object *value = bk__json_pick(root, path);

    if (!value) {
        fail_msg("nothing at \"%s\"", path);
    }
    assert_string_equal(json_object_to_json_string_ext(value, JSON_C_TO_STRING_PLAIN),
                        wanted);
}

static void assert_round_trip(double value) {
    struct json_object *object = bk__json_object(), *again;
    char *text;

    assert_true(bk__json_add_number(object, "x", value));
    text = bk__json_print(object);
    again = parsed(text);
    assert_true(bk__json_number(again, "x", 4711) == value);
    json_object_put(again);
    json_object_put(object);
    free(text);
}

static void test_base_json__parse_says_why_not(void **state) {
    const char *why = NULL;

    (void)state;
    assert_null(bk__json_parse("{\"a\":\"caf\xE9\"}", &why));
    assert_string_equal(why, "it is not valid UTF-8");
    assert_null(bk__json_parse("[1]", &why));
    assert_string_equal(why, "it is not a JSON object");
    assert_null(bk__json_parse("{\"a\":NaN}", &why));
    assert_non_null(strstr(why, "a value is missing"));
    assert_null(bk__json_parse("{}x", NULL));
}

static void test_base_json__parse_takes_exactly_32_levels(void **state) {
    char text[128] = "{\"a\":";

    (void)state;
    for (int i = 0; i < 31; i++) {
        strcat(text, "[");
    }
    strcat(text, "1"); /* to json-c a value is one level more */
    for (int i = 0; i < 31; i++) {
        strcat(text, "]");
    }
    json_object_put(parsed(strcat(text, "}")));
}

static void test_base_json__parse_takes_the_last_of_two(void **state) {
    struct json_object *object = parsed("{\"a\":1,\"b\":2,\"a\":3}");

    (void)state;
    assert_int_equal(bk__json_int(object, "a", 0), 3);
    json_object_put(object);
}

static void test_base_json__reads_its_own_type_only(void **state) {
    struct json_object *object =
        parsed("{\"t\":\"5\",\"i\":5,\"d\":5.5,\"b\":true,\"n\":null,\"l\":[],\"o\":{}}");
    static const char *const others[] = {"n", "l", "o", "absent"};

    (void)state;
    assert_string_equal(bk__json_text(object, "t", "?"), "5");
    assert_string_equal(bk__json_text(object, "i", "?"), "?");
    assert_int_equal(bk__json_int(object, "i", -1), 5);
    assert_int_equal(bk__json_int(object, "t", -1), -1);
    assert_int_equal(bk__json_int(object, "d", -1), -1);
    assert_int_equal(bk__json_int(object, "b", -1), -1);
    assert_true(bk__json_number(object, "d", -1) == 5.5);
    assert_true(bk__json_number(object, "i", -1) == 5);
    assert_true(bk__json_number(object, "t", -1) == -1);
    assert_true(bk__json_bool(object, "b", false));
    assert_true(bk__json_bool(object, "i", true));
    assert_false(bk__json_bool(object, "i", false));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_null(bk__json_text(object, others[i], NULL));
        assert_int_equal(bk__json_int(object, others[i], -2), -2);
        assert_true(bk__json_number(object, others[i], -2) == -2);
        assert_false(bk__json_bool(object, others[i], false));
    }
    json_object_put(object);
}

static void test_base_json__reads_nothing_from_nothing(void **state) {
    (void)state;
    assert_null(bk__json_member(NULL, "a"));
    assert_int_equal(bk__json_int(NULL, "a", 7), 7);
    assert_string_equal(bk__json_text(NULL, "a", "x"), "x");
    assert_null(bk__json_pick(NULL, "a"));
}

static void test_base_json__int_knows_its_range(void **state) {
    struct json_object *object =
        parsed("{\"max\":9223372036854775807,\"min\":-9223372036854775808,"
               "\"over\":9223372036854775808,\"far\":99999999999999999999999,"
               "\"five\":5.0,\"exp\":2e3,\"half\":0.5,\"huge\":1e300,\"inf\":1e999}");

    (void)state;
    assert_int_equal(bk__json_int(object, "max", 1), INT64_MAX);
    assert_int_equal(bk__json_int(object, "min", 1), INT64_MIN);
    assert_int_equal(bk__json_int(object, "over", 1), 1);
    assert_int_equal(bk__json_int(object, "far", 1), 1);
    assert_int_equal(bk__json_int(object, "five", 1), 5);
    assert_int_equal(bk__json_int(object, "exp", 1), 2000);
    assert_int_equal(bk__json_int(object, "half", 1), 1);
    assert_int_equal(bk__json_int(object, "huge", 1), 1);
    assert_int_equal(bk__json_int(object, "inf", 1), 1);
    assert_true(bk__json_number(object, "inf", 1) == 1);
    json_object_put(object);
}

static void test_base_json__picks_by_path(void **state) {
    struct json_object *root =
        parsed("{\"result\":{\"backups\":[{\"name\":\"x\"},{\"name\":\"y\","
               "\"tables\":{\"a b\":7}}],\"m\":[[1,2],[3]],\"n\":null}}");

    (void)state;
    assert_picks(root, "result.backups[1].name", "\"y\"");
    assert_picks(root, "result.backups[0]", "{\"name\":\"x\"}");
    assert_picks(root, "result.backups[1].tables.a b", "7");
    assert_picks(root, "result.m[0][1]", "2");
    assert_picks(root, "result.m[001][0]", "3");
    assert_picks(bk__json_pick(root, "result.m"), "[1][0]", "3");
    json_object_put(root);
}

static void test_base_json__picks_nothing_where_the_path_is_wrong(void **state) {
    static const char *const wrong[] = {"",
                                        ".",
                                        "..",
                                        "a.",
                                        ".a",
                                        "a..b",
                                        "a.b.c.d",
                                        "a.b.x",
                                        "x",
                                        "A",
                                        "a[0]",
                                        "l[2]",
                                        "l[-1]",
                                        "l[+1]",
                                        "l[ 1]",
                                        "l[1",
                                        "l[",
                                        "l[]",
                                        "l[x]",
                                        "l]",
                                        "l[1]x",
                                        "l.0",
                                        "l.[0]",
                                        "l[18446744073709551616]",
                                        "l[4294967296]",
                                        "n",
                                        "n.x",
                                        "n[0]",
                                        "t[0]",
                                        "t.x",
                                        "[0]"};
    struct json_object *root =
        parsed("{\"a\":{\"b\":{\"c\":1}},\"l\":[1,2],\"n\":null,\"t\":\"x\"}");

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        if (bk__json_pick(root, wrong[i])) {
            fail_msg("something at \"%s\"", wrong[i]);
        }
    }
    json_object_put(root);
}

static void test_base_json__prints_one_clean_line(void **state) {
    struct json_object *object = bk__json_object(), *list = bk__json_list();

    (void)state;
    assert_true(bk__json_add_text(object, "path", "/a/b\n\t\"\x01\\"));
    assert_true(bk__json_add_text(object, "bad\xFF", "caf\xE9"));
    assert_true(bk__json_add_text(object, "none", NULL));
    assert_true(bk__json_add_bool(object, "yes", true));
    assert_true(bk__json_add_int(object, "least", INT64_MIN));
    assert_true(bk__json_append(list, json_object_new_int(1)));
    assert_true(bk__json_append(list, NULL));
    assert_true(bk__json_put(object, "list", list));
    assert_prints(
        object,
        "{\"path\":\"/a/b\\n\\t\\\"\\u0001\\\\\",\"bad\xEF\xBF\xBD\":\"caf\xEF\xBF"
        "\xBD\",\"none\":null,\"yes\":true,\"least\":-9223372036854775808,"
        "\"list\":[1,null]}");
}

static void test_base_json__prints_numbers_short_and_exact(void **state) {
    struct json_object *object = bk__json_object();

    (void)state;
    bk__json_add_number(object, "a", 0.1);
    bk__json_add_number(object, "b", 5);
    bk__json_add_number(object, "c", 1.0 / 3);
    bk__json_add_number(object, "inf", (double)INFINITY);
    bk__json_add_number(object, "nan", (double)NAN);
    assert_prints(
        object,
        "{\"a\":0.1,\"b\":5,\"c\":0.33333333333333331,\"inf\":null,\"nan\":null}");
    assert_round_trip(1e22);
    assert_round_trip(-5e-324);
    assert_round_trip(1.7976931348623157e308);
    assert_round_trip(9007199254740993.0);
}

static void test_base_json__is_the_same_in_a_comma_locale(void **state) {
    struct json_object *object;
    double read;

    (void)state;
    comma_begin();
    object = parsed("{\"x\":2.50,\"y\":[1.25]}");
    read = bk__json_number(object, "x", -1);
    bk__json_add_number(object, "z", 0.75);
    assert_prints(object, "{\"x\":2.50,\"y\":[1.25],\"z\":0.75}");
    comma_end();
    assert_true(read == 2.5);
}

static void test_base_json__lone_surrogates_become_valid_text(void **state) {
    struct json_object *object = parsed("{\"a\":\"\\ud800x\",\"b\":\"\\ud83d\\ude00\"}");

    (void)state;
    assert_true(bk__text_utf8(bk__json_text(object, "a", "\xFF")));
    assert_string_equal(bk__json_text(object, "b", ""), "\xF0\x9F\x98\x80");
    json_object_put(object);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_json__parse_says_why_not),
        cmocka_unit_test(test_base_json__parse_takes_exactly_32_levels),
        cmocka_unit_test(test_base_json__parse_takes_the_last_of_two),
        cmocka_unit_test(test_base_json__reads_its_own_type_only),
        cmocka_unit_test(test_base_json__reads_nothing_from_nothing),
        cmocka_unit_test(test_base_json__int_knows_its_range),
        cmocka_unit_test(test_base_json__picks_by_path),
        cmocka_unit_test(test_base_json__picks_nothing_where_the_path_is_wrong),
        cmocka_unit_test(test_base_json__prints_one_clean_line),
        cmocka_unit_test(test_base_json__prints_numbers_short_and_exact),
        cmocka_unit_test_setup_teardown(test_base_json__is_the_same_in_a_comma_locale,
                                        sandbox_setup, sandbox_teardown),
        cmocka_unit_test(test_base_json__lone_surrogates_become_valid_text),
    };

    return cmocka_run_group_tests_name("base/json", tests, NULL, NULL);
}
