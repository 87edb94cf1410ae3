/*
 * The folder of the backups: making it, its lock, leftovers, free space, temporary files.
 * Not its contents' meaning: catalogue.c reads that. Foreign files are never touched.
 * Called by the operations that write; status and list only read and need no lock.
 */
#include <backup/catalogue/folder.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/catalogue.h>
#include <backup/seal/encryption.h>

#define LOCK_NAME ".botkeep.lock"
#define MB 1048576

char *bk__folder_file(const struct bk__folder *folder, const char *name) {
    char *path = bk__file_join(folder->path, name);
    if (path == NULL) {
        bk__fail_memory();
    }
    return path;
}

static char *temp_in(const char *dir, const char *name, const char *suffix) {
    char file[BK__NAME_SIZE + 32];
    snprintf(file, sizeof file, BK__NAME_TEMP "%s%s", name, suffix);
    char *path = bk__file_join(dir, file);
    if (path == NULL) {
        bk__fail_memory();
    }
    return path;
}

char *bk__folder_temp(const struct bk__folder *folder, const char *name,
                      const char *suffix) {
    return temp_in(folder->path, name, suffix);
}

char *bk__folder_scratch(const struct bk__folder *folder, const char *name,
                         const char *suffix) {
    const char *hidden = folder->scratch.path;
    return temp_in(hidden != NULL ? hidden : folder->path, name, suffix);
}

int bk__folder_write(const char *path, const char *text) {
    int fd = bk__file_create(path);
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot create", path, NULL);
    }
    int rc = bk__file_write(fd, text, strlen(text));
    if (rc == 0) {
        rc = bk__file_sync(fd);
    }
    int closed = bk__file_close(fd);
    rc = rc == 0 ? closed : rc;
    if (rc != 0) {
        bk__file_remove(path);
        return bk__fail_errno(rc, "cannot write", path, NULL);
    }
    return 0;
}

void bk__folder_drop(const char *path) {
    static const char *const beside[] = {"", "-journal", "-wal", "-shm"};
    for (size_t i = 0; path != NULL && i < sizeof beside / sizeof *beside; i++) {
        char *file = bk__text_printf("%s%s", path, beside[i]);
        if (file != NULL) {
            bk__file_remove(file);
        }
        free(file);
    }
}

int bk__folder_space(const char *dir, int64_t needed, const char *what) {
    int64_t free_bytes = 0;
    int64_t total = 0;
    int rc = bk__file_space(dir, &free_bytes, &total);
    if (rc != 0) {
        return bk__fail_errno(rc, "cannot use the folder", dir,
                              "Nothing was changed. Check the path.");
    }
    if (free_bytes >= needed) {
        return 0;
    }
    return bk__fail(
        BK_ENOSPC,
        "There is not enough room for %s in %s: about %.1f MB are needed, %.1f MB are "
        "free. Nothing was changed. Free some space, or set the folder to another disk.",
        what, dir, (double)needed / MB, (double)free_bytes / MB);
}

static bool same_device(const char *one, const char *other) {
    struct stat a;
    struct stat b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev;
}

int bk__folder_room(const struct bk__folder *folder, int64_t image, int64_t archive,
                    const char *what) {
    const char *hidden = folder->scratch.path;
    const char *dir = folder->above != NULL ? folder->above : folder->path;
    if (hidden == NULL || same_device(hidden, dir)) {
        return bk__folder_space(dir, image + archive, what);
    }
    int rc = bk__folder_space(dir, archive, what);
    return rc != 0 ? rc : bk__folder_space(hidden, image, what);
}

/* ---- making it ------------------------------------------------------------------------ */

static int make_folder(const char *dir) {
    int rc = bk__file_make_dir(dir);
    if (rc != 0) {
        return bk__fail_errno(
            rc, "cannot make the folder of the backups", dir,
            "Make it yourself, or set backup.dir to a folder that this user "
            "may write.");
    }
    char *ignore = bk__file_join(dir, ".gitignore");
    rc = ignore == NULL ? bk__fail_memory() : bk__folder_write(ignore, "*\n");
    free(ignore);
    /* Another process makes the folder at the same time and came first. */
    return rc == BK_EBUSY ? 0 : rc;
}

