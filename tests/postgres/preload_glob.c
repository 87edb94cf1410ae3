/*
 * For LD_PRELOAD: a machine on which no package has put PostgreSQL's programs anywhere, so that
 * PATH alone counts. Not a test: tests/postgres/run loads it.
 */
#include <glob.h>

int glob(const char *pattern, int flags, int (*failed)(const char *, int), glob_t *ret);

int glob(const char *pattern, int flags, int (*failed)(const char *, int), glob_t *ret) {
    (void)pattern;
    (void)flags;
    (void)failed;
    ret->gl_pathc = 0;
    return GLOB_NOMATCH;
}
