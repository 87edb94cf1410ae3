/*
 * Jobs in their lanes: taking them in, waiting for them, cancelling them, and the one
 * done event of each. Not what a job can do while it runs (job.c) nor the threads
 * (threads.c). api calls the bk__keeper_ functions, the threads the bk__jobs_ ones.
 */
#include <core/keeper_inside.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>

/* What a cancelled job gets to clean up before its caller goes on without it. */
#define CANCEL_MS 1000

/* Ids are never used again in this process, whichever keeper asks. */
static int last_id; /* atomic */

static int new_id(void) {
    return __atomic_add_fetch(&last_id, 1, __ATOMIC_RELAXED);
}

struct bk__job *bk__jobs_find(struct bk__keeper *k, int id) {
    struct bk__job *job = k->jobs;
    while (job && job->id != id) {
        job = job->next;
    }
    return job;
}

void bk__jobs_forget(struct bk__keeper *k, struct bk__job *job) {
    if (!job) {
        return;
    }
    for (struct bk__job **at = &k->jobs; *at; at = &(*at)->next) {
        if (*at == job) {
            *at = job->next;
            break;
        }
    }
    k->host_jobs -= job->owner == BK__JOB_HOST;
    bk__job_free(job);
}

bool bk__jobs_busy(const struct bk__keeper *k) {
    for (const struct bk__job *job = k->jobs; job; job = job->next) {
        if (job->state != BK__JOB_ENDED) {
            return true;
        }
    }
    return false;
}

/* ---- the done event ---------------------------------------------------------------- */

static bool add_outcome(struct json_object *done, struct bk__job *job, int code) {
    if (!bk__json_add_bool(done, "ok", code >= 0)) {
        return false;
    }
    if ((code >= 0 || job->tells_result) &&
        !bk__json_put(done, "result", json_object_get(job->result))) {
        return false;
    }
    if (code >= 0) {
        return true;
    }
    struct json_object *error = bk__json_object();
    if (!error || !bk__json_put(done, "error", error)) {
        return false;
    }
    return bk__json_add_text(error, "code", bk__error_name(code)) &&
           bk__json_add_text(error, "message", bk__error_text());
}

/* The done event's text, with this thread's error text where it failed. NULL: out of
 * memory. */
static char *done_text(struct bk__job *job, int code) {
    struct json_object *done = bk__json_object();
    char *text = NULL;
    if (done && bk__json_add_text(done, "event", "done") &&
        bk__json_add_int(done, "job", job->id) &&
        bk__json_add_text(done, "operation", job->operation->name) &&
        add_outcome(done, job, code)) {
        text = bk__json_print(done);
    }
    json_object_put(done);
    return text;
}

/* With the lock held. text is taken: the done event of a host's job, else the error's
 * text. */
static void end_locked(struct bk__job *job, int code, char *text) {
    struct bk__keeper *k = job->k;
    job->state = BK__JOB_ENDED;
    job->code = code;
    if (job->owner == BK__JOB_HOST) {
        char *said = text ? text : job->spare;
        job->spare = text ? job->spare : NULL;
        struct bk__event *reserved = job->reserved;
        job->reserved = NULL;
        bk__event_push_reserved(&k->events, reserved, BK__EVENT_DONE, job->id, said);
    } else {
        job->why = text;
    }
    bool abandoned = job->abandoned;
    if (abandoned) {
        bk__jobs_forget(k, job);
    }
    bk__keeper_announce(k);
    bk__keeper_poke(k); /* the schedule may wait for it */
}

static char *outcome_text(struct bk__job *job, int code) {
    return job->owner == BK__JOB_HOST ? done_text(job, code)
           : code < 0                 ? strdup(bk__error_text())
                                      : NULL;
}

void bk__jobs_end(struct bk__job *job, int code) {
    struct bk__keeper *k = job->k;
    char *text = outcome_text(job, code);
    pthread_mutex_lock(&k->lock);
    end_locked(job, code, text);
    pthread_mutex_unlock(&k->lock);
}

/* ---- lanes ------------------------------------------------------------------------- */

static void enqueue(struct bk__keeper *k, struct bk__job *job) {
    struct bk__lane_thread *lane = &k->lanes[job->operation->lane];
    job->next = k->jobs;
    k->jobs = job;
    if (lane->last) {
        lane->last->next_queued = job;
    } else {
        lane->first = job;
    }
    lane->last = job;
    pthread_cond_signal(&lane->work);
}

static void dequeue(struct bk__lane_thread *lane, struct bk__job *job) {
    struct bk__job *before = NULL;
    for (struct bk__job *at = lane->first; at != job; at = at->next_queued) {
        before = at;
    }
    if (before) {
        before->next_queued = job->next_queued;
    } else {
        lane->first = job->next_queued;
    }
    if (lane->last == job) {
        lane->last = before;
    }
    job->next_queued = NULL;
}

struct bk__job *bk__jobs_next(struct bk__lane_thread *lane) {
    struct bk__job *job = lane->first;
    if (job) {
        dequeue(lane, job);
        job->state = BK__JOB_RUNNING;
    }
    return job;
}

