/*
 * Reads the variables we know out of a .env file's text, as docker compose, dotenv and
 * python-dotenv agree on it. It expands nothing and leaves lines of others alone.
 * config_resolve.c calls it.
 */
#include <core/config_inside.h>

#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <core/error.h>

static const char *skip_blanks(const char *at) {
    while (*at == ' ' || *at == '\t') {
        at++;
    }
    return at;
}

static const char *line_end(const char *at) {
    return at + strcspn(at, "\n");
}

/* Is this line an assignment to the name? The text after "=", or NULL. */
static const char *assigned(const char *line, const char *name, size_t length) {
    const char *at = skip_blanks(line);
    if (strncmp(at, "export", 6) == 0 && (at[6] == ' ' || at[6] == '\t')) {
        at = skip_blanks(at + 6);
    }
    if (strncmp(at, name, length) != 0) {
        return NULL;
    }
    at = skip_blanks(at + length);
    return *at == '=' ? skip_blanks(at + 1) : NULL;
}

/* Without quotes: up to a comment, less the blanks at the end. */
static void read_bare(const char *at, struct bk__buf *buf) {
    const char *end = at;
    const char *keep = at;
    for (; *end && *end != '\n' && *end != '\r'; end++) {
        if (*end == '#' && (end == at || end[-1] == ' ' || end[-1] == '\t')) {
            break;
        }
        if (*end != ' ' && *end != '\t') {
            keep = end + 1;
        }
    }
    bk__buf_add(buf, at, (size_t)(keep - at));
}

static char unescaped(char escape) {
    return escape == 'n' ? '\n' : escape == 't' ? '\t' : escape == 'r' ? '\r' : escape;
}

/* In quotes: up to the same quote on the same line; double quotes know \n, \" and \\. */
static bool read_quoted(const char *at, struct bk__buf *buf) {
    char quote = *at++;
    for (; *at && *at != '\n'; at++) {
        if (*at == quote) {
            const char *rest = skip_blanks(at + 1);
            return *rest == '\0' || *rest == '\n' || *rest == '\r' || *rest == '#';
        }
        char byte = *at;
        if (quote == '"' && byte == '\\' && at[1] && at[1] != '\n') {
            byte = unescaped(*++at);
        }
        bk__buf_add(buf, &byte, 1);
    }
    return false;
}

/* The last assignment wins, as everywhere. *ret stays NULL where there is none. */
static int find_value(const char *text, const char *name, size_t length, char **ret) {
    int line = 0;
    for (const char *at = text; *at; at = line_end(at), at += *at == '\n') {
        line++;
        const char *value = assigned(at, name, length);
        if (!value) {
            continue;
        }
        struct bk__buf buf = {0};
        bk__buf_text(&buf, "");
        if (*value != '"' && *value != '\'') {
            read_bare(value, &buf);
        } else if (!read_quoted(value, &buf)) {
            bk__buf_free(&buf);
            return bk__fail(
                BK_EINVAL,
                "Line %d of the .env file has no closing quote for %.*s. Nothing was "
                "changed. Put the value in quotes on one line.",
                line, (int)length, name);
        }
        free(*ret);
        *ret = bk__buf_take(&buf);
        if (!*ret) {
            return bk__fail_memory();
        }
    }
    return 0;
}

int bk__config_dotenv(const char *text, const char *names, char **ret, char **ret_name) {
    *ret = NULL;
    *ret_name = NULL;
    if (strncmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
    }
    for (const char *name = names; *name;) {
        size_t length = strcspn(name, ",");
        char *value = NULL;
        int code = find_value(text, name, length, &value);
        if (code < 0) {
            free(value);
            return code;
        }
        if (value && value[0]) {
            *ret_name = strndup(name, length);
            if (!*ret_name) {
                free(value);
                return bk__fail_memory();
            }
            *ret = value;
            return 0;
        }
        free(value);
        name += length;
        name += *name == ',';
    }
    return 0;
}
