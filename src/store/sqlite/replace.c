/*
 * A file put in the place of a database that cannot be opened, or that nobody has open; what was
 * there is set aside. Killed at any point, old or new is there. Not the ordinary restore: restore.c.
 */
#include <store/sqlite/internal.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/stamp.h>
#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>
#include <os/file.h>
#include <os/holder.h>

#define DOING "cannot replace the database"
#define DAMAGED ".damaged-"
#define PIECE (1024 * 1024)
#define SMALLEST 512 /* of databases; SQLite drops the -wal of an empty one */

/* The three files that belong to a database beside it; -shm holds nothing that lasts. */
static const char *const sides[] = {"-wal", "-journal"};
#define SIDES (sizeof(sides) / sizeof(sides[0]))

struct change {
    struct bk__job *job;
    int64_t wait_ms;
    char *path;    /* of the database, symbolic links followed */
    char *fresh;   /* the image's copy beside it */
    char *kept;    /* where the old files go; NULL: there are none */
    bool exists;   /* the database file does */
    bool unlinked; /* it has no second name: the file system knows no hard links */
    struct stat old;
    struct bk__link link; /* holds the exclusive lock */
};

static int busy(const struct change *c, long pid) {
    char who[64] = "another connection";

    if (pid > 0) {
        snprintf(who, sizeof(who), "%s %ld",
                 pid == getpid() ? "this process," : "process", pid);
    }
    return bk__fail(BK_EBUSY,
                    DOING
                    " %s: %s has it open. Nothing was changed. Stop what uses it and try "
                    "again, or restore with mode staged: it is applied at the bot's next "
                    "start.",
                    c->path, who);
}

static int find(struct change *c, const char *database) {
    c->exists = stat(database, &c->old) == 0;
    if (!c->exists && errno != ENOENT) {
        return bk__fail_errno(errno, DOING, database, NULL);
    }
    if (c->exists && !S_ISREG(c->old.st_mode)) {
        return bk__fail(BK_EINVAL,
                        "%s is not a file. Nothing was changed. Set the option "
                        "database to the database file itself.",
                        database);
    }
    c->path = c->exists ? realpath(database, NULL) : bk__file_absolute(database);
    c->fresh = c->path == NULL ? NULL : bk__text_printf("%s.botkeep-new", c->path);
    return c->fresh == NULL ? bk__fail_memory() : 0;
}

/* ---- nobody else may have it open --------------------------------------------------------- */

/* In rollback mode a connection at rest holds no lock, so the system is asked too. */
static int wait_for_holders(struct change *c) {
    int64_t end = bk__clock_mono() + c->wait_ms;
    pid_t pid = 0;

    while (bk__holder_find(c->old.st_dev, c->old.st_ino, &pid)) {
        int code = bk__job_check(c->job);
        if (code != 0) {
            return code;
        }
        if (bk__clock_mono() >= end) {
            return busy(c, (long)pid);
        }
        bk__clock_sleep(20);
    }
    return 0;
}

/* Others may hold a lock for a moment; it is waited for like any other. */
static int lock(struct change *c) {
    int64_t end = bk__clock_mono() + c->wait_ms;
    int code = 0;
    int rc;

    while ((rc = bk__link_lock(&c->link)) == SQLITE_BUSY && code == 0 &&
           bk__clock_mono() < end) {
        bk__clock_sleep(20);
        code = bk__job_check(c->job);
    }
    if (code != 0 || rc == SQLITE_OK) {
        return code;
    }
    return rc == SQLITE_BUSY ? busy(c, 0) : bk__link_fail(&c->link, rc, DOING);
}

/*
 * A database that is whole after all takes its -wal or -journal in first, so that the old state is
 * one file from here on: SQLite's own opening and closing does that, if nobody else has it open.
 * One that is damaged is set aside as it is.
 */
static void settle(struct change *c) {
    struct bk__link link;
    char said[16] = "";

    if (bk__link_open(&link, c->job, c->path, BK__LINK_LIVE) != 0) {
        bk__error_clear();
        return;
    }
    if (bk__link_text(&link, "PRAGMA quick_check(1)", said, sizeof(said)) == SQLITE_OK &&
        strcmp(said, "ok") == 0) {
        sqlite3_db_config(link.db, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, NULL);
    }
    bk__link_close(&link);
}

