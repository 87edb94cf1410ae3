/*
 * Foreign keys around a migration: they are off inside it, so what it broke is looked for before
 * the commit. What was broken before is not its fault. transaction.c calls it.
 */
#include <store/sqlite/internal.h>

#include <stdio.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>

#define DOING "cannot check the foreign keys of"

typedef int (*each_row)(struct bk__sqlite *sqlite, sqlite3_stmt *row);

/* The count of a pair of tables in sqlite->violations changes by so much; what it is then. */
static int64_t count(struct bk__sqlite *sqlite, sqlite3_stmt *row, int change) {
    char pair[512];
    int64_t now;

    snprintf(pair, sizeof(pair), "%s>%s", (const char *)sqlite3_column_text(row, 0),
             (const char *)sqlite3_column_text(row, 2));
    now = bk__json_int(sqlite->violations, pair, 0) + change;
    if (!bk__json_add_int(sqlite->violations, pair, now)) {
        return -1;
    }
    return now;
}

static int note(struct bk__sqlite *sqlite, sqlite3_stmt *row) {
    return count(sqlite, row, 1) < 0 ? bk__fail_memory() : 0;
}

/* Each row uses up one of those that were there before; who finds none left is new. */
static int compare(struct bk__sqlite *sqlite, sqlite3_stmt *row) {
    char where[32] = "of a table without row ids";

    if (count(sqlite, row, -1) >= 0) {
        return 0;
    }
    if (sqlite3_column_type(row, 1) != SQLITE_NULL) {
        snprintf(where, sizeof(where), "%lld", (long long)sqlite3_column_int64(row, 1));
    }
    return bk__fail(
        BK_EMIGRATION,
        "the migration breaks a foreign key: table %s, row %s, refers to a row of %s "
        "that is not there. It was rolled back and the database is as it was before. "
        "Change the migration so that the row or its reference goes too.",
        (const char *)sqlite3_column_text(row, 0), where,
        (const char *)sqlite3_column_text(row, 2));
}

/* SQLITE_DONE or what SQLite could not do; *ret_code when each() said no. */
static int walk(struct bk__sqlite *sqlite, each_row each, int *ret_code) {
    sqlite3_stmt *row = NULL;
    int rc =
        sqlite3_prepare_v2(sqlite->link.db, "PRAGMA foreign_key_check", -1, &row, NULL);

    *ret_code = 0;
    if (rc == SQLITE_OK) {
        rc = SQLITE_ROW;
    }
    while (rc == SQLITE_ROW && *ret_code == 0) {
        rc = sqlite3_step(row);
        if (rc == SQLITE_ROW) {
            *ret_code = each(sqlite, row);
        }
    }
    sqlite3_finalize(row);
    return rc;
}

int bk__sqlite_keys_before(struct bk__sqlite *sqlite) {
    int rc, code;

    sqlite->violations = bk__json_object();
    if (sqlite->violations == NULL) {
        return bk__fail_memory();
    }
    rc = walk(sqlite, note, &code);
    if (code != 0 || rc == SQLITE_DONE) {
        return code;
    }
    if ((rc & 0xff) != SQLITE_ERROR) {
        return bk__link_fail(&sqlite->link, rc, DOING);
    }
    /* A schema whose keys do not fit ("foreign key mismatch") cannot be checked; it works for
       the bot all the same, and the migration may be what mends it. */
    json_object_put(sqlite->violations);
    sqlite->violations = NULL;
    return 0;
}

int bk__sqlite_keys_after(struct bk__sqlite *sqlite) {
    int rc, code;

    if (sqlite->violations == NULL) {
        bk__job_log(
            sqlite->link.job, "warning",
            "foreign keys were not checked: the schema's keys did not fit before");
        return 0;
    }
    rc = walk(sqlite, compare, &code);
    if (code != 0 || rc == SQLITE_DONE) {
        return code;
    }
    if ((rc & 0xff) != SQLITE_ERROR) {
        return bk__link_fail(&sqlite->link, rc, DOING);
    }
    return bk__fail(
        BK_EMIGRATION,
        "the migration leaves foreign keys that do not fit: %s. It was rolled back "
        "and the database is as it was before. Give the parent a primary key or a "
        "unique index on the columns that are referred to.",
        sqlite3_errmsg(sqlite->link.db));
}