/* With the lock held: may this job come in? */
static int admit(const struct bk__keeper *k, enum bk__job_owner owner) {
    if (k->given_up || k->stopping) {
        return bk__fail(BK_ESTATE,
                        "The keeper is closing, so nothing new begins. Data is safe.");
    }
    if (owner == BK__JOB_INSIDE) {
        return 0;
    }
    if (k->life != BK__LIFE_OPEN) {
        return bk__fail(BK_ESTATE, "The keeper is %s. Nothing was started. %s",
                        k->life < BK__LIFE_OPEN ? "not open" : "shutting down",
                        k->life < BK__LIFE_OPEN ? "Open it first."
                                                : "Ask again after the restart.");
    }
    if (owner == BK__JOB_HOST && k->host_jobs >= BK__JOBS_LIMIT) {
        return bk__fail(BK_EBUSY,
                        "%d jobs have not ended or their done events were not taken. "
                        "Nothing was started. Take events with bk_next() and try again.",
                        k->host_jobs);
    }
    return 0;
}

static int prepare_done(struct bk__job *job) {
    job->reserved = bk__event_reserve();
    job->spare = bk__text_printf("{\"event\":\"done\",\"job\":%d,\"operation\":\"%s\","
                                 "\"ok\":false,\"error\":{\"code\":"
                                 "\"BK_ENOMEM\",\"message\":\"The job ended, but its "
                                 "result did not fit into memory.\"}}",
                                 job->id, job->operation->name);
    return job->reserved && job->spare ? 0 : bk__fail_memory();
}

/* The job, which is taken, into its lane's queue. Its id, or an error. */
static int enter(struct bk__job *job, enum bk__job_owner owner, struct bk__job **ret) {
    struct bk__keeper *k = job->k;
    int id = new_id();
    job->id = id;
    job->owner = owner;
    int code = owner == BK__JOB_HOST ? prepare_done(job) : 0;
    if (code < 0) {
        bk__job_free(job);
        return code;
    }
    pthread_mutex_lock(&k->lock);
    code = admit(k, owner);
    if (code == 0) {
        enqueue(k, job);
        k->host_jobs += owner == BK__JOB_HOST;
        if (ret) {
            *ret = job; /* a host's job may be gone by now; the others stay */
        }
    }
    pthread_mutex_unlock(&k->lock);
    if (code < 0) {
        bk__job_free(job);
        return code;
    }
    return id;
}

int bk__jobs_add(struct bk__keeper *k, const struct bk__operation *operation,
                 struct json_object *args, enum bk__job_owner owner,
                 struct bk__job **ret) {
    struct bk__job *job = bk__job_make(k, operation, args);
    return job ? enter(job, owner, ret) : bk__fail_memory();
}

/* ---- for api ----------------------------------------------------------------------- */

static int refuse_operation(const char *name) {
    const char *near = bk__operation_near(name);
    if (near) {
        return bk__fail(BK_ENOTFOUND,
                        "There is no operation \"%.100s\". Nothing was started. Did you "
                        "mean \"%s\"?",
                        name, near);
    }
    return bk__fail(BK_ENOTFOUND,
                    "There is no operation \"%.100s\". Nothing was started. See "
                    "docs/reference/operations.md or \"botkeep describe\".",
                    name);
}

/* The helper process is handed internal operations, too: a staged restore in process mode. */
static bool is_helper(const struct bk__keeper *k) {
    return strcmp(bk__config_text(k->config, BK__OPT_GUEST_ISOLATION), "own") == 0 &&
           !bk__config_bool(k->config, BK__OPT_RUN_TRACK);
}

/* A job for the host, made and not yet queued. */
static int make_for_host(struct bk__keeper *k, const char *operation,
                         const char *args_json, struct bk__job **ret) {
    const struct bk__operation *found = bk__operation_find(operation);
    if (!found || (strcmp(found->who, "internal") == 0 && !is_helper(k))) {
        return refuse_operation(operation);
    }
    struct json_object *args = NULL;
    int code = bk__operation_parse(found, args_json, &args);
    if (code < 0) {
        return code;
    }
    *ret = bk__job_make(k, found, args);
    return *ret ? 0 : bk__fail_memory();
}

int bk__keeper_run(struct bk__keeper *k, const char *operation, const char *args_json) {
    return bk__keeper_run_image(k, operation, args_json, NULL, 0);
}

int bk__keeper_run_image(struct bk__keeper *k, const char *operation,
                         const char *args_json, unsigned char *image, size_t size) {
    struct bk__job *job = NULL;
    int code = make_for_host(k, operation, args_json, &job);
    if (code < 0) {
        free(image);
        return code;
    }
    job->image = image;
    job->image_size = size;
    return enter(job, BK__JOB_HOST, NULL);
}

static struct bk__job *find_host_job(struct bk__keeper *k, int id) {
    struct bk__job *job = bk__jobs_find(k, id);
    if (job && job->owner == BK__JOB_HOST) {
        return job;
    }
    bk__fail(BK_ENOTFOUND,
             "There is no job %d, or its done event was taken. Nothing was changed.", id);
    return NULL;
}

