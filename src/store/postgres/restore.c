/*
 * A dump back into the bot's database: into a fresh one beside it, compared row by row count, then
 * swapped in one transaction; what was there stays under another name. Until the swap nothing of
 * the live database is touched, and what fails drops the fresh one. Backup calls it.
 */
#include <store/postgres/internal.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <base/json.h>
#include <base/stamp.h>
#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

#define DOING "Cannot restore into"
#define PIECE_MS 50
#define MOST_NAMES 60

struct restoring {
    struct bk__job *job;
    const struct bk__pg_target *target;
    const char *path;
    struct bk__pg_image image;
    struct bk__pg_tools tools;
    struct bk__pg_link admin;
    struct bk__pg_note note;
    bool live; /* there is a database of that name */
};

/* ---- before anything is made -------------------------------------------------------------- */

/* "20251204_103000": UTC. */
static void stamp(int64_t unix_ms, char ret[16]) {
    char iso[BK__STAMP_SIZE];
    size_t size = 0;
    bk__stamp_iso(unix_ms, iso);
    for (const char *at = iso; *at != '\0' && *at != '.' && size < 15; at++) {
        if (*at == 'T') {
            ret[size++] = '_';
        } else if (*at >= '0' && *at <= '9') {
            ret[size++] = *at;
        }
    }
    ret[size] = '\0';
}

static int are_taken(struct restoring *r, bool *ret) {
    int rc = bk__pg_exists(&r->admin, r->note.fresh, ret);
    if (rc == 0 && !*ret && r->live) {
        rc = bk__pg_exists(&r->admin, r->note.kept, ret);
    }
    return rc;
}

/* Another bot at this server may restore in the same second: no two fresh ones share a name, or each
   would drop the other's. */
static int draw_fresh(struct restoring *r, const char *when) {
    uint32_t bits = 0;
    if (getrandom(&bits, sizeof bits, 0) != (ssize_t)sizeof bits) {
        return bk__fail_errno(-errno, "cannot draw random bytes", NULL, NULL);
    }
    snprintf(r->note.fresh, sizeof r->note.fresh, BK__PG_FRESH "%s_%08" PRIx32, when,
             bits);
    return 0;
}

/* By the second, and then the next one: two restores may well come within one. */
static int choose_names(struct restoring *r) {
    int64_t now = bk__job_wall(r->job);
    bool taken = true;
    int rc = 0;
    for (int i = 0; rc == 0 && taken && i < MOST_NAMES; i++) {
        char when[16];
        stamp(now + i * 1000, when);
        rc = draw_fresh(r, when);
        r->note.kept[0] = '\0';
        if (r->live) {
            bk__pg_kept_name(r->note.database, when, r->note.kept);
        }
        rc = rc == 0 ? are_taken(r, &taken) : rc;
    }
    return rc == 0 && taken
               ? bk__fail(
                     BK_EBUSY,
                     "Too many databases %s are there. Nothing was changed. Drop some.",
                     r->note.kept)
               : rc;
}

static int find_tools(struct restoring *r) {
    int server = bk__pg_series(bk__pg_server(&r->admin));
    int writer = bk__pg_series(r->image.client);
    int rc = bk__pg_tools_find(r->job, server > writer ? server : writer, &r->tools);
    return rc == 0 && r->tools.restore == NULL
               ? bk__pg_tools_missing(&r->tools, "The dump cannot be restored")
               : rc;
}

/* The name that the URL means, libpq's defaults included. */
static int find_name(struct restoring *r) {
    const char *name = bk__pg_target_find(r->target, "dbname");
    name = name == NULL ? r->admin.pq.user(r->admin.conn) : name;
    if (strlen(name) > BK__PG_NAME_MOST) {
        return bk__fail(
            BK_EINVAL,
            "The database's name in the URL is longer than 63 bytes. Nothing was "
            "changed. Use the name that the server shows.");
    }
    snprintf(r->note.database, sizeof r->note.database, "%s", name);
    return bk__pg_exists(&r->admin, name, &r->live);
}

static int prepare(struct restoring *r) {
    const char *name = bk__pg_target_find(r->target, "dbname");
    int rc = bk__pg_image_read(r->job, r->path, &r->image);
    if (rc == 0) {
        rc = bk__pg_admin_open(&r->admin, r->job, r->target, name == NULL ? "" : name);
    }
    if (rc == 0) {
        rc = find_tools(r);
    }
    if (rc == 0) {
        rc = bk__pg_settle_locked(r->job, r->target);
    }
    if (rc == 0) {
        rc = find_name(r);
    }
    return rc == 0 ? choose_names(r) : rc;
}

