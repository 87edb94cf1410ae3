/*
 * What examine.c (one file), members.c (a set of them) and image.c (what they make of them) share. Nobody
 * else includes it.
 */
#ifndef BK_BACKUP_FOREIGN_EXAMINE_INSIDE_H
#define BK_BACKUP_FOREIGN_EXAMINE_INSIDE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backup/foreign/examine.h>

struct bk__store_driver;

/* One file that is looked at: the foreign one itself, or a member of it. */
struct bk__look_at {
    struct bk__job *job;
    const struct bk__scratch *scratch;
    const struct bk__foreign *foreign;
    const char *name; /* for texts */
    char *raw;        /* where its plain bytes are, or go */
    bool in_set;
    struct bk__examined *ret;
};

/* ---- image.c ----------------------------------------------------------------------------- */

/* BK_ECORRUPT, BK_EUNSUPPORTED, with a text that names the backup and says why. */
int bk__examine_torn(const struct bk__look_at *at, const char *why);
int bk__examine_unsupported(const struct bk__look_at *at, const char *why);
/* BK_ECORRUPT with what the last error says between this mark and the end of the sentence. */
int bk__examine_tear(struct bk__look_at *at, const char *mark);

/* Keeps the first note. */
int bk__examine_note(struct bk__look_at *at, const char *text);

/* A plain file that is read to its end; closed with bk__file_close(fd). */
struct bk__plain {
    struct bk__job *job;
    const char *path;
    int fd;
    int64_t total, done;
};
int bk__plain_open(struct bk__job *job, const char *path, struct bk__plain *ret);
int64_t bk__plain_read(void *plain, unsigned char *bytes, size_t room);

/* The driver's own proof of at->raw; what is wrong is told of the backup, not of the scratch file. */
int bk__image_prove(struct bk__look_at *at, const struct bk__store_driver *driver,
                    struct json_object *report);
/* at->raw becomes the image of its kind, with the driver's report of it. */
int bk__image_keep(struct bk__look_at *at, const struct bk__store_driver *driver,
                   struct json_object *report);
/* The same where no driver speaks of it: renamed, hashed, and described as a plain archive under the
   name of the foreign file. */
int bk__image_describe(struct bk__look_at *at, const char *store, const char *content,
                       struct json_object *report, struct bk__manifest *image);

/* ---- examine.c, members.c ----------------------------------------------------------------- */

int bk__examine_file(struct bk__look_at *at); /* from its path */

int bk__examine_set(struct bk__look_at *at); /* a folder */
int bk__examine_tar(struct bk__look_at *at); /* the same as tar in at->raw */

#endif
