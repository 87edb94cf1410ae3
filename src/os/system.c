/*
 * What the kernel says of this process and machine: memory, limits, CPU, boot, file
 * systems. Not what of it is healthy (src/health). Reads under a root folder, so that
 * tests can show it other machines. Health and lifecycle call it.
 */
#include <os/system.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include <base/text.h>
#include <os/cgroup.h>
#include <os/clock.h>
#include <os/file.h>
#include <os/thread.h>

static int load(const char *root, const char *path, char **ret) {
    char *whole = bk__text_printf("%s%s", root, path);
    int error = whole ? bk__file_load(whole, 1 << 20, ret, NULL) : -ENOMEM;

    free(whole);
    return error;
}

/* The whole number at the start of text. */
static bool leading(const char *text, int64_t *ret) {
    char digits[24];
    size_t size = strspn(text, "0123456789");

    if (!size || size >= sizeof digits) {
        return false;
    }
    memcpy(digits, text, size);
    digits[size] = '\0';
    return bk__text_int(digits, ret);
}

static int resident(const char *root, int64_t *ret) {
    char *text, *second;
    int error = load(root, "/proc/self/statm", &text);
    int64_t pages;

    if (error) {
        return error;
    }
    second = strchr(text, ' ');
    if (second && leading(second + 1, &pages)) {
        *ret = pages * sysconf(_SC_PAGESIZE);
    } else {
        error = -EIO;
    }
    free(text);
    return error;
}

/* MemTotal of /proc/meminfo, or -1. */
static int64_t machine_memory(const char *root) {
    char *text, *at;
    int64_t kib = -1;

    if (load(root, "/proc/meminfo", &text) != 0) {
        return -1;
    }
    at = strstr(text, "MemTotal:");
    if (at) {
        at += strlen("MemTotal:");
        at += strspn(at, " \t");
        if (!leading(at, &kib)) {
            kib = -1;
        }
    }
    free(text);
    return kib < 0 ? -1 : kib * 1024;
}

/* What the group cannot give back on demand: all it uses, less the file pages that it has
   not touched lately. Kubernetes and "docker stats" count so too. -1: the group does not
   tell. */
static int64_t working_set(const struct bk__cgroup *group) {
    int64_t used =
        bk__cgroup_number(group, group->v2 ? "memory.current" : "memory.usage_in_bytes");
    int64_t idle = bk__cgroup_stat(group, "memory.stat",
                                   group->v2 ? "inactive_file" : "total_inactive_file");

    if (used < 0 || idle < 0) {
        return used;
    }
    return used > idle ? used - idle : 0;
}

static int64_t own_limit(const struct bk__cgroup *group) {
    int64_t limit, inherited;

    if (group->v2) {
        return bk__cgroup_number(group, "memory.max");
    }
    limit = bk__cgroup_number(group, "memory.limit_in_bytes");
    /* Also from ancestors that a container cannot see. */
    inherited = bk__cgroup_stat(group, "memory.stat", "hierarchical_memory_limit");
    return inherited >= 0 && (limit < 0 || inherited < limit) ? inherited : limit;
}

/*
 * The smallest limit from the own group up, and the group that sets it: where a parent's
 * limit binds, the siblings' memory counts against it as well. A limit that is not below
 * the machine's memory limits nothing; version 1 writes "none" as almost 2^63.
 */
static int group_limit(const char *root, int64_t machine, struct bk__limits *ret) {
    int64_t least = machine < 0 ? INT64_MAX / 2 : machine;
    struct bk__cgroup group;
    int error = 0;

    if (bk__cgroup_find(root, "memory", &group) != 0) {
        return 0;
    }
    do {
        int64_t limit = own_limit(&group);

        if (limit < 0 || limit >= least) {
            continue;
        }
        least = ret->limit_bytes = limit;
        ret->limit_source = group.v2 ? "cgroup_v2" : "cgroup_v1";
        ret->v2 = group.v2;
        free(ret->memory_group);
        ret->memory_group = strdup(group.dir);
        error = ret->memory_group ? 0 : -ENOMEM;
    } while (!error && bk__cgroup_climb(&group));
    bk__cgroup_free(&group);
    return error;
}

static double quota_cores(const char *root);

int bk__system_limits(const char *root, int64_t option_limit_bytes,
                      struct bk__limits *ret) {
    struct bk__limits limits = {.limit_bytes = -1, .limit_source = "host"};
    int64_t machine = machine_memory(root);
    int error = group_limit(root, machine, &limits);

    if (error) {
        return error;
    }
    if (limits.limit_bytes < 0 && option_limit_bytes > 0) {
        limits.limit_bytes = option_limit_bytes;
        limits.limit_source = "option";
    } else if (limits.limit_bytes < 0) {
        limits.limit_bytes = machine;
    }
    limits.cores = quota_cores(root);
    *ret = limits;
    return 0;
}

void bk__system_limits_free(struct bk__limits *limits) {
    free(limits->memory_group);
    limits->memory_group = NULL;
}

