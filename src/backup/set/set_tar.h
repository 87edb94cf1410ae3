/*
 * Sets in one file: backup_STAMP.tar.gz with its manifest beside it, which plain tar unpacks into
 * the folder that the other layout is. set.c writes one, verify.c and extract.c read it.
 */
#ifndef BK_BACKUP_SET_SET_TAR_H
#define BK_BACKUP_SET_SET_TAR_H

struct bk__damage;
struct bk__folder;
struct bk__job;
struct bk__manifest;

/* Packs the finished folder of a set ("none": not at all, as where its parts are encrypted), reads
   the file back and publishes it with its manifest. *facts, those of the folder, become those of the
   file. The folder stays. */
int bk__set_tar_publish(struct bk__job *job, const struct bk__folder *folder,
                        const char *inside, const char *compress,
                        struct bk__manifest *facts);

/* Where one part of it goes, once it is sound, whatever follows it; a part of NULL: nowhere, all of
   it is only checked. */
struct bk__set_tar_out {
    const char *phase;               /* what progress is told under */
    const struct bk__manifest *part; /* one of the set's */
    int fd;                          /* gets the part's archive */
    const char *path;                /* for error texts */
    struct bk__damage *damage;       /* as of struct bk__archive_sink */
};

/* Reads such a file to its end: every byte and every part must be as the manifest says. */
int bk__set_tar_read(struct bk__job *job, const char *path,
                     const struct bk__manifest *set, const struct bk__set_tar_out *out);

#endif
