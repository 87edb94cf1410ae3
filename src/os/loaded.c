/*
 * Reads /proc/self/maps for the files that are mapped for execution. Our own is left out, because
 * what is linked into it is known. Called by the doctor.
 */
#include <os/loaded.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <os/file.h>

#define MOST 4096 /* files; a process that maps more is not looked at to the end */

struct found {
    char **paths;
    size_t count;
};

static bool is_known(const struct found *found, const char *path) {
    for (size_t i = 0; i < found->count; i++) {
        if (strcmp(found->paths[i], path) == 0) {
            return true;
        }
    }
    return false;
}

/* "address perms offset dev inode   path": the path of a line that may run code, or NULL. */
static char *code_path(char *line) {
    char *path = strchr(line, '/');
    char *perms = strchr(line, ' ');
    if (path == NULL || perms == NULL || strncmp(perms + 1, "r-x", 3) != 0) {
        return NULL;
    }
    path[strcspn(path, "\n")] = '\0';
    return path;
}

static int add(struct found *found, const char *path) {
    if (found->count == MOST || is_known(found, path)) {
        return 0;
    }
    found->paths[found->count] = strdup(path);
    if (found->paths[found->count] == NULL) {
        return -ENOMEM;
    }
    found->count++;
    return 0;
}

static int read_maps(FILE *maps, struct found *found, const char *own) {
    char *line = NULL;
    size_t room = 0;
    int rc = 0;
    while (rc == 0 && getline(&line, &room, maps) > 0) {
        char *path = code_path(line);
        if (path != NULL && (own == NULL || strcmp(path, own) != 0)) {
            rc = add(found, path);
        }
    }
    free(line);
    return rc;
}

/* The file that this very function was mapped from, as the kernel names it. */
static char *own_path(void) {
    static const char here;
    Dl_info info;
    bool known = dladdr(&here, &info) != 0 && info.dli_fname != NULL;
    return known ? realpath(info.dli_fname, NULL) : NULL;
}

int bk__loaded_files(char ***ret_paths, size_t *ret_count) {
    struct found found = {.paths = calloc(MOST, sizeof *found.paths)};
    char *own = own_path();
    FILE *maps = fopen("/proc/self/maps", "re");
    int rc = found.paths == NULL ? -ENOMEM : maps == NULL ? -errno : 0;
    if (rc == 0) {
        rc = read_maps(maps, &found, own);
    }
    if (maps != NULL) {
        fclose(maps);
    }
    free(own);
    if (rc != 0) {
        bk__file_list_free(found.paths, found.count);
        return rc;
    }
    *ret_paths = found.paths;
    *ret_count = found.count;
    return 0;
}
