/*
 * Strict reading and checking of text: numbers, booleans, UTF-8, redaction. No locale, no state.
 * Not for building text (buf.h) or JSON (json.h). Every room calls it.
 */
#ifndef BK_BASE_TEXT_H
#define BK_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole text must be the value: no blanks, no rest ("24abc" is refused). */
bool bk__text_int(const char *text, int64_t *ret);
bool bk__text_number(const char *text, double *ret); /* decimal point, no inf, no nan */
bool bk__text_bool(const char *text,
                   bool *ret); /* true false 1 0 yes no on off, any case */

bool bk__text_utf8(const char *text);   /* valid UTF-8 (no surrogates) */
char *bk__text_clean(const char *text); /* copy; invalid bytes become U+FFFD */
bool bk__text_starts(const char *text, const char *start);
bool bk__text_ends(const char *text, const char *end);
char *bk__text_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* A copy of a URL in which any password is "***"; text that is no URL is copied as it is. */
char *bk__text_redact(const char *url);

#endif
