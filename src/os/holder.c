/*
 * Walks /proc/PID/fd by stat(), which follows the links without opening the files behind them.
 * Not for other users' processes or other PID namespaces: file locks are asked besides.
 */
#include <os/holder.h>

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static bool holds(const char *process, dev_t dev, ino_t ino) {
    char path[64];
    struct dirent *entry;
    struct stat st;
    bool found = false;
    DIR *dir;

    snprintf(path, sizeof(path), "/proc/%.20s/fd", process);
    dir = opendir(path);
    if (dir == NULL) {
        return false;
    }
    while (!found && (entry = readdir(dir)) != NULL) {
        found = entry->d_name[0] != '.' &&
                fstatat(dirfd(dir), entry->d_name, &st, 0) == 0 && st.st_dev == dev &&
                st.st_ino == ino;
    }
    closedir(dir);
    return found;
}

bool bk__holder_find(dev_t dev, ino_t ino, pid_t *ret_pid) {
    struct dirent *entry;
    bool found = false;
    DIR *dir = opendir("/proc");

    if (dir == NULL) {
        return false;
    }
    while (!found && (entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' &&
            holds(entry->d_name, dev, ino)) {
            *ret_pid = (pid_t)strtol(entry->d_name, NULL, 10);
            found = true;
        }
    }
    closedir(dir);
    return found;
}
