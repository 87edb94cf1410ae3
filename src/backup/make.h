/*
 * Making one backup in a folder that is already locked. backup.create and the restores, which
 * first make a pre_restore backup, use it.
 */
#ifndef BK_BACKUP_MAKE_H
#define BK_BACKUP_MAKE_H

#include <stdbool.h>
#include <stdint.h>

struct bk__folder;
struct bk__job;
struct bk__manifest;
struct bk__store;

struct bk__make {
    const char *kind;
    const char *note;     /* NULL: none */
    const char *compress; /* "auto" "gzip" "zstd" "none" */
    const char *stem;     /* the name's beginning; NULL: chosen by kind and time */
    const char *adopted;  /* another tool's backup it is made from; NULL: none */
    int64_t created_ms;   /* when that was made; 0: now */
    /* A backup beside which an equal state is not saved again; NULL: none. */
    const struct bk__manifest *same;
    char *ret_fingerprint; /* BK__FINGERPRINT_SIZE: of the snapshot; NULL: not asked */
};

#define BK__MAKE_SAME 1 /* the store holds what request->same does: nothing was made */

struct bk__making;
/* Whether the snapshot is what that backup, or part of a set, holds: BK__MAKE_SAME, 0, or an error. */
int bk__make_compare(struct bk__making *m, const struct bk__manifest *same);

/* Snapshot, proof, compression, reading back, publishing. *ret is to be cleared. On any error
   nothing of it is left, nor on BK__MAKE_SAME. */
int bk__make_backup(struct bk__job *job, const struct bk__folder *folder,
                    struct bk__store *store, const struct bk__make *request,
                    struct bk__manifest *ret);

/*
 * The same in steps, for the parts of a set: all snapshots first, then each is proven and packed. The part's
 * archive gets its name in the folder, without a manifest of its own. What is named by job, folder,
 * store and request must live until bk__make_free(), which removes what has no name yet.
 */
int bk__make_begin(struct bk__job *job, const struct bk__folder *folder,
                   struct bk__store *store, const struct bk__make *request,
                   struct bk__making **ret);
int bk__make_pack(struct bk__making *m);
int bk__make_place(struct bk__making *m, struct bk__manifest *ret);
void bk__make_free(struct bk__making *m); /* NULL is fine */

/* A manifest that is published must be understood again: 0 or BK_EINVAL. */
int bk__make_check(const char *text);

/* Makes a manifest and its archive, both under temporary names, exist: manifest first, then the
   archive, then the folder is flushed. On an error neither exists and the temporary files stay. */
int bk__make_publish(const struct bk__folder *folder, const char *name,
                     const char *packed, const char *sheet);

#endif
