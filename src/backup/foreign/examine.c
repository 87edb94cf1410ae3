/*
 * One foreign file from its bytes to a proven image: SQLite's with what was copied beside it, dumps of
 * SQL, PostgreSQL's and Redis's. Sets of them: members.c. The originals are only read.
 * Called by verify.c, restore.c, adopt.c and look.c.
 */
#include <backup/foreign/examine.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <base/json.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/foreign/examine_inside.h>
#include <backup/foreign/pgdump.h>
#include <backup/catalogue/scratch.h>
#include <backup/foreign/sqltext.h>
#include <backup/foreign/unpack.h>

#define PIECE 65536
#define NO_DATABASE "it does not begin like a SQLite database (or it is encrypted)"

void bk__examined_free(struct bk__examined *examined) {
    for (int i = 0; i < BK__IMAGES; i++) {
        bk__manifest_clear(&examined->images[i]);
    }
    json_object_put(examined->tables);
    free(examined->note);
    free(examined->by_hand);
    memset(examined, 0, sizeof *examined);
}

/* ---- SQLite --------------------------------------------------------------------------------- */

static bool has_tables(struct json_object *report) {
    struct json_object *tables = bk__json_member(report, "tables");
    return json_object_is_type(tables, json_type_object) &&
           json_object_object_length(tables) > 0;
}

static int prove_sqlite(struct bk__look_at *at) {
    const struct bk__store_driver *driver = bk__store_driver_of("db");
    struct json_object *report = bk__json_object();
    int rc = report == NULL ? bk__fail_memory() : bk__image_prove(at, driver, report);
    if (rc == 0 && !has_tables(report)) {
        rc = bk__examine_torn(
            at, "it is an empty database, without a table; so looks a copy that was "
                "broken off, or one whose rows all stood in a -wal that is not here");
    }
    if (rc == 0) {
        rc = bk__image_keep(at, driver, report);
    }
    json_object_put(report);
    return rc;
}

/* Copies the -wal or -journal that was copied beside the original beside the copy. */
static int copy_beside(struct bk__look_at *at, const char *ending) {
    struct stat info;
    struct bk__unpacked unpacked;
    char *from = bk__text_printf("%s%s", at->foreign->path, ending);
    char *to = bk__text_printf("%s%s", at->raw, ending);
    int rc = from == NULL || to == NULL ? bk__fail_memory() : 0;
    if (rc == 0 && lstat(from, &info) != 0) {
        rc = bk__fail_errno(errno, "cannot look at", from, NULL);
    }
    if (rc == 0) {
        const struct bk__unpack what = {at->name, from, info.st_dev, info.st_ino, to};
        rc = bk__unpack(at->job, &what, &unpacked);
    }
    free(from);
    free(to);
    return rc;
}

static int settle(struct bk__look_at *at) {
    const struct bk__foreign *foreign = at->foreign;
    bool more = false;
    int rc = 0;
    if (!foreign->has_wal && !foreign->has_journal) {
        return 0;
    }
    if (foreign->has_wal) {
        rc = copy_beside(at, "-wal");
    }
    if (rc == 0 && foreign->has_journal) {
        rc = copy_beside(at, "-journal");
    }
    if (rc == 0) {
        rc = bk__store_driver_of("db")->settle(at->job, at->raw, &more);
    }
    if (rc == 0 && more) {
        rc = bk__examine_note(at,
                              "the -wal that was copied with it ends in the middle of a "
                              "transaction, or is damaged: what follows is not in it");
    }
    if (rc == BK_ECORRUPT) {
        rc = bk__examine_torn(at, "the database and what was copied beside it are not of "
                                  "one moment and do not fit together");
    }
    return rc;
}

static int examine_sqlite(struct bk__look_at *at) {
    int rc = settle(at);
    if (rc == 0) {
        rc = prove_sqlite(at);
    }
    if (rc == 0 && at->foreign->guess.main_alone && !at->foreign->has_wal) {
        rc = bk__examine_note(
            at, "the tool that made it copies the main file alone: what stood "
                "in the -wal at that time is not in it");
    }
    return rc;
}

/* ---- SQL -------------------------------------------------------------------------------------- */

static int read_text(struct bk__look_at *at, struct bk__sqltext *sql) {
    struct bk__plain plain;
    unsigned char piece[PIECE];
    char why[128];
    int64_t got = 0;
    int rc = bk__plain_open(at->job, at->raw, &plain);
    if (rc != 0) {
        return rc;
    }
    while ((got = bk__plain_read(&plain, piece, sizeof piece)) > 0) {
        bk__sqltext_add(sql, (const char *)piece, (size_t)got);
    }
    bk__file_close(plain.fd);
    if (got < 0) {
        return (int)got;
    }
    return bk__sqltext_end(sql, why, sizeof why) ? 0 : bk__examine_torn(at, why);
}

/* The dump becomes a database, which then stands where the dump stood. */
static int load(struct bk__look_at *at) {
    char *database = bk__text_printf("%s.loaded", at->raw);
    int fd = database == NULL ? 0 : bk__file_create(database);
    int rc = database == NULL ? bk__fail_memory()
             : fd < 0         ? bk__fail_errno(fd, "cannot create", database, NULL)
                              : bk__file_close(fd);
    if (rc == 0) {
        rc = bk__store_driver_of("db")->load(at->job, at->raw, database);
    }
    if (rc == BK_ECORRUPT) {
        rc = bk__examine_tear(at, "line ");
    }
    if (rc == 0) {
        int err = bk__file_rename(database, at->raw);
        rc = err == 0 ? 0 : bk__fail_errno(err, "cannot rename", database, NULL);
    }
    free(database);
    return rc;
}

