/*
 * Putting a verified image into the bot's database, after saving what is there.
 * Not where the image comes from. restore.c and apply.c share it.
 */
#ifndef BK_BACKUP_RESTORE_H
#define BK_BACKUP_RESTORE_H

#include <stdbool.h>

#include <backup/name.h>

struct bk__folder;
struct bk__job;

struct bk__restoring {
    const char *name;  /* of the backup, which retention spares */
    const char *image; /* a verified file */
    bool may_replace;  /* a database that does not open may be replaced as a file */
    /* out */
    char pre_restore[BK__NAME_SIZE]; /* "" when there was nothing sound to save */
    char *kept; /* where damaged files were set aside; the caller frees */
    bool replaced;
};

/* Safety backup first, then the image as one transaction, or as a file where the database does not
   open. The folder is locked. */
int bk__restore_image(struct bk__job *job, const struct bk__folder *folder,
                      struct bk__restoring *restoring);

#endif
