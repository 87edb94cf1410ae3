/*
 * Exported pickers: one value out of a JSON text, for hosts without a JSON library. They know no
 * keeper. Called by hosts alone.
 */
#include <botkeep.h>

#include <stdlib.h>
#include <string.h>

#include <api/check.h>
#include <base/json.h>

/* The value at the path, borrowed from *ret_root, which the caller puts. NULL: none, or an error.
   json may be longer than other texts: it is usually one of ours. */
static struct json_object *pick(const char *json, const char *path,
                                struct json_object **ret_root) {
    bk__error_clear();
    *ret_root = NULL;
    if (!json) {
        bk__fail(BK_EINVAL,
                 "The argument json is NULL. Nothing was done. Give a JSON object.");
        return NULL;
    }
    if (bk__api_text(path, "path") < 0) {
        return NULL;
    }
    const char *why = NULL;
    *ret_root = bk__json_parse(json, &why);
    if (!*ret_root) {
        bk__fail(BK_EINVAL,
                 "The argument json is not one JSON object: %s. Nothing was done.",
                 why ? why : "it cannot be read");
        return NULL;
    }
    return bk__json_pick(*ret_root, path);
}

char *bk_pick_text(const char *json, const char *path) {
    struct json_object *root = NULL;
    struct json_object *value = pick(json, path, &root);
    char *text = NULL;
    if (value) {
        bool is_text = json_object_is_type(value, json_type_string);
        text = is_text ? strdup(json_object_get_string(value)) : bk__json_print(value);
        if (!text) {
            bk__fail_memory();
        }
    }
    json_object_put(root);
    return text;
}

double bk_pick_number(const char *json, const char *path, double fallback) {
    struct json_object *root = NULL;
    struct json_object *value = pick(json, path, &root);
    double number = fallback;
    if (json_object_is_type(value, json_type_boolean)) {
        number = json_object_get_boolean(value) ? 1 : 0;
    } else if (json_object_is_type(value, json_type_int) ||
               json_object_is_type(value, json_type_double)) {
        number = json_object_get_double(value);
    }
    json_object_put(root);
    return number;
}
