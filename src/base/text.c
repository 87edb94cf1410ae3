/*
 * Strict reading and checking of text: numbers, booleans, UTF-8, redaction. No locale, no
 * state. Not for building text (buf.c) or JSON (json.c). Every room calls it.
 */
#include <base/text.h>

#include <locale.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* tolower() and strcasecmp() follow the host's locale: in Turkish, 'I' is not 'i'. */
static char lower(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

static bool same_any_case(const char *a, const char *b) {
    while (*a && lower(*a) == lower(*b)) {
        a++;
        b++;
    }
    return !*a && !*b;
}

bool bk__text_int(const char *text, int64_t *ret) {
    bool negative = *text == '-';
    int64_t value = 0;

    if (negative) {
        text++;
    }
    if (!*text) {
        return false;
    }
    for (; *text; text++) {
        int64_t digit = *text - '0';

        /* Built below zero, because INT64_MIN has no positive twin. */
        if (!is_digit(*text) || __builtin_mul_overflow(value, 10, &value) ||
            __builtin_sub_overflow(value, digit, &value)) {
            return false;
        }
    }
    if (!negative && value == INT64_MIN) {
        return false;
    }
    *ret = negative ? value : -value;
    return true;
}

static size_t skip_digits(const char **at) {
    const char *start = *at;

    while (is_digit(**at)) {
        (*at)++;
    }
    return (size_t)(*at - start);
}

/* strtod() alone would take blanks, hexadecimal, "inf" and "nan". */
static bool looks_like_number(const char *at) {
    size_t digits;

    if (*at == '-') {
        at++;
    }
    digits = skip_digits(&at);
    if (*at == '.') {
        at++;
        digits += skip_digits(&at);
    }
    if (!digits) {
        return false;
    }
    if (*at == 'e' || *at == 'E') {
        at++;
        if (*at == '+' || *at == '-') {
            at++;
        }
        if (!skip_digits(&at)) {
            return false;
        }
    }
    return !*at;
}

bool bk__text_number(const char *text, double *ret) {
    double value;

    if (!looks_like_number(text)) {
        return false;
    }
    /* newlocale("C") is a constant of libc: nothing is allocated. */
    value = strtod_l(text, NULL, newlocale(LC_ALL_MASK, "C", (locale_t)0));
    if (!isfinite(value)) {
        return false;
    }
    *ret = value;
    return true;
}

bool bk__text_bool(const char *text, bool *ret) {
    static const char *const words[] = {"false", "true", "0",   "1",
                                        "no",    "yes",  "off", "on"};

    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (same_any_case(text, words[i])) {
            *ret = i % 2 == 1;
            return true;
        }
    }
    return false;
}

/* The length of the character at s, 0 where it is not one: RFC 3629, section 4. */
static size_t utf8_length(const unsigned char *s) {
    unsigned char low = 0x80, high = 0xBF;
    size_t size;

    if (s[0] < 0x80) {
        return 1;
    }
    if (s[0] < 0xC2 || s[0] > 0xF4) {
        return 0;
    }
    size = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (s[0] == 0xE0) {
        low = 0xA0; /* longer than needed below this */
    } else if (s[0] == 0xED) {
        high = 0x9F; /* surrogates above this */
    } else if (s[0] == 0xF0) {
        low = 0x90;
    } else if (s[0] == 0xF4) {
        high = 0x8F; /* beyond U+10FFFF above this */
    }
    if (s[1] < low || s[1] > high) {
        return 0;
    }
    /* The NUL at the end is no continuation byte, so this never reads past it. */
    for (size_t i = 2; i < size; i++) {
        if (s[i] < 0x80 || s[i] > 0xBF) {
            return 0;
        }
    }
    return size;
}

bool bk__text_utf8(const char *text) {
    while (*text) {
        size_t size = utf8_length((const unsigned char *)text);

        if (!size) {
            return false;
        }
        text += size;
    }
    return true;
}

char *bk__text_clean(const char *text) {
    struct bk__buf out = {0};

    if (bk__text_utf8(text)) {
        return strdup(text);
    }
    while (*text) {
        size_t size = utf8_length((const unsigned char *)text);

        if (size) {
            bk__buf_add(&out, text, size);
        } else {
            bk__buf_text(&out, "\xEF\xBF\xBD");
        }
        text += size ? size : 1;
    }
    return bk__buf_take(&out);
}

bool bk__text_starts(const char *text, const char *start) {
    return strncmp(text, start, strlen(start)) == 0;
}

bool bk__text_ends(const char *text, const char *end) {
    size_t size = strlen(text), tail = strlen(end);

    return size >= tail && strcmp(text + size - tail, end) == 0;
}

char *bk__text_printf(const char *format, ...) {
    struct bk__buf out = {0};
    va_list args;

    va_start(args, format);
    bk__buf_vprintf(&out, format, args);
    va_end(args);
    return bk__buf_take(&out);
}

static bool secret_name(const char *name, size_t size) {
    static const char *const ends[] = {"password", "passwd", "pwd", "secret", "token"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        size_t length = strlen(ends[i]), j = 0;

        while (j < length && size >= length &&
               lower(name[size - length + j]) == ends[i][j]) {
            j++;
        }
        if (j == length) {
            return true;
        }
    }
    return false;
}

/* Copies "?a=b&password=c" with the secrets' values hidden. */
static void redact_query(struct bk__buf *out, const char *at) {
    while (*at) {
        size_t separator = strspn(at, "?&#;");
        size_t name = strcspn(at + separator, "=?&#;");
        size_t value = strcspn(at + separator + name, "?&#;");

        if (value > 1 && secret_name(at + separator, name)) {
            bk__buf_add(out, at, separator + name + 1);
            bk__buf_text(out, "***");
        } else {
            bk__buf_add(out, at, separator + name + value);
        }
        at += separator + name + value;
    }
}

/* Digits alone, or nothing, up to the path or the next host. */
static bool is_port(const char *text) {
    size_t size = strcspn(text, "/?#,");

    return strspn(text, "0123456789") >= size;
}

char *bk__text_redact(const char *url) {
    const char *start = strstr(url, "://"), *rest, *colon, *at;
    struct bk__buf out = {0};

    if (!start) {
        return strdup(url);
    }
    rest = start + 3;
    colon = rest + strcspn(rest, ":/?#@");
    /* The last '@' ends the password, wherever it stands: people paste passwords with a
       raw '@',
       '/' or '#' in them, and hiding too much is better than showing a part. */
    at = *colon == ':' ? strrchr(colon, '@') : NULL;
    if (at) {
        bk__buf_add(&out, url, (size_t)(colon + 1 - url));
        bk__buf_text(&out, "***");
        rest = at;
    } else if (*colon == ':' && *rest != '[' && !is_port(colon + 1)) {
        /* A password whose '@' and host were lost. */
        bk__buf_add(&out, url, (size_t)(colon + 1 - url));
        bk__buf_text(&out, "***");
        rest = colon + strcspn(colon, "/?#");
    } else {
        bk__buf_add(&out, url, (size_t)(rest - url));
    }
    bk__buf_add(&out, rest, strcspn(rest, "?"));
    redact_query(&out, rest + strcspn(rest, "?"));
    return bk__buf_take(&out);
}
