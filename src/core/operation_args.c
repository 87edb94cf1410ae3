/*
 * Checks an operation's JSON arguments against its table and fills the fallbacks in.
 * After it a feature may trust names, types and closed lists. bk_run() and bk__job_call()
 * go through it.
 */
#include <core/operation.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/json.h>
#include <base/near.h>
#include <base/text.h>
#include <core/error.h>

#define TEXT_LIMIT (1024 * 1024)
#define NUMBER_LIMIT INT64_C(9007199254740992) /* 2^53 */

static const struct bk__field *find_field(const struct bk__operation *operation,
                                          const char *name) {
    const struct bk__field *field = operation->arguments;
    for (; field && field->name; field++) {
        if (strcmp(field->name, name) == 0) {
            return field;
        }
    }
    return NULL;
}

static int refuse_name(const struct bk__operation *operation, const char *name) {
    struct bk__buf known = {0};
    struct bk__near near = {0};
    for (const struct bk__field *f = operation->arguments; f && f->name; f++) {
        bk__buf_printf(&known, "%s%s", known.size ? ", " : "", f->name);
        bk__near_try(&near, name, f->name, f->name);
    }
    char *clean = bk__text_clean(name);
    int code = bk__fail(
        BK_EINVAL,
        "%s has no argument \"%.100s\"; it takes %s. Nothing was started. %s%s%s",
        operation->name, clean ? clean : "?",
        known.data ? known.data : "no arguments at all",
        near.name ? "Did you mean \"" : "Correct the name or leave it out.",
        near.name ? near.name : "", near.name ? "\"?" : "");
    free(clean);
    bk__buf_free(&known);
    return code;
}

static int refuse_value(const struct bk__operation *operation,
                        const struct bk__field *field, const char *allowed) {
    return bk__fail(
        BK_EINVAL,
        "The argument %s of %s must be %s. Nothing was started. Correct it and try "
        "again.",
        field->name, operation->name, allowed);
}

static bool in_values(const char *values, const char *text) {
    size_t length = strlen(text);
    for (const char *at = values; *at;) {
        size_t word = strcspn(at, "|");
        if (word == length && memcmp(at, text, length) == 0) {
            return true;
        }
        at += word;
        at += *at == '|';
    }
    return false;
}

static int refuse_choice(const struct bk__operation *operation,
                         const struct bk__field *field) {
    struct bk__buf allowed = {0};
    bk__buf_text(&allowed, "one of ");
    for (const char *at = field->values; *at; at++) {
        if (*at == '|') {
            bk__buf_text(&allowed, ", ");
        } else {
            bk__buf_add(&allowed, at, 1);
        }
    }
    int code =
        refuse_value(operation, field, allowed.data ? allowed.data : "another value");
    bk__buf_free(&allowed);
    return code;
}

static int check_text(const struct bk__operation *operation,
                      const struct bk__field *field, struct json_object *value) {
    const char *text = json_object_get_string(value);
    size_t length = (size_t)json_object_get_string_len(value);
    if (!json_object_is_type(value, json_type_string) || !text) {
        return refuse_value(operation, field, "a text");
    }
    if (length > TEXT_LIMIT) {
        return refuse_value(operation, field, "a text of at most 1 MiB");
    }
    if (strlen(text) != length) {
        return refuse_value(operation, field, "a text without NUL characters");
    }
    if (!bk__text_utf8(text)) {
        return refuse_value(operation, field, "a text in UTF-8");
    }
    if (field->values[0] && !in_values(field->values, text)) {
        return refuse_choice(operation, field);
    }
    return 0;
}

static bool out_of_range(int64_t value) {
    return value <= -NUMBER_LIMIT || value >= NUMBER_LIMIT;
}

