/*
 * Arguments of operations: what gets through, what is filled in, and what an error says.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <base/json.h>
#include <core/error.h>
#include <core/operation.h>

static const struct bk__field fields[] = {
    {"kind", "text", "manual", "manual|auto", "Which kind."},
    {"note", "text", "", "", "A note."},
    {"keep", "int", "7", "", "How many."},
    {"share", "number", "", "", "A share."},
    {"dry_run", "bool", "false", "", "Only look."},
    {"extra", "object", "", "", "An object."},
    {"names", "list", "", "", "A list."},
    {"to", "text", NULL, "", "Where to."},
    {0}};
static const struct bk__operation operation = {.name = "test.it", .arguments = fields};
static const struct bk__operation bare = {.name = "test.bare"};

static struct json_object *accepted(const char *text) {
    struct json_object *args = NULL;
    assert_int_equal(bk__operation_parse(&operation, text, &args), 0);
    assert_non_null(args);
    return args;
}

static void assert_refused(const char *text, const char *says) {
    struct json_object *args = NULL;
    assert_int_equal(bk__operation_parse(&operation, text, &args), BK_EINVAL);
    assert_null(args);
    assert_non_null(strstr(bk__error_text(), says));
}

static void test_core_operation_args__fallbacks_are_filled_in(void **state) {
    (void)state;
    struct json_object *args = accepted("{\"to\":\"x\"}");
    assert_string_equal(bk__json_text(args, "kind", ""), "manual");
    assert_int_equal(bk__json_int(args, "keep", 0), 7);
    assert_true(json_object_is_type(bk__json_member(args, "dry_run"), json_type_boolean));
    assert_null(bk__json_member(args, "note"));
    assert_null(bk__json_member(args, "share"));
    json_object_put(args);
}

static void test_core_operation_args__null_counts_as_absent(void **state) {
    (void)state;
    struct json_object *args = accepted("{\"to\":\"x\",\"keep\":null,\"note\":null}");
    assert_int_equal(bk__json_int(args, "keep", 0), 7);
    assert_false(json_object_object_get_ex(args, "note", NULL));
    json_object_put(args);
    assert_refused("{\"to\":null}", "needs the argument to: Where to.");
}

static void test_core_operation_args__names_are_checked(void **state) {
    (void)state;
    assert_refused("{\"to\":\"x\",\"knid\":\"auto\"}", "no argument \"knid\"");
    assert_non_null(strstr(bk__error_text(), "kind, note, keep, share"));
    struct json_object *args = NULL;
    assert_int_equal(bk__operation_parse(&bare, "{\"a\":1}", &args), BK_EINVAL);
    assert_non_null(strstr(bk__error_text(), "no arguments at all"));
    assert_int_equal(bk__operation_parse(&bare, NULL, &args), 0);
    json_object_put(args);
}

static void test_core_operation_args__types_are_checked(void **state) {
    (void)state;
    assert_refused("{\"to\":1}", "argument to of test.it must be a text");
    assert_refused("{\"to\":\"x\",\"keep\":\"7\"}",
                   "keep of test.it must be a whole number");
    assert_refused("{\"to\":\"x\",\"keep\":7.5}", "a whole number");
    struct json_object *args = accepted("{\"to\":\"x\",\"keep\":7e0}");
    assert_int_equal(bk__json_int(args, "keep", 0), 7);
    json_object_put(args);
    assert_refused("{\"to\":\"x\",\"keep\":-9223372036854775808}", "below 2^53");
    assert_refused("{\"to\":\"x\",\"keep\":true}", "a whole number");
    assert_refused("{\"to\":\"x\",\"share\":\"1\"}", "a number");
    assert_refused("{\"to\":\"x\",\"dry_run\":1}", "true or false");
    assert_refused("{\"to\":\"x\",\"extra\":[]}", "an object");
    assert_refused("{\"to\":\"x\",\"names\":{}}", "a list");
    assert_refused("{\"to\":\"x\",\"keep\":9007199254740993}", "below 2^53");
    assert_refused("{\"to\":\"x\",\"share\":1e300}", "below 2^53");
}

static void test_core_operation_args__closed_lists_are_closed(void **state) {
    (void)state;
    json_object_put(accepted("{\"to\":\"x\",\"kind\":\"auto\"}"));
    assert_refused("{\"to\":\"x\",\"kind\":\"AUTO\"}", "one of manual, auto");
    assert_refused("{\"to\":\"x\",\"kind\":\"\"}", "one of manual, auto");
    assert_refused("{\"to\":\"x\",\"kind\":\"manual|auto\"}", "one of manual, auto");
}

static void test_core_operation_args__texts_have_bounds(void **state) {
    (void)state;
    assert_refused("{\"to\":\"a\\u0000b\"}", "NUL");
    size_t size = 1024 * 1024 + 64;
    char *text = malloc(size);
    assert_non_null(text);
    memset(text, 'x', size);
    memcpy(text, "{\"to\":\"", 7);
    memcpy(text + size - 3, "\"}", 3);
    assert_refused(text, "at most 1 MiB");
    free(text);
}

static void test_core_operation_args__what_is_no_object_is_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"",          "[]",    "1",       "null",
                                        "{",         "{}x",   "{'a':1}", "{\"a\":1,}",
                                        "{\"a\" 1}", "\"{}\""};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_refused(wrong[i], "not one JSON object");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_operation_args__fallbacks_are_filled_in),
        cmocka_unit_test(test_core_operation_args__null_counts_as_absent),
        cmocka_unit_test(test_core_operation_args__names_are_checked),
        cmocka_unit_test(test_core_operation_args__types_are_checked),
        cmocka_unit_test(test_core_operation_args__closed_lists_are_closed),
        cmocka_unit_test(test_core_operation_args__texts_have_bounds),
        cmocka_unit_test(test_core_operation_args__what_is_no_object_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
