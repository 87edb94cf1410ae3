/*
 * Operations: one table row each, with the fields of its arguments and result. The tables stand
 * in the features; api/tables.c lists them. Names, docs, CLI flags, bindings and checks all come
 * from here.
 */
#ifndef BK_CORE_OPERATION_H
#define BK_CORE_OPERATION_H

#include <stdbool.h>

struct bk__job;
struct json_object;

/*
 * One member of a JSON object. In results, members of lists and objects are named by path:
 * "backups[].name", "memory.rss_bytes". type: text int number bool object list; "?" after it:
 * may be null; "~": may not be there. An argument of type data is bytes and no JSON: bk_save()
 * hands it over. values: "a|b" for a closed list, else "". For arguments, fallback NULL means
 * required, "" means absent.
 */
struct bk__field {
    const char *name;
    const char *type;
    const char *fallback;
    const char *values;
    const char *doc;
};

enum bk__lane {
    BK__LANE_WORK,  /* long work on a store, one at a time: backup, restore, migrate */
    BK__LANE_QUICK, /* answers: list, status, health; never waits behind work */
};

enum bk__place {
    BK__PLACE_STORE, /* touches a store's files: a guest thread, or whole in the helper process */
    BK__PLACE_HOST, /* must run in the host's process; reaches the store by bk__job_call() */
};

struct bk__operation {
    const char *name; /* "backup.create" */
    const char *doc;  /* one sentence, shown in help and reference */
    const char
        *who; /* "owner", "anyone"; "internal": not callable by bk_run(), not described */
    enum bk__lane lane;
    enum bk__place place;
    const struct bk__field *arguments; /* ends with a NULL name; NULL: none */
    const struct bk__field *result;
    int (*run)(struct bk__job *job); /* 0, or an error with its text set (bk__fail) */
};

/* Defined in api/tables.c: lists of operations, each ended by a NULL name; NULL ends the list. */
extern const struct bk__operation *const bk__operation_lists[];

const struct bk__operation *bk__operation_find(const char *name); /* NULL: none */
const char *bk__operation_near(const char *name); /* the one that was meant; NULL: none */

/*
 * Checks arguments against the operation's table and fills its fallbacks in (operation_args.c):
 * unknown names, wrong types, values outside a closed list, missing ones are BK_EINVAL with a
 * text that says what is allowed. Null members count as absent. text NULL: no arguments.
 */
int bk__operation_check(const struct bk__operation *operation, struct json_object *args);
int bk__operation_parse(const struct bk__operation *operation, const char *text,
                        struct json_object **ret_args);

#endif
