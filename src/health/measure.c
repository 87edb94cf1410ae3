/*
 * Memory, CPU, disks and uptime of a snapshot, with the thresholds a bot's owner knows.
 * Not the reading of /proc and cgroups (os/system.c), not the database (database.c).
 * snapshot.c calls it.
 */
#include <health/measure.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <health/board.h>
#include <health/level.h>
#include <os/file.h>
#include <os/system.h>

/* A threshold is crossed when it is exceeded: exactly 75 % is healthy. */
#define MEMORY_HIGH 75.0
#define MEMORY_CRITICAL 90.0
#define MB 1048576

static struct bk__finding judge_memory(double percent) {
    if (percent > MEMORY_CRITICAL) {
        return (struct bk__finding){"memory", BK__UNHEALTHY, "memory_critical",
                                    "Memory usage critical (>90%)"};
    }
    if (percent > MEMORY_HIGH) {
        return (struct bk__finding){"memory", BK__DEGRADED, "memory_high",
                                    "Memory usage high (>75%)"};
    }
    return (struct bk__finding){"memory", BK__HEALTHY, NULL, "Memory usage is fine"};
}

int bk__health_memory(struct bk__job *job, struct bk__health_verdict *verdict) {
    struct bk__memory memory;
    int64_t option = bk__config_int(bk__job_config(job), BK__OPT_MEMORY_LIMIT) * MB;
    int error = bk__system_memory("", option, &memory);
    if (error) {
        struct bk__finding blind = {"memory", BK__UNKNOWN, "memory_unknown",
                                    "The kernel does not tell this process's memory"};
        return bk__health_judge(verdict, &blind) ? 0 : bk__fail_memory();
    }
    bool limited = memory.limit_bytes > 0;
    double percent =
        limited ? 100.0 * (double)memory.used_bytes / (double)memory.limit_bytes : 0;
    struct bk__finding finding = judge_memory(percent);
    struct json_object *section = bk__json_object();
    if (!section || !bk__health_judge(verdict, &finding)) {
        json_object_put(section);
        return bk__fail_memory();
    }
    bk__json_add_int(section, "rss_bytes", memory.rss_bytes);
    bk__json_add_int(section, "used_bytes", memory.used_bytes);
    if (limited) {
        bk__json_add_int(section, "limit_bytes", memory.limit_bytes);
        bk__json_add_number(section, "percent", percent);
    } else {
        bk__json_put(section, "limit_bytes", NULL);
        bk__json_put(section, "percent", NULL);
    }
    bk__json_add_text(section, "limit_source", memory.limit_source);
    return bk__json_put(bk__job_result(job), "memory", section) ? 0 : bk__fail_memory();
}

int bk__health_cpu(struct bk__job *job) {
    struct bk__cpu cpu;
    struct bk__health_board *board =
        bk__keeper_room(bk__job_keeper(job), BK__ROOM_HEALTH);
    struct json_object *section = bk__json_object();
    if (!section) {
        return bk__fail_memory();
    }
    double percent = -1;
    if (bk__system_cpu("", &cpu) == 0) {
        percent =
            bk__health_board_cpu(board, cpu.process_ms, cpu.mono_ms, cpu.quota_cores);
        bk__json_add_number(section, "cores", cpu.quota_cores);
    } else {
        bk__json_put(section, "cores", NULL);
    }
    /* The first sample has no interval to divide by: null, not 0. */
    if (percent >= 0) {
        bk__json_add_number(section, "percent", percent);
    } else {
        bk__json_put(section, "percent", NULL);
    }
    return bk__json_put(bk__job_result(job), "cpu", section) ? 0 : bk__fail_memory();
}

struct disk {
    const char *what; /* "data" or "backups" */
    char *path;
    int64_t free_bytes;
    int64_t total_bytes;
};

/* The backup folder may not exist yet; the disk it will be on is its nearest existing
 * parent's. */
