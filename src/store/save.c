/*
 * store.save: the image of a database that the bot keeps in memory becomes the database's file, in
 * one step. Not for a file that any SQLite has open: then its locks and its -wal would be lost.
 * bk_save() starts it; core holds the image.
 */
#include <store/save.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <base/hash.h>
#include <base/json.h>
#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>

#define PIECE ((size_t)1 << 20)
#define SAFE "The file on the disk is as it was before."

/* One image on its way to the disk. */
struct saving {
    struct bk__job *job;
    const struct bk__store_driver *driver;
    const unsigned char *image; /* the job's */
    size_t size;
    char *path;  /* the file itself, links followed */
    char *aside; /* where it is written first */
    mode_t mode; /* of the file that it replaces, else 0600 */
    char sha256[BK__SHA256_HEX];
    struct json_object *report; /* what the proof found */
};

/* ---- before anything is written --------------------------------------------------------- */

static int check_request(struct saving *s) {
    const struct bk__config *config = bk__job_config(s->job);
    s->image = bk__job_image(s->job, &s->size);
    if (s->image == NULL) {
        return bk__fail(BK_EINVAL,
                        "store.save needs an image. Nothing was saved. Hand it "
                        "over with bk_save().");
    }
    if (!bk__config_bool(config, BK__OPT_DATABASE_MEMORY)) {
        return bk__fail(BK_EINVAL,
                        "The option database.memory is off: the bot's SQLite has the "
                        "file open, and replacing it would lose rows. Nothing was saved. "
                        "Set the option only if the bot keeps its database in memory.");
    }
    s->driver = bk__store_driver_for(bk__config_text(config, BK__OPT_DATABASE));
    if (s->driver == NULL) {
        return BK_EINVAL;
    }
    if (strcmp(s->driver->content, "db") != 0) {
        return bk__fail(BK_EUNSUPPORTED,
                        "A %s database has no file to be saved to. Nothing was done.",
                        s->driver->name);
    }
    return 0;
}

/* A log beside the file belongs to what is in it now; it would be played over the new image. */
static int check_side(const char *path, const char *ending) {
    char *side = bk__text_printf("%s%s", path, ending);
    int64_t size = side == NULL ? 0 : bk__file_size_of(side);
    int rc = side == NULL ? bk__fail_memory() : 0;
    if (size > 0) {
        rc = bk__fail(BK_EBUSY,
                      "%s is not empty: another program has the database open, or was "
                      "killed while it had. Nothing was saved. " SAFE " Close that "
                      "program, or open the file once with sqlite3.",
                      side);
    }
    free(side);
    return rc;
}

static int find_file(struct saving *s) {
    const char *database = bk__config_text(bk__job_config(s->job), BK__OPT_DATABASE);
    struct stat info;
    s->mode = 0600;
    if (stat(database, &info) == 0) {
        if (!S_ISREG(info.st_mode)) {
            return bk__fail(BK_EINVAL, "%s is no regular file. Nothing was saved.",
                            database);
        }
        s->mode = info.st_mode & 0777;
        s->path = realpath(database, NULL);
    } else if (errno == ENOENT) {
        s->path = bk__file_absolute(database);
    } else {
        return bk__fail_errno(-errno, "cannot look at", database, SAFE);
    }
    s->aside = s->path == NULL ? NULL : bk__text_printf("%s.saving", s->path);
    if (s->aside == NULL) {
        return bk__fail_memory();
    }
    int rc = check_side(s->path, "-wal");
    return rc != 0 ? rc : check_side(s->path, "-journal");
}

/* ---- writing ---------------------------------------------------------------------------- */

static int write_all(struct saving *s, int fd) {
    for (size_t at = 0; at < s->size; at += PIECE) {
        size_t piece = s->size - at < PIECE ? s->size - at : PIECE;
        int rc = bk__job_check(s->job);
        if (rc != 0) {
            return rc;
        }
        bk__job_progress(s->job, "save", (int64_t)at, (int64_t)s->size);
        rc = bk__file_write(fd, s->image + at, piece);
        if (rc != 0) {
            return bk__fail_errno(rc, "cannot write", s->aside, SAFE);
        }
    }
    int rc = fchmod(fd, s->mode) == 0 ? bk__file_sync(fd) : -errno;
    return rc == 0 ? 0 : bk__fail_errno(rc, "cannot flush to the disk", s->aside, SAFE);
}

static int write_aside(struct saving *s) {
    bk__file_remove(s->aside); /* left by a kill; nobody else writes it under our lock */
    int fd = bk__file_create(s->aside);
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot create", s->aside, SAFE);
    }
    int rc = write_all(s, fd);
    int closed = bk__file_close(fd);
    if (rc == 0 && closed != 0) {
        rc = bk__fail_errno(closed, "cannot finish writing", s->aside, SAFE);
    }
    return rc;
}

/* ---- proof ------------------------------------------------------------------------------ */

static int hash_file(struct saving *s, int fd, struct bk__hash *hash) {
    unsigned char *piece = malloc(PIECE);
    int64_t got = piece == NULL ? bk__fail_memory() : 1;
    while (got > 0) {
        got = bk__file_read(fd, piece, PIECE);
        if (got > 0) {
            bk__hash_add(hash, piece, (size_t)got);
        } else if (got < 0) {
            got = bk__fail_errno((int)got, "cannot read back", s->aside, SAFE);
        }
        int rc = bk__job_check(s->job);
        got = rc != 0 ? rc : got;
    }
    free(piece);
    return (int)got;
}

