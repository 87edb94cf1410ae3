/*
 * What the name of a file tells about a backup that another tool made: whose, of what, from when.
 * Pure text, no files. foreign.c calls it.
 */
#ifndef BK_BACKUP_FOREIGN_PATTERN_H
#define BK_BACKUP_FOREIGN_PATTERN_H

#include <stdbool.h>

#include <backup/catalogue/name.h>
#include <backup/foreign/moment.h>

/* What is in it; a name is only a promise, the bytes decide (examine.c). */
enum bk__content {
    BK__SQLITE, /* a database file */
    BK__SQL,    /* statements as text, of SQLite or PostgreSQL */
    BK__PGDUMP, /* pg_dump's custom format */
    BK__RDB,    /* a Redis snapshot */
    BK__TAR,    /* a set of such files in one archive */
    BK__SET,    /* the same in a folder */
    BK__EMPTY,  /* no bytes at all */
    BK__STRANGE /* nothing that is known */
};
extern const char *const bk__content_names[]; /* "sqlite" "sql" "postgres" ... */
bool bk__content_parse(const char *text, enum bk__content *ret);

struct bk__guess {
    const char *tool; /* whose names look like this; "" when anybody's do */
    const char *kind; /* what it is called among ours once it is adopted */
    bool main_alone;  /* the tool copies a database without its -wal */
    enum bk__content content;
    enum bk__compression compression;
    bool has_time;
    struct bk__moment moment; /* the time in the name */
};

/* False: by its name it is no backup. folder: the name is that of a folder. */
bool bk__pattern_match(const char *name, bool folder, struct bk__guess *ret);

#endif
