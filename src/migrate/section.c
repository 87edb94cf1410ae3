/*
 * The inside of one migration file: dbmate's markers "-- migrate:up [transaction:false]"
 * and
 * "-- migrate:down"; a file without markers is all up. Not a SQL parser: statements are
 * split by the store's engine. files.c calls it, and the fuzzer.
 */
#include <migrate/migrate.h>

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <base/text.h>
#include <core/error.h>

enum marker { NO_MARKER, UP_MARKER, DOWN_MARKER, FOREIGN_MARKER, UNKNOWN_MARKER };

/* One line of the file, without its end. */
struct line {
    const char *text;
    size_t length;
};

struct sections {
    const char *up; /* the line after its marker */
    const char *up_marker;
    const char *down_marker;
    int up_line;
    bool transaction;
};

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\r';
}

static void skip_blanks(struct line *line) {
    while (line->length > 0 && is_blank(line->text[0])) {
        line->text++;
        line->length--;
    }
}

static bool skip_word(struct line *line, const char *word) {
    size_t length = strlen(word);
    if (line->length < length || strncasecmp(line->text, word, length) != 0) {
        return false;
    }
    line->text += length;
    line->length -= length;
    return true;
}

/* A word, and after it the end of the line or a blank. */
static bool skip_whole_word(struct line *line, const char *word) {
    struct line rest = *line;
    if (!skip_word(&rest, word) || (rest.length > 0 && !is_blank(rest.text[0]))) {
        return false;
    }
    *line = rest;
    return true;
}

/*
 * Which marker the line is; *line is then what follows it. Case and blanks are forgiven,
 * and other tools' markers are noticed: a marker taken for a comment would run the down
 * part as up.
 */
static enum marker marker_of(struct line *line) {
    skip_blanks(line);
    if (!skip_word(line, "--")) {
        return NO_MARKER;
    }
    skip_blanks(line);
    if (skip_word(line, "migrate:")) {
        if (skip_whole_word(line, "up")) {
            return UP_MARKER;
        }
        return skip_whole_word(line, "down") ? DOWN_MARKER : UNKNOWN_MARKER;
    }
    if (skip_whole_word(line, "+goose") || skip_whole_word(line, "+migrate") ||
        skip_whole_word(line, "+micrate")) {
        return FOREIGN_MARKER;
    }
    return NO_MARKER;
}

static int bad(const struct bk__migration *m, int line, const char *what,
               const char *advice) {
    return bk__fail(
        BK_EMIGRATION,
        "Migration %s, line %d: %s. Nothing was changed. %s, then run: botkeep "
        "migrate plan",
        m->file, line, what, advice);
}

/* "transaction:false" and "transaction:true", any number of them, and nothing else. */
static bool read_options(struct line rest, bool *ret_transaction) {
    *ret_transaction = true;
    for (skip_blanks(&rest); rest.length > 0; skip_blanks(&rest)) {
        if (skip_whole_word(&rest, "transaction:false")) {
            *ret_transaction = false;
        } else if (skip_whole_word(&rest, "transaction:true")) {
            *ret_transaction = true;
        } else {
            return false;
        }
    }
    return true;
}

static int take_marker(struct bk__migration *m, struct sections *s, enum marker marker,
                       const char *start, int line) {
    if (marker == FOREIGN_MARKER) {
        return bad(m, line, "this is another tool's marker",
                   "Write -- migrate:up and -- migrate:down instead");
    }
    if (marker == UNKNOWN_MARKER) {
        return bad(m, line, "this marker is neither migrate:up nor migrate:down",
                   "Write -- migrate:up or -- migrate:down");
    }
    if (marker == UP_MARKER && s->down_marker) {
        return bad(m, line, "migrate:up stands below migrate:down",
                   "Put the up part first, with one -- migrate:up");
    }
    if (marker == UP_MARKER ? s->up_marker != NULL : s->down_marker != NULL) {
        return bad(m, line, "this marker is there a second time",
                   "Keep one -- migrate:up and at most one -- migrate:down");
    }
    if (marker == UP_MARKER) {
        s->up_marker = start;
        s->up_line = line + 1;
    } else {
        s->down_marker = start;
    }
    return 0;
}

