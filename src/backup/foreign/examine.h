/*
 * Looking into a foreign backup: unpacked, read to its end, proven; and, where that can be, an image
 * of it in the scratch folder, which from then on is treated like an archive of ours.
 * Not finding them: foreign.h. verify, restore, adopt and look use it.
 */
#ifndef BK_BACKUP_FOREIGN_EXAMINE_H
#define BK_BACKUP_FOREIGN_EXAMINE_H

#include <backup/foreign/foreign.h>
#include <backup/catalogue/manifest.h>

struct bk__job;
struct bk__scratch;

enum { BK__IMAGE_DATABASE, BK__IMAGE_REDIS, BK__IMAGES };

struct bk__examined {
    enum bk__content content; /* what it turned out to be */
    /* Of the database, and of Redis where it is a set: plain archives in the scratch folder, under
       the name in the manifest. name "": there is none. */
    struct bk__manifest images[BK__IMAGES];
    struct json_object *tables; /* rows by table, of the database; NULL: not known */
    char *note;                 /* what its owner should know; NULL: nothing */
    char *by_hand; /* it is whole, but not for us to restore: how; NULL: it is */
};

/* 0: it is whole, and *ret is to be freed. BK_ECORRUPT: it is torn, the text says why.
   BK_EUNSUPPORTED: it is of a kind that cannot be looked into here, the text names it. */
int bk__examine(struct bk__job *job, const struct bk__scratch *scratch,
                const struct bk__foreign *foreign, struct bk__examined *ret);
void bk__examined_free(struct bk__examined *examined); /* {0} is fine */

#endif
