/*
 * Getting a database image out of an archive, verified before it has a name.
 * Not restoring it into the bot's database. restore.c and stage.c call it.
 */
#ifndef BK_BACKUP_EXTRACT_H
#define BK_BACKUP_EXTRACT_H

#include <stddef.h>
#include <stdint.h>

struct bk__job;
struct bk__manifest;

/* From dir's archive into a new file at path (0600), read back against the manifest and flushed.
   On an error there is no file. */
int bk__extract_new(struct bk__job *job, const char *dir,
                    const struct bk__manifest *manifest, const char *path);

/* BK_EINVAL: encrypted backups are asked for, and the path is in their folder. The ones below ask. */
int bk__extract_place(struct bk__job *job, const char *path);

/* The same into path for a caller outside: a file of that name must not exist, nor one that SQLite
   would take for its journal; and path appears whole or not at all. */
int bk__extract_to(struct bk__job *job, const char *dir,
                   const struct bk__manifest *manifest, const char *path);

/* Several parts of a set into a folder that does not exist: files "database_STAMP.db", ... It appears
   whole or not at all. */
int bk__extract_folder(struct bk__job *job, const char *dir,
                       const struct bk__manifest *const *parts, size_t count,
                       const char *path);

/* The same for what somebody else puts into the file: fill_it gets it empty, under the name it has until
   it is whole; needed is how many bytes it may take. The file is flushed after it. */
int bk__extract_file(struct bk__job *job, const char *path, int64_t needed,
                     int (*fill_it)(void *context, int fd, const char *aside),
                     void *context);

#endif
