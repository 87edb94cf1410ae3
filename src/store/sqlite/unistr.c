/*
 * The SQL function unistr(), by which SQLite from 3.50 on writes control characters into a dump. Not
 * needed by any statement of ours. load.c gives it to the dump.
 */
#include <store/sqlite/internal.h>

static int hex_of(const unsigned char *text, int digits) {
    int value = 0;

    for (int i = 0; i < digits; i++) {
        int c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;

        if (digit < 0) {
            return -1;
        }
        value = value << 4 | digit;
    }
    return value;
}

static size_t put_utf8(unsigned char *out, int c) {
    if (c < 0x80) {
        out[0] = (unsigned char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (unsigned char)(0xc0 | c >> 6);
        out[1] = (unsigned char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (unsigned char)(0xe0 | c >> 12);
        out[1] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (unsigned char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (unsigned char)(0xf0 | c >> 18);
    out[1] = (unsigned char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (unsigned char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (unsigned char)(0x80 | (c & 0x3f));
    return 4;
}

/* One escape behind a backslash: how many bytes it has, and its character; 0: it is none. */
static size_t take_escape(const unsigned char *in, int *ret) {
    int digits = *in == '+' ? 6 : *in == 'u' ? 4 : *in == 'U' ? 8 : 4;
    size_t lead = *in == '+' || *in == 'u' || *in == 'U' ? 1 : 0;

    if (*in == '\\') {
        *ret = '\\';
        return 1;
    }
    *ret = hex_of(in + lead, digits);
    return *ret < 0 || *ret > 0x10ffff ? 0 : lead + (size_t)digits;
}

/* What comes out is never longer than what goes in. */
void bk__sqlite_unistr(sqlite3_context *context, int count, sqlite3_value **values) {
    const unsigned char *in = sqlite3_value_text(values[0]);
    unsigned char *out =
        in == NULL ? NULL : sqlite3_malloc(sqlite3_value_bytes(values[0]) + 1);
    size_t size = 0;

    (void)count;
    if (in == NULL) {
        sqlite3_result_null(context);
        return;
    }
    if (out == NULL) {
        sqlite3_result_error_nomem(context);
        return;
    }
    while (*in != '\0') {
        int c = *in++;
        size_t used = c == '\\' ? take_escape(in, &c) : 0;

        if (c < 0 || (in[-1] == '\\' && used == 0)) {
            sqlite3_free(out);
            sqlite3_result_error(context, "invalid Unicode escape", -1);
            return;
        }
        if (used > 0) {
            size += put_utf8(out + size, c);
            in += used;
        } else {
            out[size++] = (unsigned char)c;
        }
    }
    sqlite3_result_text(context, (char *)out, (int)size, sqlite3_free);
}
