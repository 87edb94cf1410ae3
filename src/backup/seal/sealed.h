/*
 * Encryption as a row of the codecs: frames around any other row's packed blocks. Not the frames
 * themselves: seal.h. archive.c reads and writes by these rows, make.c names what is inside.
 */
#ifndef BK_BACKUP_SEAL_SEALED_H
#define BK_BACKUP_SEAL_SEALED_H

#include <backup/archive/codec.h>
#include <backup/seal/seal.h>

/* An archive's seal and what its frames hold. All workers read it, so it outlives them. */
struct bk__sealing {
    struct bk__seal seal; /* a secret: wipe it */
    const struct bk__codec *inner;
};

/* The coding that seals by it, with the header as prefix. */
void bk__sealed_coding(const struct bk__sealing *sealing, struct bk__coding *ret);

extern const struct bk__codec bk__codec_sealed; /* with is a bk__sealing */

/* Reads without a key: only where frames begin and end. What is in them stays there; out_size is
   0 for the last one, else the frame's. */
extern const struct bk__codec bk__codec_shut;

#endif
