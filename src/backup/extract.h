/*
 * Getting a database image out of an archive, verified before it has a name.
 * Not restoring it into the bot's database. restore.c and stage.c call it.
 */
#ifndef BK_BACKUP_EXTRACT_H
#define BK_BACKUP_EXTRACT_H

struct bk__job;
struct bk__manifest;

/* From dir's archive into a new file at path (0600), read back against the manifest and flushed.
   On an error there is no file. */
int bk__extract_new(struct bk__job *job, const char *dir,
                    const struct bk__manifest *manifest, const char *path);

/* The same into path for a caller outside: a file of that name must not exist, nor one that SQLite
   would take for its journal; and path appears whole or not at all. */
int bk__extract_to(struct bk__job *job, const char *dir,
                   const struct bk__manifest *manifest, const char *path);

#endif
