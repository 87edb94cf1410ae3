/*
 * Runs what is scheduled: the due times of schedule.c in state.dir/schedule.json, jobs of
 * the schedule, and what becomes of their results. The plans are the keeper thread's alone once
 * bk__keeper_plan(), which bk_open() calls, has set plans_on; the lock is not held here.
 */
#include <core/keeper_inside.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <base/zone.h>
#include <core/calendar.h>
#include <core/due_record.h>

#define LOOK_AGAIN_MS 60000 /* the wall clock may jump meanwhile */
#define LEAST_PERIOD_MS 100
#define MINUTE_MS 60000
#define GAP_LIMIT 525600 /* a year */

static const char *state_dir(const struct bk__keeper *k) {
    return bk__config_text(k->config, BK__OPT_STATE_DIR);
}

int64_t bk__job_next_due(struct bk__job *job, const char *operation) {
    struct bk__due_record record;
    bk__due_record_load(state_dir(job->k), operation, &record);
    return record.due_wall;
}

/* Where it is recorded. What cannot be saved is said once: the schedule goes on from memory. */
static void save_record(struct bk__keeper *k, struct bk__plan_state *plan,
                        bool unfinished) {
    if (!plan->row->recorded) {
        return;
    }
    struct bk__due_record record = {.due_wall = plan->due.due_wall,
                                    .ran_wall = plan->due.ran_wall,
                                    .unfinished = unfinished};
    snprintf(record.rule, sizeof record.rule, "%s", plan->rule);
    int err = bk__due_record_save(state_dir(k), plan->row->operation, &record);
    if (err < 0 && !plan->unnoted) {
        bk__keeper_log(k, "warning",
                       "When %s runs next cannot be noted in %s (%s). It goes on while "
                       "this process lives, but the next start goes by the time that "
                       "was noted last.",
                       plan->row->operation, state_dir(k), strerror(-err));
    }
    plan->unnoted = err < 0;
}

/* ---- running ----------------------------------------------------------------------- */

static bool add_outcome(struct json_object *members, const struct bk__plan_end *end) {
    if (end->code >= 0) {
        return bk__json_put(members, "result", json_object_get(end->result));
    }
    struct json_object *error = bk__json_object();
    return error && bk__json_put(members, "error", error) &&
           bk__json_add_text(error, "code", bk__error_name(end->code)) &&
           bk__json_add_text(error, "message", end->why);
}

static void send_scheduled(struct bk__keeper *k, const char *operation,
                           const struct bk__plan_end *end) {
    char due[BK__STAMP_SIZE];
    bk__stamp_iso(end->next_due_wall, due);
    if (end->code < 0) {
        bk__keeper_log(k, "error", "The scheduled %s failed: %s", operation, end->why);
    }
    struct json_object *members = bk__json_object();
    if (members && bk__json_add_text(members, "operation", operation) &&
        bk__json_add_bool(members, "ok", end->code >= 0) && add_outcome(members, end) &&
        bk__json_add_text(members, "next_due_at", due)) {
        bk__keeper_event(k, "scheduled", members);
    } else {
        json_object_put(members);
    }
}

static bool has_ended(struct bk__keeper *k, const struct bk__job *job) {
    pthread_mutex_lock(&k->lock);
    bool ended = job->state == BK__JOB_ENDED;
    pthread_mutex_unlock(&k->lock);
    return ended;
}

static void finish(struct bk__keeper *k, struct bk__plan_state *plan) {
    const struct bk__job *job = plan->job;
    /* What could be done of a partial one is done: to hurry would only pile up halves. */
    if (job->code < 0 && job->code != BK_EPARTIAL) {
        bk__due_failed(&plan->due, bk__keeper_wall(k));
    }
    save_record(k, plan, false);
    struct bk__plan_end end = {.code = job->code,
                               .why = job->why ? job->why : "",
                               .result = job->code < 0 ? NULL : job->result,
                               .next_due_wall = plan->due.due_wall,
                               .memory = &plan->memory};
    if (plan->row->ended) {
        plan->row->ended(k, &end);
    } else {
        send_scheduled(k, plan->row->operation, &end);
    }
    pthread_mutex_lock(&k->lock);
    bk__jobs_forget(k, plan->job);
    pthread_mutex_unlock(&k->lock);
    plan->job = NULL;
}

