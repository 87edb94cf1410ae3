/*
 * The bot's own tables and their rows, as the server has them. Not as a dump has them: image.c.
 * Tables of extensions are left out: a dump carries only the part of their rows that is the bot's.
 * snapshot.c and restore.c compare with it.
 */
#include <store/postgres/internal.h>

#include <stdlib.h>

#include <base/text.h>
#include <core/error.h>

int bk__pg_tables(struct bk__pg_link *link, PGresult **ret) {
    return bk__pg_ask(link, BK__PG_TABLES " ORDER BY c.relpages, 1, 2", NULL, ret);
}

int bk__pg_count(struct bk__pg_link *link, const char *schema, const char *table,
                 int64_t *ret) {
    char *space = bk__pg_name(schema);
    char *name = space == NULL ? NULL : bk__pg_name(table);
    char *sql = name == NULL
                    ? NULL
                    : bk__text_printf("SELECT count(*) FROM ONLY %s.%s", space, name);
    int rc = sql == NULL ? BK_ENOMEM : bk__pg_int(link, sql, NULL, ret);
    free(sql);
    free(name);
    free(space);
    return rc;
}
