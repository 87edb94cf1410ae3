/*
 * Runs what is scheduled: the due times of schedule.c in state.dir/schedule.json, jobs of
 * the schedule, and what becomes of their results. All of it on the keeper thread, but
 * for bk__keeper_plan(), which bk_open() calls.
 */
#include <core/keeper_inside.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <os/file.h>

#define FILE_LIMIT 65536
#define LOOK_AGAIN_MS 60000 /* the wall clock may jump meanwhile */
#define LEAST_PERIOD_MS 100

/* ---- schedule.json: {"backup.create":{"due_at":"..."}} ----------------------------- */

static struct json_object *load_record(const char *state_dir) {
    char *path = bk__file_join(state_dir, BK__SCHEDULE_FILE);
    char *text = NULL;
    size_t size = 0;
    struct json_object *record = NULL;
    if (path && bk__file_load(path, FILE_LIMIT, &text, &size) == 0) {
        record = bk__json_parse(text, NULL);
    }
    free(text);
    free(path);
    return record;
}

static int64_t recorded_due(struct json_object *record, const char *operation) {
    struct json_object *entry = record ? bk__json_member(record, operation) : NULL;
    const char *iso = entry ? bk__json_text(entry, "due_at", NULL) : NULL;
    int64_t due = -1;
    return iso && bk__stamp_parse(iso, &due) ? due : -1;
}

int64_t bk__job_next_due(struct bk__job *job, const char *operation) {
    struct json_object *record =
        load_record(bk__config_text(job->k->config, BK__OPT_STATE_DIR));
    int64_t due = recorded_due(record, operation);
    json_object_put(record);
    return due;
}

