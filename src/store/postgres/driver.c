/*
 * The PostgreSQL driver's table, and opening a database: what a killed restore left is settled
 * first, then one connection is made, and the programs for it are looked up. Migrations are not
 * here: their functions are NULL. Called through store.h.
 */
#include <store/postgres/internal.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <core/error.h>
#include <core/job.h>

/* postgres, postgresql, with +driver or without: core has let no other URL through. */
static bool accepts(const char *database) {
    return strncasecmp(database, "postgres", strlen("postgres")) == 0 &&
           strstr(database, "://") != NULL;
}

static int check(const char *database) {
    struct bk__pg_target target = {.count = 0};
    int rc = bk__pg_target_read(database, &target);
    bk__pg_target_free(&target);
    return rc;
}

static void postgres_close(struct bk__store *store) {
    struct bk__postgres *pg = (struct bk__postgres *)store;
    if (pg != NULL) {
        bk__pg_link_close(&pg->link);
        bk__pg_tools_free(&pg->tools);
        bk__pg_target_free(&pg->target);
        free(pg);
    }
}

static int connect(struct bk__postgres *pg, const char *database) {
    int rc = bk__pg_target_read(database, &pg->target);
    if (rc == 0) {
        rc = bk__pg_settle(pg->job, &pg->target);
    }
    if (rc == 0) {
        rc = bk__pg_link_open(&pg->link, pg->job, &pg->target, NULL);
    }
    if (rc == 0) {
        int series = bk__pg_series(bk__pg_server(&pg->link));
        rc = bk__pg_tools_find(pg->job, series, &pg->tools);
    }
    return rc;
}

/* create: a server's databases are made by people; only migrations would ask for it. */
static int postgres_open(struct bk__store **ret, struct bk__job *job,
                         const char *database, bool create) {
    struct bk__postgres *pg = calloc(1, sizeof *pg);
    (void)create;
    if (pg == NULL) {
        return bk__fail_memory();
    }
    pg->base.driver = &bk__postgres_driver;
    pg->job = job;
    int rc = connect(pg, database);
    if (rc != 0) {
        postgres_close(&pg->base);
        return rc;
    }
    *ret = &pg->base;
    return 0;
}

const struct bk__store_driver bk__postgres_driver = {
    .name = "postgres",
    .content = "dump",
    .keeps = true,
    .accepts = accepts,
    .check = check,
    .open = postgres_open,
    .close = postgres_close,
    .probe = bk__postgres_probe,
    .snapshot = bk__postgres_snapshot,
    .restore = bk__postgres_restore,
    .ready = bk__postgres_ready,
    .fingerprint = bk__postgres_fingerprint,
    .prove = bk__postgres_prove,
    .rehearse = bk__postgres_rehearse,
    .replace = bk__postgres_replace,
};
