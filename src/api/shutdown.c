/*
 * bk_shutdown(): the orderly end within a budget of time: no new work, wait for the old, a last
 * backup, the run marked as cleanly ended, threads stopped. Called by hosts alone.
 */
#include <botkeep.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <api/check.h>
#include <base/json.h>
#include <core/config.h>
#include <core/operation.h>
#include <os/clock.h>

#define GRACE_LIMIT_MS 3600000
#define DRAIN_SHARE                                                                      \
    50 /* percent of the grace for work in flight, where a backup is to follow */
#define MARK_MS                                                                          \
    1000 /* beyond the grace: one small file saved, threads that are idle ended */

/* By stat() alone; where there is no database file yet there is nothing to lose. */
static bool wants_backup(struct bk__keeper *k) {
    const struct bk__config *config = bk__keeper_config(k);
    return bk__config_bool(config, BK__OPT_RUN_TRACK) &&
           bk__config_bool(config, BK__OPT_BACKUP_ENABLED) &&
           bk__config_bool(config, BK__OPT_BACKUP_ON_SHUTDOWN) &&
           bk__config_has_data(config) && bk__operation_find("backup.create");
}

/* The text of the first failure, kept while the later steps go on. */
struct outcome {
    int code;
    char text[2048];
};

static void note(struct outcome *outcome, int code) {
    if (code < 0 && outcome->code == 0) {
        outcome->code = code;
        snprintf(outcome->text, sizeof outcome->text, "%s", bk__error_text());
    }
}

static int last_backup(struct bk__keeper *k, int64_t deadline) {
    struct json_object *args = bk__json_object();
    if (!args || !bk__json_add_text(args, "kind", "shutdown")) {
        json_object_put(args);
        return bk__fail_memory();
    }
    return bk__keeper_call(k, "backup.create", args, deadline, NULL);
}

static int drain(struct bk__keeper *k, int64_t until) {
    int code = bk__keeper_idle(k, true, until);
    if (code < 0) {
        char text[2048];
        snprintf(text, sizeof text, "%s", bk__error_text());
        bk__keeper_cancel_all(k);
        bk__keeper_idle(k, false,
                        bk__clock_mono() +
                            MARK_MS); /* cancelled jobs clean up after them */
        bk__fail(code, "%s", text);
    }
    return code;
}

static int shut_down(struct bk__keeper *k, int grace_ms) {
    struct outcome outcome = {0};
    int64_t start = bk__clock_mono();
    int64_t deadline = start + grace_ms;
    bool backup = wants_backup(k);
    note(&outcome,
         drain(k, backup ? start + (int64_t)grace_ms * DRAIN_SHARE / 100 : deadline));
    if (backup) {
        note(&outcome, last_backup(k, deadline));
    }
    if (bk__config_bool(bk__keeper_config(k), BK__OPT_RUN_TRACK)) {
        int64_t late = bk__clock_mono() > deadline ? bk__clock_mono() : deadline;
        note(&outcome, bk__keeper_call(k, "lifecycle.stop", NULL, late + MARK_MS, NULL));
    }
    int64_t now = bk__clock_mono();
    note(&outcome, bk__keeper_stop(k, true, (now > deadline ? now : deadline) + MARK_MS));
    return outcome.code < 0 ? bk__fail(outcome.code, "%s", outcome.text) : 0;
}

int bk_shutdown(bk_keeper *k, int grace_ms) {
    struct bk__keeper *keeper = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    if (grace_ms < 0 || grace_ms > GRACE_LIMIT_MS) {
        code = bk__fail(
            BK_EINVAL, "The argument grace_ms is %d; it takes 0 to %d. Nothing was done.",
            grace_ms, GRACE_LIMIT_MS);
    } else if (bk__keeper_life(keeper) == BK__LIFE_NEW) {
        /* Never opened: nothing to wait for, but its last event can be taken. */
        code = bk__keeper_pass(keeper, BK__LIFE_NEW, BK__LIFE_DRAINING, "shut down");
        code = code == 0 ? bk__keeper_stop(keeper, true, -1) : code;
    } else {
        code = bk__keeper_pass(keeper, BK__LIFE_OPEN, BK__LIFE_DRAINING, "shut down");
        code = code == 0 ? shut_down(keeper, grace_ms) : code;
    }
    bk__keeper_put(keeper);
    return code;
}
