/*
 * What the kernel says of this process and machine: memory, limits, CPU, boot. Reads /proc and
 * cgroup files under a root folder so that tests can show it other machines.
 */
#ifndef BK_OS_SYSTEM_H
#define BK_OS_SYSTEM_H

#include <stdbool.h>
#include <stdint.h>

/* used_bytes is the working set of the group whose limit binds, or else rss_bytes. */
struct bk__memory {
    int64_t rss_bytes; /* this process */
    int64_t used_bytes;
    int64_t limit_bytes;      /* -1: none found */
    const char *limit_source; /* "cgroup_v2" "cgroup_v1" "option" "host" */
};

/* root is "" for the real machine. option_limit_bytes: memory.limit, 0 when unset. The limit is
   the smallest over the process's own cgroup and its ancestors; hybrid set-ups are resolved. */
int bk__system_memory(const char *root, int64_t option_limit_bytes,
                      struct bk__memory *ret);

/*
 * Who limits this process. Looking for the groups costs a hundred microseconds, reading what
 * counts against a known limit a few: resolve once, read often, resolve again now and then.
 */
struct bk__limits {
    int64_t limit_bytes; /* -1: none found */
    const char *limit_source;
    double cores;       /* the cgroup's CPU quota, else the processors */
    char *memory_group; /* the folder of the group whose limit binds; NULL: none does */
    bool v2;
};
int bk__system_limits(const char *root, int64_t option_limit_bytes,
                      struct bk__limits *ret);
void bk__system_limits_free(struct bk__limits *limits);
int bk__system_used(const char *root, const struct bk__limits *limits,
                    struct bk__memory *ret);

struct bk__cpu {
    int64_t process_ms; /* user and system time of this process so far */
    int64_t mono_ms;    /* when that was read */
    double quota_cores; /* the cgroup's quota, else the processors */
};
int bk__system_cpu(const char *root, struct bk__cpu *ret);
int64_t bk__system_cpu_ms(void); /* its process_ms alone */

int64_t bk__system_rss(void);          /* bytes, from a kept descriptor-free read */
bool bk__system_boot_id(char out[64]); /* false: unknown */
int64_t
bk__system_oom_kills(const char *root); /* in this process's cgroup; -1: unknown */
const char *bk__system_filesystem(const char *path, bool *ret_ephemeral,
                                  bool *ret_network);

#endif
