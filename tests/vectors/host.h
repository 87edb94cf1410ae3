/*
 * A story's state, its files and its SQL. No keeper is touched here. host.c defines it, runner.c
 * uses it.
 */
#ifndef VECTORS_HOST_H
#define VECTORS_HOST_H

#include <botkeep.h>
#include <json-c/json.h>
#include <sqlite3.h>

#include "match.h"

#define CONNECTIONS 4

struct story {
    saved_values *saved;         /* dir, and what $save: kept */
    struct json_object *options; /* set at each opening */
    bk_keeper *k;
    struct {
        char *path;
        sqlite3 *db;
    } host[CONNECTIONS];
};

extern const char *home; /* the folder of the vectors */

struct json_object *member(struct json_object *object, const char *name);
const char *text_of(struct json_object *object, const char *name);

/* The path of a name in the story's folder, or an absolute one as it is. The caller frees it. */
char *path_of(struct story *s, const char *name);

/* All of these: false with wrong set. */
bool run_sql(struct story *s, const char *name, const char *sql);
bool compare_rows(struct story *s, struct json_object *step);
bool make_file(struct story *s, const char *name, struct json_object *content);
bool file_step(struct story *s, const char *kind, struct json_object *step);

/* Closes the connection to a path, or all of them for NULL. */
void close_connections(struct story *s, const char *path);

#endif