/* ---- into the fresh one --------------------------------------------------------------------- */

static int load(struct restoring *r) {
    char *database = bk__text_printf("--dbname=%s", r->note.fresh);
    /* In no single transaction: that would need a lock for each table at once, more than a server has.
       What is half restored is dropped. */
    const char *const argv[] = {r->tools.restore, "--exit-on-error", "--no-password",
                                database,         r->path,           NULL};
    struct bk__child child = {.said_fd = -1};
    const struct bk__pg_program program = {.argv = argv, .database = r->note.fresh};
    int rc = database == NULL ? bk__fail_memory()
                              : bk__pg_run_start(&r->admin, &program, &child);
    free(database);
    if (rc != 0) {
        return rc;
    }
    while (rc == 0 && !bk__child_wait(&child, PIECE_MS)) {
        rc = bk__job_check(r->job);
        bk__job_progress(r->job, "restore", 0, 0);
    }
    if (rc != 0) {
        bk__child_stop(&child);
        bk__child_free(&child);
        return rc;
    }
    return bk__pg_run_end(&r->admin, &child, DOING);
}

static int differs(struct restoring *r, const char *table, int64_t rows, int64_t dumped) {
    return bk__fail(BK_EIO,
                    DOING " %.300s: the table %.120s came out with %" PRId64
                          " rows instead of %" PRId64
                          ". The restored copy was dropped; the live database is "
                          "untouched. Please report it.",
                    r->target->shown, table, rows, dumped);
}

/* Every table of the bot's has the rows that the dump has. */
static int compare_tables(struct restoring *r, struct bk__pg_link *link) {
    PGresult *rows = NULL;
    int rc = bk__pg_tables(link, &rows);
    for (int i = 0; rc == 0 && i < link->pq.ntuples(rows); i++) {
        const char *name = link->pq.getvalue(rows, i, 2);
        int64_t dumped = bk__json_int(r->image.tables, name, -1);
        int64_t there = 0;
        if (link->pq.getvalue(rows, i, 3)[0] == 'p') {
            continue;
        }
        rc = bk__pg_count(link, link->pq.getvalue(rows, i, 0),
                          link->pq.getvalue(rows, i, 1), &there);
        if (rc == 0 && there != dumped) {
            rc = differs(r, name, there, dumped);
        }
        bk__job_progress(r->job, "verify", i + 1, link->pq.ntuples(rows));
    }
    link->pq.clear(rows);
    return rc;
}

static int missing(struct restoring *r, const char *table) {
    return bk__fail(BK_EIO,
                    DOING " %.300s: the table %.120s is in the dump and not in what "
                          "came out of it. The restored copy was dropped; the live "
                          "database is untouched. Please report it.",
                    r->target->shown, table);
}

/* And every table of the dump is there at all, also those of extensions. */
static int compare_names(struct restoring *r, struct bk__pg_link *link) {
    PGresult *rows = NULL;
    struct json_object *there = bk__json_object();
    int rc = there == NULL
                 ? bk__fail_memory()
                 : bk__pg_ask(link,
                              "SELECT " BK__PG_SHOWN " FROM pg_catalog.pg_class c JOIN "
                              "pg_catalog.pg_namespace n ON n.oid = "
                              "c.relnamespace WHERE c.relkind IN ('r', 'p')",
                              NULL, &rows);
    for (int i = 0; rc == 0 && i < link->pq.ntuples(rows); i++) {
        const char *name = link->pq.getvalue(rows, i, 0);
        rc = bk__json_add_bool(there, name, true) ? 0 : bk__fail_memory();
    }
    json_object_object_foreach(r->image.tables, table, value) {
        (void)value;
        if (rc == 0 && !json_object_object_get_ex(there, table, NULL)) {
            rc = missing(r, table);
        }
    }
    link->pq.clear(rows);
    json_object_put(there);
    return rc;
}

static int verify(struct restoring *r) {
    struct bk__pg_link link = {.conn = NULL};
    int rc = bk__pg_link_open(&link, r->job, r->target, r->note.fresh);
    if (rc == 0 && r->image.counted) {
        rc = compare_tables(r, &link);
        rc = rc == 0 ? compare_names(r, &link) : rc;
    }
    /* Without statistics the bot's first queries would be planned blindly. */
    if (rc == 0 && bk__pg_do(&link, "ANALYZE") != 0) {
        rc = bk__job_check(r->job);
        bk__job_log(r->job, "warning", "The restored database has no statistics yet: %s",
                    bk__error_text());
    }
    bk__pg_link_close(&link);
    return rc;
}

