/*
 * migrate.plan and migrate.status: what is applied, what is pending, what is wrong. They
 * only read: no lock, no table, no database is made. Not the comparison itself: plan.c.
 * The operation table calls it; up.c borrows the folder and the opening.
 */
#include <migrate/migrate.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>

enum { ATTEMPTS_SHOWN = 100 };

/* Everything the two operations look at. */
struct look {
    struct bk__migrations files;
    struct bk__history history;
    struct bk__migration_plan plan;
    struct bk__store *store; /* NULL: there is no database yet */
};

const char *bk__status_dir(struct bk__job *job) {
    const char *dir = bk__job_text(job, "dir");
    return dir ? dir : bk__config_text(bk__job_config(job), BK__OPT_MIGRATE_DIR);
}

/* An empty file is a database that is just being made. It is not worth opening, and
   between the look at its size and the opening it may have become one. */
int bk__status_open(struct bk__job *job, struct bk__store **ret) {
    const char *database = bk__config_text(bk__job_config(job), BK__OPT_DATABASE);
    int64_t size = bk__file_size_of(database);
    *ret = NULL;
    if (size == 0) {
        return 0;
    }
    int rc = bk__store_open(ret, job, false);
    if (rc == BK_ENOTFOUND || (rc == BK_ECORRUPT && size < 0)) {
        *ret = NULL;
        return 0;
    }
    return rc;
}

int bk__status_scan(struct bk__job *job, struct bk__migrations *ret) {
    int rc = bk__store_migrates(job);
    return rc == 0 ? bk__files_scan(bk__status_dir(job), ret) : rc;
}

static int look(struct bk__job *job, struct look *l) {
    int rc = bk__status_scan(job, &l->files);
    rc = rc == 0 ? bk__status_open(job, &l->store) : rc;
    if (rc == 0 && l->store) {
        rc = bk__history_read(l->store, &l->history);
    }
    if (rc == 0 && !bk__plan_make(&l->plan, &l->files, &l->history)) {
        rc = bk__fail_memory();
    }
    return rc;
}

static void look_free(struct look *l) {
    bk__store_close(l->store);
    bk__plan_free(&l->plan);
    bk__history_free(&l->history);
    bk__files_free(&l->files);
}

/* ---- the parts of the results ---- */

/* Keeps the object only when all went into it. */
static struct json_object *whole(struct json_object *object, bool good) {
    if (good) {
        return object;
    }
    json_object_put(object);
    return NULL;
}

struct json_object *bk__status_pending(const struct bk__migration *m) {
    struct json_object *item = bk__json_object();
    bool good = item && bk__json_add_int(item, "version", m->version) &&
                bk__json_add_text(item, "name", m->name) &&
                bk__json_add_text(item, "file", m->file) &&
                bk__json_add_bool(item, "transaction", m->transaction);
    return whole(item, good);
}

static struct json_object *problem_item(const struct bk__problem *problem) {
    struct json_object *item = bk__json_object();
    bool good = item && bk__json_add_text(item, "code", problem->code) &&
                bk__json_add_int(item, "version", problem->version) &&
                bk__json_add_text(item, "file", problem->file) &&
                bk__json_add_text(item, "message", problem->message);
    return whole(item, good);
}

static struct json_object *applied_item(const struct bk__applied *row) {
    struct json_object *item = bk__json_object();
    bool good = item && bk__json_add_int(item, "version", row->version) &&
                bk__json_add_text(item, "name", row->name) &&
                bk__json_add_text(item, "state", row->state) &&
                bk__json_add_text(item, "applied_at", row->applied_at) &&
                bk__json_add_int(item, "ms", row->duration_ms) &&
                bk__json_add_text(item, "checksum", row->checksum);
    return whole(item, good);
}

static bool append(struct json_object *list, struct json_object *item) {
    return item && bk__json_append(list, item);
}

static bool put_list(struct json_object *result, const char *name,
                     struct json_object *list, bool good) {
    list = whole(list, good);
    return list && bk__json_put(result, name, list);
}

static bool put_pending(struct json_object *result,
                        const struct bk__migration_plan *plan) {
    struct json_object *list = bk__json_list();
    bool good = list != NULL;
    for (size_t i = 0; i < plan->pending_count && good; i++) {
        good = append(list, bk__status_pending(plan->pending[i]));
    }
    return put_list(result, "pending", list, good);
}

static bool put_problems(struct json_object *result,
                         const struct bk__migration_plan *plan) {
    struct json_object *list = bk__json_list();
    bool good = list != NULL;
    for (size_t i = 0; i < plan->problem_count && good; i++) {
        good = append(list, problem_item(&plan->problems[i]));
    }
    return put_list(result, "problems", list, good);
}

static bool put_applied(struct json_object *result, const struct bk__history *history) {
    struct json_object *list = bk__json_list();
    bool good = list != NULL;
    for (size_t i = 0; i < history->count && good; i++) {
        good = append(list, applied_item(&history->items[i]));
    }
    return put_list(result, "applied", list, good);
}

static int put_attempts(struct json_object *result, struct bk__store *store) {
    struct json_object *list = bk__json_list();
    int rc = list ? 0 : bk__fail_memory();
    if (rc == 0 && store) {
        rc = bk__history_attempts(store, ATTEMPTS_SHOWN, list);
    }
    if (rc < 0) {
        json_object_put(list);
        return rc;
    }
    return bk__json_put(result, "attempts", list) ? 0 : bk__fail_memory();
}

static bool put_plan(struct json_object *result, const struct bk__migration_plan *plan) {
    bool good = plan->current < 0 ? bk__json_put(result, "current", NULL)
                                  : bk__json_add_int(result, "current", plan->current);
    return good && put_pending(result, plan) && put_problems(result, plan);
}

/* ---- the operations ---- */

int bk__migrate_plan(struct bk__job *job) {
    struct look l = {0};
    struct json_object *result = bk__job_result(job);
    int rc = look(job, &l);
    if (rc == 0 && !(put_plan(result, &l.plan) &&
                     bk__json_add_int(result, "applied", (int64_t)l.plan.applied))) {
        rc = bk__fail_memory();
    }
    look_free(&l);
    return rc;
}

int bk__migrate_status(struct bk__job *job) {
    struct look l = {0};
    struct json_object *result = bk__job_result(job);
    int rc = look(job, &l);
    if (rc == 0 && !(put_plan(result, &l.plan) && put_applied(result, &l.history))) {
        rc = bk__fail_memory();
    }
    rc = rc == 0 ? put_attempts(result, l.store) : rc;
    look_free(&l);
    return rc;
}
