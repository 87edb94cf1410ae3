/*
 * The tables printed: what bk_describe() gives. Internal operations are left out.
 */
#ifndef BK_CORE_DESCRIBE_H
#define BK_CORE_DESCRIBE_H

char *bk__describe(void); /* the caller frees it; NULL: out of memory */

#endif
