/*
 * Whether a dump in SQL is a finished one, as far as its text tells. Not whether it runs: SQLite's are
 * loaded to know that. Pure: it is fed pieces. examine.c calls it.
 */
#ifndef BK_BACKUP_FOREIGN_SQLTEXT_H
#define BK_BACKUP_FOREIGN_SQLTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BK__SQLTEXT_LINE 128 /* bytes of a line that are looked at */

enum bk__sqltext_kind { BK__SQLTEXT_OTHER, BK__SQLTEXT_SQLITE, BK__SQLTEXT_POSTGRES };

/* A dump being read; begin with {0}. */
struct bk__sqltext {
    enum bk__sqltext_kind kind;
    int64_t line;   /* that is read, from 1 */
    int64_t tables; /* COPY blocks that were ended, or CREATE TABLEs of SQLite's */
    int64_t rows;   /* in COPY blocks */
    int64_t copy_line;
    bool copying; /* inside COPY ... FROM stdin */
    bool finished;
    bool nul;
    char
        key[BK__SQLTEXT_LINE]; /* of \\restrict; the same key must stand behind the end */
    bool unlocked;
    size_t have;
    char text[BK__SQLTEXT_LINE]; /* the beginning of the present line */
};

void bk__sqltext_add(struct bk__sqltext *sql, const char *bytes, size_t size);

/* True: it ends as a finished dump does. Else why (why_room bytes) says what is missing. A dump of
   SQLite is whole only when it also runs. */
bool bk__sqltext_end(struct bk__sqltext *sql, char *why, size_t why_room);

#endif
