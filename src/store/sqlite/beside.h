/*
 * What was copied beside a database, judged by its own structure before SQLite takes it in: it plays back
 * as much of a damaged one as it can and says nothing. settle.c calls it.
 */
#ifndef BK_STORE_SQLITE_BESIDE_H
#define BK_STORE_SQLITE_BESIDE_H

#include <stdbool.h>
#include <stdint.h>

/* NULL: the rollback journal at path is whole, or there is none to play back. Else why it cannot be: a
   constant. */
const char *bk__beside_journal(const char *path);

/* Whether the -wal at path goes on behind these frames: with others of the same round, or, without a
   header that is sound, at all. */
bool bk__beside_wal(const char *path, int64_t frames);

#endif
