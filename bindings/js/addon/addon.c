/*
 * The Node addon: keepers as externals, and the two calls that block, off the event loop. Not the
 * other functions (addon_gen.c) and no logic: that is the library's and keeper.ts's. There is no
 * state of the process or of an environment here, so worker threads need nothing special.
 */
#include "addon.h"

#include <stdlib.h>
#include <string.h>

/* ---- arguments and answers -------------------------------------------------------------- */

static bool refuse(napi_env env, const char *text) {
    napi_throw_type_error(env, "BK_EINVAL", text);
    return false;
}

bool addon_arguments(napi_env env, napi_callback_info info, size_t count,
                     napi_value *argv) {
    size_t given = count;

    if (napi_get_cb_info(env, info, &given, argv, NULL, NULL) != napi_ok)
        return refuse(env, "the arguments cannot be read");
    return given == count || refuse(env, "the number of arguments is wrong");
}

bool addon_get_int(napi_env env, napi_value value, int *ret) {
    double number;

    if (napi_get_value_double(env, value, &number) != napi_ok)
        return refuse(env, "an argument must be a number");
    if (!(number >= -2147483648.0 && number <= 2147483647.0) ||
        number != (double)(int)number)
        return refuse(env, "an argument must be a whole number of 32 bits");
    *ret = (int)number;
    return true;
}

bool addon_get_double(napi_env env, napi_value value, double *ret) {
    return napi_get_value_double(env, value, ret) == napi_ok ||
           refuse(env, "an argument must be a number");
}

bool addon_get_text(napi_env env, napi_value value, char **ret) {
    napi_valuetype type;
    size_t length;
    char *text;

    *ret = NULL;
    if (napi_typeof(env, value, &type) != napi_ok)
        return refuse(env, "an argument cannot be read");
    if (type == napi_null || type == napi_undefined)
        return true;
    if (napi_get_value_string_utf8(env, value, NULL, 0, &length) != napi_ok)
        return refuse(env, "an argument must be a string");
    text = malloc(length + 1);
    if (!text)
        return refuse(env, "out of memory");
    if (napi_get_value_string_utf8(env, value, text, length + 1, &length) != napi_ok ||
        memchr(text, 0, length)) {
        free(text);
        return refuse(env, "an argument must be a string without a NUL inside");
    }
    *ret = text;
    return true;
}

bool addon_get_image(napi_env env, napi_value value, const char **ret) {
    void *data = NULL;

    if (napi_get_typedarray_info(env, value, NULL, NULL, &data, NULL, NULL) != napi_ok)
        return refuse(env, "an argument must be a Uint8Array");
    *ret = data;
    return true;
}

bool addon_get_keeper(napi_env env, napi_value value, bk_keeper **ret) {
    void *data;

    if (napi_get_value_external(env, value, &data) != napi_ok)
        return refuse(env, "an argument must be a keeper");
    *ret = data;
    return true;
}

napi_value addon_int(napi_env env, int value) {
    napi_value answer;

    return napi_create_int32(env, value, &answer) == napi_ok ? answer : NULL;
}

napi_value addon_double(napi_env env, double value) {
    napi_value answer;

    return napi_create_double(env, value, &answer) == napi_ok ? answer : NULL;
}

napi_value addon_text(napi_env env, const char *text) {
    napi_value answer;
    napi_status status =
        text ? napi_create_string_utf8(env, text, NAPI_AUTO_LENGTH, &answer)
             : napi_get_null(env, &answer);

    return status == napi_ok ? answer : NULL;
}

napi_value addon_owned_text(napi_env env, char *text) {
    napi_value answer = addon_text(env, text);

    bk_free(text);
    return answer;
}

/* ---- keepers ---------------------------------------------------------------------------- */

/* Runs when the external is collected, and when the environment ends with it still alive: the end
   of a worker thread, the end of the process. A second close harms nothing: a keeper's pointer is
   never used again. */
static void forget_keeper(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    (void)bk_close(data);
}

static napi_value call_new(napi_env env, napi_callback_info info) {
    napi_value answer;
    bk_keeper *k = bk_new();

    (void)info;
    if (!k)
        return addon_text(env, NULL);
    if (napi_create_external(env, k, forget_keeper, NULL, &answer) != napi_ok) {
        (void)bk_close(k);
        return NULL;
    }
    return answer;
}

