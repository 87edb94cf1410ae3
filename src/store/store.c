/*
 * Which driver looks after the option "database", opening through it, and the table of this
 * room's operations. Not a driver itself. Features open the store here.
 */
#include <store/store.h>

#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <store/operations.h>
#include <store/save.h>

const struct bk__store_driver *bk__store_driver_for(const char *database) {
    const struct bk__store_driver *const *driver;
    char *shown;

    if (database == NULL || *database == '\0') {
        bk__fail(BK_EINVAL,
                 "No database is set. Nothing was touched. Set the option database "
                 "(DATABASE_PATH) to the path of the bot's database.");
        return NULL;
    }
    for (driver = bk__store_drivers; *driver != NULL; driver++) {
        if ((*driver)->accepts(database)) {
            return *driver;
        }
    }
    shown = bk__text_redact(database);
    bk__fail(BK_EUNSUPPORTED,
             "This build cannot look after the database %s. Nothing was touched. Set the "
             "option database to the path of a SQLite file, or to a postgresql:// or "
             "redis:// URL.",
             shown == NULL ? "" : shown);
    free(shown);
    return NULL;
}

const struct bk__store_driver *bk__store_driver_of(const char *content) {
    const struct bk__store_driver *const *driver;

    for (driver = bk__store_drivers; *driver != NULL; driver++) {
        if (strcmp((*driver)->content, content) == 0) {
            return *driver;
        }
    }
    return NULL;
}

const struct bk__store_driver *bk__store_driver_named(const char *name) {
    const struct bk__store_driver *const *driver = bk__store_drivers;

    while (*driver != NULL && strcmp((*driver)->name, name) != 0) {
        driver++;
    }
    return *driver;
}

int bk__store_open_at(struct bk__store **ret, struct bk__job *job, const char *database,
                      bool create) {
    const struct bk__store_driver *driver = bk__store_driver_for(database);

    if (driver == NULL) {
        return *database == '\0' ? BK_EINVAL : BK_EUNSUPPORTED;
    }
    return driver->open(ret, job, database, create);
}

size_t bk__store_sites(struct bk__job *job, struct bk__store_site ret[BK__STORES]) {
    static const enum bk__option options[BK__STORES] = {BK__OPT_DATABASE, BK__OPT_REDIS};
    size_t count = 0;
    for (size_t i = 0; i < BK__STORES; i++) {
        const char *url = bk__config_text(bk__job_config(job), options[i]);
        if (*url != '\0') {
            ret[count++] = (struct bk__store_site){bk__option_rows[options[i]].name, url};
        }
    }
    return count;
}

int bk__store_open(struct bk__store **ret, struct bk__job *job, bool create) {
    struct bk__store_site sites[BK__STORES];
    size_t count = bk__store_sites(job, sites);
    return bk__store_open_at(ret, job, count > 0 ? sites[0].url : "", create);
}

void bk__store_close(struct bk__store *store) {
    if (store != NULL) {
        store->driver->close(store);
    }
}

int bk__store_migrates(struct bk__job *job) {
    const char *database = bk__config_text(bk__job_config(job), BK__OPT_DATABASE);
    const struct bk__store_driver *driver =
        *database == '\0' ? NULL : bk__store_driver_for(database);

    if (driver == NULL || driver->begin != NULL) {
        return 0; /* what is not set is told by who opens it */
    }
    return bk__fail(
        BK_EUNSUPPORTED,
        "Migrations run on SQLite only, and the option database names a %s database. "
        "Nothing was touched. Apply them with another tool; backups and restores work.",
        driver->name);
}

/* The store that is asked for by its option, or the first one. */
static int open_asked(struct bk__store **ret, struct bk__job *job) {
    const char *name = bk__job_text(job, "store");
    struct bk__store_site sites[BK__STORES];
    size_t count = bk__store_sites(job, sites);

    for (size_t i = 0; name != NULL && i < count; i++) {
        if (strcmp(sites[i].name, name) == 0) {
            return bk__store_open_at(ret, job, sites[i].url, false);
        }
    }
    return name == NULL ? bk__store_open(ret, job, false)
                        : bk__fail(BK_EINVAL,
                                   "The option %s is not set. Nothing was touched. Set "
                                   "it, or leave out \"store\".",
                                   name);
}

