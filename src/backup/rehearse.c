/*
 * backup.rehearse: the newest backup is restored into a file beside the bot's records, proven, and
 * thrown away; what came out is remembered. Never the bot's database. The schedule runs it, doctor
 * and health look at the record.
 */
#include <backup/operations.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/catalogue/catalogue.h>
#include <backup/seal/encryption.h>
#include <backup/extract.h>
#include <backup/catalogue/folder.h>
#include <backup/catalogue/scratch.h>
#include <backup/record.h>
#include <backup/set/set.h>

/* One rehearsal. */
struct rehearsal {
    struct bk__job *job;
    const char *dir; /* of the backups */
    struct bk__manifest *manifest;
    char *scratch;
    int64_t began; /* monotonic */
    bool shut;     /* it is encrypted for somebody else */
};

static int mismatch(const struct rehearsal *r, const char *table) {
    return bk__fail(
        BK_ECORRUPT,
        "The rehearsal of backup %s found other rows in the table %s than its "
        "manifest says. The database was not touched. Make a new backup and "
        "look at the disk.",
        r->manifest->name, table);
}

/* Every table has the rows that the manifest says, and no other table is there. */
static int compare(const struct rehearsal *r, struct json_object *tables) {
    if (!json_object_is_type(tables, json_type_object)) {
        return bk__fail(BK_EINTERNAL, "The proof has no tables. Please report it.");
    }
    json_object_object_foreach(r->manifest->tables, name, rows) {
        struct json_object *found = bk__json_member(tables, name);
        if (found == NULL || !json_object_equal(found, rows)) {
            return mismatch(r, name);
        }
    }
    json_object_object_foreach(tables, other, count) {
        (void)count;
        if (bk__json_member(r->manifest->tables, other) == NULL) {
            return mismatch(r, other);
        }
    }
    return 0;
}

static int prove(const struct rehearsal *r) {
    const struct bk__store_driver *driver = bk__store_driver_named(r->manifest->store);
    if (driver == NULL) {
        return bk__fail(BK_EUNSUPPORTED,
                        "Backup %s is of a %s store, which this build does not know.",
                        r->manifest->name, r->manifest->store);
    }
    struct json_object *report = bk__json_object();
    if (report == NULL) {
        return bk__fail_memory();
    }
    int rc = driver->rehearse != NULL ? driver->rehearse(r->job, r->scratch, report)
                                      : driver->prove(r->job, r->scratch, report);
    if (rc == BK_ECORRUPT) {
        char why[512];
        snprintf(why, sizeof why, "%s", bk__error_text());
        rc = bk__fail(rc,
                      "Backup %s holds what the database held, but that is damaged: %s "
                      "Look for an earlier backup whose rehearsal goes well.",
                      r->manifest->name, why);
    }
    if (rc == 0) {
        rc = compare(r, bk__json_member(report, "tables"));
    }
    json_object_put(report);
    return rc;
}

static int restore_and_prove(const struct rehearsal *r) {
    int rc = bk__extract_new(r->job, r->dir, r->manifest, r->scratch);
    if (rc == 0) {
        rc = prove(r);
    }
    bk__folder_drop(r->scratch);
    return rc;
}

/* The backup, or each part of a set. */
static int rehearse_parts(const struct rehearsal *r) {
    if (r->manifest->part_count == 0) {
        return restore_and_prove(r);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < r->manifest->part_count; i++) {
        struct rehearsal one = *r;
        one.manifest = &r->manifest->parts[i];
        rc = one.manifest->name[0] != '\0' ? restore_and_prove(&one) : 0;
    }
    return rc;
}

/* Where the bot has the public key alone nobody can rehearse but who has the other half. What can be
   told here is that the archive is the one that was proven when it was made. */
static int look_at_seal(const struct rehearsal *r) {
    struct json_object *args = bk__json_object();
    if (args == NULL || !bk__json_add_text(args, "name", r->manifest->name)) {
        json_object_put(args);
        return bk__fail_memory();
    }
    return bk__job_call(r->job, "backup.verify", args, NULL);
}

