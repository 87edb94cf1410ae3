/*
 * libpq.so.5, opened on first use, and its functions. Not a connection: link.c. Only its name and
 * its header are known when this library is built. link.c calls it.
 */
#include <store/postgres/link.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/module.h>

#define LIBRARY "libpq.so.5"

static int missing(char *why) {
    int rc = bk__fail(
        BK_EUNSUPPORTED,
        "PostgreSQL's client library " LIBRARY " cannot be used (%s). Nothing was "
        "touched. Install the Debian package libpq5, and postgresql-client for backups.",
        why != NULL ? why : "out of memory");
    free(why);
    return rc;
}

int bk__pq_load(struct bk__pq *ret) {
    char *why = NULL;
    void *module = bk__module_open(LIBRARY, &why);
    if (module == NULL) {
        return missing(why);
    }
#define F(type, name, arguments)                                                         \
    do {                                                                                 \
        void *function = bk__module_find(module, "PQ" #name);                            \
        if (function == NULL) {                                                          \
            return missing(strdup("it has no PQ" #name ", so it is too old"));           \
        }                                                                                \
        memcpy(&ret->name, &function, sizeof function);                                  \
    } while (0);
    BK__PG_FUNCTIONS(F)
#undef F
    return 0;
}
