/*
 * A folder of its own for each test, under $TMPDIR, and files in it. Not assertions, and nothing
 * of the library or cmocka: the fuzzers are linked with it too. Any test may call it.
 */
#include "sandbox.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[512];

static void need(int good, const char *what) {
    if (good) {
        return;
    }
    fprintf(stderr, "sandbox: %s: %s\n", what, strerror(errno));
    abort();
}

int sandbox_setup(void **state) {
    const char *base = getenv("TMPDIR");
    int size = snprintf(folder, sizeof folder, "%s/bk.XXXXXX", base ? base : "/tmp");

    (void)state;
    need(size > 0 && (size_t)size < sizeof folder && mkdtemp(folder), "mkdtemp");
    return 0;
}

static int removed(const char *path, const struct stat *status, int kind,
                   struct FTW *where) {
    (void)status;
    (void)kind;
    (void)where;
    return remove(path);
}

int sandbox_teardown(void **state) {
    (void)state;
    need(nftw(folder, removed, 16, FTW_DEPTH | FTW_PHYS) == 0,
         "cannot remove the sandbox");
    return 0;
}

const char *sandbox_dir(void) {
    return folder;
}

const char *sandbox_path(const char *format, ...) {
    static _Thread_local char paths[8][1024];
    static _Thread_local unsigned next;
    char *path = paths[next++ % 8];
    va_list args;
    int size = snprintf(path, sizeof paths[0], "%s/", folder);

    va_start(args, format);
    vsnprintf(path + size, sizeof paths[0] - (size_t)size, format, args);
    va_end(args);
    return path;
}

void sandbox_write(const char *name, const char *text) {
    char path[1024];
    FILE *file;

    snprintf(path, sizeof path, "%s", sandbox_path("%s", name));
    for (char *at = path + strlen(folder) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        need(mkdir(path, 0700) == 0 || errno == EEXIST, path);
        *at = '/';
    }
    file = fopen(path, "we");
    need(file && fputs(text, file) >= 0 && fclose(file) == 0, path);
}
