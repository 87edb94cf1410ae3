/*
 * Between manifest.c and manifest_set.c: a manifest's members by depth, and what sets add to them.
 * Nobody else includes it.
 */
#ifndef BK_BACKUP_CATALOGUE_MANIFEST_SET_H
#define BK_BACKUP_CATALOGUE_MANIFEST_SET_H

#include <backup/catalogue/manifest.h>

struct json_object;

/* depth 0: brief; 1: all that an operation gives out; 2: what the file has as well. */
bool bk__manifest_add(struct json_object *to, const struct bk__manifest *m, int depth);
bool bk__manifest_add_set(struct json_object *to, const struct bk__manifest *m,
                          int depth);

/* The facts of a backup, or (set not NULL, its name known) of a set's part. False with why; what
   was read is to be cleared in either case. */
bool bk__manifest_read(struct json_object *object, const struct bk__manifest *set,
                       struct bk__manifest *m, char *why, size_t why_room);
bool bk__manifest_read_set(struct json_object *object, struct bk__manifest *set,
                           char *why, size_t why_room);

#endif
