/*
 * How often the kernel has killed for want of memory in this process's group. Not limits or
 * usage: system.c. lifecycle asks it, to tell a killed run from a crashed one.
 */
#include <os/system.h>

#include <os/cgroup.h>

int64_t bk__system_oom_kills(const char *root) {
    struct bk__cgroup group = {0};
    if (bk__cgroup_find(root, "memory", &group) < 0) {
        return -1;
    }
    const char *file = group.v2 ? "memory.events" : "memory.oom_control";
    int64_t kills = bk__cgroup_stat(&group, file, "oom_kill");
    bk__cgroup_free(&group);
    return kills;
}