/* JSON knows one kind of number: 7.0 and 7e0 are whole too. */
static int check_number(const struct bk__operation *operation,
                        const struct bk__field *field, struct json_object *value,
                        bool whole) {
    bool is_int = json_object_is_type(value, json_type_int);
    double number = json_object_get_double(value);
    if (!is_int && !json_object_is_type(value, json_type_double)) {
        return refuse_value(operation, field, whole ? "a whole number" : "a number");
    }
    if (is_int ? out_of_range(json_object_get_int64(value))
               : !(fabs(number) < (double)NUMBER_LIMIT)) {
        return refuse_value(operation, field, "a number below 2^53");
    }
    return whole && number != trunc(number)
               ? refuse_value(operation, field, "a whole number")
               : 0;
}

static int check_value(const struct bk__operation *operation,
                       const struct bk__field *field, struct json_object *value) {
    switch (field->type[0]) {
    case 't':
        return check_text(operation, field, value);
    case 'i':
        return check_number(operation, field, value, true);
    case 'n':
        return check_number(operation, field, value, false);
    case 'b':
        return json_object_is_type(value, json_type_boolean)
                   ? 0
                   : refuse_value(operation, field, "true or false");
    case 'o':
        return json_object_is_type(value, json_type_object)
                   ? 0
                   : refuse_value(operation, field, "an object");
    case 'l':
        return json_object_is_type(value, json_type_array)
                   ? 0
                   : refuse_value(operation, field, "a list");
    case 'd':
        return refuse_value(operation, field, "handed over by bk_save(), not in JSON");
    default:
        return bk__fail(BK_EINTERNAL,
                        "The table of %s gives %s the type %s. Please report it.",
                        operation->name, field->name, field->type);
    }
}

static struct json_object *fallback_value(const struct bk__field *field) {
    int64_t whole = 0;
    double number = 0;
    bool truth = false;
    if (field->type[0] == 'i' && bk__text_int(field->fallback, &whole)) {
        return json_object_new_int64(whole);
    }
    if (field->type[0] == 'n' && bk__text_number(field->fallback, &number)) {
        return json_object_new_double(number);
    }
    if (field->type[0] == 'b' && bk__text_bool(field->fallback, &truth)) {
        return json_object_new_boolean(truth);
    }
    return json_object_new_string(field->fallback);
}

/* Members that are null count as absent and leave the object. */
static int fill(const struct bk__operation *operation, struct json_object *args) {
    for (const struct bk__field *f = operation->arguments; f && f->name; f++) {
        if (bk__json_member(args, f->name)) {
            continue;
        }
        if (!f->fallback) {
            return bk__fail(
                BK_EINVAL,
                "%s needs the argument %s: %s Nothing was started. Give it and try "
                "again.",
                operation->name, f->name, f->doc);
        }
        json_object_object_del(args, f->name);
        if (f->fallback[0] && !bk__json_put(args, f->name, fallback_value(f))) {
            return bk__fail_memory();
        }
    }
    return 0;
}

int bk__operation_check(const struct bk__operation *operation, struct json_object *args) {
    json_object_object_foreach(args, name, value) {
        const struct bk__field *field = find_field(operation, name);
        if (!field) {
            return refuse_name(operation, name);
        }
        int code = value ? check_value(operation, field, value) : 0;
        if (code < 0) {
            return code;
        }
    }
    return fill(operation, args);
}

int bk__operation_parse(const struct bk__operation *operation, const char *text,
                        struct json_object **ret_args) {
    const char *why = NULL;
    struct json_object *args = text ? bk__json_parse(text, &why) : bk__json_object();
    if (!args && !text) {
        return bk__fail_memory();
    }
    if (!args) {
        return bk__fail(
            BK_EINVAL,
            "The arguments of %s are not one JSON object: %s. Nothing was started. "
            "Correct them and try again.",
            operation->name, why ? why : "they cannot be read");
    }
    int code = bk__operation_check(operation, args);
    if (code < 0) {
        json_object_put(args);
        return code;
    }
    *ret_args = args;
    return 0;
}
