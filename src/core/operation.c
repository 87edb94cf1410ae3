/*
 * Finds an operation by name in the lists of api/tables.c. What it is asked with is
 * checked in operation_args.c. Lanes and jobs call it.
 */
#include <core/operation.h>

#include <string.h>

#include <base/near.h>

const struct bk__operation *bk__operation_find(const char *name) {
    for (int list = 0; bk__operation_lists[list]; list++) {
        for (const struct bk__operation *op = bk__operation_lists[list]; op->name; op++) {
            if (strcmp(op->name, name) == 0) {
                return op;
            }
        }
    }
    return NULL;
}

const char *bk__operation_near(const char *name) {
    struct bk__near near = {0};
    for (int list = 0; bk__operation_lists[list]; list++) {
        for (const struct bk__operation *op = bk__operation_lists[list]; op->name; op++) {
            if (strcmp(op->who, "internal") != 0) {
                bk__near_try(&near, name, op->name, op->name);
            }
        }
    }
    return near.name;
}
