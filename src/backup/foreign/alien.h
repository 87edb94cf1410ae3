/*
 * A foreign backup that is at hand: found by its name, examined, its image in a scratch folder that
 * is ours meanwhile. restore.c, adopt.c and look.c open one.
 */
#ifndef BK_BACKUP_FOREIGN_ALIEN_H
#define BK_BACKUP_FOREIGN_ALIEN_H

#include <backup/foreign/examine.h>
#include <backup/foreign/foreign.h>
#include <backup/catalogue/scratch.h>

struct bk__alien {
    struct bk__scratch scratch;
    struct bk__foreigners list;
    struct bk__foreign *foreign; /* of the list */
    struct bk__examined examined;
    const char *name; /* the foreign's; NULL: none is open */
};

/* Opens the foreign backup of that name. Nothing is opened, and 0 returned, when the name is NULL, one
   of ours, or nobody's: then the catalogue tells. BK_ECORRUPT: it is torn. */
int bk__alien_open(struct bk__job *job, const struct bk__catalogue *catalogue,
                   const char *name, struct bk__alien *ret);
void bk__alien_close(struct bk__alien *alien); /* {0} is fine */

/* Examines one of a list and notes the outcome in it. The error is that of bk__examine(). */
int bk__alien_examine(struct bk__job *job, const struct bk__scratch *scratch,
                      struct bk__foreign *foreign, struct bk__examined *ret);

#endif