static int measure_disk(struct disk *disk) {
    for (;;) {
        int error = bk__file_space(disk->path, &disk->free_bytes, &disk->total_bytes);
        if (error != -ENOENT || strcmp(disk->path, "/") == 0 ||
            strcmp(disk->path, ".") == 0) {
            return error;
        }
        char *parent = bk__file_dir(disk->path);
        if (!parent) {
            return -ENOMEM;
        }
        free(disk->path);
        disk->path = parent;
    }
}

static struct json_object *describe_disk(const struct disk *disk) {
    struct json_object *row = bk__json_object();
    if (row) {
        double used =
            disk->total_bytes > 0
                ? 100.0 * (1.0 - (double)disk->free_bytes / (double)disk->total_bytes)
                : 0;
        bk__json_add_text(row, "what", disk->what);
        bk__json_add_text(row, "path", disk->path);
        bk__json_add_int(row, "free_bytes", disk->free_bytes);
        bk__json_add_int(row, "total_bytes", disk->total_bytes);
        bk__json_add_number(row, "percent", used);
    }
    return row;
}

static int judge_disk(struct bk__job *job, const struct disk *disk,
                      struct bk__health_verdict *verdict) {
    int64_t limit = bk__config_int(bk__job_config(job), BK__OPT_HEALTH_DISK_FREE) * MB;
    char check[32];
    char text[160];
    snprintf(check, sizeof check, "disk.%s", disk->what);
    struct bk__finding finding = {check, BK__HEALTHY, NULL, "There is room on the disk"};
    if (disk->free_bytes < limit) {
        snprintf(text, sizeof text,
                 "The disk of the %s has %lld MB left (less than %lld MB)", disk->what,
                 (long long)(disk->free_bytes / MB), (long long)(limit / MB));
        /* A tenth of the margin is where writes begin to fail. */
        enum bk__level level =
            disk->free_bytes < limit / 10 ? BK__UNHEALTHY : BK__DEGRADED;
        finding = (struct bk__finding){check, level, "disk_low", text};
    }
    return bk__health_judge(verdict, &finding) ? 0 : bk__fail_memory();
}

static int add_disk(struct bk__job *job, struct bk__health_verdict *verdict,
                    struct disk *disk, struct json_object *list) {
    char check[32];
    snprintf(check, sizeof check, "disk.%s", disk->what);
    if (!disk->path) {
        return bk__fail_memory();
    }
    if (measure_disk(disk) != 0) {
        struct bk__finding blind = {check, BK__UNKNOWN, "disk_unknown",
                                    "The free space of the disk cannot be read"};
        return bk__health_judge(verdict, &blind) ? 0 : bk__fail_memory();
    }
    if (!bk__json_append(list, describe_disk(disk))) {
        return bk__fail_memory();
    }
    return judge_disk(job, disk, verdict);
}

int bk__health_disks(struct bk__job *job, struct bk__health_verdict *verdict) {
    const struct bk__config *config = bk__job_config(job);
    const char *database = bk__config_text(config, BK__OPT_DATABASE);
    struct json_object *list = bk__json_list();
    int error = list ? 0 : bk__fail_memory();
    if (!error && *database) {
        struct disk data = {"data", bk__file_dir(database), 0, 0};
        error = add_disk(job, verdict, &data, list);
        free(data.path);
    }
    if (!error) {
        struct disk backups = {"backups",
                               strdup(bk__config_text(config, BK__OPT_BACKUP_DIR)), 0, 0};
        error = add_disk(job, verdict, &backups, list);
        free(backups.path);
    }
    if (error) {
        json_object_put(list);
        return error;
    }
    return bk__json_put(bk__job_result(job), "disk", list) ? 0 : bk__fail_memory();
}

/* The run's uptime and the operations in flight are lifecycle's to know. */
int bk__health_run(struct bk__job *job) {
    struct json_object *run = NULL;
    int error = bk__job_call(job, "lifecycle.status", NULL, &run);
    if (error) {
        return error;
    }
    struct json_object *result = bk__job_result(job);
    bool good =
        bk__json_add_int(result, "uptime_ms", bk__json_int(run, "uptime_ms", 0)) &&
        bk__json_put(result, "operations",
                     json_object_get(bk__json_member(run, "operations")));
    json_object_put(run);
    return good ? 0 : bk__fail_memory();
}
