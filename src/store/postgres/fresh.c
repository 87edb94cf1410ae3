/*
 * A new database like another one: encoding, locale, owner, tablespace at its creation, and what a
 * dump of its content does not carry (rights on the database, its settings, its comment) before it
 * takes the other's place. Not its content. restore.c, swap.c and settle.c call it.
 */
#include <store/postgres/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/hash.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>

#define NAME_KEPT 35   /* bytes of a name that fit before "_pre_restore_" and a stamp */
#define SUM_KEPT 8     /* digits */
#define FORCE 1300     /* dropping ends connections since 13 */
#define PROVIDERS 1500 /* databases have locale providers since 15 */
#define RULES 1600     /* and rules of ICU since 16 */
#define LOCALES 1700   /* one name for the locale of each provider since 17 */

/* ---- the connection to work through ------------------------------------------------------ */

int bk__pg_admin_open(struct bk__pg_link *ret, struct bk__job *job,
                      const struct bk__pg_target *target, const char *name) {
    static const char *const others[] = {"postgres", "template1"};
    int rc = BK_ENOTFOUND;
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        if (strcmp(others[i], name) == 0) {
            continue;
        }
        rc = bk__pg_link_open(ret, job, target, others[i]);
        if (rc != BK_ENOTFOUND && rc != BK_EDENIED) {
            return rc;
        }
    }
    char *why = strdup(bk__error_text());
    rc = bk__fail(
        BK_EDENIED,
        "Neither the database postgres nor template1 can be reached to create and "
        "rename databases from. Nothing was changed. Let this user connect to one "
        "of them. %s",
        why == NULL ? "" : why);
    free(why);
    return rc;
}

/* One that is too long is cut, never inside a character, and told from others that begin like it by its
   sum. */
void bk__pg_kept_name(const char *name, const char *stamp,
                      char ret[BK__PG_NAME_MOST + 1]) {
    char sum[BK__SHA256_HEX] = "";
    size_t size = strlen(name);
    if (size > NAME_KEPT) {
        bk__hash_bytes(name, size, sum);
        size = NAME_KEPT - 1 - SUM_KEPT;
    }
    while (size > 0 && ((unsigned char)name[size] & 0xC0) == 0x80) {
        size--;
    }
    snprintf(ret, BK__PG_NAME_MOST + 1, "%.*s%s%.*s_pre_restore_%s", (int)size, name,
             sum[0] == '\0' ? "" : "_", SUM_KEPT, sum, stamp);
}

int bk__pg_exists(struct bk__pg_link *admin, const char *name, bool *ret) {
    const char *const values[] = {name, NULL};
    int64_t count = 0;
    int rc = bk__pg_int(admin,
                        "SELECT count(*) FROM pg_catalog.pg_database WHERE datname = $1",
                        values, &count);
    *ret = count > 0;
    return rc;
}

int bk__pg_fresh_drop(struct bk__pg_link *admin, const char *name) {
    static const char ended[] =
        "SELECT count(pg_terminate_backend(pid)) FROM pg_catalog.pg_stat_activity "
        "WHERE datname = $1 AND pid <> pg_backend_pid()";
    const char *const values[] = {name, NULL};
    int64_t count = 0;
    char *quoted = bk__pg_name(name);
    if (quoted == NULL) {
        return BK_ENOMEM;
    }
    bk__pg_int(admin, ended, values, &count); /* a pg_restore of a bot that was killed */
    bool force = bk__pg_series(bk__pg_server(admin)) >= FORCE;
    int rc = bk__pg_do(admin, "DROP DATABASE IF EXISTS %s%s", quoted,
                       force ? " WITH (FORCE)" : "");
    free(quoted);
    return rc;
}

/* ---- creating ------------------------------------------------------------------------------ */

/* A statement out of the live database's row; the server quotes. $1 is its name, $2 the new one. */
#define CREATE                                                                           \
    "SELECT format('CREATE DATABASE %%I OWNER %%I TEMPLATE template0 ENCODING %%L "      \
    "LC_COLLATE %%L LC_CTYPE %%L%%s', $2::text, pg_get_userbyid(datdba), "               \
    "pg_encoding_to_char(encoding), datcollate, datctype, CASE spcname "                 \
    "WHEN 'pg_default' THEN '' ELSE format(' TABLESPACE %%I', spcname) END)%s%s "        \
    "FROM pg_catalog.pg_database d JOIN pg_catalog.pg_tablespace t "                     \
    "ON t.oid = d.dattablespace WHERE datname = $1"
