/*
 * The moment of a restore: both renames in one transaction of the server's, so that whoever dies
 * meanwhile leaves the old database or the new one under the name, never none. Connections are
 * ended until the server has the name to itself. restore.c calls it.
 */
#include <store/postgres/internal.h>

#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>
#include <core/job.h>

#define TRIES 3 /* the server itself waits 5 s each time */

struct swapping {
    struct bk__job *job;
    const struct bk__pg_target *target;
    const struct bk__pg_note *note;
    struct bk__pg_link renamer;
    struct bk__pg_link ender; /* ends connections while the renamer waits for that */
};

/* Those of roles that this user may not touch are left; the rename then tells of them. */
static int end_connections(struct swapping *s) {
    const char *const values[] = {s->note->database, NULL};
    int64_t count = 0;
    return bk__pg_int(&s->ender,
                      "SELECT count(pg_terminate_backend(pid)) FROM "
                      "pg_catalog.pg_stat_activity WHERE datname = $1 AND pid <> "
                      "pg_backend_pid() AND usesysid IS NOT NULL AND "
                      "pg_has_role(usesysid, 'MEMBER')",
                      values, &count);
}

static int meanwhile(void *context) {
    end_connections(context); /* the next try may do better */
    return 0;
}

static int rename_both(struct swapping *s) {
    char *live = bk__pg_name(s->note->database);
    char *kept = bk__pg_name(s->note->kept);
    char *fresh = bk__pg_name(s->note->fresh);
    int rc = live == NULL || kept == NULL || fresh == NULL ? BK_ENOMEM : 0;
    if (rc == 0 && s->note->kept[0] != '\0') {
        rc = bk__pg_do(&s->renamer,
                       "BEGIN; ALTER DATABASE %s RENAME TO %s; ALTER DATABASE %s RENAME "
                       "TO %s; COMMIT",
                       live, kept, fresh, live);
    } else if (rc == 0) {
        rc = bk__pg_do(&s->renamer, "ALTER DATABASE %s RENAME TO %s", fresh, live);
    }
    free(live);
    free(kept);
    free(fresh);
    return rc;
}

/* Who is in the way: "dashboard of metabase, prepared transaction x1 of bot". */
static int in_the_way(struct swapping *s) {
    const char *const values[] = {s->note->database, NULL};
    char *who = NULL;
    int rc = bk__pg_text(&s->ender,
                         "SELECT string_agg(DISTINCT who, ', ') FROM (SELECT "
                         "format('%s of %s', coalesce(nullif(application_name, ''), "
                         "'a program'), usename) AS who FROM pg_catalog.pg_stat_activity "
                         "WHERE datname = $1 UNION ALL SELECT format('prepared "
                         "transaction %s of %s', gid, owner) FROM "
                         "pg_catalog.pg_prepared_xacts WHERE database = $1) x",
                         values, &who);
    if (rc == 0) {
        rc = bk__fail(
            BK_EBUSY,
            "Others use the database %.63s, and this user could not end them: %.300s. "
            "It was not touched. End them, or restore as a user who may, and try again.",
            s->note->database, *who == '\0' ? "unknown ones" : who);
    }
    free(who);
    return rc;
}

static int swap(struct swapping *s) {
    int rc = 0;
    bool used = true; /* by somebody else */
    s->renamer.meanwhile = meanwhile;
    s->renamer.context = s;
    for (int i = 0; used && i < TRIES; i++) {
        end_connections(s);
        rc = rename_both(s);
        used = rc != 0 && bk__pg_state_is(&s->renamer, "55006");
        if (used) {
            bk__pg_do(&s->renamer, "ROLLBACK");
        }
    }
    s->renamer.meanwhile = NULL;
    return used ? in_the_way(s) : rc;
}

/* The answer may be lost when the rename is not: only the fresh name tells. */
static int look_again(struct swapping *s, bool *ret_done) {
    struct bk__pg_link link = {.conn = NULL};
    bool there = true;
    char *why = strdup(bk__error_text());
    int rc = bk__pg_admin_open(&link, s->job, s->target, s->note->database);
    if (rc == 0) {
        rc = bk__pg_exists(&link, s->note->fresh, &there);
    }
    bk__pg_link_close(&link);
    *ret_done = rc == 0 && !there;
    bk__fail(BK_EIO, "%s", why == NULL ? "" : why);
    free(why);
    return rc;
}

int bk__pg_swap(struct bk__job *job, const struct bk__pg_target *target,
                const struct bk__pg_note *note, bool *ret_done) {
    struct swapping s = {.job = job, .target = target, .note = note};
    int rc = bk__pg_admin_open(&s.renamer, job, target, note->database);
    *ret_done = false;
    if (rc == 0) {
        rc = bk__pg_admin_open(&s.ender, job, target, note->database);
    }
    if (rc == 0) {
        rc = swap(&s);
    }
    bk__pg_link_close(&s.ender);
    bk__pg_link_close(&s.renamer);
    if (rc == 0) {
        *ret_done = true;
    } else {
        look_again(&s, ret_done);
    }
    return *ret_done ? 0 : rc;
}
