/*
 * Reading a dump's bytes in order. After an error, which sticks, what reads on gets nothing; so a
 * caller may look at rc when it suits. Not what they mean: image.c uses it.
 */
#ifndef BK_STORE_POSTGRES_BYTES_H
#define BK_STORE_POSTGRES_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk__job;
struct bk__pg_stream;

struct bk__pg_bytes {
    struct bk__job *job;
    const char *path; /* for texts */
    int fd;
    const struct bk__pg_stream *stream; /* fd is a pipe; NULL: a file */
    int64_t got;                        /* out of the pipe */
    int64_t size, done;                 /* of the file; read by the caller */
    unsigned char *piece;
    size_t at, filled;
    int int_size; /* of the dump's numbers */
    int rc;
};

/* Whatever comes of either, close. */
int bk__pg_bytes_open(struct bk__pg_bytes *in, const char *path);
int bk__pg_bytes_follow(struct bk__pg_bytes *in, const struct bk__pg_stream *stream);
void bk__pg_bytes_close(struct bk__pg_bytes *in);

/* BK_ECORRUPT with the place, or the error that was there before. */
int bk__pg_bytes_damaged(struct bk__pg_bytes *in, const char *why);

bool bk__pg_bytes_at_end(struct bk__pg_bytes *in); /* or after an error */
int bk__pg_bytes_byte(struct bk__pg_bytes *in);
int64_t bk__pg_bytes_int(struct bk__pg_bytes *in);
int64_t bk__pg_bytes_size(struct bk__pg_bytes *in); /* of a text; -1: there is none */
/* As many bytes as lie together, at most size; NULL at the end. */
const unsigned char *bk__pg_bytes_run(struct bk__pg_bytes *in, int64_t size, size_t *ret);
char *
bk__pg_bytes_text(struct bk__pg_bytes *in); /* malloc'd; NULL: there is none, or rc */

void bk__pg_bytes_skip(struct bk__pg_bytes *in, int64_t size);
void bk__pg_bytes_skip_text(struct bk__pg_bytes *in);
int bk__pg_bytes_rest(struct bk__pg_bytes *in); /* all that is left; rc */

#endif