static int prepare(const char *dir) {
    struct stat info;
    if (stat(dir, &info) != 0) {
        if (errno == ENOENT) {
            return make_folder(dir);
        }
        return bk__fail_errno(errno, "cannot reach the folder of the backups", dir, NULL);
    }
    if (!S_ISDIR(info.st_mode)) {
        return bk__fail(BK_EINVAL,
                        "backup.dir %s is a file, not a folder. No backup was made; the "
                        "database is untouched. Set backup.dir to a folder.",
                        dir);
    }
    return 0;
}

/* ---- leftovers ------------------------------------------------------------------------ */

/* A manifest of ours that lost its archive: a run was killed between the two renames or
   removals. One that does not parse may be anybody's and stays. */
static bool is_orphan(const char *dir, const char *file) {
    char name[BK__NAME_SIZE];
    char why[160];
    struct bk__manifest manifest;
    struct bk__form form;
    if (!bk__text_ends(file, ".json") || strlen(file) - 5 >= sizeof name) {
        return false;
    }
    snprintf(name, sizeof name, "%.*s", (int)(strlen(file) - 5), file);
    if (!bk__name_parse(name, NULL, &form) || bk__form_is_folder(&form)) {
        return false;
    }
    char *archive = bk__file_join(dir, name);
    bool orphan = archive != NULL && bk__file_size_of(archive) == -ENOENT &&
                  bk__catalogue_read(dir, name, &manifest, why, sizeof why) == 0;
    free(archive);
    if (orphan) {
        bk__manifest_clear(&manifest);
    }
    return orphan;
}

/* A leftover that cannot be removed is no reason to make no backup: it is told in the log. */
static void remove_leftover(struct bk__job *job, const char *dir, const char *file) {
    char *path = bk__file_join(dir, file);
    int rc = path == NULL ? -ENOMEM : bk__file_remove_dir(path);
    bk__job_log(job, rc == 0 ? "info" : "warning",
                "%s %s, left by a run that was killed%s%s",
                rc == 0 ? "Removed" : "Cannot remove", file, rc == 0 ? "" : ": ",
                rc == 0 ? "" : strerror(-rc));
    free(path);
}

static void collect(struct bk__job *job, const char *dir) {
    char **files = NULL;
    size_t count = 0;
    if (bk__file_list(dir, &files, &count) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (bk__name_is_temp(files[i]) || is_orphan(dir, files[i])) {
            remove_leftover(job, dir, files[i]);
        }
    }
    bk__file_list_free(files, count);
}

int bk__folder_hide(struct bk__job *job, struct bk__folder *folder) {
    return folder->scratch.path != NULL
               ? 0
               : bk__scratch_open(job, BK__SCRATCH_HIDDEN, &folder->scratch);
}

/* What killed runs left goes before room is asked for. */
static int collect_and_hide(struct bk__job *job, struct bk__folder *folder) {
    bk__scratch_sweep(job);
    return bk__encryption_wanted(bk__job_config(job)) ? bk__folder_hide(job, folder) : 0;
}

int bk__folder_open(struct bk__job *job, struct bk__folder *ret) {
    struct bk__folder folder = {.lock_fd = -1};
    folder.path = strdup(bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR));
    if (folder.path == NULL) {
        return bk__fail_memory();
    }
    int rc = prepare(folder.path);
    if (rc == 0) {
        folder.lock_fd = bk__scratch_lock(job, folder.path, LOCK_NAME);
        rc = folder.lock_fd < 0 ? folder.lock_fd : collect_and_hide(job, &folder);
    }
    if (rc != 0) {
        bk__folder_close(&folder);
        return rc;
    }
    collect(job, folder.path);
    *ret = folder;
    return 0;
}

void bk__folder_close(struct bk__folder *folder) {
    if (folder->path != NULL) {
        bk__scratch_close(&folder->scratch);
        if (folder->lock_fd >= 0) {
            bk__file_close(folder->lock_fd);
        }
        free(folder->path);
        folder->path = NULL;
    }
}
