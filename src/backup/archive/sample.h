/*
 * Looking at an archive without reading all of it: where its blocks begin and end, and a sample of
 * its parts against the checksums in the manifest. No key is needed. verify.c calls it; reading to
 * the end is archive.h.
 */
#ifndef BK_BACKUP_ARCHIVE_SAMPLE_H
#define BK_BACKUP_ARCHIVE_SAMPLE_H

#include <stdbool.h>
#include <stdint.h>

#include <backup/archive/places.h>

struct bk__job;
struct bk__manifest;

struct bk__sample {
    bool parts;               /* also parts, in a random order; else only the structure */
    int64_t until_mono;       /* no further part is begun after this time */
    int64_t checked;          /* out: bytes of the parts that were read */
    struct bk__damage damage; /* out: the place that BK_ECORRUPT names */
};

/* 0, or BK_ECORRUPT with the place. */
int bk__sample_check(struct bk__job *job, const char *path,
                     const struct bk__manifest *manifest, struct bk__sample *sample);

#endif
