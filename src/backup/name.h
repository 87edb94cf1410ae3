/*
 * Names of backups: KIND_2025-12-04T10-30-00[_2].db[.gz]. Pure text, no files; catalogue.c and
 * create.c call it.
 */
#ifndef BK_BACKUP_NAME_H
#define BK_BACKUP_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BK__NAME_SIZE 96
#define BK__KIND_SIZE 16
#define BK__NAME_TEMP ".tmp-" /* what begins so is ours and unfinished */

extern const char *const bk__kinds[]; /* "manual" "auto" ...; ends with NULL */

/* The archive's name; nth counts from 1 within one second, and 1 adds nothing. */
void bk__name_make(char out[BK__NAME_SIZE], const char *kind, int64_t unix_ms, int nth,
                   bool gzip);

/* Is it a name bk__name_make could have written? ret_kind and ret_gzip may be NULL. */
bool bk__name_parse(const char *name, char ret_kind[BK__KIND_SIZE], bool *ret_gzip);

/* A temporary file of ours, to be collected: ".tmp-" and then the beginning of such a name. A
   foreign ".tmp-anything" is not. */
bool bk__name_is_temp(const char *name);

/* 0, or BK_EINVAL with a text for a name from outside that is no plain backup name. */
int bk__name_check(const char *name);

#endif
