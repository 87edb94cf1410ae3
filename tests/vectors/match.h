/*
 * Expected values against found ones, by the rules of README.md, and the texts that were saved on
 * the way. Not the steps: those are in runner.c, which calls it.
 */
#ifndef VECTORS_MATCH_H
#define VECTORS_MATCH_H

#include <stdbool.h>

#include <json-c/json.h>

/* What is saved, by name. Every function takes it. */
typedef struct json_object saved_values;

/* Why the last match failed, and for other failures to be told. */
extern char wrong[4096];
bool go_wrong(const char *format, ...) __attribute__((format(printf, 1, 2))); /* false */

/* text with each ${name} replaced. The caller frees it. */
char *fill_text(saved_values *saved, const char *text);

/* A copy of value with all strings filled and $ref:name replaced. json_object_put() it. */
struct json_object *fill_value(saved_values *saved, struct json_object *value);

/* False with wrong set. May save. */
bool match(saved_values *saved, struct json_object *expected, struct json_object *found,
           const char *where);

#endif
