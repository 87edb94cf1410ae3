/*
 * backup.dir as a place to write: made, locked, tidied, measured. Whoever changes anything in it
 * holds it open. create.c, prune.c, verify.c and restore.c do.
 */
#ifndef BK_BACKUP_CATALOGUE_FOLDER_H
#define BK_BACKUP_CATALOGUE_FOLDER_H

#include <stddef.h>
#include <stdint.h>

#include <backup/catalogue/scratch.h>

struct bk__job;

struct bk__folder {
    char *path;
    const char *above; /* of an unfinished set: the folder that it is made in; NULL */
    int lock_fd;
    struct bk__scratch
        scratch; /* for plain copies of what is encrypted, when it is open */
};

/* Makes the folder when it is missing (0700, with a .gitignore), takes its lock (waits
   backup.lock.wait, cancellable) and collects what a killed run left. BK_EBUSY, BK_EINVAL (not a
   folder), BK_EDENIED. */
int bk__folder_open(struct bk__job *job, struct bk__folder *ret);
void bk__folder_close(struct bk__folder *folder); /* {0} and a closed one are fine */

/* From now on temporary images are made in state.dir/hidden, because what they come from or become
   is encrypted. bk__folder_open() does it where the options ask for it. */
int bk__folder_hide(struct bk__job *job, struct bk__folder *folder);

char *bk__folder_file(const struct bk__folder *folder,
                      const char *name); /* NULL: ENOMEM, text set */
char *bk__folder_temp(const struct bk__folder *folder, const char *name,
                      const char *suffix);
char *bk__folder_scratch(const struct bk__folder *folder, const char *name,
                         const char *suffix); /* a plain image's */

/* 0, or BK_ENOSPC naming what is needed and what is free. */
int bk__folder_space(const char *dir, int64_t needed, const char *what);

/* The same for a plain image, wherever it lies, and the archive made of it (0: the image itself). */
int bk__folder_room(const struct bk__folder *folder, int64_t image, int64_t archive,
                    const char *what);

/* Writes a new file (0600) and fsyncs it; removes it when that fails. */
int bk__folder_write(const char *path, const char *text);

/* Removes a database-like temporary file and whatever SQLite put beside it. No error: what stays
   is collected by the next run. */
void bk__folder_drop(const char *path);

#endif
