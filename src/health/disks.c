/*
 * The disks of the data and of the backups: free space against health.disk.free. By statvfs()
 * alone, nothing is opened. measure.c calls it.
 */
#include <health/measure.h>

#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <core/config.h>
#include <os/file.h>

#define MB 1048576

struct disk {
    const char *what; /* "data" or "backups" */
    char path[PATH_MAX];
    int64_t free_bytes;
    int64_t total_bytes;
};

/* Cuts the last part off, in place; false when nothing is left to cut. */
static bool cut_last_part(char *path) {
    char *slash = strrchr(path, '/');
    if (!slash || (slash == path && !path[1])) {
        return false;
    }
    slash[slash == path ? 1 : 0] = '\0';
    return true;
}

/* The backup folder may not exist yet; the disk it will be on is its nearest existing parent's. */
static int measure(struct disk *disk) {
    for (;;) {
        int error = bk__file_space(disk->path, &disk->free_bytes, &disk->total_bytes);
        if (error != -ENOENT || !cut_last_part(disk->path)) {
            return error;
        }
    }
}

static void print(const struct disk *disk, struct bk__buf *out, bool first) {
    double used =
        disk->total_bytes > 0
            ? 100.0 * (1.0 - (double)disk->free_bytes / (double)disk->total_bytes)
            : 0;
    bk__buf_printf(out, "%s{\"what\":\"%s\",\"path\":", first ? "" : ",", disk->what);
    bk__health_quote(out, disk->path);
    bk__buf_printf(out, ",\"free_bytes\":%lld,\"total_bytes\":%lld,\"percent\":",
                   (long long)disk->free_bytes, (long long)disk->total_bytes);
    bk__health_tenths(out, used);
    bk__buf_text(out, "}");
}

static void judge(const struct disk *disk, int64_t limit, const char *check,
                  struct bk__verdict *verdict) {
    char text[160];
    struct bk__finding finding = {check, BK__HEALTHY, NULL, "There is room on the disk",
                                  NULL};
    if (disk->free_bytes < limit) {
        snprintf(text, sizeof text,
                 "The disk of the %s has %lld MB left (less than %lld MB)", disk->what,
                 (long long)(disk->free_bytes / MB), (long long)(limit / MB));
        /* A tenth of the margin is where writes begin to fail. */
        enum bk__level level =
            disk->free_bytes < limit / 10 ? BK__UNHEALTHY : BK__DEGRADED;
        finding = (struct bk__finding){check, level, "disk_low", text, NULL};
    }
    bk__verdict_add(verdict, &finding);
}

static void add(struct disk *disk, int64_t limit, struct bk__buf *out,
                struct bk__verdict *verdict) {
    char check[32];
    snprintf(check, sizeof check, "disk.%s", disk->what);
    if (measure(disk) != 0) {
        struct bk__finding blind = {check, BK__UNKNOWN, "disk_unknown",
                                    "The free space of the disk cannot be read", NULL};
        bk__verdict_add(verdict, &blind);
        return;
    }
    print(disk, out, out->data[out->size - 1] == '[');
    judge(disk, limit, check, verdict);
}

void bk__health_disks(const struct bk__config *config, struct bk__buf *out,
                      struct bk__verdict *verdict) {
    int64_t limit = bk__config_int(config, BK__OPT_HEALTH_DISK_FREE) * MB;
    const char *database = bk__config_text(config, BK__OPT_DATABASE);
    struct disk disk = {.what = "data"};
    bk__buf_text(out, ",\"disk\":[");
    if (*database && !bk__config_on_server(config) && !out->failed) {
        snprintf(disk.path, sizeof disk.path, "%s", database);
        cut_last_part(disk.path);
        add(&disk, limit, out, verdict);
    }
    if (!out->failed) {
        disk.what = "backups";
        snprintf(disk.path, sizeof disk.path, "%s",
                 bk__config_text(config, BK__OPT_BACKUP_DIR));
        add(&disk, limit, out, verdict);
    }
    bk__buf_text(out, "]");
}
