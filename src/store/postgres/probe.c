/*
 * The quick look for health and doctor: does the server answer, how large is the database, can a
 * backup of it be made here, what have restores kept. It changes nothing. The operation store.probe.
 */
#include <store/postgres/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <os/clock.h>

#define ANSWER_MS 5000 /* an answer late is no answer for a health check */

struct numbers {
    int64_t bytes, tables, response_ms;
};

static int measure(struct bk__pg_link *link, struct numbers *n) {
    int64_t start = bk__clock_mono();
    int64_t one = 0;
    int rc = bk__pg_int(link, "SELECT 1", NULL, &one);
    n->response_ms = bk__clock_mono() - start;
    if (rc == 0) {
        rc = bk__pg_int(link, "SELECT pg_catalog.pg_database_size(current_database())",
                        NULL, &n->bytes);
    }
    if (rc == 0) {
        rc = bk__pg_int(link,
                        "SELECT count(*) FROM pg_catalog.pg_class c JOIN "
                        "pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "
                        "c.relkind IN ('r', 'p') AND n.nspname <> 'information_schema' "
                        "AND n.nspname NOT LIKE 'pg\\_%'",
                        NULL, &n->tables);
    }
    return rc;
}

static struct json_object *client(const struct bk__pg_tools *tools) {
    struct json_object *object = bk__json_object();
    bool ok = tools->dump != NULL;
    bool good = object != NULL && bk__json_add_text(object, "path", tools->dump) &&
                bk__json_add_text(object, "version", ok ? tools->version : NULL) &&
                bk__json_add_bool(object, "ok", ok);
    if (good && !ok) {
        bk__pg_tools_missing(tools, "The database cannot be backed up");
        good = bk__json_add_text(object, "error", bk__error_text());
    }
    if (!good) {
        json_object_put(object);
        return NULL;
    }
    return object;
}

/* Databases that earlier restores left under another name; their size is somebody's disk. */
static int kept(struct bk__pg_link *link, struct json_object *list) {
    char begins[BK__PG_NAME_MOST + 1];
    const char *const values[] = {begins, NULL};
    PGresult *rows = NULL;
    bk__pg_kept_name(link->pq.db(link->conn), "", begins);
    int rc = bk__pg_ask(link,
                        "SELECT datname FROM pg_catalog.pg_database WHERE "
                        "starts_with(datname::text, $1) ORDER BY 1",
                        values, &rows);
    for (int i = 0; rc == 0 && i < link->pq.ntuples(rows); i++) {
        struct json_object *name = json_object_new_string(link->pq.getvalue(rows, i, 0));
        rc = name != NULL && bk__json_append(list, name) ? 0 : bk__fail_memory();
    }
    link->pq.clear(rows);
    return rc;
}

/* "15.20" of "15.20 (Debian 15.20-0+deb12u1)". */
static bool add_version(const struct bk__postgres *pg, struct json_object *report) {
    char version[32];
    const char *whole = bk__pg_server(&pg->link);
    snprintf(version, sizeof version, "%.*s", (int)strcspn(whole, " "), whole);
    return bk__json_add_text(report, "server_version", version);
}

static bool add_numbers(const struct bk__postgres *pg, const struct numbers *n,
                        struct json_object *report) {
    return bk__json_add_text(report, "path", pg->target.shown) &&
           bk__json_add_int(report, "bytes", n->bytes) && add_version(pg, report) &&
           bk__json_add_int(report, "tables", n->tables) &&
           bk__json_add_int(report, "response_ms", n->response_ms);
}

int bk__postgres_probe(struct bk__store *store, struct json_object *ret_report) {
    struct bk__postgres *pg = (struct bk__postgres *)store;
    struct numbers n = {0};
    struct json_object *list = bk__json_list();
    struct json_object *program = client(&pg->tools);
    int rc = list == NULL || program == NULL ? bk__fail_memory() : 0;
    if (rc == 0) {
        pg->link.patience_ms = ANSWER_MS;
        rc = measure(&pg->link, &n);
        rc = rc == 0 ? kept(&pg->link, list) : rc;
        pg->link.patience_ms = 0;
    }
    if (rc != 0 || !add_numbers(pg, &n, ret_report)) {
        json_object_put(list);
        json_object_put(program);
        return rc != 0 ? rc : bk__fail_memory();
    }
    bool good = bk__json_put(ret_report, "client", program);
    good = bk__json_put(ret_report, "kept_databases", list) && good;
    return good ? 0 : bk__fail_memory();
}
