/*
 * Short names over json-c: strict parsing, typed reading with a fallback, adding that
 * cleans text to valid UTF-8. Not a JSON library. Every room that reads or writes JSON
 * calls it.
 */
#include <base/json.h>

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/grammar.h>
#include <base/text.h>

#define DEPTH 32

static struct json_object *build(const char *text, const char **why) {
    /* json-c counts one level for the value itself; the grammar has checked the real
     * depth. */
    struct json_tokener *tokener = json_tokener_new_ex(DEPTH + 2);
    struct json_object *object = NULL;
    size_t size = strlen(text);

    if (!tokener) {
        return NULL;
    }
    json_tokener_set_flags(tokener, JSON_TOKENER_STRICT);
    if (size < INT32_MAX) {
        object = json_tokener_parse_ex(tokener, text, (int)size);
        if (!object) {
            *why = json_tokener_error_desc(json_tokener_get_error(tokener));
        }
    } else {
        *why = "it is too long";
    }
    json_tokener_free(tokener);
    return object;
}

struct json_object *bk__json_parse(const char *text, const char **ret_why) {
    const char *why = "it is not valid UTF-8";
    struct json_object *object = NULL;

    if (bk__text_utf8(text)) {
        why = bk__grammar_check(text, DEPTH);
    }
    if (!why) {
        why = "out of memory";
        object = build(text, &why);
    }
    if (!object && ret_why) {
        *ret_why = why;
    }
    return object;
}

struct json_object *bk__json_member(struct json_object *object, const char *name) {
    struct json_object *value = NULL;

    json_object_object_get_ex(object, name, &value);
    return value;
}

const char *bk__json_text(struct json_object *object, const char *name,
                          const char *fallback) {
    struct json_object *value = bk__json_member(object, name);

    return json_object_is_type(value, json_type_string) ? json_object_get_string(value)
                                                        : fallback;
}

/* JSON knows one kind of number: 5.0 and 5e0 are whole numbers too. */
static bool whole(struct json_object *value, int64_t *ret) {
    if (json_object_is_type(value, json_type_int)) {
        /* json-c reads above the range of int64_t as uint64_t, and cuts below it. */
        if (json_object_get_int64(value) == INT64_MAX &&
            json_object_get_uint64(value) > INT64_MAX) {
            return false;
        }
        *ret = json_object_get_int64(value);
        return true;
    }
    if (json_object_is_type(value, json_type_double)) {
        double number = json_object_get_double(value);

        if (!(fabs(number) <= 9007199254740992.0) || number != trunc(number)) {
            return false;
        }
        *ret = (int64_t)number;
        return true;
    }
    return false;
}

int64_t bk__json_int(struct json_object *object, const char *name, int64_t fallback) {
    int64_t value = fallback;

    return whole(bk__json_member(object, name), &value) ? value : fallback;
}

double bk__json_number(struct json_object *object, const char *name, double fallback) {
    struct json_object *value = bk__json_member(object, name);
    double number;

    if (!json_object_is_type(value, json_type_int) &&
        !json_object_is_type(value, json_type_double)) {
        return fallback;
    }
    number = json_object_get_double(value);
    return isfinite(number) ? number : fallback; /* 1e999 is JSON */
}

bool bk__json_bool(struct json_object *object, const char *name, bool fallback) {
    struct json_object *value = bk__json_member(object, name);

    return json_object_is_type(value, json_type_boolean) ? json_object_get_boolean(value)
                                                         : fallback;
}

/* "[12]" of a list; *path moves behind it. */
static struct json_object *pick_item(struct json_object *from, const char **path) {
    const char *at = *path + 1;
    size_t digits = strspn(at, "0123456789"), index = 0;

    if (!json_object_is_type(from, json_type_array) || !digits || digits > 9 ||
        at[digits] != ']') {
        return NULL;
    }
    for (size_t i = 0; i < digits; i++) {
        index = index * 10 + (size_t)(at[i] - '0');
    }
    *path = at + digits + 1;
    return json_object_array_get_idx(from, index);
}

static struct json_object *pick_member(struct json_object *from, const char **path) {
    size_t size = strcspn(*path, ".[");
    struct json_object *value = NULL;
    char *name = size ? strndup(*path, size) : NULL;

    if (name) {
        value = bk__json_member(from, name);
    }
    free(name);
    *path += size;
    return value;
}

struct json_object *bk__json_pick(struct json_object *root, const char *path) {
    if (*path != '[') {
        root = pick_member(root, &path);
    }
    while (root && *path) {
        if (*path == '[') {
            root = pick_item(root, &path);
        } else if (*path == '.') {
            path++;
            root = pick_member(root, &path);
        } else {
            return NULL; /* "a[0]b" */
        }
    }
    return root;
}

bool bk__json_put(struct json_object *object, const char *name,
                  struct json_object *value) {
    char *clean = bk__text_clean(name);
    bool added = clean && json_object_object_add(object, clean, value) == 0;

    if (!added) {
        json_object_put(value);
    }
    free(clean);
    return added;
}

bool bk__json_add_text(struct json_object *object, const char *name, const char *text) {
    struct json_object *value = NULL;

    if (text) {
        char *clean = bk__text_clean(text);

        value = clean ? json_object_new_string(clean) : NULL;
        free(clean);
        if (!value) {
            return false;
        }
    }
    return bk__json_put(object, name, value);
}

bool bk__json_add_int(struct json_object *object, const char *name, int64_t value) {
    struct json_object *number = json_object_new_int64(value);

    return number && bk__json_put(object, name, number);
}

/* The shortest of the two usual lengths that reads back as the same number. json-c's own
   printing follows the host's locale. */
static void print_number(double value, char *out, size_t size) {
    locale_t before = uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));

    snprintf(out, size, "%.15g", value);
    if (strtod(out, NULL) != value) {
        snprintf(out, size, "%.17g", value);
    }
    uselocale(before);
}

bool bk__json_add_number(struct json_object *object, const char *name, double value) {
    struct json_object *number;
    char text[40];

    if (!isfinite(value)) { /* JSON has no word for it */
        return bk__json_put(object, name, NULL);
    }
    print_number(value, text, sizeof text);
    number = json_object_new_double_s(value, text);
    return number && bk__json_put(object, name, number);
}

bool bk__json_add_bool(struct json_object *object, const char *name, bool value) {
    struct json_object *boolean = json_object_new_boolean(value);

    return boolean && bk__json_put(object, name, boolean);
}

struct json_object *bk__json_object(void) {
    return json_object_new_object();
}

struct json_object *bk__json_list(void) {
    return json_object_new_array();
}

bool bk__json_append(struct json_object *list, struct json_object *value) {
    if (json_object_array_add(list, value) == 0) {
        return true;
    }
    json_object_put(value);
    return false;
}

char *bk__json_print(struct json_object *object) {
    const char *text = json_object_to_json_string_ext(
        object, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);

    return text ? strdup(text) : NULL;
}
