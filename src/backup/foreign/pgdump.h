/*
 * pg_dump's custom format, read to its end without PostgreSQL: header, table of contents, and each
 * block of data. Not restoring it: the postgres driver. examine.c calls it.
 */
#ifndef BK_BACKUP_FOREIGN_PGDUMP_H
#define BK_BACKUP_FOREIGN_PGDUMP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk__pgdump_facts {
    int major, minor; /* of the format: 1.14 is PostgreSQL 12 to 15 */
    char server[64];  /* the server's version, "15.8 (Debian ...)" */
    char database[64];
    int64_t entries; /* in the table of contents */
    int64_t tables;  /* whose rows are in it */
    bool inflated;   /* the rows were unpacked as well and their sums are right */
};

/* Where the bytes come from: up to room of them; 0: the end, < 0: stop (a BK_ code). */
struct bk__pgdump_source {
    void *context;
    int64_t (*read)(void *context, unsigned char *bytes, size_t room);
};

/* 0; BK_ECORRUPT with why (what and where); BK_EUNSUPPORTED (a later format); BK_ENOMEM; or what the
   source stopped with. */
int bk__pgdump_walk(const struct bk__pgdump_source *source, struct bk__pgdump_facts *ret,
                    char *why, size_t why_room);

#endif
