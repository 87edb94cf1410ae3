/*
 * One backup on its way, as make.c, making.c and consolidate.c share it: what is known of it, and the
 * steps that make bytes: the snapshot, the archive, reading it back. Nobody else includes it.
 */
#ifndef BK_BACKUP_MAKING_H
#define BK_BACKUP_MAKING_H

#include <stdbool.h>
#include <stdint.h>

#include <store/store.h>
#include <backup/archive/ahead.h>
#include <backup/delta/differ.h>
#include <backup/catalogue/manifest.h>
#include <backup/proof.h>
#include <backup/seal/sealed.h>

struct bk__folder;
struct bk__job;
struct bk__make;

/* One backup on its way. */
struct bk__making {
    struct bk__job *job;
    const struct bk__folder *folder;
    struct bk__store *store;
    const struct bk__make *request;
    struct bk__manifest facts;
    struct bk__sealing sealing; /* when it is to be encrypted */
    bool encrypted;
    struct bk__ahead ahead;
    struct bk__differ differ; /* where only what changed is packed */
    struct bk__proof proof;   /* of the snapshot */
    bool proving;             /* it was begun and not ended */
    int64_t expected;         /* bytes of the snapshot, before it is made; 0: not known */
    char *scratch;            /* the snapshot */
    char
        *packed; /* what becomes the archive: scratch itself when nothing is compressed */
    char *sheet; /* what becomes the manifest */
    int64_t began;   /* monotonic */
    int64_t packing; /* when packing began, likewise */
};

/* How a snapshot of so many bytes is packed. */
enum bk__compression bk__making_compression(const struct bk__making *m, int64_t bytes);

/* What asks for encryption is encrypted or not begun: every setting is judged here, before the
   first byte is written. */
int bk__making_encrypt(struct bk__making *m);

/* What its unfinished files are called by. */
void bk__making_name(const struct bk__making *m, const struct bk__form *form,
                     char ret[BK__NAME_SIZE]);

/* Makes the snapshot at m->scratch; where it will be packed, that is done while it is made. Sets
   the form in m->facts. */
int bk__making_snapshot(struct bk__making *m, struct bk__image *ret);

/* Begins the proof of the snapshot, unless that was done. */
int bk__making_prove(struct bk__making *m);

/* Where the options want backups of changes: how this one differs from an earlier one, found out
   beside the proof. The facts say whether it will be one of changes. */
int bk__making_differ(struct bk__making *m);

/* Makes the archive, m->packed, of the snapshot or of its changes, and reads it back: the facts say what it is. */
int bk__making_pack(struct bk__making *m);

/* Not BK_ECORRUPT: the database is not to blame, and must not be replaced because of it. */
int bk__making_mismatch(const struct bk__making *m, const char *what);

/* Publishes the packed backup; its facts are complete (make.c). */
int bk__make_announce(struct bk__making *m);

/* The paths are freed; of the files those go that have got no name. */
void bk__making_clear(struct bk__making *m);

#endif
