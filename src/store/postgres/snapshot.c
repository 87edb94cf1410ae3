/*
 * The whole database into one file: one snapshot exported, pg_dump writes what that snapshot sees,
 * and the server's own counts in the same snapshot are compared with the rows in the file. Nobody
 * who reads or writes rows waits. Backup calls it.
 */
#include <store/postgres/internal.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/json.h>
#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>
#include <os/file.h>
#include <store/growth.h>

#define DOING "Cannot back up"
#define TRIES 5
#define PIECE_MS 50
#define ENOUGH 1 /* pg_dump has ended: no more counting */
#define AGAIN 2
#define MORE_MS 200 /* of counting after a dump that was a short one */

struct dumping {
    struct bk__postgres *pg;
    const char *path;
    struct bk__child child;
    struct bk__growth *growth; /* who packs along; NULL: nobody, or no longer */
    struct bk__pg_intake *intake;
    struct bk__pg_image image; /* what came out of it */
    int64_t end_ms, limit_ms;  /* of the whole */
    int64_t last_ms;           /* of counting after it */
    bool
        settled; /* no table was emptied, rewritten or dropped before pg_dump locked it */
    int stop;    /* the error that ends it before its time */
    PGresult *tables;
    struct json_object *counts; /* by shown name, of the tables that were counted */
    char snapshot[64];
    char fingerprint[BK__FINGERPRINT_SIZE];
};

/* ---- the snapshot --------------------------------------------------------------------------- */

/* One that is refused takes nothing from the dump, nor from its transaction. */
static int fingerprint(struct dumping *d) {
    int rc = bk__pg_do(&d->pg->link, "SAVEPOINT fingerprint");
    if (rc == 0 && bk__pg_fingerprint(&d->pg->link, d->fingerprint) != 0) {
        rc = bk__pg_do(&d->pg->link, "ROLLBACK TO fingerprint");
    }
    return rc;
}

