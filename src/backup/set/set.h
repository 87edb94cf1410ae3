/*
 * Sets: one backup over several stores, a folder of archives (or a tar of it) with one manifest.
 * How one is made and removed. Reading one is set_tar.h's and extract.h's; a set is a manifest with
 * parts. create.c, restore.c and prune.c call it.
 */
#ifndef BK_BACKUP_SET_SET_H
#define BK_BACKUP_SET_SET_H

#include <stdbool.h>
#include <stddef.h>

#include <store/store.h>

struct bk__catalogue;
struct bk__folder;
struct bk__job;
struct bk__make;
struct bk__manifest;

/* One store on its way into a set. */
struct bk__set_store {
    struct bk__store_site site;
    struct bk__store *store; /* NULL: it could not be opened, or is left out */
    int rc;                  /* what it failed with; 0 */
    char *why;               /* the text of that; the caller frees */
    /* Of its state now, or of the snapshot; and of the state in request->same. "": not told. */
    char fingerprint[BK__FINGERPRINT_SIZE];
    char noted[BK__FINGERPRINT_SIZE];
};

struct bk__set {
    struct bk__set_store stores[BK__STORES];
    size_t count;
    bool whole; /* no store may fail */
};

/* Opens the store of each site; one that cannot be opened keeps its error. BK_ENOMEM,
   BK_ECANCELLED. */
int bk__set_open(struct bk__job *job, struct bk__set *set);
void bk__set_close(struct bk__set *set);

/*
 * All snapshots first, one right after the other; then proof and packing of each; then all of it
 * appears by one rename. Of a whole one a store that fails fails it all; else the set is partial, and
 * only where every store failed there is none. *ret is to be cleared. On an error nothing is left,
 * nor on BK__MAKE_SAME: every store holds what it does in request->same.
 */
int bk__set_make(struct bk__job *job, const struct bk__folder *folder,
                 struct bk__set *set, const struct bk__make *request,
                 struct bk__manifest *ret);

/* Fails with BK_EPARTIAL and what each store of a partial set failed with. */
int bk__set_fail_partial(const struct bk__manifest *set);

/* Whether it is verified and holds every store that the keeper has now: a backup of one of several
   is no backup of the bot. */
bool bk__set_covers(struct bk__job *job, const struct bk__manifest *manifest);

/* The newest that does, of a bot of one store the newest verified one; NULL: there is none. */
struct bk__manifest *bk__set_newest(struct bk__job *job,
                                    const struct bk__catalogue *catalogue);

/* Removes a set's folder: it is no set any more before its first file goes. What is in it and not of
   the set stays, and the folder with it. */
int bk__set_remove(const char *dir, const char *name);

#endif
