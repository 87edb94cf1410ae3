/*
 * Exported functions for jobs and events: checks, then core/jobs.c and core/keeper.c. Called by
 * hosts alone.
 */
#include <botkeep.h>

#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <api/check.h>

int bk_run(bk_keeper *k, const char *operation, const char *args_json) {
    struct bk__keeper *keeper = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__api_text(operation, "operation");
    if (code == 0) {
        code = bk__api_text_or_null(args_json, "args_json");
    }
    if (code == 0) {
        code = bk__keeper_run(keeper, operation, args_json);
    }
    bk__keeper_put(keeper);
    return code;
}

#define IMAGE_LIMIT 4294967296.0 /* what SQLite in memory can hold at most, and more */

/* A copy, because the host's memory may change as soon as the call returns. */
static int copy_image(const char *image, double size, unsigned char **ret) {
    if (!image || !(size >= 1 && size <= IMAGE_LIMIT) || size != floor(size)) {
        return bk__fail(
            BK_EINVAL, "The image must be 1 to 4294967296 bytes. Nothing was saved. Give "
                       "what the database was exported to, and its size.");
    }
    *ret = malloc((size_t)size);
    if (!*ret) {
        return bk__fail_memory();
    }
    memcpy(*ret, image, (size_t)size);
    return 0;
}

int bk_save(bk_keeper *k, const char *image, double size, const char *args_json) {
    struct bk__keeper *keeper = NULL;
    unsigned char *copy = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__api_text_or_null(args_json, "args_json");
    if (code == 0) {
        code = copy_image(image, size, &copy);
    }
    if (code == 0) {
        code = bk__keeper_run_image(keeper, "store.save", args_json, copy, (size_t)size);
    }
    bk__keeper_put(keeper);
    return code;
}

char *bk_wait(bk_keeper *k, int job, int timeout_ms) {
    struct bk__keeper *keeper = NULL;
    if (bk__api_enter(k, &keeper) < 0) {
        return NULL;
    }
    char *done =
        bk__api_timeout(timeout_ms) < 0 ? NULL : bk__keeper_wait(keeper, job, timeout_ms);
    bk__keeper_put(keeper);
    return done;
}

char *bk_call(bk_keeper *k, const char *operation, const char *args_json) {
    int job = bk_run(k, operation, args_json);
    return job < 0 ? NULL : bk_wait(k, job, -1);
}

int bk_cancel(bk_keeper *k, int job) {
    struct bk__keeper *keeper = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__keeper_cancel(keeper, job);
    bk__keeper_put(keeper);
    return code;
}

char *bk_next(bk_keeper *k, int timeout_ms) {
    struct bk__keeper *keeper = NULL;
    if (bk__api_enter(k, &keeper) < 0) {
        return NULL;
    }
    char *event =
        bk__api_timeout(timeout_ms) < 0 ? NULL : bk__keeper_next(keeper, timeout_ms);
    bk__keeper_put(keeper);
    return event;
}

int bk_wakeup_fd(bk_keeper *k) {
    struct bk__keeper *keeper = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__keeper_wakeup_fd(keeper);
    bk__keeper_put(keeper);
    return code;
}
