/*
 * The operation table of health: names, docs and result fields. Not their code:
 * snapshot.c. api/tables.c lists it.
 */
#include <health/operations.h>

#include <stddef.h>

static const struct bk__field snapshot_result[] = {
    {"status", "text", NULL, "healthy|degraded|unhealthy|unknown",
     "The worst level of all checks."},
    {"checked_at", "text", NULL, "", "When, UTC."},
    {"uptime_ms", "int", NULL, "", "How long this run has lasted."},
    {"isolation", "text", NULL, "thread|process|own", "Where the database is touched."},
    {"checks", "object", NULL, "", "Every check by name: {status, message, ...}."},
    {"issues", "list", NULL, "", "What is not healthy."},
    {"issues[].code", "text", NULL, "", "The issue for programs, such as memory_high."},
    {"issues[].check", "text", NULL, "", "The check that found it."},
    {"issues[].message", "text", NULL, "", "The issue for people."},
    {"memory", "object?", NULL, "", "Memory, as the kernel accounts it."},
    {"memory.rss_bytes", "int", NULL, "", "This process's resident memory."},
    {"memory.used_bytes", "int", NULL, "", "What counts against the limit."},
    {"memory.limit_bytes", "int?", NULL, "", "The limit; null: none found."},
    {"memory.limit_source", "text", NULL, "cgroup_v2|cgroup_v1|option|host",
     "Who sets it."},
    {"memory.percent", "number?", NULL, "", "Used of the limit."},
    {"cpu", "object", NULL, "", "Processor use of this process."},
    {"cpu.percent", "number?", NULL, "",
     "Since the snapshot before, of the quota; null at first."},
    {"cpu.cores", "number?", NULL, "", "Processors, or the cgroup's quota."},
    {"disk", "list", NULL, "", "The disks of the data and of the backups."},
    {"disk[].what", "text", NULL, "data|backups", "Which."},
    {"disk[].path", "text", NULL, "", "The folder measured."},
    {"disk[].free_bytes", "int", NULL, "", "What an ordinary user may still write."},
    {"disk[].total_bytes", "int", NULL, "", "The disk's size."},
    {"disk[].percent", "number", NULL, "", "How full it is."},
    {"database", "object?", NULL, "",
     "The report of store.probe; null: no database is set."},
    {"database.connected", "bool", NULL, "", "Whether a page could be read."},
    {"redis", "object?", NULL, "",
     "The same of the Redis beside it; null: the option redis is not set."},
    {"redis.connected", "bool", NULL, "", "Whether it answered."},
    {"loops", "object", NULL, "",
     "Every loop that beats: {age_ms, lag_ms, stalls, ...}."},
    {"operations", "object", NULL, "", "The host's operations in flight."},
    {"operations.active", "int", NULL, "", "How many."},
    {"operations.oldest_ms", "int?", NULL, "", "The age of the oldest; null: none."},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct bk__operation bk__health_operations[] = {
    {"health.snapshot",
     "Measures memory, CPU, disks, the stores, event loops and pushed reports once.",
     "anyone", BK__LANE_QUICK, BK__PLACE_HOST, NULL, snapshot_result,
     bk__health_snapshot},
    {NULL, NULL, NULL, BK__LANE_QUICK, BK__PLACE_HOST, NULL, NULL, NULL},
};
