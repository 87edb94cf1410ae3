/*
 * Archives as bytes: packing a database image, and reading an archive back while hashing it.
 * making.c and set_tar.c pack, everything else reads; the catalogue knows which archives exist.
 */
#ifndef BK_BACKUP_ARCHIVE_ARCHIVE_H
#define BK_BACKUP_ARCHIVE_ARCHIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/hash.h>
#include <backup/archive/places.h>

struct bk__coding;
struct bk__form;
struct bk__growth;
struct bk__job;
struct bk__manifest;

/* What the bytes of an archive are. */
struct bk__archive_facts {
    int64_t bytes; /* of the file */
    int64_t database_bytes;
    char sha256[BK__SHA256_HEX]; /* of the image inside */
    char archive_sha256[BK__SHA256_HEX];
    struct bk__places places; /* of the file */
    bool shut; /* it is encrypted and there was no key: what is inside was not read */
};

/* An image that is not one file: read() fills room but at the end, or fails with its text set. */
struct bk__archive_source {
    int64_t (*read)(void *context, unsigned char *bytes, size_t room);
    void *context;
    int64_t bytes; /* about so many, for progress */
};

/* Packs an image into a new file, fsyncs it, and says what was written. Each block was unpacked
   again and compared. Never plain where the options ask for encryption. */
struct bk__packing {
    const char *image;
    const struct bk__archive_source *source; /* NULL: the image is that file */
    bool sealed;               /* all that is in the image was encrypted before */
    struct bk__growth *growth; /* the image is still being made; NULL: it is whole */
    const char *archive;       /* there must be no such file */
    const struct bk__coding *coding;
};
int bk__archive_pack(struct bk__job *job, const struct bk__packing *what,
                     struct bk__archive_facts *ret);

/* Reads the file again and compares its bytes with those that were written, by their sums alone:
   *ret is the first part that differs, {0} when none does. */
int bk__archive_reread(struct bk__job *job, const char *path,
                       const struct bk__archive_facts *written, struct bk__damage *ret);

/* Where reading goes, and under which name progress is told. */
struct bk__archive_sink {
    const char *phase;      /* "verify", "restore" */
    const char *what;       /* the backup's name, for error texts; NULL: the manifest's */
    const char *out_path;   /* for error texts; NULL when out_fd is negative */
    int out_fd;             /* the image is written here as well; -1: only read */
    int64_t database_bytes; /* the most that is accepted: a bomb stops here */
    int64_t from, size; /* where in the file the archive is; size 0: it is all of it */
    bool
        ours; /* it was packed here, so that a damaged head is not another program's stream */

    /* Of encrypted archives. key_id: the header must name this key; NULL: any. may_be_shut: without
       its key only the frames are read; otherwise that is BK_EDENIED. */
    const char *key_id;
    bool may_be_shut;

    struct bk__damage
        *damage; /* gets the place that BK_ECORRUPT names; NULL: nobody asks */

    /* Each piece of the image is given to it, in order; nonzero, with its text set, stops. NULL:
       nobody listens. */
    int (*take)(void *context, const unsigned char *bytes, size_t size);
    void *context;
};

/* Reads an archive from its file to the end. BK_ECORRUPT names the place. */
int bk__archive_read(struct bk__job *job, const char *path, const struct bk__form *form,
                     const struct bk__archive_sink *sink, struct bk__archive_facts *ret);

/* The same, and every fact must be what the manifest says: BK_ECORRUPT otherwise. key_id and
   database_bytes of the sink come from the manifest. 1: all is well, but it stayed shut. */
int bk__archive_check(struct bk__job *job, const char *path,
                      const struct bk__manifest *manifest, struct bk__archive_sink sink);

#endif