/* What the disk gives back must be what was handed over. */
static int read_back(struct saving *s) {
    char found[BK__SHA256_HEX] = "";
    struct bk__hash *hash = bk__hash_new();
    int fd = hash == NULL ? bk__fail_memory() : bk__file_open_read(s->aside);
    if (hash == NULL || fd < 0) {
        bk__hash_drop(hash);
        return hash == NULL ? fd : bk__fail_errno(fd, "cannot read back", s->aside, SAFE);
    }
    int rc = hash_file(s, fd, hash);
    bk__file_close(fd);
    bk__hash_end(hash, found);
    bk__hash_bytes(s->image, s->size, s->sha256);
    if (rc == 0 && strcmp(found, s->sha256) != 0) {
        rc = bk__fail(
            BK_EIO, "%s did not read back as it was written. " SAFE " Look at the disk.",
            s->aside);
    }
    return rc;
}

static int prove(struct saving *s) {
    s->report = bk__json_object();
    if (s->report == NULL) {
        return bk__fail_memory();
    }
    int rc = read_back(s);
    if (rc == 0) {
        rc = s->driver->prove(s->job, s->aside, s->report);
    }
    if (rc == BK_ECORRUPT) {
        char why[512];
        snprintf(why, sizeof why, "%s", bk__error_text());
        rc = bk__fail(
            rc,
            "The image handed over is not a sound database, so it was not saved. " SAFE
            " Export it again. What was found: %s",
            why);
    }
    return rc;
}

/* ---- the operation ---------------------------------------------------------------------- */

static int publish(struct saving *s) {
    int rc = bk__job_check(s->job);
    if (rc != 0) {
        return rc;
    }
    rc = bk__file_rename(s->aside, s->path);
    if (rc == 0) {
        rc = bk__file_sync_parent(s->path);
    }
    return rc == 0 ? 0 : bk__fail_errno(rc, "cannot save", s->path, NULL);
}

static int save(struct saving *s) {
    int rc = check_request(s);
    if (rc == 0) {
        rc = find_file(s);
    }
    if (rc == 0) {
        rc = write_aside(s);
    }
    if (rc == 0) {
        rc = prove(s);
    }
    if (rc == 0) {
        rc = publish(s);
    }
    if (rc != 0 && s->aside != NULL) {
        bk__file_remove(s->aside);
    }
    return rc;
}

static int fill_result(struct saving *s) {
    struct json_object *result = bk__job_result(s->job);
    struct json_object *tables = bk__json_member(s->report, "tables");
    bool ok = bk__json_add_text(result, "path", s->path) &&
              bk__json_add_int(result, "bytes", (int64_t)s->size) &&
              bk__json_add_text(result, "sha256", s->sha256) &&
              bk__json_add_text(result, "backup", NULL) &&
              bk__json_put(result, "tables", json_object_get(tables));
    return ok ? 0 : bk__fail_memory();
}

/* The backup asked for beside the saving. It is saved already, whatever becomes of the backup. */
static int back_up(struct saving *s, const char *kind) {
    struct json_object *args = bk__json_object();
    struct json_object *made = NULL;
    if (args == NULL || !bk__json_add_text(args, "kind", kind)) {
        json_object_put(args);
        return bk__fail_memory();
    }
    int rc = bk__job_call(s->job, "backup.create", args, &made);
    if (rc == 0 && !bk__json_add_text(bk__job_result(s->job), "backup",
                                      bk__json_text(made, "name", ""))) {
        rc = bk__fail_memory();
    }
    json_object_put(made);
    return rc;
}

static int under_lock(struct saving *s) {
    const char *state = bk__config_text(bk__job_config(s->job), BK__OPT_STATE_DIR);
    int64_t wait = bk__config_int(bk__job_config(s->job), BK__OPT_BUSY_WAIT);
    char *lock = bk__file_join(state, "save.lock");
    if (lock == NULL) {
        return bk__fail_memory();
    }
    int fd = bk__file_lock(lock, (int)wait, bk__job_cancel_flag(s->job));
    int rc = bk__job_check(s->job);
    if (rc == 0 && fd == -EWOULDBLOCK) {
        rc = bk__fail(BK_EBUSY, "Another process of the bot is saving. " SAFE
                                " Save from one process alone.");
    } else if (rc == 0 && fd < 0) {
        rc = bk__fail_errno(fd, "cannot lock", lock, SAFE);
    }
    free(lock);
    if (rc == 0) {
        rc = save(s);
    }
    if (fd >= 0) {
        bk__file_close(fd);
    }
    return rc;
}

int bk__store_save(struct bk__job *job) {
    struct saving s = {.job = job};
    const char *kind = bk__job_text(job, "backup");
    int rc = under_lock(&s);
    if (rc == 0) {
        rc = fill_result(&s);
    }
    if (rc == 0 && kind != NULL) {
        rc = back_up(&s, kind);
    }
    json_object_put(s.report);
    free(s.path);
    free(s.aside);
    return rc;
}
