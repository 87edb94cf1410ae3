/*
 * Archives back into database files: verified before they get their name.
 * Not restoring into the bot's database: restore.c and apply.c do, from such a file.
 * Called by restore.c and stage.c.
 */
#include <backup/extract.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/delta/chain.h>
#include <backup/catalogue/folder.h>
#include <backup/catalogue/manifest.h>
#include <backup/seal/encryption.h>

#define SLACK (INT64_C(1) << 20)

/* Inflates into an open, empty file, compares every fact, flushes. */
static int fill(struct bk__job *job, const char *dir, const struct bk__manifest *manifest,
                int fd, const char *path) {
    const struct bk__archive_sink sink = {
        .phase = "restore", .out_fd = fd, .out_path = path};
    int rc = bk__chain_fill(job, dir, manifest, sink);
    if (rc == 0) {
        int err = bk__file_sync(fd);
        rc = err == 0 ? 0 : bk__fail_errno(err, "cannot flush to the disk", path, NULL);
    }
    return rc;
}

static int check_space(const char *path, int64_t bytes) {
    char *dir = bk__file_dir(path);
    int rc = dir == NULL ? bk__fail_memory()
                         : bk__folder_space(dir, bytes + SLACK, "the restored database");
    free(dir);
    return rc;
}

int bk__extract_new(struct bk__job *job, const char *dir,
                    const struct bk__manifest *manifest, const char *path) {
    int rc = check_space(path, manifest->database_bytes);
    if (rc != 0) {
        return rc;
    }
    int fd = bk__file_create(path);
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot create", path, NULL);
    }
    rc = fill(job, dir, manifest, fd, path);
    int closed = bk__file_close(fd);
    if (rc == 0 && closed != 0) {
        rc = bk__fail_errno(closed, "cannot finish writing", path, NULL);
    }
    if (rc != 0) {
        bk__file_remove(path);
    }
    return rc;
}

/* ---- to a path of the caller's --------------------------------------------------------- */

static int check_free(const char *path) {
    static const char *const beside[] = {"", "-wal", "-journal", "-shm"};
    for (size_t i = 0; i < sizeof beside / sizeof *beside; i++) {
        char *file = bk__text_printf("%s%s", path, beside[i]);
        if (file == NULL) {
            return bk__fail_memory();
        }
        bool exists = bk__file_size_of(file) != -ENOENT;
        int rc =
            exists
                ? bk__fail(
                      BK_EINVAL,
                      "%s already exists, or cannot be reached, and is not overwritten. "
                      "Nothing was restored. Give \"to\" a path that does not exist.",
                      file)
                : 0;
        free(file);
        if (exists) {
            return rc;
        }
    }
    return 0;
}

/* The file in which it is built: locked while it is, so that what a killed run left can be told
   from another process at work. The descriptor, or an error. */
static int open_aside(const char *aside) {
    struct stat info;
    if (lstat(aside, &info) == 0 && !S_ISREG(info.st_mode)) {
        return bk__fail(BK_EINVAL,
                        "%s is in the way and is not a plain file. Nothing was restored. "
                        "Remove it, or choose another path.",
                        aside);
    }
    int fd = bk__file_lock(aside, 0, NULL);
    if (fd == -EWOULDBLOCK) {
        return bk__fail(BK_EBUSY,
                        "Another process is restoring to the same path. Nothing was "
                        "changed. Wait for it, or choose another path.");
    }
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot create", aside, NULL);
    }
    if (fchmod(fd, 0600) != 0 || ftruncate(fd, 0) != 0) {
        int rc = bk__fail_errno(errno, "cannot write", aside, NULL);
        bk__file_close(fd);
        return rc;
    }
    return fd;
}

static int publish(const char *aside, const char *path) {
    int err = bk__file_rename_new(aside, path);
    if (err != 0) {
        return bk__fail_errno(err, "cannot give the restored database its name", path,
                              NULL);
    }
    err = bk__file_sync_parent(path);
    return err == 0
               ? 0
               : bk__fail_errno(err, "cannot flush the folder of", path,
                                "The file is there and whole, but may be lost if the "
                                "power fails now.");
}

/* Fills the file aside, flushes it, and gives it its name. */
static int build(const char *path, const char *aside,
                 int (*fill_it)(void *context, int fd, const char *aside),
                 void *context) {
    int fd = open_aside(aside);
    int rc = fd < 0 ? fd : fill_it(context, fd, aside);
    if (rc == 0) {
        int err = bk__file_sync(fd);
        rc = err == 0 ? 0 : bk__fail_errno(err, "cannot flush to the disk", path, NULL);
    }
    if (rc == 0) {
        rc = publish(aside, path);
    }
    if (rc != 0 && fd >= 0) {
        bk__file_remove(aside);
    }
    if (fd >= 0) {
        bk__file_close(fd);
    }
    return rc;
}

int bk__extract_place(struct bk__job *job, const char *path) {
    const struct bk__config *config = bk__job_config(job);
    if (!bk__encryption_wanted(config) ||
        !bk__encryption_inside(path, bk__config_text(config, BK__OPT_BACKUP_DIR))) {
        return 0;
    }
    return bk__fail(
        BK_EINVAL,
        "%s is in the backup folder, where nothing unencrypted is written while backups "
        "are encrypted. Nothing was restored. Give \"to\" a path outside of it.",
        path);
}

int bk__extract_file(struct bk__job *job, const char *path, int64_t needed,
                     int (*fill_it)(void *context, int fd, const char *aside),
                     void *context) {
    int rc = bk__extract_place(job, path);
    if (rc == 0) {
        rc = check_free(path);
    }
    if (rc == 0) {
        rc = check_space(path, needed);
    }
    if (rc != 0) {
        return rc;
    }
    char *aside = bk__text_printf("%s.botkeep-tmp", path);
    if (aside == NULL) {
        return bk__fail_memory();
    }
    rc = build(path, aside, fill_it, context);
    free(aside);
    return rc;
}

/* One archive on its way to a path. */
struct outgoing {
    struct bk__job *job;
    const char *dir;
    const struct bk__manifest *manifest;
};

static int fill_outgoing(void *context, int fd, const char *aside) {
    const struct outgoing *out = context;
    return fill(out->job, out->dir, out->manifest, fd, aside);
}

int bk__extract_to(struct bk__job *job, const char *dir,
                   const struct bk__manifest *manifest, const char *path) {
    struct outgoing out = {job, dir, manifest};
    return bk__extract_file(job, path, manifest->database_bytes, fill_outgoing, &out);
}
