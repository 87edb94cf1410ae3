/*
 * The rows of the schedule: the automatic backup, the health snapshot with its event on a change,
 * the run's sign of life. bk_open() begins them.
 */
#include <api/plans.h>

#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/keeper.h>
#include <core/schedule.h>
#include <os/clock.h>

#define SECOND 1000
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)

/* 0 is what a keeper begins with: nothing has been measured. */
static const char *const levels[] = {"unknown", "healthy", "degraded", "unhealthy"};
#define LEVEL_BITS 3

static int level_number(const char *name) {
    int number = 0;
    for (int i = 0; i < 4; i++) {
        number = strcmp(levels[i], name) == 0 ? i : number;
    }
    return number;
}

/* What is wrong, as a number that another set of issues does not have: FNV-1a over their codes. */
static unsigned sum_issues(struct json_object *issues) {
    unsigned sum = 2166136261U;
    size_t count = issues ? json_object_array_length(issues) : 0;
    for (size_t i = 0; i < count; i++) {
        struct json_object *issue = json_object_array_get_idx(issues, i);
        const char *code = bk__json_text(issue, "code", "");
        for (const char *at = code; *at != '\0'; at++) {
            sum = (sum ^ (unsigned char)*at) * 16777619U;
        }
        sum = (sum ^ '\n') * 16777619U;
    }
    return sum;
}

/* An event when the level changes, or what is wrong: a failed backup must not hide behind a disk that
   is nearly full, nor be told twice. */
static void health_ended(struct bk__keeper *k, const struct bk__plan_end *end) {
    if (end->code < 0) {
        bk__keeper_log(k, "warning", "The scheduled health snapshot failed: %s",
                       end->why);
        return;
    }
    const char *status = bk__json_text(end->result, "status", "unknown");
    struct json_object *issues = bk__json_member(end->result, "issues");
    int before = *end->memory & LEVEL_BITS;
    int now_is = (int)(sum_issues(issues) >> 3 << 2) | level_number(status);
    if (now_is == *end->memory) {
        return;
    }
    *end->memory = now_is;
    const struct bk__clock *clock = bk__keeper_clock(k);
    char now[BK__STAMP_SIZE];
    bk__stamp_iso(clock->wall_ms(clock->context), now);
    struct json_object *members = bk__json_object();
    if (members && bk__json_add_text(members, "from", levels[before]) &&
        bk__json_add_text(members, "to", status) &&
        bk__json_add_text(members, "time", now) &&
        bk__json_put(members, "issues", json_object_get(issues))) {
        bk__keeper_event(k, "health", members);
    } else {
        json_object_put(members);
    }
}

static void seen_ended(struct bk__keeper *k, const struct bk__plan_end *end) {
    if (end->code < 0 && *end->memory == 0) {
        bk__keeper_log(k, "warning", "The run's sign of life failed: %s", end->why);
    }
    *end->memory = end->code < 0; /* once, not every minute of a full disk */
}

/* A bot's first minute belongs to its own start and migrations; a missed backup does not wait. */
static const struct bk__plan plans[] = {
    {.operation = "backup.create",
     .args = "{\"kind\":\"auto\"}",
     .gap = "gap",
     .every = BK__OPT_BACKUP_EVERY,
     .unit_ms = HOUR,
     .by_cron = true,
     .enabled = BK__OPT_BACKUP_ENABLED,
     .first_ms = MINUTE,
     .recorded = true,
     .needs_database = true},
    {.operation = "backup.rehearse",
     .every = BK__OPT_BACKUP_REHEARSE_EVERY,
     .unit_ms = HOUR,
     .enabled = BK__OPT_BACKUP_ENABLED,
     .first_ms = HOUR,
     .recorded = true,
     .needs_database = true},
    {.operation = "health.snapshot",
     .every = BK__OPT_HEALTH_EVERY,
     .unit_ms = MINUTE,
     .enabled = BK__OPT_HEALTH_ENABLED,
     .first_ms = 10 * SECOND,
     .ended = health_ended},
    {.operation = "lifecycle.seen",
     .fixed_ms = 5 * SECOND,
     .first_ms = 5 * SECOND,
     .ended = seen_ended},
};

int bk__api_plan(struct bk__keeper *k) {
    return bk__keeper_plan(k, plans, sizeof plans / sizeof plans[0]);
}