static int seize(struct change *c) {
    int code;

    if (!c->exists) {
        return 0;
    }
    /* A descriptor of ours would be found too, so the lock comes last. */
    code = wait_for_holders(c);
    if (code != 0) {
        return code;
    }
    if (c->old.st_size >= SMALLEST) {
        settle(c);
    }
    code = bk__link_open(&c->link, c->job, c->path, BK__LINK_LIVE);
    return code == 0 ? lock(c) : code;
}

/* ---- the copy beside the database --------------------------------------------------------- */

static int copy_bytes(struct change *c, int from, int to, int64_t size) {
    char *piece = malloc(PIECE);
    int64_t done = 0;
    int64_t got = 0;
    int code = piece == NULL ? bk__fail_memory() : 0;

    while (code == 0 && (got = bk__file_read(from, piece, PIECE)) > 0) {
        int error = bk__file_write(to, piece, (size_t)got);
        if (error != 0) {
            code = bk__fail_errno(error, "cannot write the restored database", c->fresh,
                                  NULL);
            break;
        }
        done += got;
        bk__job_progress(c->job, "restore", done, size);
        code = bk__job_check(c->job);
    }
    free(piece);
    if (code == 0 && (got < 0 || done != size)) {
        code = bk__fail_errno(got < 0 ? (int)got : EIO, "cannot read the database image",
                              NULL, NULL);
    }
    return code;
}

/* As the old file was; a tool that runs as root must not take the database from the bot. */
static int adopt(const struct change *c, int fd) {
    if (!c->exists) {
        return 0;
    }
    if (fchown(fd, c->old.st_uid, c->old.st_gid) != 0 && geteuid() == 0) {
        return -errno;
    }
    return fchmod(fd, c->old.st_mode & 07777) != 0 ? -errno : 0;
}

static int write_copy(struct change *c, int from) {
    int64_t size = bk__file_size(from);
    int to, error, code;

    bk__file_remove(c->fresh); /* of a replacement that was killed */
    to = bk__file_create(c->fresh);
    if (size < 0 || to < 0) {
        if (to >= 0) {
            bk__file_close(to);
        }
        return bk__fail_errno(to < 0 ? to : (int)size,
                              "cannot write the restored database", c->fresh, NULL);
    }
    code = copy_bytes(c, from, to, size);
    error = code == 0 ? adopt(c, to) : 0;
    if (error == 0 && code == 0) {
        error = bk__file_sync(to);
    }
    if (bk__file_close(to) != 0 && error == 0) {
        error = -EIO;
    }
    if (code == 0 && error != 0) {
        code =
            bk__fail_errno(error, "cannot write the restored database", c->fresh, NULL);
    }
    return code;
}

static int copy_image(struct change *c, const char *image_path) {
    int from = bk__file_open_read(image_path);
    int code;

    if (from < 0) {
        return bk__fail_errno(from, "cannot open the database image", image_path, NULL);
    }
    code = write_copy(c, from);
    bk__file_close(from);
    return code;
}

/* ---- the old files aside, the new one in --------------------------------------------------- */

static char *beside(const char *path, const char *side) {
    return bk__text_printf("%s%s", path, side);
}

static bool has_side(const struct change *c, const char *side) {
    char *path = beside(c->path, side);
    bool there = path != NULL && bk__file_exists(path);

    free(path);
    return there;
}

/* Whether name is that of an old database set aside, by a replacement that was killed then. */
static bool is_kept(const struct change *c, const char *dir, const char *name) {
    const char *base = strrchr(c->path, '/') + 1;
    size_t length = strlen(base);
    bool same = false;

    if (strncmp(name, base, length) == 0 && bk__text_starts(name + length, DAMAGED)) {
        char *path = bk__file_join(dir, name);
        if (path != NULL) {
            bk__file_same(path, (uint64_t)c->old.st_dev, (uint64_t)c->old.st_ino, &same);
        }
        free(path);
    }
    return same;
}

/* The name a killed replacement chose is taken up again, so that the set stays together. */
static int find_kept(struct change *c) {
    char *dir = bk__file_dir(c->path);
    char **names = NULL;
    size_t count = 0;
    size_t i;
    int error = dir == NULL ? -ENOMEM : bk__file_list(dir, &names, &count);

    for (i = 0; i < count && error == 0 && c->kept == NULL; i++) {
        if (is_kept(c, dir, names[i])) {
            c->kept = bk__file_join(dir, names[i]);
            error = c->kept == NULL ? -ENOMEM : 0;
        }
    }
    bk__file_list_free(names, count);
    free(dir);
    return error == 0 ? 0 : bk__fail_errno(error, DOING, c->path, NULL);
}