#define ICU(locale)                                                                      \
    " || CASE datlocprovider WHEN 'i' THEN "                                             \
    "format(' LOCALE_PROVIDER icu ICU_LOCALE %L', " locale ") "
#define BUILTIN                                                                          \
    "WHEN 'b' THEN format(' LOCALE_PROVIDER builtin BUILTIN_LOCALE %L', datlocale) "
#define ICU_RULES                                                                        \
    " || CASE WHEN daticurules <> '' THEN format(' ICU_RULES %L', daticurules) ELSE '' " \
    "END"

static int create_like(struct bk__pg_link *admin, const char *name, const char *like,
                       char **ret_sql) {
    const char *const values[] = {like, name, NULL};
    int series = bk__pg_series(bk__pg_server(admin));
    const char *locale = series >= LOCALES     ? ICU("datlocale") BUILTIN "ELSE '' END"
                         : series >= PROVIDERS ? ICU("daticulocale") "ELSE '' END"
                                               : "";
    char *sql = bk__text_printf(CREATE, locale, series >= RULES ? ICU_RULES : "");
    int rc = sql == NULL ? bk__fail_memory() : bk__pg_text(admin, sql, values, ret_sql);
    free(sql);
    return rc;
}

/* What stands after the name in "CREATE DATABASE name WITH TEMPLATE = template0 ...;". */
static const char *after_name(const char *create) {
    const char *at = create + strlen("CREATE DATABASE ");
    if (strncmp(create, "CREATE DATABASE ", strlen("CREATE DATABASE ")) != 0) {
        return "";
    }
    if (*at != '"') {
        return at + strcspn(at, " ;");
    }
    for (at++; *at != '\0' && (*at != '"' || at[1] == '"'); at++) {
        at += *at == '"';
    }
    return *at == '"' ? at + 1 : "";
}

/* As the dump says: the live database is gone. What an older server does not know is left out. */
static int create_as_dumped(struct bk__pg_link *admin, const char *name,
                            const struct bk__pg_image *image, char **ret_sql) {
    static const char provider[] = " LOCALE_PROVIDER = libc";
    char *quoted = bk__pg_name(name);
    char *tail = strdup(image->create == NULL ? "" : after_name(image->create));
    char *newer = tail == NULL ? NULL : strstr(tail, provider);
    if (newer != NULL && bk__pg_series(bk__pg_server(admin)) < PROVIDERS) {
        memmove(newer, newer + strlen(provider), strlen(newer + strlen(provider)) + 1);
    }
    *ret_sql = quoted == NULL || tail == NULL
                   ? NULL
                   : bk__text_printf("CREATE DATABASE %s%s", quoted,
                                     *tail == '\0' ? " TEMPLATE template0" : tail);
    free(tail);
    free(quoted);
    return *ret_sql == NULL ? bk__fail_memory() : 0;
}

static int set_owner(struct bk__pg_link *admin, const char *name, const char *owner) {
    char *quoted = bk__pg_name(name);
    char *role = quoted == NULL ? NULL : bk__pg_name(owner);
    int rc = role == NULL
                 ? BK_ENOMEM
                 : bk__pg_do(admin, "ALTER DATABASE %s OWNER TO %s", quoted, role);
    free(role);
    free(quoted);
    return rc;
}

static int explain(const struct bk__pg_link *admin, int rc) {
    if (!bk__pg_state_is(admin, "42501")) {
        return rc;
    }
    char *why = strdup(bk__error_text());
    rc = bk__fail(
        BK_EDENIED,
        "A restore makes a new database, and this user may not. The database was "
        "not touched. Let an administrator run: ALTER ROLE ... CREATEDB, or restore "
        "as a user who may. %s",
        why == NULL ? "" : why);
    free(why);
    return rc;
}