int bk__system_used(const char *root, const struct bk__limits *limits,
                    struct bk__memory *ret) {
    struct bk__memory memory = {.limit_bytes = limits->limit_bytes,
                                .limit_source = limits->limit_source};
    int error = resident(root, &memory.rss_bytes);

    if (error) {
        return error;
    }
    memory.used_bytes = memory.rss_bytes;
    if (limits->memory_group) {
        struct bk__cgroup group = {.v2 = limits->v2, .dir = limits->memory_group};
        int64_t used = working_set(&group);

        memory.used_bytes = used < 0 ? memory.rss_bytes : used;
    }
    *ret = memory;
    return 0;
}

int bk__system_memory(const char *root, int64_t option_limit_bytes,
                      struct bk__memory *ret) {
    struct bk__limits limits;
    int error = bk__system_limits(root, option_limit_bytes, &limits);

    if (!error) {
        error = bk__system_used(root, &limits, ret);
        bk__system_limits_free(&limits);
    }
    return error;
}

/* The cores that one group's quota allows, or -1: none set. */
static double own_quota(const struct bk__cgroup *group) {
    int64_t quota = -1, period = -1;

    if (group->v2) { /* "200000 100000" or "max 100000" */
        char *text = bk__cgroup_text(group, "cpu.max");
        char *second = text ? strchr(text, ' ') : NULL;

        if (second && (!leading(text, &quota) || !leading(second + 1, &period))) {
            quota = -1;
        }
        free(text);
    } else {
        quota = bk__cgroup_number(group, "cpu.cfs_quota_us");
        period = bk__cgroup_number(group, "cpu.cfs_period_us");
    }
    return quota > 0 && period > 0 ? (double)quota / (double)period : -1;
}

static double quota_cores(const char *root) {
    double cores = bk__cpu_count();
    struct bk__cgroup group;

    if (bk__cgroup_find(root, "cpu", &group) != 0) {
        return cores;
    }
    do {
        double quota = own_quota(&group);

        if (quota > 0 && quota < cores) {
            cores = quota;
        }
    } while (bk__cgroup_climb(&group));
    bk__cgroup_free(&group);
    return cores;
}

int64_t bk__system_cpu_ms(void) {
    struct timespec used = {0, 0};

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    return (int64_t)used.tv_sec * 1000 + used.tv_nsec / 1000000;
}

int bk__system_cpu(const char *root, struct bk__cpu *ret) {
    ret->process_ms = bk__system_cpu_ms();
    ret->mono_ms = bk__clock_mono();
    ret->quota_cores = quota_cores(root);
    return 0;
}

int64_t bk__system_rss(void) {
    int64_t bytes;

    return resident("", &bytes) == 0 ? bytes : -1;
}

bool bk__system_boot_id(char out[64]) {
    char *text;
    size_t size;
    bool fits;

    if (load("", "/proc/sys/kernel/random/boot_id", &text) != 0) {
        return false;
    }
    size = strcspn(text, "\n");
    fits = size > 0 && size < 64;
    if (fits) {
        memcpy(out, text, size);
        out[size] = '\0';
    }
    free(text);
    return fits;
}

/* Magic numbers of statfs(2). "ephemeral": gone with the container or the machine's
   power. "network": another machine writes too, and file locks are only as good as its
   server. */
static const struct {
    uint32_t magic;
    bool ephemeral, network;
    const char *name;
} filesystems[] = {
    {0x0000EF53, false, false, "ext4"},     {0x58465342, false, false, "xfs"},
    {0x9123683E, false, false, "btrfs"},    {0x2FC12FC1, false, false, "zfs"},
    {0xF2F52010, false, false, "f2fs"},     {0xCA451A4E, false, false, "bcachefs"},
    {0x01021994, true, false, "tmpfs"},     {0x858458F6, true, false, "ramfs"},
    {0x794C7630, true, false, "overlayfs"}, {0x73717368, false, false, "squashfs"},
    {0x00004D44, false, false, "vfat"},     {0x2011BAB0, false, false, "exfat"},
    {0x5346544E, false, false, "ntfs"},     {0x7366746E, false, false, "ntfs3"},
    {0x65735546, false, false, "fuse"},     {0x00006969, false, true, "nfs"},
    {0xFF534D42, false, true, "cifs"},      {0xFE534D42, false, true, "smb2"},
    {0x0000517B, false, true, "smb"},       {0x01021997, false, true, "9p"},
    {0x00C36400, false, true, "ceph"},      {0x5346414F, false, true, "afs"},
    {0x0BD00BD0, false, true, "lustre"},    {0x01161970, false, true, "gfs2"},
    {0x7461636F, false, true, "ocfs2"},     {0x47504653, false, true, "gpfs"},
};

const char *bk__system_filesystem(const char *path, bool *ret_ephemeral,
                                  bool *ret_network) {
    struct statfs status;

    *ret_ephemeral = *ret_network = false;
    if (statfs(path, &status) != 0) {
        return "unknown";
    }
    for (size_t i = 0; i < sizeof filesystems / sizeof *filesystems; i++) {
        if (filesystems[i].magic == (uint32_t)status.f_type) {
            *ret_ephemeral = filesystems[i].ephemeral;
            *ret_network = filesystems[i].network;
            return filesystems[i].name;
        }
    }
    return "unknown";
}