static int hold(struct dumping *d) {
    struct bk__pg_link *link = &d->pg->link;
    char *id = NULL;
    int rc = bk__pg_do(link, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
    if (rc == 0) {
        rc = bk__pg_tables(link, &d->tables);
    }
    if (rc == 0) {
        rc = bk__pg_text(link, "SELECT pg_catalog.pg_export_snapshot()", NULL, &id);
    }
    if (rc == 0) {
        snprintf(d->snapshot, sizeof d->snapshot, "%s", id);
        rc = fingerprint(d);
    }
    free(id);
    return rc;
}

/* Ends the transaction; the error that is being told stays as it is. */
static void release(struct dumping *d) {
    char *why = strdup(bk__error_text());
    bk__pg_do(&d->pg->link, "ROLLBACK");
    bk__fail(0, "%s", why == NULL ? "" : why);
    free(why);
    d->pg->link.pq.clear(d->tables);
    d->tables = NULL;
}

#define CHANGED                                                                          \
    " FROM (" BK__PG_TABLES ") t WHERE relkind = 'r' AND ("                              \
    "relfilenode IS DISTINCT FROM pg_relation_filenode(oid)"
#define UNLOCKED " OR $1 = '')"
#define LOCKED                                                                           \
    " OR oid NOT IN (SELECT l.relation FROM pg_catalog.pg_locks l "                      \
    "JOIN pg_catalog.pg_stat_activity a USING (pid) WHERE l.granted "                    \
    "AND l.relation IS NOT NULL AND a.application_name = 'botkeep ' || $1))"

/*
 * Whoever empties, rewrites or drops a table after the snapshot and before pg_dump has locked it
 * makes it look empty to the snapshot, without a word from pg_dump. The snapshot still has the
 * number of the table's old file; pg_relation_filenode() tells today's. Once pg_dump holds all its
 * locks, one look that finds them the same is good for ever.
 */
static int look_at_files(struct dumping *d, bool locked, bool *ret_same) {
    const char *const values[] = {d->snapshot, NULL};
    int64_t changed = 0;
    int rc = bk__pg_int(&d->pg->link,
                        locked ? "SELECT count(*)" CHANGED LOCKED
                               : "SELECT count(*)" CHANGED UNLOCKED,
                        values, &changed);
    *ret_same = rc == 0 && changed == 0;
    return rc;
}

/* ---- pg_dump and the counting beside it ------------------------------------------------------- */

static int64_t written(const struct dumping *d) {
    int64_t size = bk__file_size_of(d->path);
    return size < 0 ? 0 : size;
}

/* While anything is waited for: 0, ENOUGH, or an error, which then stands in d->stop. */
static int look(struct dumping *d, int wait_ms) {
    bool ended = bk__child_wait(&d->child, wait_ms);
    int64_t now = bk__clock_mono();
    bk__job_progress(d->pg->job, "snapshot", written(d), 0);
    if (ended && d->last_ms == 0) {
        d->last_ms = now + MORE_MS;
    }
    d->stop = bk__job_check(d->pg->job);
    if (d->stop == 0 && !ended && now > d->end_ms) {
        d->stop = bk__fail(BK_EBUSY,
                           DOING " %.300s: the dump took longer than %" PRId64
                                 " ms. The database is as it was before. Raise "
                                 "snapshot.limit, or look why the server is slow.",
                           d->pg->target.shown, d->limit_ms);
    }
    return d->stop != 0 ? d->stop : ended ? ENOUGH : 0;
}

/* While a count is awaited: it may go on for a while after the dump. */
static int meanwhile(void *context) {
    struct dumping *d = context;
    int rc = look(d, 0);
    return rc == ENOUGH && bk__clock_mono() < d->last_ms ? 0 : rc;
}

/* A database whose bytes mean nothing to the server: it could not write them as UTF-8. */
static bool is_sql_ascii(const struct bk__pg_link *link) {
    const char *encoding = link->pq.parameterStatus(link->conn, "server_encoding");
    return encoding != NULL && strcmp(encoding, "SQL_ASCII") == 0;
}

static int start(struct dumping *d) {
    int64_t wait_ms = bk__config_int(bk__job_config(d->pg->job), BK__OPT_BUSY_WAIT);
    struct bk__pg_link *link = &d->pg->link;
    char *snapshot = bk__text_printf("--snapshot=%s", d->snapshot);
    char *name = bk__text_printf("botkeep %s", d->snapshot);
    char *wait = bk__text_printf("--lock-wait-timeout=%" PRId64,
                                 wait_ms > 0 ? wait_ms : (int64_t)1);
    const char *encoding =
        is_sql_ascii(link) ? "--encoding=SQL_ASCII" : "--encoding=UTF8";
    int rc = snapshot == NULL || wait == NULL || name == NULL ? bk__fail_memory() : 0;
    if (rc == 0) {
        const char *const argv[] = {
            d->pg->tools.dump, "--format=custom", "--compress=0", "--no-password",
            encoding,          snapshot,          wait,           NULL};
        const struct bk__pg_program program = {.argv = argv,
                                               .database = link->pq.db(link->conn),
                                               .name = name,
                                               .pipes = true};
        rc = bk__pg_run_start(link, &program, &d->child);
    }
    free(snapshot);
    free(wait);
    free(name);
    return rc;
}

static int count_one(struct dumping *d, int at) {
    struct bk__pg_link *link = &d->pg->link;
    int64_t rows = 0;
    int rc = bk__pg_count(link, link->pq.getvalue(d->tables, at, 0),
                          link->pq.getvalue(d->tables, at, 1), &rows);
    if (rc == 0 &&
        !bk__json_add_int(d->counts, link->pq.getvalue(d->tables, at, 2), rows)) {
        rc = bk__fail_memory();
    }
    return rc;
}

/* pg_dump's locks may be gone before we see its end: a table that was emptied since counts as
   nothing. What is in doubt is not compared. */
static int forget_changed(struct dumping *d) {
    const char *const values[] = {d->snapshot, NULL};
    const struct bk__pq *pq = &d->pg->link.pq;
    PGresult *rows = NULL;
    int rc = bk__pg_ask(&d->pg->link, "SELECT shown" CHANGED UNLOCKED, values, &rows);
    for (int i = 0; rc == 0 && i < pq->ntuples(rows); i++) {
        json_object_object_del(d->counts, pq->getvalue(rows, i, 0));
    }
    pq->clear(rows);
    return rc;
}

/*
 * The smallest tables first, and for no longer than the dump takes and a moment. Only once pg_dump
 * holds its locks: a lock of ours, with somebody's ALTER TABLE waiting behind it, would keep pg_dump
 * waiting behind that. A count that fails or comes too late takes nothing from the dump.
 */
static void count(struct dumping *d) {
    struct bk__pg_link *link = &d->pg->link;
    int rc = bk__pg_do(link, "SAVEPOINT counting");
    link->meanwhile = meanwhile;
    link->context = d;
    for (int i = 0; rc == 0 && i < link->pq.ntuples(d->tables); i++) {
        bool parted = link->pq.getvalue(d->tables, i, 3)[0] == 'p';
        rc = parted ? 0 : count_one(d, i); /* parted: its rows are its partitions' */
        rc = rc == 0 ? meanwhile(d) : rc;
    }
    link->meanwhile = NULL;
    if (d->stop != 0 || bk__pg_do(link, "ROLLBACK TO counting") != 0 ||
        forget_changed(d) != 0) {
        json_object_put(d->counts);
        d->counts = NULL;
    }
}

/* Until it has ended: first its locks are waited for, then rows are counted beside it. */
static void accompany(struct dumping *d) {
    bool counted = false;
    while (look(d, PIECE_MS) == 0) {
        if (!d->settled) {
            look_at_files(d, true, &d->settled);
        }
        if (d->settled && !counted) {
            count(d);
            counted = true;
        }
    }
    if (d->stop == 0 && !d->settled) {
        look_at_files(d, false, &d->settled);
    }
    if (d->stop == 0 && d->settled && !counted) {
        count(d);
    }
}

static int not_whole(struct dumping *d) {
    char *why = strdup(bk__error_text());
    int rc =
        bk__fail(BK_EIO,
                 DOING " %.300s: pg_dump ended well, yet what it wrote is not whole. "
                       "It was thrown away; the database is untouched. %s",
                 d->pg->target.shown, why == NULL ? "" : why);
    free(why);
    return rc;
}

/* Where we could not take what it wrote, its own end tells nothing: nobody listened any more. */
static int end(struct dumping *d) {
    int taken = bk__pg_intake_end(d->intake, &d->image);
    if (d->stop != 0 || (taken != 0 && taken != BK_ECORRUPT)) {
        bk__child_free(&d->child);
        return d->stop != 0 ? d->stop : taken;
    }
    char *why = taken == 0 ? NULL : strdup(bk__error_text());
    int rc = bk__pg_run_end(&d->pg->link, &d->child, DOING);
    if (rc == 0 && taken != 0) {
        bk__fail(taken, "%s", why == NULL ? "" : why);
        rc = not_whole(d);
    }
    free(why);
    return rc;
}

static int run(struct dumping *d) {
    int rc = start(d);
    if (rc != 0) {
        return rc;
    }
    rc = bk__pg_intake_begin(&d->intake, d->pg->job, d->child.out_fd, d->path, d->growth);
    if (rc != 0) {
        bk__child_stop(&d->child);
        bk__child_free(&d->child);
        return rc;
    }
    accompany(d);
    bk__child_stop(&d->child);
    return end(d);
}

/* One try under one snapshot. AGAIN: tables changed under it. */
static int dump_once(struct dumping *d) {
    int rc = hold(d);
    d->settled = false;
    d->last_ms = 0;
    if (rc == 0) {
        rc = run(d);
        rc = d->stop == 0 && !d->settled ? AGAIN : rc;
    }
    release(d);
    return rc;
}

static int dump(struct dumping *d) {
    int rc = AGAIN;
    d->growth = d->pg->base.growth;
    for (int i = 0; i < TRIES && rc == AGAIN; i++) {
        json_object_put(d->counts);
        bk__pg_image_free(&d->image);
        d->counts = bk__json_object();
        bk__file_remove(d->path);
        rc = d->counts == NULL ? bk__fail_memory() : dump_once(d);
        if (rc == AGAIN) {
            bk__growth_end(d->growth, false);
            d->growth = NULL;
        }
    }
    if (rc == AGAIN) {
        rc =
            bk__fail(BK_EBUSY,
                     DOING " %.300s: tables were emptied, rewritten or dropped while the "
                           "dump began, %d times in a row. The database is as it was "
                           "before. Try again when no migration runs.",
                     d->pg->target.shown, TRIES);
    }
    return rc;
}

/* ---- is it all there? ---------------------------------------------------------------------------- */

static int differs(struct dumping *d, const char *table, int64_t there, int64_t dumped) {
    return bk__fail(BK_EIO,
                    DOING " %.300s: the table %.120s has %" PRId64
                          " rows at the server and %" PRId64
                          " in the dump. The dump was thrown away; the database and "
                          "earlier backups are untouched. Please report it.",
                    d->pg->target.shown, table, there, dumped);
}

static int compare(struct dumping *d) {
    const struct bk__pg_image *image = &d->image;
    int compared = 0;
    if (d->counts != NULL && image->counted) {
        json_object_object_foreach(d->counts, table, value) {
            int64_t there = json_object_get_int64(value);
            int64_t dumped = bk__json_int(image->tables, table, -1);
            if (dumped != there) {
                return differs(d, table, there, dumped);
            }
            compared++;
        }
    }
    bk__job_log(d->pg->job, "debug",
                "%d of %d tables were counted by the server in the dump's snapshot",
                compared, json_object_object_length(image->tables));
    return 0;
}

int bk__postgres_snapshot(struct bk__store *store, const char *path,
                          struct bk__image *ret) {
    struct bk__postgres *pg = (struct bk__postgres *)store;
    struct dumping d = {.pg = pg, .path = path, .child = {.said_fd = -1}};
    struct bk__image image = {0};
    if (pg->tools.dump == NULL) {
        return bk__pg_tools_missing(&pg->tools, "The database cannot be backed up");
    }
    d.limit_ms = bk__config_int(bk__job_config(pg->job), BK__OPT_SNAPSHOT_LIMIT);
    d.end_ms = bk__clock_mono() + d.limit_ms;
    int rc = dump(&d);
    if (rc == 0) {
        rc = compare(&d);
        image.bytes = d.image.bytes;
        memcpy(image.fingerprint, d.fingerprint, sizeof image.fingerprint);
    }
    bk__pg_image_free(&d.image);
    json_object_put(d.counts);
    if (rc != 0) {
        bk__file_remove(path);
        return rc;
    }
    *ret = image;
    return 0;
}