int bk__pg_fresh_create(struct bk__pg_link *admin, const char *name, const char *like,
                        const struct bk__pg_image *image) {
    char *sql = NULL;
    int rc = like != NULL ? create_like(admin, name, like, &sql)
                          : create_as_dumped(admin, name, image, &sql);
    if (rc == 0) {
        rc = bk__pg_ask(admin, sql, NULL, NULL);
        rc = rc == 0 ? 0 : explain(admin, rc);
    }
    if (rc == 0 && like == NULL && image->owner != NULL && *image->owner != '\0') {
        rc = set_owner(admin, name, image->owner);
    }
    free(sql);
    return rc;
}

/* ---- what a dump of the content does not carry ---------------------------------------------- */

/* Statements that the server writes, each on its own; one that fails is told in the log. */
static int run_each(struct bk__pg_link *admin, const char *question,
                    const char *const *values) {
    PGresult *rows = NULL;
    int rc = bk__pg_ask(admin, question, values, &rows);
    for (int i = 0; rc == 0 && i < admin->pq.ntuples(rows); i++) {
        rc = bk__pg_ask(admin, admin->pq.getvalue(rows, i, 0), NULL, NULL);
        if (rc != 0 && rc != BK_ECANCELLED && rc != BK_ENOMEM) {
            bk__job_log(admin->job, "warning",
                        "Not all of the database's own settings could be copied: %s",
                        bk__error_text());
            rc = bk__pg_do(admin, "ROLLBACK");
        }
    }
    admin->pq.clear(rows);
    return rc;
}

/* Rights as they are, or none where they are the usual ones. */
static const char rights[] =
    "SELECT s FROM (SELECT 0 AS n, format('REVOKE ALL ON DATABASE %I FROM PUBLIC, %I', "
    "$2::text, pg_get_userbyid(datdba)) AS s FROM pg_catalog.pg_database "
    "WHERE datname = $1 AND datacl IS NOT NULL UNION ALL "
    "SELECT 1, format('GRANT %s ON DATABASE %I TO %s%s', a.privilege_type, $2::text, "
    "CASE WHEN a.grantee = 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(a.grantee)) "
    "END, "
    "CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) "
    "FROM pg_catalog.pg_database d, aclexplode(d.datacl) a WHERE d.datname = $1) x "
    "ORDER BY n";

/* A setting is made the session's own for one transaction, and taken from there: lists stay lists. */
static const char settings[] =
    "SELECT format('BEGIN; SELECT set_config(%L, %L, true); ALTER %s SET %s FROM "
    "CURRENT; "
    "COMMIT', k, v, CASE WHEN r.rolname IS NULL THEN format('DATABASE %I', $2::text) "
    "ELSE format('ROLE %I IN DATABASE %I', r.rolname, $2::text) END, k) "
    "FROM pg_catalog.pg_db_role_setting s "
    "JOIN pg_catalog.pg_database d ON d.oid = s.setdatabase "
    "LEFT JOIN pg_catalog.pg_roles r ON r.oid = s.setrole, "
    "unnest(s.setconfig) AS c, split_part(c, '=', 1) AS k, "
    "substr(c, length(split_part(c, '=', 1)) + 2) AS v "
    "WHERE d.datname = $1 AND k ~ '^[A-Za-z_][A-Za-z0-9_.$]*$'";

static const char others[] =
    "SELECT format('COMMENT ON DATABASE %I IS %L', $2::text, "
    "shobj_description(oid, 'pg_database')) FROM pg_catalog.pg_database "
    "WHERE datname = $1 AND shobj_description(oid, 'pg_database') IS NOT NULL UNION ALL "
    "SELECT format('ALTER DATABASE %I CONNECTION LIMIT %s', $2::text, datconnlimit) "
    "FROM pg_catalog.pg_database WHERE datname = $1 AND datconnlimit <> -1";

int bk__pg_fresh_dress(struct bk__pg_link *admin, const char *name, const char *like) {
    const char *const values[] = {like, name, NULL};
    int rc = run_each(admin, rights, values);
    rc = rc == 0 ? run_each(admin, settings, values) : rc;
    return rc == 0 ? run_each(admin, others, values) : rc;
}
