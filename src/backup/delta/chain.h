/*
 * The image that comes out of a backup of changes and all that it was made against.
 * Everything that reads what a backup holds goes through here.
 */
#ifndef BK_BACKUP_DELTA_CHAIN_H
#define BK_BACKUP_DELTA_CHAIN_H

#include <backup/archive/archive.h>

struct bk__job;
struct bk__manifest;

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
