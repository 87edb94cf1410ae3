/*
 * Encrypted archives as bytes: a header that names the key, then frames that each hold one packed
 * block, bound to their archive and their place in it. Not keys (key.h), not options
 * (encryption.h), not files: archive.c reads and writes.
 */
#ifndef BK_BACKUP_SEAL_SEAL_H
#define BK_BACKUP_SEAL_SEAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <backup/seal/key.h>

#define BK__SEAL_HEADER 56
#define BK__SEAL_BEFORE 4 /* a frame's length, before what it holds */
#define BK__SEAL_AROUND (BK__SEAL_BEFORE + 16) /* the tag follows */

/* Bytes that a frame holds, at most: no packed block is larger. Part of the format. */
#define BK__SEAL_LIMIT (((size_t)1 << 20) + ((size_t)1 << 14))
#define BK__SEAL_ROOM (BK__SEAL_LIMIT + BK__SEAL_AROUND)

/* One archive's header and its own key, which is a secret: wipe it. Workers share it, read only. */
struct bk__seal {
    unsigned char header[BK__SEAL_HEADER];
    unsigned char key[BK__KEY_BYTES];
};
void bk__seal_wipe(struct bk__seal *seal); /* {0} is fine */

/* A new archive's, for a key that writes. BK_EINVAL: no such public key can be. */
int bk__seal_begin(const struct bk__key *key, struct bk__seal *ret);

/* What a header says without a key. NULL, or why it is no header. */
struct bk__seal_facts {
    enum bk__key_mode mode;
    char key_id[BK__KEY_ID];
};
const char *bk__seal_facts(const unsigned char header[BK__SEAL_HEADER],
                           struct bk__seal_facts *ret);

/* An archive's, for the key its header names, with the secret. False: not with this key. */
bool bk__seal_open(const unsigned char header[BK__SEAL_HEADER], const struct bk__key *key,
                   struct bk__seal *ret);

/* Both work in place: the frame's contents lie BK__SEAL_BEFORE bytes into it. Frames count from 0;
   the one that holds nothing is the last. size is that of the contents; closing gives the whole
   frame's. Opening is false when this is not what was sealed at this place of this archive. */
size_t bk__seal_close_frame(const struct bk__seal *seal, uint64_t index,
                            unsigned char *frame, size_t size);
bool bk__seal_open_frame(const struct bk__seal *seal, uint64_t index,
                         unsigned char *frame, size_t frame_size);

/* The whole frame's size from its first BK__SEAL_BEFORE bytes, or 0: no frame is like that. */
size_t bk__seal_frame_size(const unsigned char head[BK__SEAL_BEFORE]);

#endif
