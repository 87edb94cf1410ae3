/*
 * bk__describe(): the whole of the four tables, nothing internal, and tables that keep their own
 * rules (types, docs, names).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <base/json.h>
#include <base/text.h>
#include <botkeep.h>
#include <core/config.h>
#include <core/describe.h>
#include <core/event.h>
#include <core/operation.h>

static struct json_object *described(void) {
    char *text = bk__describe();
    assert_non_null(text);
    struct json_object *tables = bk__json_parse(text, NULL);
    assert_non_null(tables);
    free(text);
    return tables;
}

static void test_core_describe__tells_all_that_is_public(void **state) {
    (void)state;
    struct json_object *tables = described();
    assert_int_equal(bk__json_int(tables, "abi", 0), BK_ABI);
    assert_int_equal(json_object_array_length(bk__json_member(tables, "options")),
                     BK__OPTION_COUNT);
    assert_int_equal(json_object_array_length(bk__json_member(tables, "errors")), 17);
    size_t callable = 0;
    for (int i = 0; bk__operation_lists[i]; i++) {
        for (const struct bk__operation *op = bk__operation_lists[i]; op->name; op++) {
            callable += strcmp(op->who, "internal") != 0;
        }
    }
    struct json_object *operations = bk__json_member(tables, "operations");
    assert_int_equal(json_object_array_length(operations), callable);
    const char *text = json_object_to_json_string(operations);
    assert_null(strstr(text, "lifecycle.start"));
    assert_non_null(strstr(text, "backup.create"));
    json_object_put(tables);
}

static void assert_fields(const struct bk__field *field) {
    static const char *const types[] = {"text", "int",  "number", "bool",
                                        "data", "list", "object"};
    for (; field && field->name; field++) {
        int known = 0;
        size_t length = strcspn(field->type, "?~");
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
            known +=
                strlen(types[i]) == length && strncmp(types[i], field->type, length) == 0;
        }
        assert_int_equal(known, 1);
        assert_non_null(field->values);
        assert_true(strlen(field->doc) > 0 && bk__text_ends(field->doc, "."));
    }
}

static void test_core_describe__tables_keep_their_rules(void **state) {
    (void)state;
    for (int i = 0; bk__operation_lists[i]; i++) {
        for (const struct bk__operation *op = bk__operation_lists[i]; op->name; op++) {
            assert_non_null(strchr(op->name, '.'));
            assert_true(bk__text_ends(op->doc, "."));
            assert_non_null(op->run);
            assert_ptr_equal(bk__operation_find(op->name), op); /* no name twice */
            assert_fields(op->arguments);
            assert_fields(op->result);
        }
    }
    for (const struct bk__event_row *event = bk__event_rows; event->name; event++) {
        assert_true(bk__text_ends(event->doc, "."));
        assert_fields(event->fields);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_core_describe__tells_all_that_is_public),
        cmocka_unit_test(test_core_describe__tables_keep_their_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
