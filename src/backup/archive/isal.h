/*
 * ISA-L's deflate, where the machine has libisal.so.2: three times as fast as libdeflate. It is
 * opened on first use and never needed. gzip.c asks for it.
 */
#ifndef BK_BACKUP_ARCHIVE_ISAL_H
#define BK_BACKUP_ARCHIVE_ISAL_H

#include <stdbool.h>
#include <stddef.h>

bool bk__isal_there(void); /* opens it, once for the process; from any thread */

/* One worker's own state. NULL: out of memory, or the library is not there. */
struct bk__isal;
struct bk__isal *bk__isal_new(void);
void bk__isal_free(struct bk__isal *isal); /* NULL is fine */

/* Raw deflate at level 1 of at most 1 GiB. The size, or 0: it does not fit. */
size_t bk__isal_deflate(struct bk__isal *isal, const unsigned char *in, size_t in_size,
                        unsigned char *out, size_t room);

#endif