static int invent_kept(struct change *c) {
    char stamp[BK__STAMP_SIZE];
    int i;

    bk__stamp_file(bk__job_wall(c->job), stamp);
    for (i = 1; i < 1000; i++) {
        char *name = i == 1 ? bk__text_printf("%s" DAMAGED "%s", c->path, stamp)
                            : bk__text_printf("%s" DAMAGED "%s_%d", c->path, stamp, i);
        if (name == NULL) {
            return bk__fail_memory();
        }
        if (!bk__file_exists(name)) {
            c->kept = name;
            return 0;
        }
        free(name);
    }
    return bk__fail(BK_EIO,
                    DOING
                    " %s: no free name is left for the old files. Nothing was changed. "
                    "Remove some of its .damaged- files.",
                    c->path);
}

static int choose_kept(struct change *c) {
    int code = c->exists ? find_kept(c) : 0;

    if (code != 0 || c->kept != NULL ||
        (!c->exists && !has_side(c, "-wal") && !has_side(c, "-journal"))) {
        return code;
    }
    return invent_kept(c);
}

/* The database keeps its live name until the new one takes it: there is always a file there. */
static int link_aside(struct change *c) {
    if (!c->exists || link(c->path, c->kept) == 0 || errno == EEXIST) {
        return 0;
    }
    c->unlinked = errno == EPERM || errno == EOPNOTSUPP || errno == ENOSYS;
    return c->unlinked ? 0 : -errno;
}

/*
 * A file system without hard links: the new one takes the name of what is kept, then both change
 * names at once. Killed between, the live name has the old one, and what seems kept is a copy of the
 * new one. A file system that cannot do that either has a moment without a database; what was
 * there is kept, and restoring again puts the new one in its place.
 */
static int trade_places(const struct change *c) {
    int error = bk__file_rename(c->fresh, c->kept);

    if (error != 0) {
        return error;
    }
    error = bk__file_exchange(c->kept, c->path);
    if (error == 0) {
        return 0;
    }
    int back = bk__file_rename(c->kept, c->fresh);
    if (error != -EINVAL || back != 0) {
        return error;
    }
    error = bk__file_rename(c->path, c->kept);
    return error == 0 ? bk__file_rename(c->fresh, c->path) : error;
}

static int move_side(const struct change *c, const char *side) {
    char *from = beside(c->path, side);
    char *to = beside(c->kept, side);
    int error = -ENOMEM;

    if (from != NULL && to != NULL) {
        error = bk__file_exists(from) ? bk__file_rename(from, to) : 0;
    }
    free(from);
    free(to);
    return error;
}

static int move_aside(struct change *c) {
    char *shm = beside(c->path, "-shm");
    int error = shm == NULL ? -ENOMEM : link_aside(c);
    size_t i;

    for (i = 0; i < SIDES && error == 0; i++) {
        error = move_side(c, sides[i]);
    }
    if (error == 0) {
        error = bk__file_remove(shm);
    }
    free(shm);
    return error == 0 ? bk__file_sync_parent(c->path) : error;
}

static int swap(struct change *c) {
    int error = 0;
    int code = choose_kept(c);

    if (code != 0) {
        return code;
    }
    if (c->kept != NULL) {
        error = move_aside(c);
    }
    if (error == 0) {
        error = c->unlinked ? trade_places(c) : bk__file_rename(c->fresh, c->path);
    }
    if (error == 0) {
        error = bk__file_sync_parent(c->path);
    }
    if (error == 0) {
        return 0;
    }
    return bk__fail_errno(
        error, DOING, c->path,
        "The old files are still beside it, some perhaps under the name that "
        "ends in .damaged- and a time. Try the restore again.");
}

int bk__sqlite_replace(struct bk__job *job, const char *database, const char *image_path,
                       char **ret_kept) {
    struct change c = {.job = job,
                       .wait_ms = bk__config_int(bk__job_config(job), BK__OPT_BUSY_WAIT)};
    int code = find(&c, database);

    if (code == 0) {
        code = seize(&c);
    }
    if (code == 0) {
        code = copy_image(&c, image_path);
    }
    if (code == 0) {
        code = swap(&c);
    }
    if (code != 0 && c.fresh != NULL) {
        bk__file_remove(c.fresh);
    }
    bk__link_unlock(&c.link);
    bk__link_close(&c.link);
    free(c.path);
    free(c.fresh);
    if (code == 0) {
        *ret_kept = c.kept;
    } else {
        free(c.kept);
    }
    return code;
}