static int run_probe(struct bk__job *job) {
    struct bk__store *store = NULL;
    int code = open_asked(&store, job);

    if (code == 0) {
        code = store->driver->probe(store, bk__job_result(job));
    }
    bk__store_close(store);
    return code;
}

static const struct bk__field probe_arguments[] = {
    {"store", "text", "", "database|redis",
     "Which store; without it the database, or the one there is."},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct bk__field probe_result[] = {
    {"path", "text", "", "",
     "The database file, symbolic links followed; or the URL without its password."},
    {"bytes", "int", "", "", "Its size; Redis: the memory it uses."},
    {"wal_bytes", "int~", "", "",
     "SQLite: the size of its write-ahead log, 0 where there is none."},
    {"page_size", "int~", "", "", "SQLite: bytes of a page."},
    {"pages", "int~", "", "",
     "SQLite: how many pages it has, those still in the log included."},
    {"journal_mode", "text~", "", "",
     "SQLite: wal, or the rollback journal mode of a new connection."},
    {"schema_version", "int~", "", "", "SQLite's counter of schema changes."},
    {"same_file", "bool~", "", "",
     "SQLite: whether the path leads to the file that the bot has open."},
    {"tables", "int", "", "", "How many tables it has, the engine's own left out."},
    {"response_ms", "int", "", "",
     "How long reading a page, or an answer, took, including waits for locks."},
    {"server_version", "text~", "", "", "PostgreSQL, Redis: the server's version."},
    {"role", "text~", "", "", "Redis: master or slave."},
    {"mode", "text~", "", "", "Redis: standalone, cluster or sentinel."},
    {"keys", "int~", "", "", "Redis: how many keys it has."},
    {"databases", "object~", "", "", "Redis: keys per database, as {\"db0\": 12}."},
    {"loading", "bool~", "", "", "Redis: whether it is still loading its data."},
    {"master_link", "bool~", "", "", "Redis: whether a replica has its master."},
    {"save_ok", "bool~", "", "",
     "Redis: whether the last save to its disk, or append to its file, went well."},
    {"last_save_at", "text~", "", "",
     "Redis: its last save, or its start where it never saved."},
    {"unsaved_changes", "int~", "", "", "Redis: changes since then."},
    {"memory_limit_bytes", "int~", "", "", "Redis: its maxmemory; 0: none."},
    {"evicts", "bool~", "", "",
     "Redis: whether it drops keys when that is reached (maxmemory-policy)."},
    {"client", "object~", "", "",
     "PostgreSQL: the pg_dump that backups use: path, version, ok; error where none "
     "fits."},
    {"kept_databases[]", "text~", "", "",
     "PostgreSQL: what restores have kept under another name, to be dropped by you."},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct bk__field save_arguments[] = {
    {"image", "data", "", "", "The database's bytes, which bk_save() hands over."},
    {"backup", "text", "", "manual|auto|startup|shutdown",
     "Also makes a backup of this kind."},
    {NULL, NULL, NULL, NULL, NULL},
};

static const struct bk__field save_result[] = {
    {"path", "text", "", "", "The database's file, symbolic links followed."},
    {"bytes", "int", "", "", "Its size."},
    {"sha256", "text", "", "", "SHA-256 of it."},
    {"tables", "object", "", "", "Rows of each table, by name."},
    {"backup", "text?", "", "", "The name of the backup, if one was asked for."},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct bk__operation bk__store_operations[] = {
    {
        .name = "store.probe",
        .doc = "Reads a page of the database, or asks its server, and tells its size and "
               "state.",
        .who = "owner",
        .lane = BK__LANE_QUICK,
        .place = BK__PLACE_STORE,
        .arguments = probe_arguments,
        .result = probe_result,
        .run = run_probe,
    },
    {
        .name = "store.save",
        .doc = "Checks the image of a database that the bot keeps in memory, and "
               "replaces the database's file with it in one step.",
        .who = "owner",
        .lane = BK__LANE_WORK,
        .place = BK__PLACE_HOST,
        .arguments = save_arguments,
        .result = save_result,
        .run = bk__store_save,
    },
    {.name = NULL},
};
