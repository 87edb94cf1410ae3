/*
 * A foreign backup's bytes, unpacked into a plain file to be looked at. The original is only read.
 * Not what they mean: examine.c, which calls it.
 */
#ifndef BK_BACKUP_FOREIGN_UNPACK_H
#define BK_BACKUP_FOREIGN_UNPACK_H

#include <stdint.h>
#include <sys/types.h>

#include <backup/foreign/pattern.h>

struct bk__job;

struct bk__unpacked {
    int64_t bytes;
    enum bk__content content; /* as the first bytes tell */
    const char *other;        /* what else they tell (other.h); NULL: nothing */
};

/* Reads the file at path, which must still be the one with this device and inode, to its end into a
   new file at out. How it is packed the first bytes say, whatever its name. name is for texts.
   BK_ECORRUPT: it is torn, and where. */
struct bk__unpack {
    const char *name;
    const char *path;
    dev_t dev;
    ino_t ino;
    const char *out;
};
int bk__unpack(struct bk__job *job, const struct bk__unpack *what,
               struct bk__unpacked *ret);

/* What the first bytes of a plain file say that it is. */
enum bk__content bk__unpack_sniff(const unsigned char *bytes, size_t size);

#endif
