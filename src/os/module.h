/*
 * A library that is only there on some machines, opened on first use. Not the library's functions:
 * who opens it knows them. Never a hard dependency, never closed again.
 */
#ifndef BK_OS_MODULE_H
#define BK_OS_MODULE_H

/* Opens "libpq.so.5" with all it needs. NULL: *ret_why is the loader's own text, the caller frees
   it (NULL: out of memory). */
void *bk__module_open(const char *name, char **ret_why);

/* A function's address, or NULL. */
void *bk__module_find(void *module, const char *function);

#endif
