/*
 * Deleting one backup, in whatever form it is kept.
 * Not deciding which: retention.c. Called by prune.c and consolidate.c, under the folder's lock.
 */
#include <backup/remove.h>

#include <stdio.h>
#include <stdlib.h>

#include <core/error.h>
#include <os/file.h>
#include <backup/catalogue/name.h>
#include <backup/set/set.h>

static int remove_archive(const char *dir, const char *name) {
    char file[BK__NAME_SIZE + 8];
    snprintf(file, sizeof file, "%s.json", name);
    char *archive = bk__file_join(dir, name);
    char *manifest = bk__file_join(dir, file);
    int rc = archive == NULL || manifest == NULL ? bk__fail_memory() : 0;
    if (rc == 0) {
        int err = bk__file_remove(archive);
        err = err == 0 ? bk__file_remove(manifest) : err;
        if (err != 0) {
            rc = bk__fail_errno(err, "cannot delete the backup", archive, NULL);
        }
    }
    free(archive);
    free(manifest);
    return rc;
}

int bk__remove_backup(const char *dir, const char *name) {
    struct bk__form form;
    bool folder = bk__name_parse(name, NULL, &form) && bk__form_is_folder(&form);
    return folder ? bk__set_remove(dir, name) : remove_archive(dir, name);
}
