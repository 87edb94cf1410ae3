/*
 * What is surely a backup, or a packed or encrypted file, and not of a kind that can be looked into here:
 * named by its first bytes, so that it is not called torn. Pure. unpack.c calls it.
 */
#ifndef BK_BACKUP_FOREIGN_OTHER_H
#define BK_BACKUP_FOREIGN_OTHER_H

#include <stddef.h>

/* "a dump of MySQL", a constant; NULL: nothing that is known. */
const char *bk__other_name(const unsigned char *bytes, size_t size);

#endif