/* Finds the markers. The text ends in a NUL at end. */
static int find_sections(struct bk__migration *m, struct sections *s, const char *text,
                         const char *end) {
    int number = 1;
    for (const char *at = text; at < end; number++) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *next = line_end ? line_end + 1 : end;
        struct line line = {at, (size_t)((line_end ? line_end : end) - at)};
        enum marker marker = marker_of(&line);
        if (marker != NO_MARKER) {
            bool transaction = true;
            int rc = take_marker(m, s, marker, at, number);
            if (rc < 0) {
                return rc;
            }
            if (!read_options(line, &transaction)) {
                return bad(m, number, "this option of the marker is unknown",
                           "The only option is transaction:false");
            }
            if (marker == UP_MARKER) {
                s->transaction = transaction;
                s->up = next;
            }
        }
        at = next;
    }
    return 0;
}

/* Whether there is nothing but comments and blanks before the first marker. */
static bool only_comments(const char *at, const char *end) {
    while (at < end) {
        size_t left = (size_t)(end - at);
        const char *after = NULL;
        if (is_blank(*at) || *at == '\n') {
            after = at + 1;
        } else if (left >= 2 && memcmp(at, "--", 2) == 0) {
            after = memchr(at, '\n', left);
        } else if (left >= 4 && memcmp(at, "/*", 2) == 0) {
            after = memmem(at + 2, left - 2, "*/", 2);
            after = after ? after + 2 : NULL;
        }
        if (!after) {
            return false;
        }
        at = after;
    }
    return true;
}

static int check_text(const struct bk__migration *m, const char *text, size_t size) {
    const char *nul = memchr(text, 0, size);
    if (nul) {
        return bk__fail(
            BK_EMIGRATION,
            "Migration %s has a NUL byte at offset %zu, so it is not a text. Nothing "
            "was changed. Save it as UTF-8, then run: botkeep migrate plan",
            m->file, (size_t)(nul - text));
    }
    if (!bk__text_utf8(text)) {
        return bk__fail(
            BK_EMIGRATION,
            "Migration %s is not valid UTF-8. Nothing was changed. Save it as UTF-8, "
            "then run: botkeep migrate plan",
            m->file);
    }
    return 0;
}

static int cut_sections(struct bk__migration *m, const struct sections *s,
                        const char *text, const char *end) {
    const char *up = s->up ? s->up : text;
    const char *up_end = s->down_marker ? s->down_marker : end;
    m->up_line = s->up ? s->up_line : 1;
    m->transaction = s->transaction;
    m->up = strndup(up, (size_t)(up_end - up));
    m->down =
        s->down_marker ? strndup(s->down_marker, (size_t)(end - s->down_marker)) : NULL;
    return m->up && (m->down || !s->down_marker) ? 0 : bk__fail_memory();
}

int bk__section_parse(struct bk__migration *m, const char *text, size_t size) {
    struct sections s = {.transaction = true};
    int rc = check_text(m, text, size);
    if (rc < 0) {
        return rc;
    }
    if (!bk__checksum_text(text, size, m->checksum)) {
        return bk__fail_memory();
    }
    const char *start = bk__text_starts(text, "\xef\xbb\xbf") ? text + 3 : text;
    rc = find_sections(m, &s, start, text + size);
    if (rc < 0) {
        return rc;
    }
    if (s.down_marker && !s.up_marker) {
        return bad(m, 1, "there is a migrate:down and no migrate:up",
                   "Put -- migrate:up above the part that is to run");
    }
    if (s.up_marker && !only_comments(start, s.up_marker)) {
        return bad(m, 1, "there is SQL above migrate:up, which would never run",
                   "Move it below the marker");
    }
    return cut_sections(m, &s, start, text + size);
}
