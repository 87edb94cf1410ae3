/*
 * What an image is, and in which pages it differs from an earlier backup's: one reading of it, along
 * while it is made. differ.c asks.
 */
#ifndef BK_BACKUP_DELTA_CHANGES_H
#define BK_BACKUP_DELTA_CHANGES_H

#include <stdbool.h>
#include <stdint.h>

#include <base/hash.h>
#include <backup/delta/delta.h>

struct bk__growth;
struct bk__job;
struct bk__pages;

struct bk__changes {
    struct bk__job *job;
    const char *image;
    struct bk__growth *growth; /* of the image */
    struct bk__pages *pages;
    const char *payload;  /* where the changes are written (a new file); NULL: nowhere */
    int64_t payload_most; /* bytes that are worth it */
    struct bk__delta
        delta; /* page size, pages, and the parent's facts; sha256 is filled */
    /* out */
    bool useful; /* the payload is there, whole, and worth it */
    int64_t payload_bytes;
    char payload_sha256[BK__SHA256_HEX];
};

#define BK__CHANGES_GIVEN_UP 1 /* the image was, so that nothing is known */

/* 0, BK__CHANGES_GIVEN_UP or an error. */
int bk__changes_find(struct bk__changes *changes);

#endif
