/*
 * Names of backups: KIND_2025-12-04T10-30-00[_2].db[.gz|.zst][.enc]; of sets of several stores:
 * backup_2025-12-04T10-30-00-000Z, a folder, or that and .tar[.gz|.zst][.enc]; of their parts:
 * database_2025-12-04T10-30-00-000Z.db[.gz|.zst][.enc]. Pure text, no files; catalogue.c and
 * make.c call it.
 */
#ifndef BK_BACKUP_CATALOGUE_NAME_H
#define BK_BACKUP_CATALOGUE_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BK__NAME_SIZE 96
#define BK__KIND_SIZE 16
#define BK__NAME_TEMP ".tmp-" /* what begins so is ours and unfinished */

extern const char *const bk__kinds[]; /* "manual" "auto" ...; ends with NULL */

enum bk__compression { BK__PLAIN, BK__GZIP, BK__ZSTD };
extern const char *const bk__compressions[]; /* "none" "gzip" "zstd", by the above */
bool bk__compression_parse(const char *text, enum bk__compression *ret);

/* What an archive holds and how it is packed: the endings of its name. */
struct bk__form {
    char content
        [8]; /* "db", "dump", "rdb": what the store calls its image; "delta"; of sets
                        "set" (a folder) and "tar" */
    enum bk__compression compression;
    bool encrypted;
};
bool bk__form_same(const struct bk__form *one, const struct bk__form *other);

/* The archive's name; nth counts from 1 within one second, and 1 adds nothing. */
void bk__name_make(char out[BK__NAME_SIZE], const char *kind, int64_t unix_ms, int nth,
                   const struct bk__form *form);

/* STEM.CONTENT and its endings. */
void bk__name_join(char out[BK__NAME_SIZE], const char *stem,
                   const struct bk__form *form);

/* The name of a set: form->content is "set" or "tar". */
void bk__name_set(char out[BK__NAME_SIZE], int64_t unix_ms, const struct bk__form *form);
bool bk__form_is_folder(const struct bk__form *form);
bool bk__form_is_set(const struct bk__form *form);   /* in either layout */
bool bk__form_is_delta(const struct bk__form *form); /* only what changed */

/* The beginning of the name of a store's part: "database_STAMP", with the set's own stamp. */
void bk__name_part(char out[BK__NAME_SIZE], const char *set, const char *store);
/* Is it the name of that store's part of that set? */
bool bk__name_parse_part(const char *name, const char *set, const char *store,
                         struct bk__form *ret_form);

/* Is it a name bk__name_make or bk__name_set could have written? ret_kind (of a set: "") and
   ret_form may be NULL. */
bool bk__name_parse(const char *name, char ret_kind[BK__KIND_SIZE],
                    struct bk__form *ret_form);

/* The part before the endings, KIND_stamp[_2]: no two backups of a folder share it. */
void bk__name_stem(const char *name, char out[BK__NAME_SIZE]);

/* Do both name the same backup? Its endings change when it is made whole. */
bool bk__name_same_stem(const char *one, const char *other);

/* Does one of a folder's names have that stem, with endings or (a set's folder) without? */
bool bk__name_is_taken(const char *stem, char *const *names, size_t count);

/* A temporary file of ours, to be collected: ".tmp-" and then the beginning of such a name. A
   foreign ".tmp-anything" is not. */
bool bk__name_is_temp(const char *name);

/* 0, or BK_EINVAL with a text for a name from outside that is no plain backup name. */
int bk__name_check(const char *name);

#endif
