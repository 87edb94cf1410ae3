/*
 * The checksum of a migration: SHA-256 over its text with everything taken out that
 * editors and git change by themselves. Not the hash itself (base/hash.h). section.c
 * calls it.
 */
#include <migrate/migrate.h>

#include <string.h>

#include <base/buf.h>

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

/* Line ends are added only once a line with text follows, so that none at the end counts.
 */
bool bk__checksum_text(const char *text, size_t size, char ret_hex[BK__SHA256_HEX]) {
    struct bk__buf out = {0};
    size_t at = size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
    size_t line_ends = 0;

    while (at < size) {
        const char *line = text + at;
        const char *end = memchr(line, '\n', size - at);
        size_t length = end ? (size_t)(end - line) : size - at;
        at += length + 1;
        while (length > 0 && is_blank(line[length - 1])) {
            length--;
        }
        if (length > 0) {
            for (; line_ends > 0; line_ends--) {
                bk__buf_add(&out, "\n", 1);
            }
            bk__buf_add(&out, line, length);
        }
        line_ends++;
    }
    bool good = !out.failed;
    if (good) {
        bk__hash_bytes(out.data ? out.data : "", out.size, ret_hex);
    }
    bk__buf_free(&out);
    return good;
}
