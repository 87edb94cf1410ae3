/*
 * A PostgreSQL URL, read: the keywords libpq connects by. Not the connection (link.h).
 * The other files of this driver use it.
 */
#ifndef BK_STORE_POSTGRES_TARGET_H
#define BK_STORE_POSTGRES_TARGET_H

#include <stdbool.h>

#define BK__PG_KEYWORDS 48

struct bk__pg_target {
    char *keywords[BK__PG_KEYWORDS + 1]; /* "host", "port", "user", ...; ends with NULL */
    char *values[BK__PG_KEYWORDS + 1];   /* may be secret; wiped when freed */
    int count;
    char *shown; /* the URL without its password, for texts */
};

/* BK_EINVAL, BK_EUNSUPPORTED, BK_ENOMEM; the text never has the password. */
int bk__pg_target_read(const char *url, struct bk__pg_target *ret);
void bk__pg_target_free(struct bk__pg_target *target); /* {0} is fine */

const char *bk__pg_target_find(const struct bk__pg_target *target, const char *keyword);

#endif
