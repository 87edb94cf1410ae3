/*
 * Whether a text is JSON to the letter (RFC 8259): the gate before json-c, which forgives
 * NaN, leading zeros and control characters even when told to be strict. It builds
 * nothing, and does not look at UTF-8 (text.c). json.c alone calls it.
 */
#include <base/grammar.h>

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct cursor {
    const char *at;
    const char *why; /* the first thing wrong; NULL: nothing yet */
    int depth;       /* containers that may still be opened */
};

static bool value(struct cursor *c);

static bool wrong(struct cursor *c, const char *why) {
    c->why = why;
    return false;
}

static void blanks(struct cursor *c) {
    c->at += strspn(c->at, " \t\r\n");
}

/* Takes the character when it comes next. */
static bool taken(struct cursor *c, char wanted) {
    if (*c->at != wanted) {
        return false;
    }
    c->at++;
    return true;
}

static size_t digits(struct cursor *c) {
    size_t size = strspn(c->at, "0123456789");

    c->at += size;
    return size;
}

static bool number(struct cursor *c) {
    taken(c, '-');
    if (!taken(c, '0') && !digits(c)) {
        return wrong(c, "a value is missing or not one of JSON's");
    }
    if (taken(c, '.') && !digits(c)) {
        return wrong(c, "a number has no digits behind its point");
    }
    if (*c->at == 'e' || *c->at == 'E') {
        c->at++;
        if (!taken(c, '+')) {
            taken(c, '-');
        }
        if (!digits(c)) {
            return wrong(c, "a number has no digits in its exponent");
        }
    }
    return true;
}

static bool escape(struct cursor *c) {
    if (*c->at != 'u') {
        if (!*c->at || !strchr("\"\\/bfnrt", *c->at)) {
            return wrong(c, "a text holds an unknown escape");
        }
        c->at++;
        return true;
    }
    c->at++;
    if (strspn(c->at, "0123456789abcdefABCDEF") < 4) {
        return wrong(c, "a text holds a \\u without four digits");
    }
    if (strncmp(c->at, "0000", 4) == 0) {
        return wrong(c, "a text holds a NUL");
    }
    c->at += 4;
    return true;
}

static bool string(struct cursor *c) {
    if (!taken(c, '"')) {
        return wrong(c, "a name in double quotes is missing");
    }
    while (*c->at != '"') {
        if ((unsigned char)*c->at < 0x20) {
            return wrong(c, *c->at ? "a text holds a bare control character"
                                   : "a text does not end");
        }
        if (taken(c, '\\')) {
            if (!escape(c)) {
                return false;
            }
        } else {
            c->at++;
        }
    }
    c->at++;
    return true;
}

static bool member(struct cursor *c) {
    blanks(c);
    if (!string(c)) {
        return false;
    }
    blanks(c);
    if (!taken(c, ':')) {
        return wrong(c, "a colon is missing behind a name");
    }
    return value(c);
}

/* The inside of a list or an object, whose opening bracket is taken already. */
static bool items(struct cursor *c, char end, bool (*item)(struct cursor *)) {
    if (c->depth-- <= 0) {
        return wrong(c, "it is nested too deep");
    }
    blanks(c);
    if (!taken(c, end)) {
        do {
            if (!item(c)) {
                return false;
            }
            blanks(c);
        } while (taken(c, ','));
        if (!taken(c, end)) {
            return wrong(c, "a comma or a closing bracket is missing");
        }
    }
    c->depth++;
    return true;
}

static bool word(struct cursor *c, const char *text) {
    if (strncmp(c->at, text, strlen(text)) != 0) {
        return wrong(c, "a value is missing or not one of JSON's");
    }
    c->at += strlen(text);
    return true;
}

static bool value(struct cursor *c) {
    blanks(c);
    switch (*c->at) {
    case '{':
        c->at++;
        return items(c, '}', member);
    case '[':
        c->at++;
        return items(c, ']', value);
    case '"':
        return string(c);
    case 't':
        return word(c, "true");
    case 'f':
        return word(c, "false");
    case 'n':
        return word(c, "null");
    default:
        return number(c);
    }
}

const char *bk__grammar_check(const char *text, int depth) {
    struct cursor c = {.at = text, .depth = depth};

    blanks(&c);
    if (*c.at != '{') {
        return "it is not a JSON object";
    }
    if (!value(&c)) {
        return c.why;
    }
    blanks(&c);
    return *c.at ? "something stands behind its end" : NULL;
}
