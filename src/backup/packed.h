/*
 * From a file to an archive that was read back. Not what the file holds, nor the archive's name in
 * the folder: make.c and consolidate.c, which call it, know both.
 */
#ifndef BK_BACKUP_PACKED_H
#define BK_BACKUP_PACKED_H

#include <stdbool.h>
#include <stdint.h>

#include <backup/archive.h>

struct bk__folder;
struct bk__form;
struct bk__job;
struct bk__sealing;

struct bk__packed {
    struct bk__job *job;
    const struct bk__folder *folder;
    const char *source; /* a plain file of ours */
    int64_t source_bytes;
    const char *name; /* of the backup */
    const struct bk__form *form;
    struct bk__sealing *sealing; /* exactly when the form is encrypted */
    bool in_place; /* a source that is not packed at all becomes the archive itself */
    /* out */
    char *packed; /* the archive's temporary path; the source itself where in_place */
    struct bk__archive_facts facts; /* as they were read back */
};

/* Packs, flushes and reads back. BK_EIO when other bytes come back. What it made is there until
   bk__packed_drop(), also after an error. */
int bk__packed_make(struct bk__packed *packing);
void bk__packed_drop(struct bk__packed *packing); /* removes what was not renamed */

/* BK_EIO with its text: the backup did not come back as it was written. */
int bk__packed_mismatch(const struct bk__folder *folder, const char *what);

#endif
