/*
 * Which files this process runs code from. Not what is in them. The doctor asks.
 */
#ifndef BK_OS_LOADED_H
#define BK_OS_LOADED_H

#include <stddef.h>

/* The distinct files mapped for execution, but for this library's own; bk__file_list_free() frees
   them. 0 or -errno. */
int bk__loaded_files(char ***ret_paths, size_t *ret_count);

#endif
