/*
 * Walks /proc/PID/fd by stat() and readlink(), which do not open the files behind the links.
 * Not for other users' processes or other PID namespaces: file locks are asked besides.
 */
#include <os/holder.h>

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What is looked for among the descriptors of a process. */
struct wanted {
    dev_t dev;
    ino_t ino;
    const char *link; /* or what the link reads; NULL: dev and ino count */
};

static bool is_wanted(int dir, const char *name, const struct wanted *wanted) {
    char link[PATH_MAX + 16];
    struct stat st;
    ssize_t length;

    if (wanted->link == NULL) {
        return fstatat(dir, name, &st, 0) == 0 && st.st_dev == wanted->dev &&
               st.st_ino == wanted->ino;
    }
    length = readlinkat(dir, name, link, sizeof(link));
    return length > 0 && (size_t)length == strlen(wanted->link) &&
           memcmp(link, wanted->link, (size_t)length) == 0;
}

static bool holds(const char *process, const struct wanted *wanted) {
    char path[64];
    struct dirent *entry;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%.20s/fd", process);
    dir = opendir(path);
    if (dir == NULL) {
        return false;
    }
    while (!found && (entry = readdir(dir)) != NULL) {
        found = entry->d_name[0] != '.' && is_wanted(dirfd(dir), entry->d_name, wanted);
    }
    closedir(dir);
    return found;
}

bool bk__holder_find(dev_t dev, ino_t ino, pid_t *ret_pid) {
    const struct wanted wanted = {.dev = dev, .ino = ino};
    struct dirent *entry;
    bool found = false;
    DIR *dir = opendir("/proc");

    if (dir == NULL) {
        return false;
    }
    while (!found && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            holds(entry->d_name, &wanted)) {
            *ret_pid = (pid_t)strtol(entry->d_name, NULL, 10);
            found = true;
        }
    }
    closedir(dir);
    return found;
}

bool bk__holder_of_deleted(pid_t pid, const char *path) {
    char process[24];
    char link[PATH_MAX + 16];
    const struct wanted wanted = {.link = link};

    snprintf(process, sizeof(process), "%ld", (long)pid);
    return snprintf(link, sizeof(link), "%s (deleted)", path) < (int)sizeof(link) &&
           holds(process, &wanted);
}
