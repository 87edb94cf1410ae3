/*
 * The manifest of one backup: every fact that proves it, as JSON beside the archive. What has no
 * manifest does not exist. create.c writes it, catalogue.c reads it.
 */
#ifndef BK_BACKUP_CATALOGUE_MANIFEST_H
#define BK_BACKUP_CATALOGUE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <base/hash.h>
#include <backup/seal/key.h>
#include <backup/catalogue/name.h>
#include <backup/archive/places.h>

#define BK__MANIFEST_LIMIT (4 << 20)          /* bytes of text that are read at most */
#define BK__SEQUENCE_LIMIT (INT64_C(1) << 52) /* exact as a JSON number everywhere */

struct json_object;

struct bk__manifest {
    char name[BK__NAME_SIZE];
    char kind[BK__KIND_SIZE];
    int64_t created_ms;
    int64_t
        sequence; /* grows by one with each backup of the folder, whatever the clock does; 0: it
                     was adopted, and is older than all of ours */
    int64_t bytes; /* of the archive */
    int64_t database_bytes;
    int64_t pages; /* 0 with page_size 0: the store has none */
    int page_size;
    struct bk__form form;
    enum bk__key_mode encryption; /* none exactly when the form is not encrypted */
    char key_id[BK__KEY_ID];      /* "" without encryption */
    bool verified;
    int64_t verified_ms;
    char sha256[BK__SHA256_HEX];         /* of the database image */
    char archive_sha256[BK__SHA256_HEX]; /* of the file */
    struct bk__places places;            /* of the file; part 0: not known */
    int64_t snapshot_ms, verify_ms, total_ms;
    char *note;    /* NULL: none */
    char *remark;  /* what the proof found worth knowing; NULL: nothing */
    char *adopted; /* another tool's backup it was made from; NULL: ours */
    /* Of content "delta" alone: the stem and the image's SHA-256 of the backup it changes, and the
       bytes of the changes before they were packed (0: this is a full one). */
    char parent[BK__NAME_SIZE];
    char parent_sha256[BK__SHA256_HEX];
    int64_t payload_bytes;
    int chain;                  /* how many others it needs; the catalogue counts them */
    char store[32];             /* "sqlite", "postgres", ...: the driver's name */
    char server_version[64];    /* of a store that is a server; "": none, or not told */
    char client_version[64];    /* of the program that dumped it, where one did */
    char *error;                /* why it is not verified; NULL otherwise */
    struct json_object *tables; /* rows per table */

    /* A set of several stores has a part for each; for the backup of one all this is empty. Its
       bytes, database_bytes and sums are those of the folder's archives together, or of the tar. */
    struct bk__manifest *parts;
    size_t part_count;
    char part[16];             /* of a part: the store of the keeper, "database" */
    char set[BK__NAME_SIZE];   /* of a part: its set, where its archive is found */
    struct json_object *about; /* {system, config}: where and how the set was made */
};

#define BK__MANIFEST_PARTS 8 /* at most */

/* A part without a name is a store that failed: its error says why. */
bool bk__manifest_is_partial(const struct bk__manifest *set);
int64_t
bk__manifest_skew(const struct bk__manifest *set); /* between its snapshots, in ms */
const struct bk__manifest *
bk__manifest_part(const struct bk__manifest *set,
                  const char *store); /* with a name, or NULL */

void bk__manifest_clear(struct bk__manifest *manifest); /* frees what it holds */

/* The text of the file; the caller frees it. NULL: out of memory. */
char *bk__manifest_print(const struct bk__manifest *manifest);

/* The facts as an operation gives them out, without sums and tables when brief. NULL: ENOMEM. */
struct json_object *bk__manifest_show(const struct bk__manifest *manifest, bool brief);

/* Strict: false with why (a constant or why_room bytes) when any fact is missing, of a wrong type
   or out of range. Unknown members are ignored. On success *ret is to be cleared. */
bool bk__manifest_parse(const char *text, struct bk__manifest *ret, char *why,
                        size_t why_room);

#endif
