/*
 * One pass over the bytes of an image and its archive: where it reads, what it hashes, where it
 * writes. archive.c (reading) and pack.c (packing) are built on it.
 */
#ifndef BK_BACKUP_ARCHIVE_PASS_H
#define BK_BACKUP_ARCHIVE_PASS_H

#include <stdbool.h>
#include <stdint.h>

#include <base/hash.h>
#include <backup/archive/codec.h>
#include <backup/archive/places.h>
#include <backup/seal/sealed.h>

struct bk__archive_sink;
struct bk__archive_source;
struct bk__growth;
struct bk__job;

struct bk__pass {
    struct bk__job *job;
    const struct bk__archive_sink *sink;
    const char *in_path;
    const char *out_path;
    int in_fd, out_fd;
    struct bk__hash *in_hash, *out_hash;
    int64_t in_bytes, out_bytes;
    int64_t total;                           /* of what is read */
    int64_t from;                            /* where in the file that begins */
    const struct bk__archive_source *source; /* packing: in the place of a file */
    struct bk__coding coding;
    struct bk__places places; /* of the archive, whichever side it is */
    bool ended;               /* the coding's last block was read */
    enum bk__codec_why
        stuck; /* reading: why no further block could be read, at stuck_at */
    int64_t stuck_at;
    bool same;                  /* what comes in goes out: a plain archive */
    struct bk__growth *growth;  /* of the image that is packed; NULL: it is whole */
    struct bk__sealing sealing; /* of an encrypted archive that is read */
};

/* Opens what is read, all of a file or what pass->sink says; begins the hashes. Whatever comes of it,
   close. */
int bk__pass_open(struct bk__pass *pass, const char *in_path);
void bk__pass_close(struct bk__pass *pass);

/* Up to room bytes of the input's beginning. */
int64_t bk__pass_peek(struct bk__pass *pass, unsigned char *bytes, size_t room);

/* Up to room bytes of the input, hashed. */
int64_t bk__pass_read(struct bk__pass *pass, unsigned char *bytes, size_t room);

/* Hashes and writes; asks whether the job is cancelled. */
int bk__pass_write(struct bk__pass *pass, const unsigned char *bytes, size_t size);

/* Ends both hashes into text; the pass can only be closed after it. Where both sides are the same
   bytes only the first was made. */
void bk__pass_sums(struct bk__pass *pass, char in_hex[BK__SHA256_HEX],
                   char out_hex[BK__SHA256_HEX]);

/* One worker's state: the codec's own, and which codec it is. */
struct bk__pass_worker {
    const struct bk__codec *codec;
    void *state;
    /* Packing: what was packed is unpacked here; from a copy where unpacking changes it. */
    unsigned char *again, *copy;
};

/* packs: it unpacks again what it packed. NULL: out of memory. */
struct bk__pass_worker *bk__pass_worker_new(const struct bk__pass *pass, bool packs);
void bk__pass_worker_free(void *worker);

size_t bk__pass_room(const struct bk__pass *pass); /* of the pipeline's blocks */

#endif