static int examine_sql(struct bk__look_at *at) {
    struct bk__sqltext sql = {0};
    if (at->foreign->guess.content == BK__SQLITE) {
        return bk__examine_torn(at, NO_DATABASE);
    }
    int rc = read_text(at, &sql);
    if (rc != 0) {
        return rc;
    }
    if (sql.kind == BK__SQLTEXT_SQLITE) {
        rc = load(at);
        return rc != 0 ? rc : prove_sqlite(at);
    }
    at->ret->by_hand = strdup(
        "It is SQL text for PostgreSQL, which can drop and create anything, so it is not "
        "run here. Load it into a new database, which psql then leaves whole or empty: "
        "createdb NEW; psql -d NEW --single-transaction -v ON_ERROR_STOP=1 -f FILE (take "
        "the lines DROP DATABASE, CREATE DATABASE and \\connect out of one made with "
        "--create)");
    struct bk__manifest *image = &at->ret->images[BK__IMAGE_DATABASE];
    if (at->ret->by_hand == NULL) {
        return bk__fail_memory();
    }
    return image->name[0] != '\0'
               ? 0
               : bk__image_describe(at, "postgres", "sql", NULL, image);
}

/* ---- PostgreSQL and Redis ---------------------------------------------------------------------- */

static int walk_dump(struct bk__look_at *at) {
    struct bk__plain plain;
    struct bk__pgdump_facts facts;
    char why[160] = "";
    int rc = bk__plain_open(at->job, at->raw, &plain);
    if (rc != 0) {
        return rc;
    }
    const struct bk__pgdump_source source = {&plain, bk__plain_read};
    rc = bk__pgdump_walk(&source, &facts, why, sizeof why);
    bk__file_close(plain.fd);
    if (rc == BK_ECORRUPT) {
        rc = bk__examine_torn(at, why);
    } else if (rc == BK_EUNSUPPORTED) {
        rc = bk__examine_unsupported(at, why);
    }
    return rc;
}

/* With a driver: its own proof, and an image for it. What its tools miss is only noted: the walk has
   read everything already. */
static int examine_driven(struct bk__look_at *at, const char *content) {
    const struct bk__store_driver *driver = bk__store_driver_of(content);
    struct json_object *report = bk__json_object();
    int rc = report == NULL ? bk__fail_memory() : 0;
    if (rc == 0 && driver == NULL) {
        at->ret->by_hand = strdup("This build has no driver for it.");
        rc = at->ret->by_hand == NULL ? bk__fail_memory() : 0;
    } else if (rc == 0) {
        rc = bk__image_prove(at, driver, report);
        if (rc == BK_ENOTFOUND || rc == BK_EUNSUPPORTED) {
            rc = bk__examine_note(at, bk__error_text());
        }
        if (rc == 0) {
            rc = bk__image_keep(at, driver, report);
        }
    }
    json_object_put(report);
    return rc;
}

static int examine_dump(struct bk__look_at *at) {
    int rc = walk_dump(at);
    return rc != 0 ? rc : examine_driven(at, "dump");
}

/* ---- all ----------------------------------------------------------------------------------------- */

static int examine_plain(struct bk__look_at *at, enum bk__content content) {
    at->ret->content = content;
    switch (content) {
    case BK__EMPTY:
        return bk__examine_torn(at, "it is empty: zero bytes");
    case BK__SQLITE:
        return examine_sqlite(at);
    case BK__SQL:
        return examine_sql(at);
    case BK__PGDUMP:
        return examine_dump(at);
    case BK__RDB:
        return examine_driven(at, "rdb");
    case BK__TAR:
        return bk__examine_tar(at);
    default:
        return bk__examine_torn(at, at->foreign->guess.content == BK__SQLITE
                                        ? NO_DATABASE
                                        : "its bytes are no backup that is known");
    }
}

int bk__examine_file(struct bk__look_at *at) {
    struct bk__unpacked unpacked = {0};
    const struct bk__foreign *foreign = at->foreign;
    const struct bk__unpack what = {at->name, foreign->path, foreign->dev, foreign->ino,
                                    at->raw};
    int rc = bk__unpack(at->job, &what, &unpacked);
    if (rc == 0 && unpacked.other != NULL) {
        char why[96];
        snprintf(why, sizeof why, "it is %s", unpacked.other);
        return bk__examine_unsupported(at, why);
    }
    return rc != 0 ? rc : examine_plain(at, unpacked.content);
}

int bk__examine(struct bk__job *job, const struct bk__scratch *scratch,
                const struct bk__foreign *foreign, struct bk__examined *ret) {
    struct bk__examined found = {.content = foreign->guess.content};
    struct bk__look_at at = {.job = job,
                             .scratch = scratch,
                             .foreign = foreign,
                             .name = foreign->name,
                             .ret = &found};
    bool set = foreign->guess.content == BK__SET;
    at.raw = bk__scratch_file(scratch, ".raw");
    int rc = at.raw == NULL ? BK_ENOMEM
             : set          ? bk__examine_set(&at)
                            : bk__examine_file(&at);
    free(at.raw);
    if (rc != 0) {
        bk__examined_free(&found);
        return rc;
    }
    *ret = found;
    return 0;
}
