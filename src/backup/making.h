/*
 * One backup on its way, as make.c, making.c and consolidate.c share it: what is known of it, and the
 * steps that make bytes. Nobody else includes it.
 */
#ifndef BK_BACKUP_MAKING_H
#define BK_BACKUP_MAKING_H

#include <stdbool.h>
#include <stdint.h>

#include <store/growth.h>
#include <store/store.h>
#include <backup/archive/ahead.h>
#include <backup/aside.h>
#include <backup/catalogue/manifest.h>
#include <backup/delta/differ.h>
#include <backup/seal/sealed.h>

struct bk__folder;
struct bk__job;
struct bk__make;

struct bk__making {
    /* what is wanted, and what is known so far: at the end all of the manifest */
    struct bk__job *job;
    const struct bk__folder *folder;
    struct bk__store *store;
    const struct bk__make *request;
    struct bk__manifest facts;

    /* the seal, when it is to be encrypted */
    bool encrypted;
    struct bk__sealing sealing;

    /* the snapshot, and who reads it along while it is made */
    int64_t expected; /* its bytes, before it is made; 0: not known */
    int64_t began;    /* monotonic */
    char *scratch;    /* its path */
    bool growing;     /* growth was begun */
    struct bk__growth growth;
    struct bk__differ differ; /* where only what changed may be enough */
    struct bk__ahead ahead;   /* packs it, or what changed */

    /* its proof, beside the packing */
    int64_t proving; /* when it began, monotonic; 0: not yet */
    struct bk__aside proof;
    struct json_object *report; /* {page_size, pages, bytes, tables} once it ended well */

    /* the archive: a file of its own, or the snapshot itself */
    char *packed;
    struct bk__archive_facts written;
    struct bk__aside cleaning; /* removes the snapshot that nobody needs any more */

    char *sheet; /* what becomes the manifest */
};

/* The steps, in their order. */

/* What asks for encryption is encrypted or not begun: every setting is judged here, before the
   first byte is written. */
int bk__making_seal(struct bk__making *m);

/* Makes the snapshot at m->scratch. Where that can be told, it is packed or compared with an earlier
   one while it is made. */
int bk__making_snapshot(struct bk__making *m, struct bk__image *ret);

/* Begins the proof of the snapshot, unless that was done. */
int bk__making_prove(struct bk__making *m);

/* Decides what the archive holds, all of the snapshot or what changed, and its form. */
int bk__making_decide(struct bk__making *m);

/* Makes the archive, m->packed, and flushes it. A plain one is read. */
int bk__making_pack(struct bk__making *m);

/* 0, or why the snapshot is not proven. */
int bk__making_proven(struct bk__making *m);

/* Reads the archive back, and the facts say what it is; meanwhile the snapshot goes. */
int bk__making_read_back(struct bk__making *m);

/* Publishes the backup; its facts are complete (make.c). */
int bk__make_announce(struct bk__making *m);

/* Whatever has got no name goes. */
void bk__making_clear(struct bk__making *m);

/* How a snapshot of so many bytes is packed. */
enum bk__compression bk__making_compression(const struct bk__making *m, int64_t bytes);

/* What its unfinished files are called by. */
void bk__making_name(const struct bk__making *m, const struct bk__form *form,
                     char ret[BK__NAME_SIZE]);

/* Not BK_ECORRUPT: the database is not to blame, and must not be replaced because of it. */
int bk__making_mismatch(const struct bk__making *m, const char *what);

#endif
