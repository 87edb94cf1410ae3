/*
 * The marks that pg_dump, pg_dumpall and SQLite's .dump leave at the beginning and the end, and the
 * data blocks of pg_dump, each of which must be ended. Called by examine.c.
 */
#include <backup/foreign/sqltext.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include <base/text.h>

#define LINES_OF_HEAD 20 /* in which the tool names itself */

static void take_head(struct bk__sqltext *sql) {
    if (bk__text_starts(sql->text, "-- PostgreSQL database dump") ||
        bk__text_starts(sql->text, "-- PostgreSQL database cluster dump")) {
        sql->kind = BK__SQLTEXT_POSTGRES;
    } else if (strncasecmp(sql->text, "BEGIN TRANSACTION;", 18) == 0 ||
               strncasecmp(sql->text, "PRAGMA foreign_keys", 19) == 0) {
        sql->kind = BK__SQLTEXT_SQLITE;
    }
}

/* Since 2025 pg_dump locks psql's own commands with a key, and unlocks them in its last line. */
static bool take_key(struct bk__sqltext *sql) {
    if (bk__text_starts(sql->text, "\\restrict ")) {
        snprintf(sql->key, sizeof sql->key, "%s", strchr(sql->text, ' '));
        sql->unlocked = false;
        return true;
    }
    if (bk__text_starts(sql->text, "\\unrestrict ")) {
        sql->unlocked = strcmp(strchr(sql->text, ' '), sql->key) == 0;
        return true;
    }
    return false;
}

static bool begins_copy(const char *line) {
    return bk__text_starts(line, "COPY ");
}

/* The name of a table with many columns makes the line long; only its end says "FROM stdin;". */
static void take_line(struct bk__sqltext *sql, const char *tail) {
    if (sql->copying) {
        sql->copying = strcmp(sql->text, "\\.") != 0;
        sql->rows += sql->copying;
        sql->tables += !sql->copying;
        return;
    }
    if (sql->kind == BK__SQLTEXT_OTHER && sql->line <= LINES_OF_HEAD) {
        take_head(sql);
    }
    if (sql->text[0] == '\0' || strcmp(sql->text, "--") == 0 || take_key(sql)) {
        return; /* what may stand behind the end */
    }
    if (sql->kind == BK__SQLTEXT_POSTGRES) {
        sql->finished =
            bk__text_starts(sql->text, "-- PostgreSQL database dump complete") ||
            bk__text_starts(sql->text, "-- PostgreSQL database cluster dump complete");
        if (begins_copy(sql->text) && bk__text_ends(tail, "FROM stdin;")) {
            sql->copying = true;
            sql->copy_line = sql->line;
        }
    } else {
        sql->finished = strcasecmp(sql->text, "COMMIT;") == 0;
        sql->tables += strncasecmp(sql->text, "CREATE TABLE ", 13) == 0;
    }
}

/* Keeps the beginning of a line in text, and its last bytes behind it. */
#define TAIL 16
#define KEPT (BK__SQLTEXT_LINE - TAIL - 1)

static void add_part(struct bk__sqltext *sql, const char *bytes, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (sql->have < BK__SQLTEXT_LINE - 1) {
            sql->text[sql->have++] = bytes[i];
        } else {
            memmove(sql->text + KEPT, sql->text + KEPT + 1, TAIL - 1);
            sql->text[BK__SQLTEXT_LINE - 2] = bytes[i];
            if (size - i > TAIL + 1) {
                i = size - TAIL - 1; /* what is between is never looked at */
            }
        }
    }
}

static void end_line(struct bk__sqltext *sql) {
    while (sql->have > 0 && strchr("\r ", sql->text[sql->have - 1]) != NULL &&
           sql->text[sql->have - 1] != '\0') {
        sql->have--;
    }
    sql->text[sql->have] = '\0';
    sql->line++;
    take_line(sql, sql->text);
    sql->have = 0;
}

void bk__sqltext_add(struct bk__sqltext *sql, const char *bytes, size_t size) {
    sql->nul = sql->nul || memchr(bytes, '\0', size) != NULL;
    while (size > 0) {
        const char *newline = memchr(bytes, '\n', size);
        size_t length = newline == NULL ? size : (size_t)(newline - bytes);
        add_part(sql, bytes, length);
        if (newline == NULL) {
            return;
        }
        end_line(sql);
        bytes += length + 1;
        size -= length + 1;
    }
}

bool bk__sqltext_end(struct bk__sqltext *sql, char *why, size_t why_room) {
    if (sql->have > 0) {
        end_line(sql);
    }
    if (sql->nul) {
        snprintf(why, why_room, "it holds NUL bytes, which no text has");
    } else if (sql->kind == BK__SQLTEXT_OTHER) {
        snprintf(why, why_room, "it does not begin like a dump of pg_dump or of SQLite");
    } else if (sql->copying) {
        snprintf(why, why_room, "it ends inside the rows that begin at line %" PRId64,
                 sql->copy_line);
    } else if (!sql->finished) {
        snprintf(why, why_room, "it ends at line %" PRId64 " without %s", sql->line,
                 sql->kind == BK__SQLTEXT_POSTGRES
                     ? "\"PostgreSQL database dump complete\""
                     : "COMMIT");
    } else if (sql->key[0] != '\0' && !sql->unlocked) {
        snprintf(why, why_room, "it ends at line %" PRId64 " without its \\unrestrict",
                 sql->line);
    } else {
        return true;
    }
    return false;
}