/* What is remembered; error NULL: it went well. */
static void remember(const struct rehearsal *r, const char *error) {
    char stamp[BK__STAMP_SIZE];
    struct json_object *entry = bk__json_object();
    bk__stamp_iso(bk__job_wall(r->job), stamp);
    if (entry != NULL && bk__json_add_text(entry, "at", stamp) &&
        bk__json_add_text(entry, "name", r->manifest->name) &&
        bk__json_add_bool(entry, "ok", error == NULL) &&
        bk__json_add_text(entry, "depth", r->shut ? "sealed" : "full") &&
        bk__json_add_int(entry, "ms", bk__job_mono(r->job) - r->began) &&
        bk__json_add_text(entry, "error", error)) {
        bk__record_rehearsal(r->job, entry);
    } else {
        json_object_put(entry);
    }
}

/* Keeps how it ended, unless it did not: a cancelled rehearsal says nothing. */
static int rehearse(struct rehearsal *r) {
    r->shut = r->manifest->encryption != BK__KEY_NONE &&
              !bk__encryption_reads(r->job, r->manifest->key_id);
    int rc = r->shut ? look_at_seal(r) : rehearse_parts(r);
    if (rc == 0) {
        remember(r, NULL);
        bk__job_log(r->job, "info", "Backup %s was %s.", r->manifest->name,
                    r->shut ? "looked at as far as that goes without its key"
                            : "restored and checked");
    } else if (rc != BK_ECANCELLED) {
        char *why = strdup(bk__error_text());
        remember(r, why == NULL ? "out of memory" : why);
        rc = bk__fail(rc, "%s", why == NULL ? "out of memory" : why);
        free(why);
    }
    return rc;
}

/* One at a time; what a kill leaves is removed by the next one, or by the next backup. */
static int rehearse_aside(struct rehearsal *r) {
    struct bk__scratch scratch = {0};
    int rc = bk__scratch_open(r->job, BK__SCRATCH_REHEARSAL, &scratch);
    if (rc == 0) {
        r->scratch = bk__scratch_file(&scratch, "restored");
        rc = r->scratch == NULL ? BK_ENOMEM : rehearse(r);
    }
    bk__scratch_close(&scratch);
    return rc;
}

/* Rows of each table; of a set: of each store, as "database.users". */
static struct json_object *tables_of(const struct bk__manifest *manifest) {
    if (manifest->part_count == 0) {
        return json_object_get(manifest->tables);
    }
    struct json_object *all = bk__json_object();
    bool ok = all != NULL;
    for (size_t i = 0; ok && i < manifest->part_count; i++) {
        const struct bk__manifest *part = &manifest->parts[i];
        if (part->tables == NULL) {
            continue;
        }
        json_object_object_foreach(part->tables, table, rows) {
            char *name = bk__text_printf("%s.%s", part->part, table);
            ok = name != NULL && bk__json_put(all, name, json_object_get(rows)) && ok;
            free(name);
        }
    }
    if (ok) {
        return all;
    }
    json_object_put(all);
    return NULL;
}

static int fill_result(const struct rehearsal *r) {
    struct json_object *result = bk__job_result(r->job);
    struct json_object *tables = tables_of(r->manifest);
    bool ok = bk__json_add_text(result, "name", r->manifest->name) &&
              bk__json_add_int(result, "bytes", r->manifest->database_bytes) &&
              bk__json_add_text(result, "depth", r->shut ? "sealed" : "full") &&
              tables != NULL && bk__json_put(result, "tables", tables) &&
              bk__json_add_int(result, "ms", bk__job_mono(r->job) - r->began);
    return ok ? 0 : bk__fail_memory();
}

int bk__backup_rehearse(struct bk__job *job) {
    struct bk__catalogue catalogue = {0};
    struct rehearsal r = {.job = job,
                          .dir = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR),
                          .began = bk__job_mono(job)};
    int rc = bk__catalogue_load(r.dir, &catalogue);
    const char *name = bk__job_text(job, "name");
    if (rc == 0 && name == NULL) {
        r.manifest = bk__set_newest(job, &catalogue);
    }
    if (rc == 0 && r.manifest == NULL) {
        rc = bk__catalogue_pick(&catalogue, r.dir, name, &r.manifest);
    }
    if (rc == 0) {
        rc = rehearse_aside(&r);
    }
    if (rc == 0) {
        rc = fill_result(&r);
    }
    free(r.scratch);
    bk__catalogue_free(&catalogue);
    return rc;
}
