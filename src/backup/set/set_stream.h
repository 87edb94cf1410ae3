/*
 * The folder of a finished set as a tar that is never a file: its bytes, asked for piece by piece.
 * set_tar.c packs them.
 */
#ifndef BK_BACKUP_SET_SET_STREAM_H
#define BK_BACKUP_SET_SET_STREAM_H

#include <stddef.h>
#include <stdint.h>

#include <backup/catalogue/name.h>
#include <backup/set/tar.h>

struct bk__manifest;

struct bk__set_stream {
    const char *folder;
    const struct bk__manifest *set;
    char stem[BK__NAME_SIZE]; /* what the folder is called in the tar */
    size_t next; /* 0: the folder; then each part; then the manifest; then the end */
    /* of the entry: its header and how much of that was given; the rest of its file; zeros after */
    unsigned char header[BK__TAR_BLOCK];
    size_t said;
    char *path;
    int fd; /* -1: none is open */
    int64_t left;
    size_t zeros;
};

/* Nothing is opened yet; what is named must live until the end. */
void bk__set_stream_begin(struct bk__set_stream *s, const char *folder,
                          const struct bk__manifest *set);
/* Fills room, but at the end; or an error. context: the stream. */
int64_t bk__set_stream_read(void *context, unsigned char *bytes, size_t room);
void bk__set_stream_end(struct bk__set_stream *s);

/* Where in the tar the archive of that store begins; -1: it has none. */
int64_t bk__set_stream_at(const struct bk__manifest *set, const char *store);

#endif
