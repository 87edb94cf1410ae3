/*
 * The transaction around migrations: the write lock first, foreign keys off inside and looked at
 * before the commit. Not the scripts themselves: script.c. Migrate calls it.
 */
#include <store/sqlite/internal.h>

#include <core/error.h>
#include <base/json.h>

#define DOING "cannot migrate"

static void restore_pragma(struct bk__sqlite *sqlite) {
    bk__link_exec(&sqlite->link, sqlite->keys_before ? "PRAGMA foreign_keys = ON"
                                                     : "PRAGMA foreign_keys = OFF");
}

int bk__sqlite_begin(struct bk__store *store) {
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;
    struct bk__link *link = &sqlite->link;
    int64_t keys = 0;
    int rc, code;

    if (sqlite->ours || sqlite3_get_autocommit(link->db) == 0) {
        return bk__fail(BK_ESTATE, DOING " %s: a transaction is open already.",
                        link->path);
    }
    /* Inside a transaction this pragma does nothing, so it comes before BEGIN: a DROP TABLE with
       foreign keys on deletes the rows of other tables. */
    rc = bk__link_int(link, "PRAGMA foreign_keys", &keys);
    if (rc == SQLITE_OK) {
        rc = bk__link_exec(link, "PRAGMA foreign_keys = OFF");
    }
    sqlite->keys_before = keys != 0;
    if (rc == SQLITE_OK) {
        rc = bk__link_exec(link, "BEGIN IMMEDIATE");
    }
    if (rc != SQLITE_OK) {
        code = bk__link_fail(link, rc, DOING);
        restore_pragma(sqlite);
        return code;
    }
    sqlite->ours = true;
    code = bk__sqlite_keys_before(sqlite);
    if (code != 0) {
        bk__sqlite_rollback(store);
    }
    return code;
}

int bk__sqlite_commit(struct bk__store *store) {
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;
    struct bk__link *link = &sqlite->link;
    int code, rc;

    if (!sqlite->ours || sqlite3_get_autocommit(link->db) != 0) {
        bk__sqlite_rollback(store);
        return bk__fail(BK_ESTATE,
                        DOING " %s: no transaction is open. Nothing was changed.",
                        link->path);
    }
    code = bk__sqlite_keys_after(sqlite);
    if (code == 0) {
        rc = bk__link_exec(link, "COMMIT");
        code = rc == SQLITE_OK ? 0 : bk__link_fail(link, rc, DOING);
    }
    /* After a good commit this only puts the pragma back. */
    bk__sqlite_rollback(store);
    return code;
}

void bk__sqlite_rollback(struct bk__store *store) {
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;

    if (!sqlite->ours) {
        return;
    }
    /* A cancelled job must not stop the way back. */
    sqlite3_progress_handler(sqlite->link.db, 0, NULL, NULL);
    if (sqlite3_get_autocommit(sqlite->link.db) == 0) {
        bk__link_exec(&sqlite->link, "ROLLBACK");
    }
    restore_pragma(sqlite);
    bk__link_guard(&sqlite->link);
    sqlite->ours = false;
    json_object_put(sqlite->violations);
    sqlite->violations = NULL;
}
