/*
 * The proof, on this machine and this file system, that guest threads are another owner
 * of file locks than the host. guest.c asks for it at each bk_open().
 */
#ifndef BK_GUEST_SELFTEST_H
#define BK_GUEST_SELFTEST_H

/*
 * Uses a scratch file of its own in scratch_dir, removed again. 0 when proven; else
 * BK_EISOLATION with *ret_why a text the caller frees (NULL when memory ran out).
 */
int bk__guest_selftest(const char *scratch_dir, char **ret_why);

#endif
