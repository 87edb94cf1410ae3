/*
 * A growing byte buffer whose failures stick. Not a text library: text.h is.
 * Every room uses it to build text without checking each append.
 */
#ifndef BK_BASE_BUF_H
#define BK_BASE_BUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

/* Start with {0}. data is NUL-ended once anything was appended. */
struct bk__buf {
    char *data;
    size_t size;
    size_t room;
    bool failed; /* out of memory at some append; later appends do nothing */
};

void bk__buf_free(struct bk__buf *buf);
void bk__buf_clear(struct bk__buf *buf); /* keeps the memory */
void bk__buf_add(struct bk__buf *buf, const void *bytes, size_t size);
void bk__buf_text(struct bk__buf *buf, const char *text);
void bk__buf_printf(struct bk__buf *buf, const char *format, ...)
    __attribute__((format(printf, 2,
                          3))); /* the decimal point is a point in every locale */
void bk__buf_vprintf(struct bk__buf *buf, const char *format, va_list args)
    __attribute__((format(printf, 2, 0)));

/* Gives the text away and empties the buffer; the caller frees it. NULL: out of memory. */
char *bk__buf_take(struct bk__buf *buf);

#endif