/* What cannot be saved is only said: the schedule goes on from memory. */
static void save_record(struct bk__keeper *k, const struct bk__plan_state *plan) {
    const char *dir = bk__config_text(k->config, BK__OPT_STATE_DIR);
    struct json_object *record = load_record(dir);
    struct json_object *entry = bk__json_object();
    char *path = bk__file_join(dir, BK__SCHEDULE_FILE);
    char due[BK__STAMP_SIZE];
    bk__stamp_iso(plan->due.due_wall, due);
    record = record ? record : bk__json_object();
    int err = -1;
    if (record && entry && path && bk__json_add_text(entry, "due_at", due)) {
        json_object_object_del(record, plan->row->operation);
        bk__json_put(record, plan->row->operation, entry);
        entry = NULL;
        char *text = bk__json_print(record);
        err = text ? bk__file_save(path, text, strlen(text)) : -1;
        free(text);
    }
    json_object_put(entry);
    json_object_put(record);
    free(path);
    if (err < 0) {
        bk__keeper_log(k, "warning", "The time of the next %s could not be noted in %s.",
                       plan->row->operation, dir);
    }
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

/* The lock is let go for what follows: nothing of it is needed, and hooks may send
 * events. */
static void finish(struct bk__keeper *k, struct bk__plan_state *plan) {
    struct bk__job *job = plan->job;
    plan->job = NULL;
    pthread_mutex_unlock(&k->lock);
    if (job->code < 0) {
        bk__due_failed(&plan->due, bk__keeper_wall(k));
    }
    if (plan->row->recorded) {
        save_record(k, plan);
    }
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
    bk__jobs_forget(k, job);
}

static struct json_object *plan_args(const struct bk__plan *row) {
    return row->args ? bk__json_parse(row->args, NULL) : bk__json_object();
}

static bool database_is_there(struct bk__keeper *k) {
    const char *database = bk__config_text(k->config, BK__OPT_DATABASE);
    return database[0] && (bk__config_on_server(k->config) || bk__file_exists(database));
}

/* Another process of the same bot may have done it meanwhile: then its due time is ours.
 */
static bool done_elsewhere(struct bk__keeper *k, struct bk__plan_state *plan) {
    struct json_object *record =
        load_record(bk__config_text(k->config, BK__OPT_STATE_DIR));
    int64_t due = recorded_due(record, plan->row->operation);
    json_object_put(record);
    if (due <= plan->due.due_wall) {
        return false;
    }
    plan->due.due_wall = due;
    return bk__due_wait(&plan->due, bk__keeper_wall(k), bk__keeper_mono(k)) > 0;
}

/* Starts the work with the lock let go; it may be refused while the keeper closes. */
static void begin(struct bk__keeper *k, struct bk__plan_state *plan) {
    struct bk__job *job = NULL;
    pthread_mutex_unlock(&k->lock);
    if (!plan->row->recorded || !done_elsewhere(k, plan)) {
        const struct bk__operation *operation = bk__operation_find(plan->row->operation);
        struct json_object *args = plan_args(plan->row);
        bk__due_began(&plan->due, bk__keeper_wall(k), bk__keeper_mono(k));
        if (plan->row->recorded) {
            save_record(k, plan);
        }
        if (operation && args && bk__operation_check(operation, args) == 0) {
            bk__jobs_add(k, operation, args, BK__JOB_SCHEDULE, &job);
        } else {
            json_object_put(args);
        }
    }
    pthread_mutex_lock(&k->lock);
    plan->job = job;
}

/* In how many milliseconds to look at this plan again. */
static int64_t tick_one(struct bk__keeper *k, struct bk__plan_state *plan) {
    if (plan->job && plan->job->state == BK__JOB_ENDED) {
        finish(k, plan);
    }
    if (plan->job) {
        return LOOK_AGAIN_MS; /* its end is announced */
    }
    int64_t wait = bk__due_wait(&plan->due, bk__keeper_wall(k), bk__keeper_mono(k));
    if (wait == 0 && plan->row->needs_database && !database_is_there(k)) {
        return LOOK_AGAIN_MS;
    }
    if (wait == 0) {
        begin(k, plan);
        return 0; /* look at once: it may have ended, or not have begun */
    }
    return wait < LOOK_AGAIN_MS ? wait : LOOK_AGAIN_MS;
}

int64_t bk__plan_tick(struct bk__keeper *k) {
    if (!k->plans_on || k->life != BK__LIFE_OPEN) {
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

static int64_t period_of(const struct bk__keeper *k, const struct bk__plan *row) {
    double period = bk__config_number(k->config, row->every) * (double)row->unit_ms;
    int64_t whole = row->fixed_ms > 0 ? row->fixed_ms : (int64_t)period;
    return whole < LEAST_PERIOD_MS ? LEAST_PERIOD_MS : whole;
}

static bool wanted(const struct bk__keeper *k, const struct bk__plan *row) {
    if (row->fixed_ms > 0) {
        return bk__operation_find(row->operation) != NULL;
    }
    return bk__config_bool(k->config, row->enabled) &&
           bk__config_number(k->config, row->every) > 0 &&
           bk__operation_find(row->operation);
}

static void begin_plan(struct bk__keeper *k, const struct bk__plan *row,
                       struct json_object *record) {
    struct bk__plan_state *plan = &k->plans[k->plan_count++];
    int64_t recorded = row->recorded ? recorded_due(record, row->operation) : -1;
    *plan = (struct bk__plan_state){.row = row};
    bk__due_start(&plan->due, period_of(k, row), recorded, row->first_ms,
                  bk__keeper_wall(k));
    if (row->recorded && recorded < 0) {
        save_record(k, plan); /* or a bot that never lives a minute is never backed up */
    }
}

/* The keeper thread looks at the plans only once the keeper is open. */
void bk__keeper_plan(struct bk__keeper *k, const struct bk__plan *rows, int count) {
    struct json_object *record =
        load_record(bk__config_text(k->config, BK__OPT_STATE_DIR));
    k->plan_count = 0;
    for (int i = 0; i < count && k->plan_count < BK__PLANS_LIMIT; i++) {
        if (wanted(k, &rows[i])) {
            begin_plan(k, &rows[i], record);
        }
    }
    json_object_put(record);
    pthread_mutex_lock(&k->lock);
    k->plans_on = true;
    pthread_mutex_unlock(&k->lock);
}