static napi_value call_close(napi_env env, napi_callback_info info) {
    napi_value argv[1];
    bk_keeper *k;

    if (!addon_arguments(env, info, 1, argv) || !addon_get_keeper(env, argv[0], &k))
        return NULL;
    return addon_int(env, bk_close(k));
}

/* ---- the calls that block: on a thread of libuv's pool, answered by a promise ------------- */

struct work {
    napi_async_work handle;
    napi_deferred deferred;
    napi_ref
        keeper_ref; /* else the external, and with it the keeper, could go meanwhile */
    bk_keeper *k;
    bool shutdown; /* bk_shutdown(k, grace_ms), else bk_open(k) */
    int grace_ms;
    int code;
    char *message; /* of the pool's thread, where bk_last_error() has it; NULL: none */
};

static void work_free(napi_env env, struct work *work) {
    if (work->handle)
        napi_delete_async_work(env, work->handle);
    if (work->keeper_ref)
        napi_delete_reference(env, work->keeper_ref);
    free(work->message);
    free(work);
}

static void work_run(napi_env env, void *data) {
    struct work *work = data;

    (void)env;
    work->code = work->shutdown ? bk_shutdown(work->k, work->grace_ms) : bk_open(work->k);
    if (work->code < 0)
        work->message = strdup(bk_last_error());
}

/* Answers [code, message]; keeper.ts makes the error. */
static void work_done(napi_env env, napi_status status, void *data) {
    struct work *work = data;
    napi_value pair, code, message;

    if (status == napi_cancelled)
        work->code = BK_ECANCELLED;
    code = addon_int(env, work->code);
    message = addon_text(env, work->message ? work->message : "");
    if (code && message && napi_create_array_with_length(env, 2, &pair) == napi_ok &&
        napi_set_element(env, pair, 0, code) == napi_ok &&
        napi_set_element(env, pair, 1, message) == napi_ok)
        napi_resolve_deferred(env, work->deferred, pair);
    work_free(env, work);
}

static napi_value work_start(napi_env env, napi_value keeper, struct work *work) {
    napi_value promise, name;

    if (napi_create_reference(env, keeper, 1, &work->keeper_ref) != napi_ok ||
        napi_create_string_utf8(env, "botkeep", NAPI_AUTO_LENGTH, &name) != napi_ok ||
        napi_create_async_work(env, NULL, name, work_run, work_done, work,
                               &work->handle) != napi_ok ||
        napi_create_promise(env, &work->deferred, &promise) != napi_ok ||
        napi_queue_async_work(env, work->handle) != napi_ok) {
        work_free(env, work);
        refuse(env, "the work cannot be started");
        return NULL;
    }
    return promise;
}

static napi_value call_open(napi_env env, napi_callback_info info) {
    napi_value argv[1];
    struct work *work = calloc(1, sizeof(*work));

    if (!work) {
        refuse(env, "out of memory");
        return NULL;
    }
    if (!addon_arguments(env, info, 1, argv) ||
        !addon_get_keeper(env, argv[0], &work->k)) {
        free(work);
        return NULL;
    }
    return work_start(env, argv[0], work);
}

static napi_value call_shutdown(napi_env env, napi_callback_info info) {
    napi_value argv[2];
    struct work *work = calloc(1, sizeof(*work));

    if (!work) {
        refuse(env, "out of memory");
        return NULL;
    }
    work->shutdown = true;
    if (!addon_arguments(env, info, 2, argv) ||
        !addon_get_keeper(env, argv[0], &work->k) ||
        !addon_get_int(env, argv[1], &work->grace_ms)) {
        free(work);
        return NULL;
    }
    return work_start(env, argv[0], work);
}

static const struct addon_function by_hand[] = {
    {"bk_new", call_new},   {"bk_close", call_close},
    {"bk_open", call_open}, {"bk_shutdown", call_shutdown},
    {NULL, NULL},
};

static bool export_all(napi_env env, napi_value exports,
                       const struct addon_function *list) {
    napi_value function;

    for (; list->name; list++) {
        if (napi_create_function(env, list->name, NAPI_AUTO_LENGTH, list->call, NULL,
                                 &function) != napi_ok ||
            napi_set_named_property(env, exports, list->name, function) != napi_ok)
            return false;
    }
    return true;
}

NAPI_MODULE_INIT() {
    if (!export_all(env, exports, by_hand) || !export_all(env, exports, addon_generated))
        return NULL;
    return exports;
}
