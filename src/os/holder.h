/*
 * Which process holds a file open, as /proc tells it. Only what this user may see; nothing is
 * opened but folders of /proc. The store asks before it replaces a database.
 */
#ifndef BK_OS_HOLDER_H
#define BK_OS_HOLDER_H

#include <stdbool.h>
#include <sys/types.h>

/* Whether a process, this one included, has that file open in the descriptor table of its first
   thread; *ret_pid is then the first one found. Guest threads' own tables are not looked at. */
bool bk__holder_find(dev_t dev, ino_t ino, pid_t *ret_pid);

/* Whether that process still has a file open that once stood at this path (symbolic links
   followed) and was deleted or replaced since. */
bool bk__holder_of_deleted(pid_t pid, const char *path);

#endif
