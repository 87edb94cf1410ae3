/*
 * The SQLite driver's table, and opening the option's path: what is no usable database is told apart
 * here, by stat() and by reading page 1, before anything is done to it. Called through store.h.
 */
#include <store/sqlite/sqlite.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>

#include <base/json.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/sqlite/internal.h>

bool bk__sqlite_accepts(const char *database) {
    return strstr(database, "://") == NULL || bk__text_starts(database, "sqlite");
}

/* One stat() tells most of what can be wrong with a path. */
static int check_file(const char *path, bool create, bool *ret_exists) {
    struct stat st;

    if (stat(path, &st) != 0) {
        *ret_exists = false;
        if (errno == ENOENT && create) {
            return 0;
        }
        if (errno == ENOENT || errno == ENOTDIR) {
            return bk__fail(BK_ENOTFOUND,
                            "There is no database at %s. Nothing was made. Check the "
                            "option database, or let the bot or migrate.up create it.",
                            path);
        }
        return bk__fail_errno(errno, "cannot look at the database", path, NULL);
    }
    *ret_exists = true;
    if (!S_ISREG(st.st_mode)) {
        return bk__fail(
            BK_EINVAL,
            "%s is %s, not a database file. Nothing was touched. Set the option "
            "database to the file itself.",
            path, S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
    }
    if (st.st_size == 0 && !create) {
        return bk__fail(
            BK_ECORRUPT,
            "The database %s is empty (0 bytes). Nothing was touched. If the bot had "
            "data in it, restore a backup; else let the bot or migrate.up fill it.",
            path);
    }
    if (faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) != 0) {
        return bk__fail_errno(errno, "cannot read the database", path,
                              "Give the bot's user read and write access to it.");
    }
    return 0;
}

/* The path as SQLite will see it: symbolic links followed, because -wal stands beside the file. */
static int resolve(const char *database, bool create, char **ret, bool *ret_made) {
    bool exists = false;
    int code;

    if (*database == '\0' || strcmp(database, ":memory:") == 0) {
        return bk__fail(BK_EINVAL,
                        "The option database is \"%s\", which is no file. Nothing was "
                        "touched. Set it to the path of the bot's database.",
                        database);
    }
    code = check_file(database, create, &exists);
    if (code != 0) {
        return code;
    }
    *ret = exists ? realpath(database, NULL) : bk__file_absolute(database);
    if (*ret == NULL) {
        return exists ? bk__fail_errno(errno, "cannot resolve", database, NULL)
                      : bk__fail_memory();
    }
    *ret_made = !exists;
    return 0;
}

static int64_t wal_bytes(const char *path) {
    char *wal = bk__text_printf("%s-wal", path);
    int64_t size = wal == NULL ? -ENOMEM : bk__file_size_of(wal);

    free(wal);
    return size;
}

int64_t bk__sqlite_wal_bytes(const struct bk__sqlite *sqlite) {
    int64_t size = wal_bytes(sqlite->link.path);

    return size < 0 ? 0 : size;
}

/* Reads page 1 without waiting: who holds a lock on it has a database there. */
static int check_database(struct bk__link *link) {
    int64_t wait_ms = link->wait_ms;
    int64_t ignored;
    int rc;

    link->wait_ms = 0;
    rc = bk__link_int(link, "PRAGMA schema_version", &ignored);
    if (rc == SQLITE_OK) {
        rc = bk__link_exec(link, BK__SMALL_CACHE);
    }
    link->wait_ms = wait_ms;
    if (rc == SQLITE_OK || (rc & 0xff) == SQLITE_BUSY) {
        return 0;
    }
    return bk__link_fail(link, rc, "cannot open");
}

int bk__sqlite_open(struct bk__store **ret, struct bk__job *job, const char *database,
                    bool create) {
    struct bk__sqlite *sqlite;
    char *path = NULL;
    bool made = false;
    int code;

    code = resolve(database, create, &path, &made);
    if (code != 0) {
        return code;
    }
    sqlite = calloc(1, sizeof(*sqlite));
    if (sqlite == NULL) {
        free(path);
        return bk__fail_memory();
    }
    sqlite->base.driver = &bk__sqlite_driver;
    sqlite->made = made;
    sqlite->alone_before = wal_bytes(path) < 0;
    code =
        bk__link_open(&sqlite->link, job, path, create ? BK__LINK_CREATE : BK__LINK_LIVE);
    if (code == 0) {
        code = check_database(&sqlite->link);
    }
    free(path);
    if (code != 0) {
        bk__sqlite_close(&sqlite->base);
        return code;
    }
    *ret = &sqlite->base;
    return 0;
}

/*
 * A file that we created and nothing was put into would later look like a database that lost
 * everything. It goes, unless someone else has begun to use it.
 */
static void remove_if_empty(struct bk__sqlite *sqlite) {
    struct bk__link *link = &sqlite->link;

    if (bk__file_size_of(link->path) == 0 && bk__link_lock(link) == SQLITE_OK) {
        if (bk__file_size_of(link->path) == 0) {
            bk__file_remove(link->path);
        }
        bk__link_unlock(link);
    }
}

void bk__sqlite_close(struct bk__store *store) {
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;

    if (sqlite == NULL) {
        return;
    }
    bk__sqlite_rollback(store);
    /*
     * When there was no -wal we made it. SQLite's own close takes an exclusive lock, and only if
     * it gets that, that is when nobody else has the database open, clears our files away.
     */
    if (sqlite->alone_before && sqlite->link.db != NULL) {
        sqlite3_db_config(sqlite->link.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    if (sqlite->made && sqlite->link.db != NULL) {
        remove_if_empty(sqlite);
    }
    bk__link_close(&sqlite->link);
    json_object_put(sqlite->violations);
    free(sqlite);
}

const struct bk__store_driver bk__sqlite_driver = {
    .name = "sqlite",
    .content = "db",
    .accepts = bk__sqlite_accepts,
    .open = bk__sqlite_open,
    .close = bk__sqlite_close,
    .probe = bk__sqlite_probe,
    .fingerprint = bk__sqlite_fingerprint,
    .snapshot = bk__sqlite_snapshot,
    .restore = bk__sqlite_restore,
    .begin = bk__sqlite_begin,
    .commit = bk__sqlite_commit,
    .rollback = bk__sqlite_rollback,
    .script = bk__sqlite_script,
    .query = bk__sqlite_query,
    .has_table = bk__sqlite_has_table,
    .prove = bk__sqlite_prove,
    .rehearse = bk__sqlite_rehearse,
    .replace = bk__sqlite_replace,
    .ask = bk__sqlite_ask,
    .portion = bk__sqlite_portion,
    .settle = bk__sqlite_settle,
    .load = bk__sqlite_load,
};
