/*
 * tar in small: headers of plain files and folders, which any tar reads, and a strict reader that
 * is fed pieces and believes nothing. Not gzip, not files, not what the entries mean: set.c writes
 * and reads sets with it, and foreign .tar.gz files are read with it too.
 */
#ifndef BK_BACKUP_SET_TAR_H
#define BK_BACKUP_SET_TAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BK__TAR_BLOCK 512
#define BK__TAR_NAME 257     /* a name's bytes with the NUL: prefix, slash and name */
#define BK__TAR_END 1024     /* so many zeros end an archive */
#define BK__TAR_ENTRIES 4096 /* more in one archive are refused */
#define BK__TAR_LIMIT (INT64_C(1) << 52) /* bytes of one entry, at most */

/* ---- writing: a header, the bytes, zeros up to a whole block; at the end BK__TAR_END zeros -------- */

/* The header of a file, or of a folder (its name ends in a slash, its size is 0). False: the name
   is no good or longer than 100 bytes, or the size is out of range. */
bool bk__tar_header(unsigned char out[BK__TAR_BLOCK], const char *name, int64_t size,
                    int64_t unix_seconds);
size_t bk__tar_padding(int64_t size); /* the zeros after so many bytes: 0 to 511 */

/* ---- reading ---------------------------------------------------------------------------- */

enum bk__tar_why {
    BK__TAR_FINE,
    BK__TAR_HEADER,  /* it is no tar header, or its sum is wrong */
    BK__TAR_KIND,    /* a link, a device, or an extension that changes names or sizes */
    BK__TAR_PATH,    /* a name that leads out of the archive, or is no plain name */
    BK__TAR_SIZE,    /* a size that cannot be */
    BK__TAR_MANY,    /* more entries than BK__TAR_ENTRIES */
    BK__TAR_SHORT,   /* it ends in the middle */
    BK__TAR_JUNK,    /* something follows its end */
    BK__TAR_STOPPED, /* the sink said stop */
};
const char *bk__tar_why_text(enum bk__tar_why why);

/* What entries are given to: begin, data any number of times, end. Nonzero: stop. Names are plain
   relative paths ("folder/file"), a leading "./" left out; folders end in a slash. */
struct bk__tar_sink {
    void *context;
    int (*begin)(void *context, const char *name, int64_t size);
    int (*data)(void *context, const unsigned char *bytes, size_t size);
    int (*end)(void *context);
};

/* One archive being read; begin with bk__tar_begin(). No memory is taken. */
struct bk__tar {
    const struct bk__tar_sink *sink;
    enum bk__tar_why why; /* the first complaint; everything after it is refused */
    unsigned char block[BK__TAR_BLOCK];
    size_t have;             /* bytes of a header, or of an extension's record */
    char name[BK__TAR_NAME]; /* of the entry that is read, or was last */
    int64_t at;              /* bytes taken so far */
    int64_t header_at;       /* where that entry's header begins */
    int64_t left, padding;   /* of the entry that is read */
    int entries;
    int zeros;      /* zero blocks at the end, up to two */
    bool extension; /* the entry is an extended header, not a file */
    bool open;      /* an entry was begun and not ended */
};

void bk__tar_begin(struct bk__tar *tar, const struct bk__tar_sink *sink);
/* The next piece, of any size. BK__TAR_FINE to go on. */
enum bk__tar_why bk__tar_push(struct bk__tar *tar, const unsigned char *bytes,
                              size_t size);
/* There is no more. BK__TAR_SHORT where more was to come. */
enum bk__tar_why bk__tar_finish(struct bk__tar *tar);

#endif
