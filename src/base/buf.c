/*
 * A growing byte buffer whose failures stick: appends need no check, the end does.
 * Not a text library (text.c). Every room builds its text with it.
 */
#include <base/buf.h>

#include <locale.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SHORT_PIECE 120 /* bytes */

/* Makes room for size more bytes and the NUL. */
static bool grow(struct bk__buf *buf, size_t size) {
    size_t room = buf->room ? buf->room : 64;
    char *data;

    if (buf->failed || size > SIZE_MAX / 4 - buf->size) {
        buf->failed = true;
        return false;
    }
    while (room < buf->size + size + 1) {
        room *= 2;
    }
    if (room == buf->room) {
        return true;
    }
    data = realloc(buf->data, room);
    if (!data) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->room = room;
    return true;
}

void bk__buf_free(struct bk__buf *buf) {
    free(buf->data);
    *buf = (struct bk__buf){0};
}

void bk__buf_clear(struct bk__buf *buf) {
    buf->size = 0;
    buf->failed = false;
    if (buf->data) {
        buf->data[0] = '\0';
    }
}

void bk__buf_add(struct bk__buf *buf, const void *bytes, size_t size) {
    if (!grow(buf, size)) {
        return;
    }
    if (size) {
        memcpy(buf->data + buf->size, bytes, size);
    }
    buf->size += size;
    buf->data[buf->size] = '\0';
}

void bk__buf_text(struct bk__buf *buf, const char *text) {
    bk__buf_add(buf, text, strlen(text));
}

/* Prints into the room there is, NUL and all; what the whole takes, or less than 0. */
static int print_here(struct bk__buf *buf, const char *format, va_list args) {
    va_list again;
    int size;

    va_copy(again, args);
    size = vsnprintf(buf->data + buf->size, buf->room - buf->size, format, again);
    va_end(again);
    return size;
}

void bk__buf_vprintf(struct bk__buf *buf, const char *format, va_list args) {
    /* The host may have set a locale with a decimal comma. newlocale("C") is a constant
       of libc: it allocates nothing, and uselocale() concerns this thread alone. */
    locale_t before = uselocale(newlocale(LC_ALL_MASK, "C", (locale_t)0));
    int size = grow(buf, SHORT_PIECE) ? print_here(buf, format, args) : -1;

    /* Most pieces are short: they are printed once, the others measured so and printed again. */
    if (size >= 0 && (size_t)size >= buf->room - buf->size) {
        size = grow(buf, (size_t)size) ? print_here(buf, format, args) : -1;
    }
    if (size >= 0) {
        buf->size += (size_t)size;
    } else {
        buf->failed = true;
        if (buf->data) {
            buf->data[buf->size] = '\0'; /* a part may stand behind it */
        }
    }
    uselocale(before);
}

void bk__buf_printf(struct bk__buf *buf, const char *format, ...) {
    va_list args;

    va_start(args, format);
    bk__buf_vprintf(buf, format, args);
    va_end(args);
}

char *bk__buf_take(struct bk__buf *buf) {
    char *text;

    bk__buf_add(buf, "", 0);
    if (buf->failed) {
        bk__buf_free(buf);
        return NULL;
    }
    text = buf->data;
    *buf = (struct bk__buf){0};
    return text;
}
