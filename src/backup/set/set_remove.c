/*
 * Deleting a set's folder: it is no set any more before its first file goes, and what somebody else put
 * into it stays. Not tars, which are deleted as any archive. Called by remove.c.
 */
#include <backup/set/set.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/file.h>
#include <backup/catalogue/catalogue.h>

#define MANIFEST "manifest.json"

static bool is_ours(const struct bk__manifest *set, const char *file) {
    bool ours = strcmp(file, MANIFEST) == 0;
    for (size_t i = 0; i < set->part_count; i++) {
        ours = ours || strcmp(file, set->parts[i].name) == 0;
    }
    return ours;
}

/* Whether the folder holds nothing but the set: 1, 0, or -errno. */
static int is_all_ours(const struct bk__manifest *set, const char *path) {
    char **files = NULL;
    size_t count = 0;
    int err = bk__file_list(path, &files, &count);
    bool all = err == 0;
    for (size_t i = 0; i < count; i++) {
        all = all && is_ours(set, files[i]);
    }
    bk__file_list_free(files, count);
    return err != 0 ? err : all;
}

/* Killed on the way it is an unfinished folder, which the next run collects. */
static int remove_folder(const char *dir, const char *name, const char *path) {
    char file[BK__NAME_SIZE + 8];
    snprintf(file, sizeof file, BK__NAME_TEMP "%.*s", BK__NAME_SIZE - 1, name);
    char *aside = bk__file_join(dir, file);
    int err = aside == NULL ? -ENOMEM : bk__file_rename(path, aside);
    err = err == 0 ? bk__file_remove_dir(aside) : err;
    free(aside);
    return err;
}

static int remove_file(const char *path, const char *name) {
    char *file = bk__file_join(path, name);
    int err = file == NULL ? -ENOMEM : bk__file_remove(file);
    free(file);
    return err;
}

/* The set's own files, its manifest first. */
static int remove_files(const struct bk__manifest *set, const char *path) {
    int err = remove_file(path, MANIFEST);
    for (size_t i = 0; err == 0 && i < set->part_count; i++) {
        if (set->parts[i].name[0] != '\0') {
            err = remove_file(path, set->parts[i].name);
        }
    }
    return err;
}

int bk__set_remove(const char *dir, const char *name) {
    struct bk__manifest set;
    char why[160] = "";
    int rc = bk__catalogue_read(dir, name, &set, why, sizeof why);
    if (rc != 0) {
        return rc < 0 ? rc
                      : bk__fail(BK_EBUSY,
                                 "Backup %s changed while it was to be deleted: %s. It "
                                 "stays as it is.",
                                 name, why);
    }
    char *path = bk__file_join(dir, name);
    int err = path == NULL ? -ENOMEM : is_all_ours(&set, path);
    if (err >= 0) {
        err = err == 1 ? remove_folder(dir, name, path) : remove_files(&set, path);
    }
    rc = err == 0 ? 0 : bk__fail_errno(err, "cannot delete the backup", name, NULL);
    free(path);
    bk__manifest_clear(&set);
    return rc;
}
