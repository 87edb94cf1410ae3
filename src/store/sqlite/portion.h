/*
 * What portion.c (rows, and the file they go into) and portion_table.c (one table with what belongs to it)
 * share. Nobody else includes it.
 */
#ifndef BK_STORE_SQLITE_PORTION_H
#define BK_STORE_SQLITE_PORTION_H

#include <store/sqlite/internal.h>

struct portion {
    struct bk__reading from;
    struct bk__link to;
    struct json_object *columns, *indexes, *left_out;
    char *table;  /* its name, as it is written in the image */
    char *schema; /* its CREATE TABLE */
    int64_t rows;
};

/* The code of a statement on the new file as an error. */
int bk__portion_fail(struct portion *p, int rc);
/* A text at the end of a list, as valid UTF-8. */
bool bk__portion_name(struct json_object *list, const char *text);

/* SELECT or INSERT over the columns, and the row id first where there is a hidden one. For
   sqlite3_free(); NULL: out of memory. */
char *bk__portion_statement(struct portion *p, bool insert, bool rowid);
/* A table of that name with the columns of a statement, and nothing else; names the columns. */
int bk__portion_plain(struct portion *p, sqlite3_stmt *from);
/* All rows of the statement into the table. */
int bk__portion_fill(struct portion *p, sqlite3_stmt *from, bool rowid);

int bk__portion_table(struct portion *p);

#endif
