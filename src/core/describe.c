/*
 * Prints the four tables (errors, options, operations, events) as one JSON object. It decides
 * nothing: help, reference, bindings and checks are made from its text. bk_describe() calls it.
 */
#include <core/describe.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/event.h>
#include <core/operation.h>

/* Members added one after another; the first failure sticks. */
struct row {
    struct json_object *object;
    bool good;
};

static struct row new_row(void) {
    struct json_object *object = bk__json_object();
    return (struct row){object, object != NULL};
}

static void text(struct row *row, const char *name, const char *value) {
    row->good = row->good && bk__json_add_text(row->object, name, value);
}

static void number(struct row *row, const char *name, double value) {
    bool whole = value == (double)(int64_t)value;
    row->good = row->good && (whole ? bk__json_add_int(row->object, name, (int64_t)value)
                                    : bk__json_add_number(row->object, name, value));
}

/* value is taken. */
static void put(struct row *row, const char *name, struct json_object *value) {
    if (row->good && value) {
        row->good = bk__json_put(row->object, name, value);
    } else {
        json_object_put(value);
        row->good = false;
    }
}

/* The row into the list, which is dropped and NULL after a failure. */
static void append(struct json_object **list, struct row row) {
    if (*list && row.good && bk__json_append(*list, row.object)) {
        return;
    }
    if (!*list || !row.good) {
        json_object_put(row.object);
    }
    json_object_put(*list);
    *list = NULL;
}

static struct json_object *errors(void) {
    struct json_object *list = bk__json_list();
    static const struct {
        const char *name;
        int number;
        const char *meaning;
    } rows[] = {
#define E(name, number, text) {"BK_" #name, number, text},
        BK_ERRORS(E)
#undef E
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct row row = new_row();
        text(&row, "name", rows[i].name);
        number(&row, "number", rows[i].number);
        text(&row, "text", rows[i].meaning);
        append(&list, row);
    }
    return list;
}

static const char *type_name(enum bk__option_type type) {
    static const char *const names[] = {
        [BK__TEXT] = "text",     [BK__PATH] = "path", [BK__INT] = "int",
        [BK__NUMBER] = "number", [BK__BOOL] = "bool", [BK__CHOICE] = "choice",
        [BK__SECRET] = "secret"};
    return names[type];
}

static struct json_object *options(void) {
    struct json_object *list = bk__json_list();
    for (int i = 0; i < BK__OPTION_COUNT; i++) {
        const struct bk__option_row *option = &bk__option_rows[i];
        struct row row = new_row();
        text(&row, "name", option->name);
        text(&row, "type", type_name(option->type));
        text(&row, "unit", option->unit);
        text(&row, "default", option->fallback);
        number(&row, "min", option->min);
        number(&row, "max", option->max);
        text(&row, "choices", option->choices);
        text(&row, "environment", option->environment);
        text(&row, "doc", option->doc);
        append(&list, row);
    }
    return list;
}

static struct json_object *arguments(const struct bk__field *field) {
    struct json_object *list = bk__json_list();
    for (; field && field->name; field++) {
        struct row row = new_row();
        text(&row, "name", field->name);
        text(&row, "type", field->type);
        row.good =
            row.good && bk__json_add_bool(row.object, "required", !field->fallback);
        text(&row, "default", field->fallback ? field->fallback : "");
        text(&row, "values", field->values);
        text(&row, "doc", field->doc);
        append(&list, row);
    }
    return list;
}

static struct json_object *members(const struct bk__field *field) {
    struct json_object *list = bk__json_list();
    for (; field && field->name; field++) {
        struct row row = new_row();
        text(&row, "name", field->name);
        text(&row, "type", field->type);
        text(&row, "values", field->values);
        text(&row, "doc", field->doc);
        append(&list, row);
    }
    return list;
}

static struct json_object *operations(void) {
    struct json_object *list = bk__json_list();
    for (int i = 0; bk__operation_lists[i]; i++) {
        for (const struct bk__operation *op = bk__operation_lists[i]; op->name; op++) {
            if (strcmp(op->who, "internal") == 0) {
                continue;
            }
            struct row row = new_row();
            text(&row, "name", op->name);
            text(&row, "doc", op->doc);
            text(&row, "who", op->who);
            put(&row, "arguments", arguments(op->arguments));
            put(&row, "result", members(op->result));
            append(&list, row);
        }
    }
    return list;
}

static struct json_object *events(void) {
    struct json_object *list = bk__json_list();
    for (const struct bk__event_row *event = bk__event_rows; event->name; event++) {
        struct row row = new_row();
        text(&row, "name", event->name);
        text(&row, "doc", event->doc);
        put(&row, "fields", members(event->fields));
        append(&list, row);
    }
    return list;
}

char *bk__describe(void) {
    struct row all = new_row();
    number(&all, "abi", BK_ABI);
    text(&all, "version", BK_VERSION);
    put(&all, "errors", errors());
    put(&all, "options", options());
    put(&all, "operations", operations());
    put(&all, "events", events());
    char *printed = all.good ? bk__json_print(all.object) : NULL;
    json_object_put(all.object);
    if (!printed) {
        bk__fail_memory();
    }
    return printed;
}