/* Each start would find the same time missed where nothing can be noted. Then what was made in the
   last half of the period is enough, or a crash loop would push the history out. */
static struct json_object *plan_args(const struct bk__plan_state *plan) {
    const struct bk__plan *row = plan->row;
    struct json_object *args =
        row->args ? bk__json_parse(row->args, NULL) : bk__json_object();
    int64_t gap = plan->due.period_ms / 2 / MINUTE_MS;
    if (args && row->gap && plan->unnoted) {
        bk__json_add_int(args, row->gap, gap < GAP_LIMIT ? gap : GAP_LIMIT);
    }
    return args;
}

/* It may be refused while the keeper closes. */
static void begin(struct bk__keeper *k, struct bk__plan_state *plan) {
    const struct bk__operation *operation = bk__operation_find(plan->row->operation);
    bk__due_began(&plan->due, bk__keeper_wall(k), bk__keeper_mono(k));
    save_record(k, plan, true);
    struct json_object *args = plan_args(plan);
    if (operation && args && bk__operation_check(operation, args) == 0) {
        bk__jobs_add(k, operation, args, BK__JOB_SCHEDULE, &plan->job);
    } else {
        json_object_put(args);
    }
    if (!plan->job) {
        bk__due_failed(&plan->due, bk__keeper_wall(k));
        save_record(k, plan, false);
    }
}

static int64_t period_of(const struct bk__keeper *k, const struct bk__plan *row) {
    double period = bk__config_number(k->config, row->every) * (double)row->unit_ms;
    int64_t whole = row->fixed_ms > 0 ? row->fixed_ms : (int64_t)period;
    return whole < LEAST_PERIOD_MS ? LEAST_PERIOD_MS : whole;
}

/* When it is due, by what is recorded, if it is. A time ahead that another rule set is void; one
   that was missed is still caught up. */
static void start_due(struct bk__keeper *k, struct bk__plan_state *plan) {
    struct bk__due_record record = {.due_wall = -1, .ran_wall = -1};
    int64_t now = bk__keeper_wall(k);
    if (plan->row->recorded) {
        bk__due_record_load(state_dir(k), plan->row->operation, &record);
    }
    int64_t recorded = record.due_wall;
    if (recorded > now && strcmp(record.rule, plan->rule) != 0) {
        recorded = -1;
    }
    if (plan->zone) {
        plan->due = (struct bk__due){
            .cron = &plan->cron, .zone = plan->zone, .ran_wall = record.ran_wall};
        bk__due_start_cron(&plan->due, recorded, now);
    } else {
        bk__due_start(&plan->due, period_of(k, plan->row), recorded, plan->row->first_ms,
                      now);
    }
    if (record.unfinished) {
        bk__due_failed(&plan->due, now); /* the process was killed meanwhile */
    }
    if (plan->due.due_wall != record.due_wall) {
        /* Or a bot that never lives a minute is never backed up. */
        save_record(k, plan, false);
    }
}

/* Whether this process runs it: what is recorded is the whole bot's, so only its leader does,
   going on from what the leader before it has noted. */
static bool is_ours(struct bk__keeper *k, struct bk__plan_state *plan) {
    bool ours = !plan->row->recorded || bk__keeper_leads(k);
    if (ours && !plan->ours) {
        start_due(k, plan);
    }
    plan->ours = ours;
    return ours;
}

