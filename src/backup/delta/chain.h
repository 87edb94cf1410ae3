/*
 * Backups that hold only changes: which ones they need, and the image that comes out of all of them.
 * Everything that reads what a backup holds goes through here.
 */
#ifndef BK_BACKUP_DELTA_CHAIN_H
#define BK_BACKUP_DELTA_CHAIN_H

#include <stdbool.h>

#include <backup/archive/archive.h>

struct bk__catalogue;
struct bk__job;
struct bk__manifest;

bool bk__chain_is_delta(const struct bk__manifest *manifest);

/* The backup of that stem whose image has that SHA-256, or NULL. It belongs to the catalogue. */
struct bk__manifest *bk__chain_find(const struct bk__catalogue *catalogue,
                                    const char *stem, const char *sha256);

/* Says of each backup how many others it needs, and takes out what lacks one (into the broken ones)
   and what a full archive of the same stem has replaced. The items are in their order. */
int bk__chain_link(struct bk__catalogue *catalogue);

/*
 * The image of a backup into sink.out_fd, which is open for both, empty, and has a path: every
 * archive on the way and the image itself are what their manifests say. BK_ECORRUPT names the
 * archive. sink.what and database_bytes come from the manifests.
 */
int bk__chain_fill(struct bk__job *job, const char *dir,
                   const struct bk__manifest *manifest, struct bk__archive_sink sink);

/* The same into nowhere: a backup of changes is put together in state.dir and thrown away again.
   1: all is well as far as it can be read, but it stayed shut. */
int bk__chain_check(struct bk__job *job, const char *dir,
                    const struct bk__manifest *manifest, struct bk__damage *ret_damage);

#endif
