/*
 * Matching, and replacing what was saved. No files, no library: data alone. The matchers are a
 * closed list; README.md names them.
 */
#include "match.h"

#include <regex.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char wrong[4096];

bool go_wrong(const char *format, ...) {
    va_list args;

    va_start(args, format);
    vsnprintf(wrong, sizeof(wrong), format, args);
    va_end(args);
    return false;
}

char *fill_text(saved_values *saved, const char *text) {
    char *filled = NULL, name[64];
    size_t length;
    FILE *out = open_memstream(&filled, &length);

    if (!out)
        abort();
    while (*text) {
        struct json_object *value = NULL;
        int used = 0;

        if (sscanf(text, "${%63[a-z_0-9]}%n", name, &used) == 1 && used > 0 &&
            json_object_object_get_ex(saved, name, &value)) {
            fputs(json_object_get_string(value), out);
            text += used;
        } else {
            fputc(*text++, out);
        }
    }
    fclose(out);
    return filled;
}

static struct json_object *fill_string(saved_values *saved, const char *text) {
    struct json_object *answer;
    char *filled;

    if (strncmp(text, "$ref:", 5) == 0)
        return json_object_get(json_object_object_get(saved, text + 5));
    filled = fill_text(saved, text);
    answer = json_object_new_string(filled);
    free(filled);
    return answer;
}

struct json_object *fill_value(saved_values *saved, struct json_object *value) {
    struct json_object *copy;

    switch (json_object_get_type(value)) {
    case json_type_string:
        return fill_string(saved, json_object_get_string(value));
    case json_type_array:
        copy = json_object_new_array();
        for (size_t i = 0; i < json_object_array_length(value); i++)
            json_object_array_add(copy,
                                  fill_value(saved, json_object_array_get_idx(value, i)));
        return copy;
    case json_type_object:
        copy = json_object_new_object();
        json_object_object_foreach(value, name, inner)
            json_object_object_add(copy, name, fill_value(saved, inner));
        return copy;
    default:
        return json_object_get(value);
    }
}

static bool match_expression(saved_values *saved, const char *expression,
                             struct json_object *found) {
    char *filled = fill_text(saved, expression);
    regex_t compiled;
    bool is = false;

    if (regcomp(&compiled, filled, REG_EXTENDED | REG_NOSUB) == 0) {
        is = json_object_is_type(found, json_type_string) &&
             regexec(&compiled, json_object_get_string(found), 0, NULL, 0) == 0;
        regfree(&compiled);
    }
    free(filled);
    return is;
}

static bool match_special(saved_values *saved, const char *matcher,
                          struct json_object *found) {
    enum json_type type = json_object_get_type(found);
    double number = json_object_get_double(found);

    if (strncmp(matcher, "$re:", 4) == 0)
        return match_expression(saved, matcher + 4, found);
    if (strncmp(matcher, "$ref:", 5) == 0)
        return json_object_equal(json_object_object_get(saved, matcher + 5), found);
    if (strncmp(matcher, "$save:", 6) == 0) {
        json_object_object_add(saved, matcher + 6, json_object_get(found));
        return found != NULL;
    }
    if (strcmp(matcher, "$int") == 0)
        return type == json_type_int ||
               (type == json_type_double && number == (double)(int64_t)number);
    if (strcmp(matcher, "$num") == 0)
        return type == json_type_int || type == json_type_double;
    if (strcmp(matcher, "$str") == 0)
        return type == json_type_string && json_object_get_string_len(found) > 0;
    if (strcmp(matcher, "$bool") == 0)
        return type == json_type_boolean;
    return strcmp(matcher, "$any") == 0 || (strcmp(matcher, "$null") == 0 && !found);
}

static bool match_object(saved_values *saved, struct json_object *expected,
                         struct json_object *found, const char *where) {
    char inner_where[512];

    if (!json_object_is_type(found, json_type_object))
        return go_wrong("%s is %s", where, json_object_to_json_string(found));
    json_object_object_foreach(expected, name, inner) {
        struct json_object *value;

        if (!json_object_object_get_ex(found, name, &value))
            return go_wrong("%s has no %s", where, name);
        snprintf(inner_where, sizeof(inner_where), "%s.%s", where, name);
        if (!match(saved, inner, value, inner_where))
            return false;
    }
    return true;
}

static bool match_list(saved_values *saved, struct json_object *expected,
                       struct json_object *found, const char *where) {
    size_t length = json_object_array_length(expected);
    char inner_where[512];

    if (!json_object_is_type(found, json_type_array) ||
        json_object_array_length(found) != length)
        return go_wrong("%s is %s, not %zu items", where,
                        json_object_to_json_string(found), length);
    for (size_t i = 0; i < length; i++) {
        snprintf(inner_where, sizeof(inner_where), "%s[%zu]", where, i);
        if (!match(saved, json_object_array_get_idx(expected, i),
                   json_object_array_get_idx(found, i), inner_where))
            return false;
    }
    return true;
}

bool match(saved_values *saved, struct json_object *expected, struct json_object *found,
           const char *where) {
    const char *text = json_object_get_string(expected);
    struct json_object *filled;
    bool same;

    if (json_object_is_type(expected, json_type_object))
        return match_object(saved, expected, found, where);
    if (json_object_is_type(expected, json_type_array))
        return match_list(saved, expected, found, where);
    if (json_object_is_type(expected, json_type_string) && text[0] == '$' &&
        text[1] != '{')
        return match_special(saved, text, found) ||
               go_wrong("%s is %s, not %s", where, json_object_to_json_string(found),
                        text);
    filled = fill_value(saved, expected);
    same = json_object_equal(filled, found);
    json_object_put(filled);
    return same ||
           go_wrong("%s is %s, not %s", where, json_object_to_json_string(found), text);
}
