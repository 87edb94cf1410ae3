/*
 * The list of what exists in backup.dir: archives whose manifest is there, whole and true about
 * their size. Reads only; needs no lock. Every operation of this room begins here.
 */
#ifndef BK_BACKUP_CATALOGUE_CATALOGUE_H
#define BK_BACKUP_CATALOGUE_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backup/catalogue/manifest.h>

/* A name of ours whose manifest or archive is not right: shown in status, never deleted. */
struct bk__broken {
    char name[BK__NAME_SIZE];
    char why[160];
};

struct bk__catalogue {
    struct bk__manifest *items; /* newest first, by sequence */
    size_t count;
    struct bk__broken *broken;
    size_t broken_count;
    char (*leftovers)[BK__NAME_SIZE]; /* of changes that a full archive replaced */
    size_t leftover_count;
    char (*missing)[BK__NAME_SIZE]; /* manifests whose archive was not there */
    size_t missing_count;
    int64_t last_sequence; /* 0: none */
};

/* A folder that is missing is an empty catalogue. */
int bk__catalogue_load(const char *dir, struct bk__catalogue *ret);
void bk__catalogue_free(struct bk__catalogue *catalogue);

/* The sequence of the next backup of the folder. */
int bk__catalogue_next(const char *dir, int64_t *ret_sequence);

/* Whether a name is in it, be it broken. */
bool bk__catalogue_has(const struct bk__catalogue *catalogue, const char *name);

/* The one of that name, or (name NULL) the newest verified one. It belongs to the catalogue.
   BK_EINVAL or BK_ENOTFOUND, which tells the newest names. */
int bk__catalogue_pick(const struct bk__catalogue *catalogue, const char *dir,
                       const char *name, struct bk__manifest **ret);

/* The path of a backup's manifest: beside the archive, or in a set's folder. NULL: ENOMEM, text
   set. */
char *bk__catalogue_sheet(const char *dir, const char *name);

/* The path of a backup's archive; of a set's part: in the set's folder, or the tar that holds it.
   NULL: ENOMEM, text set. */
char *bk__catalogue_archive(const char *dir, const struct bk__manifest *manifest);

/* Whether a manifest still stands alone, and not because a run that makes it was killed or is at work:
   somebody else took its archive. 1: it does. */
int bk__catalogue_lost(const char *dir, const char *name);

/* Adds to its lists; used while it is loaded. */
int bk__catalogue_broken(struct bk__catalogue *catalogue, const char *name,
                         const char *why);
int bk__catalogue_leftover(struct bk__catalogue *catalogue, const char *name);

/* Reads and checks one manifest file. 0 and *ret is filled; 1 and why says what is wrong with it;
   or an error. */
int bk__catalogue_read(const char *dir, const char *name, struct bk__manifest *ret,
                       char *why, size_t why_room);

#endif
