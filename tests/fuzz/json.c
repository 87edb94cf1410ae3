/*
 * The fuzzer of JSON from outside: a text, then, behind a NUL, a path to pick. What it checks
 * beside memory: what our grammar accepts json-c accepts, and printing is one line of valid
 * UTF-8 that reads back as itself. tests/fuzz/run runs it.
 */
#include <base/json.h>

#include <stdlib.h>
#include <string.h>

#include <base/grammar.h>
#include <base/text.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static void read_member(struct json_object *object, const char *name) {
    const char *text = bk__json_text(object, name, "");
    double number = bk__json_number(object, name, 0);
    int64_t whole = bk__json_int(object, name, 0);

    need(bk__text_utf8(text));
    need(number - number == 0); /* finite */
    /* json-c cuts what is below INT64_MIN, and above INT64_MAX the fallback comes back. */
    need(whole == 0 || (double)whole == number || whole == INT64_MIN);
    need(!bk__json_bool(object, name, false) ||
         json_object_is_type(bk__json_member(object, name), json_type_boolean));
}

static void print_and_read_again(struct json_object *object) {
    char *once = bk__json_print(object);
    struct json_object *again;
    char *twice;

    need(once && bk__text_utf8(once) && !strpbrk(once, "\n\r"));
    again = bk__json_parse(once, NULL);
    need(again != NULL);
    twice = bk__json_print(again);
    need(twice && strcmp(once, twice) == 0);
    free(twice);
    free(once);
    json_object_put(again);
}

static void build_with(const char *text) {
    struct json_object *object = bk__json_object();

    need(bk__json_add_text(object, text, text));
    print_and_read_again(object);
    json_object_put(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *text = malloc(size + 2);
    const char *why = NULL, *path;
    struct json_object *object;

    need(text != NULL);
    memcpy(text, data, size);
    text[size] = text[size + 1] = '\0';
    path = strlen(text) < size ? text + strlen(text) + 1 : "a";
    object = bk__json_parse(text, &why);
    need((object == NULL) == (why != NULL));
    need(object || !bk__text_utf8(text) || bk__grammar_check(text, 32));
    if (object) {
        struct json_object *picked = bk__json_pick(object, path);

        need(!picked || *path);
        read_member(object, path);
        print_and_read_again(object);
    }
    json_object_put(object);
    build_with(path);
    free(text);
    return 0;
}
