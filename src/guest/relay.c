/*
 * Process mode: one operation, run whole by the helper program; its events become this
 * job's. Not the starting and hearing of the helper (helper.c). The lanes call it in
 * place of the operation's own run function.
 *
 * Two lines go in: the options in force, then the operation with its arguments. Only over
 * the pipe: argv and the environment can be read by others on the machine. Event lines
 * come back until the "done" event. The end of its input tells the helper to stop, so a
 * host that dies stops it, too.
 */
#include <guest/guest.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <guest/helper.h>
#include <os/clock.h>

#define HEAR_POLL_MS 50
#define STOP_WAIT_MS 10000 /* for a cancelled operation to clean up */
#define END_WAIT_MS 5000   /* for a helper that has sent its "done" event */

/* What the helper is told in place of the host's own values. */
static const struct {
    enum bk__option option;
    const char *value;
} overrides[] = {
    {BK__OPT_GUEST_ISOLATION, "own"},
    {BK__OPT_RUN_TRACK, "false"},
    {BK__OPT_ENV_FILE, ""},
    {BK__OPT_BACKUP_ON_SHUTDOWN, "false"},
};

static const char *helper_value(const struct bk__config *config, enum bk__option option) {
    for (size_t i = 0; i < sizeof overrides / sizeof *overrides; i++) {
        if (overrides[i].option == option)
            return overrides[i].value;
    }
    return bk__config_text(config, option);
}

static struct json_object *options_object(const struct bk__config *config) {
    bool whole = true;
    struct json_object *object = bk__json_object();

    for (int i = 0; i < BK__OPTION_COUNT && object != NULL && whole; i++)
        whole = bk__json_add_text(object, bk__option_rows[i].name,
                                  helper_value(config, (enum bk__option)i));
    if (!whole) {
        json_object_put(object);
        return NULL;
    }
    return object;
}

/* The whole request on one line. NULL: out of memory. */
static char *request_text(struct bk__job *job) {
    struct json_object *object = bk__json_object();
    struct json_object *options = options_object(bk__job_config(job));
    char *text = NULL;

    if (object == NULL || options == NULL) {
        json_object_put(options);
        goto out;
    }
    if (bk__json_put(object, "options", options) &&
        bk__json_add_text(object, "operation", bk__job_operation(job)) &&
        bk__json_put(object, "args", json_object_get(bk__job_args(job))))
        text = bk__json_print(object);
out:
    json_object_put(object);
    return text;
}

static int send_request(struct bk__job *job, struct bk__helper *helper) {
    const bool *cancel = bk__job_cancel_flag(job);
    char *text = request_text(job);
    int result;

    if (text == NULL)
        return -ENOMEM;
    result = bk__helper_say(helper, text, strlen(text), cancel);
    if (result == 0)
        result = bk__helper_say(helper, "\n", 1, cancel);
    free(text);
    return result;
}