static int fill(struct restoring *r) {
    const char *like = r->live ? r->note.database : NULL;
    int rc = bk__pg_fresh_create(&r->admin, r->note.fresh, like, &r->image);
    if (rc == 0) {
        rc = load(r);
    }
    if (rc == 0) {
        rc = verify(r);
    }
    return rc == 0 && like != NULL ? bk__pg_fresh_dress(&r->admin, r->note.fresh, like)
                                   : rc;
}

/* ---- the whole ---------------------------------------------------------------------------------- */

/* The error that is being told stays. What cannot be dropped now, the note's next reader drops. */
static void undo(struct restoring *r) {
    struct bk__pg_link link = {.conn = NULL};
    char *why = strdup(bk__error_text());
    int rc = bk__pg_admin_open(&link, NULL, r->target, r->note.database);
    if (rc == 0) {
        rc = bk__pg_fresh_drop(&link, r->note.fresh);
    }
    bk__pg_link_close(&link);
    if (rc == 0) {
        bk__pg_note_remove(r->job);
    }
    bk__fail(0, "%s", why == NULL ? "" : why);
    free(why);
}

static int restore_locked(struct restoring *r, char **ret_kept) {
    bool done = false;
    int rc = prepare(r);
    if (rc != 0) {
        return rc;
    }
    char *kept = r->live ? strdup(r->note.kept) : NULL;
    rc = r->live && kept == NULL ? bk__fail_memory() : bk__pg_note_save(r->job, &r->note);
    if (rc == 0) {
        rc = fill(r);
        if (rc == 0) {
            rc = bk__pg_swap(r->job, r->target, &r->note, &done);
        }
        if (done) {
            bk__pg_note_remove(r->job);
        } else {
            undo(r);
        }
    }
    if (rc != 0) {
        free(kept);
        return rc;
    }
    *ret_kept = kept;
    return 0;
}

static int restore(struct bk__job *job, const struct bk__pg_target *target,
                   const char *path, char **ret_kept) {
    struct restoring r = {.job = job, .target = target, .path = path};
    int lock = bk__pg_note_lock(
        job, bk__config_int(bk__job_config(job), BK__OPT_BACKUP_LOCK_WAIT));
    if (lock < 0) {
        return lock;
    }
    int rc = restore_locked(&r, ret_kept);
    bk__file_close(lock);
    bk__pg_link_close(&r.admin);
    bk__pg_tools_free(&r.tools);
    bk__pg_image_free(&r.image);
    return rc;
}

/* Our own connection to the live database is not in the way of its new name. */
int bk__postgres_restore(struct bk__store *store, const char *image_path,
                         char **ret_kept) {
    struct bk__postgres *pg = (struct bk__postgres *)store;
    bk__pg_link_close(&pg->link);
    return restore(pg->job, &pg->target, image_path, ret_kept);
}

/* What is known to fail before anything is made: programs, and the rights to make and rename. */
int bk__postgres_ready(struct bk__store *store, const char *image_path) {
    struct bk__postgres *pg = (struct bk__postgres *)store;
    int64_t may = 0;
    (void)image_path; /* verified; its format is pg_restore's to judge */
    if (pg->tools.restore == NULL) {
        return bk__pg_tools_missing(&pg->tools, "The dump cannot be restored");
    }
    int rc =
        bk__pg_int(&pg->link,
                   "SELECT (rolsuper OR (rolcreatedb AND pg_has_role(datdba, 'MEMBER')))"
                   "::int FROM pg_catalog.pg_roles, pg_catalog.pg_database "
                   "WHERE rolname = current_user AND datname = current_database()",
                   NULL, &may);
    return rc == 0 && may == 0
               ? bk__fail(
                     BK_EDENIED,
                     "A restore makes a new database and renames the old one, which this "
                     "user may not. Nothing was touched. Let an administrator run ALTER "
                     "ROLE ... CREATEDB, and let the user own the database %.63s.",
                     pg->link.pq.db(pg->link.conn))
               : rc;
}

/* For a database that is gone, or cannot be opened. */
int bk__postgres_replace(struct bk__job *job, const char *database,
                         const char *image_path, char **ret_kept) {
    struct bk__pg_target target = {.count = 0};
    int rc = bk__pg_target_read(database, &target);
    if (rc == 0) {
        rc = restore(job, &target, image_path, ret_kept);
    }
    bk__pg_target_free(&target);
    return rc;
}
