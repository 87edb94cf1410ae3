/*
 * Where this process stands in the control group tree, and numbers read there. Not what they mean:
 * system.c and oom.c, the only callers, decide that.
 */
#ifndef BK_OS_CGROUP_H
#define BK_OS_CGROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk__cgroup {
    bool v2;
    char *dir;  /* the own group's folder; climbing shortens it */
    size_t top; /* the length of dir at the mount point, where climbing ends */
};

/* The own group in the hierarchy that has this controller: version 1's where it is mounted there
   (also in hybrid set-ups), else version 2's. 0, -ENOENT where there is none, or -errno. */
int bk__cgroup_find(const char *root, const char *controller, struct bk__cgroup *ret);
void bk__cgroup_free(struct bk__cgroup *group);

/* To the parent. False: this is the top. */
bool bk__cgroup_climb(struct bk__cgroup *group);

/* A file of the group. bk__cgroup_number: its one number, or -1 (missing, "max", not a number).
   bk__cgroup_stat: the number behind key, in a file of "key number" lines, or -1. */
char *bk__cgroup_text(const struct bk__cgroup *group, const char *file);
int64_t bk__cgroup_number(const struct bk__cgroup *group, const char *file);
int64_t bk__cgroup_stat(const struct bk__cgroup *group, const char *file,
                        const char *key);

#endif