/* With the lock held: the done event of a job that has ended. */
static char *take_done(struct bk__keeper *k, struct bk__job *job) {
    char *text = bk__event_take_done(&k->events, job->id);
    if (!text) {
        bk__fail(
            BK_EHANDLE,
            "The keeper was closed before job %d ended. Data is safe: the job stopped "
            "without a trace.",
            job->id);
    }
    bk__jobs_forget(k, job);
    return text;
}

char *bk__keeper_wait(struct bk__keeper *k, int id, int timeout_ms) {
    int64_t until = bk__keeper_until(timeout_ms);
    char *text = NULL;
    bool wait = true;
    pthread_mutex_lock(&k->lock);
    while (!text && wait) {
        /* Looked up each time: another thread may have taken it. */
        struct bk__job *job = find_host_job(k, id);
        if (!job) {
            break;
        }
        if (job->state == BK__JOB_ENDED) {
            text = take_done(k, job);
            break;
        }
        if (k->given_up) {
            bk__fail(BK_EHANDLE,
                     "The keeper was closed while job %d ran. Data is safe: the job "
                     "stops without a trace.",
                     id);
            break;
        }
        job->waiters++;
        wait = bk__keeper_sleep(k, until);
        job = bk__jobs_find(k, id);
        if (job) {
            job->waiters--;
        }
    }
    pthread_mutex_unlock(&k->lock);
    return text;
}

/* With the lock held. A job that still waits in its lane ends here and now. */
void bk__jobs_cancel_locked(struct bk__keeper *k, struct bk__job *job) {
    __atomic_store_n(&job->cancel, true, __ATOMIC_RELEASE);
    if (job->state == BK__JOB_QUEUED) {
        dequeue(&k->lanes[job->operation->lane], job);
        int code = bk__job_check(job);
        end_locked(job, code, outcome_text(job, code));
    }
}

int bk__keeper_cancel(struct bk__keeper *k, int id) {
    int code = 0;
    pthread_mutex_lock(&k->lock);
    struct bk__job *job = bk__jobs_find(k, id);
    if (!job) {
        code = bk__fail(BK_ENOTFOUND,
                        "There is no job %d, or it has ended. Nothing was changed.", id);
    } else if (job->state != BK__JOB_ENDED) {
        bk__jobs_cancel_locked(k, job);
    }
    pthread_mutex_unlock(&k->lock);
    return code;
}

void bk__jobs_cancel_all(struct bk__keeper *k) {
    struct bk__job *next = NULL;
    for (struct bk__job *job = k->jobs; job; job = next) {
        next = job->next;
        if (job->state != BK__JOB_ENDED) {
            bk__jobs_cancel_locked(k, job);
        }
    }
}

void bk__keeper_cancel_all(struct bk__keeper *k) {
    pthread_mutex_lock(&k->lock);
    bk__jobs_cancel_all(k);
    pthread_mutex_unlock(&k->lock);
}

/* With the lock held, until the job ended; at mono_ms it is cancelled and given a little
 * time. */
static bool await_end(struct bk__keeper *k, struct bk__job *job, int64_t mono_ms) {
    while (job->state != BK__JOB_ENDED) {
        if (!bk__keeper_sleep(k, mono_ms)) {
            if (__atomic_load_n(&job->cancel, __ATOMIC_ACQUIRE)) {
                return false;
            }
            bk__jobs_cancel_locked(k, job);
            mono_ms = bk__clock_mono() + CANCEL_MS;
        }
    }
    return true;
}

static int take_outcome(struct bk__keeper *k, struct bk__job *job,
                        struct json_object **ret_result) {
    int code = job->code;
    if (code < 0) {
        bk__fail(code, "%s", job->why ? job->why : "Out of memory.");
    } else if (ret_result) {
        *ret_result = json_object_get(job->result);
    }
    bk__jobs_forget(k, job);
    return code;
}

int bk__keeper_call(struct bk__keeper *k, const char *operation, struct json_object *args,
                    int64_t mono_ms, struct json_object **ret_result) {
    const struct bk__operation *found = bk__operation_find(operation);
    struct json_object *all = args ? args : bk__json_object();
    struct bk__job *job = NULL;
    int code = !found ? refuse_operation(operation) : !all ? bk__fail_memory() : 0;
    if (code == 0) {
        code = bk__operation_check(found, all);
    }
    if (code < 0) {
        json_object_put(all);
        return code;
    }
    code = bk__jobs_add(k, found, all, BK__JOB_INSIDE, &job);
    if (code < 0) {
        return code;
    }
    pthread_mutex_lock(&k->lock);
    if (await_end(k, job, mono_ms)) {
        code = take_outcome(k, job, ret_result);
    } else {
        job->abandoned = true;
        code = bk__fail(BK_ECANCELLED,
                        "%s did not stop in time and goes on alone. Data is safe: "
                        "it is undone or done as a whole.",
                        operation);
    }
    pthread_mutex_unlock(&k->lock);
    return code;
}