/* In how many milliseconds to look at this plan again. */
static int64_t tick_one(struct bk__keeper *k, struct bk__plan_state *plan) {
    if (plan->job && has_ended(k, plan->job)) {
        finish(k, plan);
    }
    if (plan->job || !is_ours(k, plan)) {
        return LOOK_AGAIN_MS; /* its end is announced, and so is a new leader */
    }
    int64_t wait = bk__due_wait(&plan->due, bk__keeper_wall(k), bk__keeper_mono(k));
    if (wait == 0 && plan->row->needs_database && !bk__config_has_data(k->config)) {
        return LOOK_AGAIN_MS;
    }
    if (wait == 0) {
        begin(k, plan);
        return 0; /* look at once: it may have ended, or not have begun */
    }
    return wait < LOOK_AGAIN_MS ? wait : LOOK_AGAIN_MS;
}

static bool is_on(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    bool on = k->plans_on;
    pthread_mutex_unlock(&k->lock);
    return on;
}

void bk__plan_finish(struct bk__keeper *k) {
    bool on = is_on(k);
    for (int i = 0; on && i < k->plan_count; i++) {
        if (k->plans[i].job && has_ended(k, k->plans[i].job)) {
            finish(k, &k->plans[i]);
        }
    }
}

int64_t bk__plan_tick(struct bk__keeper *k) {
    if (!is_on(k) || bk__keeper_life(k) != BK__LIFE_OPEN) {
        return -1;
    }
    int64_t next = LOOK_AGAIN_MS;
    for (int i = 0; i < k->plan_count; i++) {
        int64_t again = tick_one(k, &k->plans[i]);
        next = again < next ? again : next;
    }
    return next;
}

/* ---- bk_open() --------------------------------------------------------------------- */

static bool wanted(const struct bk__keeper *k, const struct bk__plan *row) {
    bool by_cron =
        row->by_cron && bk__config_text(k->config, BK__OPT_BACKUP_CRON)[0] != '\0';
    if (row->fixed_ms > 0) {
        return bk__operation_find(row->operation) != NULL;
    }
    return bk__config_bool(k->config, row->enabled) &&
           (by_cron || bk__config_number(k->config, row->every) > 0) &&
           bk__operation_find(row->operation);
}

/* The cron expression in force, with its zone, where the row goes by one. */
static int read_cron(struct bk__keeper *k, struct bk__plan_state *plan) {
    if (!plan->row->by_cron) {
        return 0;
    }
    int code = bk__calendar_cron(k->config, &plan->cron);
    if (code == 1) {
        snprintf(plan->rule, sizeof plan->rule, "%s %s",
                 bk__config_text(k->config, BK__OPT_BACKUP_CRON),
                 bk__config_text(k->config, BK__OPT_BACKUP_TIMEZONE));
        code = bk__calendar_zone(k->config, &plan->zone);
    }
    return code;
}

void bk__plan_clear(struct bk__keeper *k) {
    for (int i = 0; i < k->plan_count; i++) {
        bk__zone_free(k->plans[i].zone);
    }
    k->plan_count = 0;
}

/* The keeper thread looks at the plans only once the keeper is open. */
int bk__keeper_plan(struct bk__keeper *k, const struct bk__plan *rows, int count) {
    int code = 0;
    bk__plan_clear(k);
    for (int i = 0; code == 0 && i < count && k->plan_count < BK__PLANS_LIMIT; i++) {
        if (wanted(k, &rows[i])) {
            struct bk__plan_state *plan = &k->plans[k->plan_count++];
            *plan = (struct bk__plan_state){.row = &rows[i]};
            code = read_cron(k, plan);
        }
    }
    if (code == 0) {
        code = bk__leader_start(k);
    }
    for (int i = 0; code == 0 && i < k->plan_count; i++) {
        is_ours(k, &k->plans[i]); /* what is due is noted before the bot may crash */
    }
    pthread_mutex_lock(&k->lock);
    k->plans_on = code == 0;
    pthread_mutex_unlock(&k->lock);
    return code;
}
