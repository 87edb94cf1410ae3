/*
 * A backup's image in a scratch file, verified, to be looked into: ours or another tool's.
 * Not restoring it. query.c calls it.
 */
#ifndef BK_BACKUP_LOOK_H
#define BK_BACKUP_LOOK_H

#include <backup/foreign/alien.h>
#include <backup/catalogue/scratch.h>

struct bk__job;
struct bk__store_driver;

struct bk__look {
    struct bk__scratch scratch;            /* for one of ours */
    struct bk__alien alien;                /* or another tool's, with its own */
    const struct bk__store_driver *driver; /* whose image it is; it can be asked */
    char *image;
    char *name; /* of the backup */
};

/* The image of the backup of that name, or (NULL) of the newest verified one. *ret is to be closed. */
int bk__look_open(struct bk__job *job, const char *name, struct bk__look *ret);
void bk__look_close(struct bk__look *look); /* {0} is fine */

#endif
