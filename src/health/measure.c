/*
 * Memory and CPU of a snapshot, with the thresholds a bot's owner knows. Not the reading of /proc
 * and cgroups (os/system.c), not disks and database. snapshot.c calls it.
 *
 * Locks: meter->lock only; it is held while /proc is read, never while a disk is asked.
 */
#include <health/measure.h>

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>

#include <core/config.h>
#include <os/clock.h>
#include <os/system.h>

/* A threshold is crossed when it is exceeded: exactly 75 % is healthy. */
#define MEMORY_HIGH 75.0
#define MEMORY_CRITICAL 90.0
#define MB 1048576

/* Limits change when somebody edits a unit or a container, not from one second to the next. */
#define LIMITS_FOR_MS 10000

struct bk__meter {
    pthread_mutex_t lock;
    /* guarded by lock */
    struct bk__limits limits;
    int64_t limits_at; /* 0: not resolved yet */
    int64_t cpu_ms;    /* the CPU sample before */
    int64_t cpu_at;    /* 0: none yet */
};

struct bk__meter *bk__meter_new(void) {
    struct bk__meter *meter = calloc(1, sizeof *meter);
    if (meter && pthread_mutex_init(&meter->lock, NULL) != 0) {
        free(meter);
        return NULL;
    }
    return meter;
}

void bk__meter_free(struct bk__meter *meter) {
    if (meter) {
        bk__system_limits_free(&meter->limits);
        pthread_mutex_destroy(&meter->lock);
        free(meter);
    }
}

static int refresh_limits(struct bk__meter *meter, const struct bk__config *config,
                          int64_t now) {
    if (meter->limits_at && now - meter->limits_at < LIMITS_FOR_MS) {
        return 0;
    }
    struct bk__limits limits;
    int error =
        bk__system_limits("", bk__config_int(config, BK__OPT_MEMORY_LIMIT) * MB, &limits);
    if (!error) {
        bk__system_limits_free(&meter->limits);
        meter->limits = limits;
        meter->limits_at = now;
    }
    return error;
}

static struct bk__finding judge_memory(double percent) {
    if (percent > MEMORY_CRITICAL) {
        return (struct bk__finding){"memory", BK__UNHEALTHY, "memory_critical",
                                    "Memory usage critical (>90%)", NULL};
    }
    if (percent > MEMORY_HIGH) {
        return (struct bk__finding){"memory", BK__DEGRADED, "memory_high",
                                    "Memory usage high (>75%)", NULL};
    }
    return (struct bk__finding){"memory", BK__HEALTHY, NULL, "Memory usage is fine",
                                NULL};
}

static void print_memory(const struct bk__meter *meter, struct bk__buf *out,
                         struct bk__verdict *verdict) {
    struct bk__memory memory;
    if (bk__system_used("", &meter->limits, &memory) != 0) {
        struct bk__finding blind = {"memory", BK__UNKNOWN, "memory_unknown",
                                    "The kernel does not tell this process's memory",
                                    NULL};
        bk__verdict_add(verdict, &blind);
        bk__buf_text(out, "\"memory\":null");
        return;
    }
    bool limited = memory.limit_bytes > 0;
    double percent =
        limited ? 100.0 * (double)memory.used_bytes / (double)memory.limit_bytes : 0;
    struct bk__finding finding = judge_memory(percent);
    bk__verdict_add(verdict, &finding);
    bk__buf_printf(
        out,
        "\"memory\":{\"rss_bytes\":%lld,\"used_bytes\":%lld,\"limit_source\":\"%s\",",
        (long long)memory.rss_bytes, (long long)memory.used_bytes, memory.limit_source);
    if (limited) {
        bk__buf_printf(
            out, "\"limit_bytes\":%lld,\"percent\":", (long long)memory.limit_bytes);
        bk__health_tenths(out, percent);
        bk__buf_text(out, "}");
    } else {
        bk__buf_text(out, "\"limit_bytes\":null,\"percent\":null}");
    }
}

/* The first sample has no interval to divide by: null, not 0. */
static void print_cpu(struct bk__meter *meter, struct bk__buf *out) {
    int64_t used = bk__system_cpu_ms();
    int64_t now = bk__clock_mono();
    double cores = meter->limits.cores;
    bk__buf_text(out, ",\"cpu\":{\"cores\":");
    bk__health_tenths(out, cores);
    bk__buf_text(out, ",\"percent\":");
    if (meter->cpu_at && now > meter->cpu_at && cores > 0) {
        bk__health_tenths(out, 100.0 * (double)(used - meter->cpu_ms) /
                                   (double)(now - meter->cpu_at) / cores);
    } else {
        bk__buf_text(out, "null");
    }
    bk__buf_text(out, "}");
    meter->cpu_ms = used;
    meter->cpu_at = now;
}

void bk__meter_print(struct bk__meter *meter, const struct bk__config *config,
                     struct bk__buf *out, struct bk__verdict *verdict) {
    pthread_mutex_lock(&meter->lock);
    if (refresh_limits(meter, config, bk__clock_mono()) != 0) {
        meter->limits.limit_bytes = -1;
        meter->limits.limit_source = "host";
    }
    print_memory(meter, out, verdict);
    print_cpu(meter, out);
    pthread_mutex_unlock(&meter->lock);
    bk__health_disks(config, out, verdict);
}