static int error_number(const char *name) {
#define E(id, number, text)                                                              \
    if (strcmp(name, "BK_" #id) == 0)                                                    \
        return number;
    BK_ERRORS(E)
#undef E
    return BK_EINTERNAL;
}

/*
 * The helper's result becomes the job's. The helper itself is alone in its process and
 * says "own"; to the host's world the store is reached through a process.
 */
static int take_result(struct bk__job *job, struct json_object *result) {
    bool whole = true;

    if (result == NULL)
        return 0;
    json_object_object_foreach(result, name, value) {
        whole = bk__json_put(bk__job_result(job), name, json_object_get(value)) && whole;
    }
    if (bk__json_member(result, "isolation") != NULL)
        whole = bk__json_add_text(bk__job_result(job), "isolation",
                                  bk__guest_mode_name(BK__GUEST_PROCESS)) &&
                whole;
    return whole ? 0 : bk__fail_memory();
}

static int take_done(struct bk__job *job, struct json_object *event) {
    struct json_object *error = bk__json_member(event, "error");
    struct json_object *result = bk__json_member(event, "result");
    int taken = take_result(job, result);

    if (taken != 0 || bk__json_bool(event, "ok", false))
        return taken;
    if (result != NULL)
        bk__job_tell_result(job);
    return bk__fail(error_number(bk__json_text(error, "code", "")), "%s",
                    bk__json_text(error, "message", "The helper gave no reason."));
}

/* Events of the helper's own keeper, which mean nothing to the host. */
static bool is_private(const char *name) {
    static const char *const names[] = {"", "run", "closed", "overflow"};

    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static void pass_other(struct bk__job *job, const char *name, struct json_object *event) {
    struct json_object *members = bk__json_object();

    if (members == NULL)
        return;
    json_object_object_foreach(event, key, value) {
        if (strcmp(key, "event") != 0 && strcmp(key, "job") != 0)
            (void)bk__json_put(members, key, json_object_get(value));
    }
    bk__job_event(job, name, members);
}

/* One event passed on. True when it was the end, with the operation's outcome. */
static bool pass(struct bk__job *job, struct json_object *event, int *ret_outcome) {
    const char *name = bk__json_text(event, "event", "");

    if (strcmp(name, "done") == 0) {
        *ret_outcome = take_done(job, event);
        return true;
    }
    if (strcmp(name, "progress") == 0)
        bk__job_progress(job, bk__json_text(event, "phase", ""),
                         bk__json_int(event, "done", 0), bk__json_int(event, "total", 0));
    else if (strcmp(name, "log") == 0)
        bk__job_log(job, bk__json_text(event, "level", "info"), "%s",
                    bk__json_text(event, "message", ""));
    else if (!is_private(name))
        pass_other(job, name, event);
    return false;
}

/* Asks the helper to stop, once, when the job is to stop. False: it had its time and did
 * not. */
static bool keep_waiting(struct bk__job *job, struct bk__helper *helper, int64_t *until) {
    if (*until < 0 && bk__job_check(job) != 0) {
        bk__process_close_input(&helper->process);
        *until = bk__clock_mono() + STOP_WAIT_MS;
    }
    return *until < 0 || bk__clock_mono() < *until;
}

/* Hears events until the end. 0 and the operation's outcome, or -errno. */
static int hear_all(struct bk__job *job, struct bk__helper *helper, int *ret_outcome) {
    int64_t until = -1;

    while (keep_waiting(job, helper, &until)) {
        struct json_object *event = NULL;
        bool ended = false;
        int result = bk__helper_hear(helper, HEAR_POLL_MS, &event);

        if (result < 0)
            return result;
        if (result == 1) {
            ended = pass(job, event, ret_outcome);
            json_object_put(event);
        }
        if (ended)
            return 0;
    }
    return -ETIMEDOUT;
}

/* The helper ended, or was ended, without an outcome. */
static int lost(struct bk__job *job, int err, int status) {
    const char *name = bk__job_operation(job);

    if (bk__job_check(job) != 0)
        return bk__job_check(job);
    if (err == -ENOMEM)
        return bk__fail_memory();
    if (status >= 0 && WIFSIGNALED(status))
        return bk__fail(
            BK_EIO,
            "The helper process was killed by signal %d during %s. The database is "
            "whole: what was half done is rolled back or never listed. Run %s again.",
            WTERMSIG(status), name, name);
    return bk__fail(
        BK_EIO,
        "The helper process ended during %s without an outcome (%s). The database is "
        "whole: what was half done is rolled back or never listed. Run %s again.",
        name, err == -EPIPE ? "its output just ended" : strerror(-err), name);
}

static int refuse(struct bk__job *job, char *why) {
    int result = bk__fail(
        BK_EISOLATION,
        "The helper process for %s cannot be started: %s. Nothing was touched. Put the "
        "program botkeep beside the library, or name it in BOTKEEP_HELPER.",
        bk__job_operation(job), why != NULL ? why : "out of memory");

    free(why);
    return result;
}

int bk__guest_relay(struct bk__job *job) {
    struct bk__helper helper = {0};
    int outcome = BK_EINTERNAL;
    char *why = NULL;
    int result;
    int status;

    if (bk__helper_start(&helper, &why) != 0)
        return refuse(job, why);
    result = send_request(job, &helper);
    /* A helper that is gone may have said why before it went. */
    if (result == 0 || result == -EPIPE)
        result = hear_all(job, &helper, &outcome);
    status = bk__helper_end(&helper, result == 0 ? END_WAIT_MS : 0);
    return result == 0 ? outcome : lost(job, result, status);
}
