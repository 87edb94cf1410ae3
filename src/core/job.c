/*
 * What an operation sees while it runs: its arguments and result, progress, log, cancel,
 * and calls of other operations. How it came into a lane is jobs.c. Features' run
 * functions call it.
 */
#include <core/keeper_inside.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>

#define PROGRESS_EVERY_MS 100

struct bk__job *bk__job_make(struct bk__keeper *k, const struct bk__operation *operation,
                             struct json_object *args) {
    struct bk__job *job = calloc(1, sizeof *job);
    struct json_object *result = bk__json_object();
    if (!job || !result) {
        free(job);
        json_object_put(result);
        json_object_put(args);
        bk__fail_memory();
        return NULL;
    }
    job->k = k;
    job->operation = operation;
    job->root = job;
    job->args = args;
    job->result = result;
    job->progress_mono = -PROGRESS_EVERY_MS;
    return job;
}

void bk__job_free(struct bk__job *job) {
    json_object_put(job->args);
    free(job->image);
    json_object_put(job->result);
    bk__event_drop(job->reserved);
    free(job->spare);
    free(job->why);
    free(job);
}

int bk__job_execute(struct bk__job *job) {
    int code = bk__job_check(job);
    if (code < 0) {
        return code;
    }
    bk__error_clear();
    bool relayed = job->operation->place == BK__PLACE_STORE && job->k->hooks.relay;
    code = relayed ? job->k->hooks.relay(job) : job->operation->run(job);
    if (code < 0 && bk__error_text()[0] == '\0') {
        bk__fail(code, "%s failed without saying why (%s). Please report it.",
                 job->operation->name, bk__error_name(code));
    }
    return code;
}

/* ---- arguments and result ---------------------------------------------------------- */

const char *bk__job_text(struct bk__job *job, const char *name) {
    return bk__json_text(job->args, name, NULL);
}

int64_t bk__job_int(struct bk__job *job, const char *name, int64_t fallback) {
    return bk__json_int(job->args, name, fallback);
}

bool bk__job_bool(struct bk__job *job, const char *name, bool fallback) {
    return bk__json_bool(job->args, name, fallback);
}

const unsigned char *bk__job_image(struct bk__job *job, size_t *ret_size) {
    *ret_size = job->image_size;
    return job->image;
}

const char *bk__job_operation(struct bk__job *job) {
    return job->operation->name;
}

struct json_object *bk__job_args(struct bk__job *job) {
    return job->args;
}

struct json_object *bk__job_result(struct bk__job *job) {
    return job->result;
}

void bk__job_tell_result(struct bk__job *job) {
    job->tells_result = true;
}

/* ---- cancel, progress, log, events ------------------------------------------------- */

int bk__job_check(struct bk__job *job) {
    if (!__atomic_load_n(&job->root->cancel, __ATOMIC_ACQUIRE)) {
        return 0;
    }
    return bk__fail(BK_ECANCELLED,
                    "%s was cancelled. Data is safe: the unfinished step leaves no "
                    "trace. Start it again when you like.",
                    job->root->operation->name);
}

const bool *bk__job_cancel_flag(struct bk__job *job) {
    return &job->root->cancel;
}

void bk__job_progress(struct bk__job *job, const char *phase, int64_t done,
                      int64_t total) {
    struct bk__job *root = job->root;
    int64_t now = bk__keeper_mono(job->k);
    int64_t last = __atomic_load_n(&root->progress_mono, __ATOMIC_RELAXED);
    /* A job may tell from threads of its own as well; one of them wins this tenth of a second. */
    if (now - last < PROGRESS_EVERY_MS ||
        !__atomic_compare_exchange_n(&root->progress_mono, &last, now, false,
                                     __ATOMIC_RELAXED, __ATOMIC_RELAXED)) {
        return;
    }
    struct json_object *members = bk__json_object();
    if (!members) {
        return; /* the next one may fit */
    }
    bk__json_add_int(members, "job", root->id);
    bk__json_add_text(members, "operation", root->operation->name);
    bk__json_add_text(members, "phase", phase);
    bk__json_add_int(members, "done", done);
    bk__json_add_int(members, "total", total);
    bk__keeper_send(job->k, BK__EVENT_PROGRESS, "progress", root->id, members);
}

void bk__job_log(struct bk__job *job, const char *level, const char *format, ...) {
    if (!bk__keeper_wants_log(job->k, level)) {
        return;
    }
    char message[2048];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    int id = job->root->owner == BK__JOB_HOST ? job->root->id : 0;
    bk__keeper_send_log(job->k, level, message, id);
}

void bk__job_event(struct bk__job *job, const char *event, struct json_object *members) {
    bk__keeper_event(job->k, event, members);
}

/* ---- other operations, and what is the keeper's ------------------------------------ */

int bk__job_call(struct bk__job *job, const char *operation, struct json_object *args,
                 struct json_object **ret_result) {
    const struct bk__operation *found = bk__operation_find(operation);
    struct json_object *all = args ? args : bk__json_object();
    int code = 0;
    if (!found) {
        code = bk__fail(BK_EINTERNAL,
                        "%s wants the operation %s, which this build does not have. "
                        "Data is safe. Please report it.",
                        job->operation->name, operation);
    } else {
        code = all ? bk__operation_check(found, all) : bk__fail_memory();
    }
    if (code < 0) {
        json_object_put(all);
        return code;
    }
    struct bk__job *inner = bk__job_make(job->k, found, all);
    if (!inner) {
        return BK_ENOMEM;
    }
    inner->root = job->root;
    code = bk__job_execute(inner);
    if (code >= 0 && ret_result) {
        *ret_result = json_object_get(inner->result);
    }
    bk__job_free(inner);
    return code;
}

const struct bk__config *bk__job_config(struct bk__job *job) {
    return job->k->config;
}

struct bk__keeper *bk__job_keeper(struct bk__job *job) {
    return job->k;
}

int64_t bk__job_wall(struct bk__job *job) {
    return bk__keeper_wall(job->k);
}

int64_t bk__job_mono(struct bk__job *job) {
    return bk__keeper_mono(job->k);
}
