/*
 * Reading a set or a part of one as any backup is read: whoever wants an image or a check need not
 * know the layout. extract.c and verify.c call it.
 */
#ifndef BK_BACKUP_SET_SET_READ_H
#define BK_BACKUP_SET_SET_READ_H

struct bk__archive_sink;
struct bk__damage;
struct bk__job;
struct bk__manifest;

/* bk__archive_check() for what dir holds: a backup of one store, or a part, whose archive is in its
   set's folder or tar. Not for a whole set. */
int bk__set_read(struct bk__job *job, const char *dir,
                 const struct bk__manifest *manifest,
                 const struct bk__archive_sink *sink);

/* Every part of a set, to the end; each part's verified and error become what was found. 1: all is
   well, but something stayed shut. BK_ECORRUPT names each part that is damaged, and the place. What
   the system cannot read ends it only after the others were read. */
int bk__set_check(struct bk__job *job, const char *dir, struct bk__manifest *set,
                  struct bk__damage *ret_damage);

/* Whether each byte of a set's tar is as it was written, be it one that no store needs. 0 for a
   folder. */
int bk__set_check_bytes(struct bk__job *job, const char *dir,
                        const struct bk__manifest *set);

#endif
