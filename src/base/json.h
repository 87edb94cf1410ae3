/*
 * Short names over json-c: strict parsing, typed reading with a fallback, adding that cleans
 * text to valid UTF-8. Not a JSON library. Every room that reads or writes JSON calls it.
 */
#ifndef BK_BASE_JSON_H
#define BK_BASE_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <json-c/json.h>

/* One whole JSON object, strict, valid UTF-8, at most 32 deep. NULL: not that; *ret_why is then a
   constant text saying why (ret_why may be NULL). Release with json_object_put(). */
struct json_object *bk__json_parse(const char *text, const char **ret_why);

/* Reading a member by name; the fallback where it is missing, null or of another type. The text
   belongs to the object. */
const char *bk__json_text(struct json_object *object, const char *name,
                          const char *fallback);
int64_t bk__json_int(struct json_object *object, const char *name, int64_t fallback);
double bk__json_number(struct json_object *object, const char *name, double fallback);
bool bk__json_bool(struct json_object *object, const char *name, bool fallback);
struct json_object *bk__json_member(struct json_object *object,
                                    const char *name); /* or NULL */

/* The value at "a.b[0].c", borrowed from root, or NULL. */
struct json_object *bk__json_pick(struct json_object *root, const char *path);

/* Adding; false when out of memory (the object then lacks the member). text NULL adds null;
   bk__json_put takes the reference to value, also when it fails. */
bool bk__json_add_text(struct json_object *object, const char *name, const char *text);
bool bk__json_add_int(struct json_object *object, const char *name, int64_t value);
bool bk__json_add_number(struct json_object *object, const char *name, double value);
bool bk__json_add_bool(struct json_object *object, const char *name, bool value);
bool bk__json_put(struct json_object *object, const char *name,
                  struct json_object *value);
struct json_object *bk__json_object(void); /* NULL: out of memory */
struct json_object *bk__json_list(void);
bool bk__json_append(struct json_object *list,
                     struct json_object *value); /* takes value */

/* The JSON text on one line; the caller frees it with free(). NULL: out of memory. */
char *bk__json_print(struct json_object *object);

#endif
