/*
 * Packing on a thread of its own: beside the proof of an image, and where the driver tells how far
 * it is final already while it is made, so that two processors are busy from the beginning.
 * making.c calls it.
 */
#ifndef BK_BACKUP_ARCHIVE_AHEAD_H
#define BK_BACKUP_ARCHIVE_AHEAD_H

#include <backup/archive/archive.h>
#include <backup/archive/codec.h>
#include <backup/aside.h>

struct bk__ahead {
    struct bk__aside aside;
    struct bk__job *job;
    struct bk__packing what;
    struct bk__coding coding;
    struct bk__archive_facts facts;
};

/* Begins. The paths, the growth and the coding's context must live on. */
void bk__ahead_begin(struct bk__ahead *ahead, struct bk__job *job,
                     const struct bk__packing *what);

/* Waits for it: 0, and the archive is whole and flushed; or an error, and what was written is the
   caller's to remove. */
int bk__ahead_end(struct bk__ahead *ahead, struct bk__archive_facts *ret);

#endif
