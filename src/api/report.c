/*
 * Exported functions by which a bot tells how it is: reports, beats, operations in flight, and
 * the health made of them. No disk, no waiting. Called by hosts alone.
 */
#include <botkeep.h>

#include <stddef.h>

#include <api/check.h>
#include <core/config.h>
#include <health/board.h>
#include <health/operations.h>
#include <os/clock.h>

/* The options are in force, and the board is looked at, from bk_open() to bk_shutdown(). */
static int enter_open(const bk_keeper *k, struct bk__keeper **ret) {
    int code = bk__api_enter(k, ret);
    if (code < 0) {
        return code;
    }
    enum bk__life life = bk__keeper_life(*ret);
    if (life == BK__LIFE_OPEN || life == BK__LIFE_DRAINING) {
        return 0;
    }
    bk__keeper_put(*ret);
    return bk__fail(BK_ESTATE, "The keeper is %s, so nothing was noted. %s",
                    life == BK__LIFE_CLOSED ? "shut down" : "not open",
                    life == BK__LIFE_CLOSED ? "Make a new one." : "Open it first.");
}

static int64_t mono(struct bk__keeper *k) {
    const struct bk__clock *clock = bk__keeper_clock(k);
    return clock->mono_ms(clock->context);
}

int bk_report(bk_keeper *k, const char *check, const char *level, const char *message,
              int ttl_ms) {
    struct bk__keeper *keeper = NULL;
    int code = enter_open(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__api_text(check, "check");
    if (code == 0) {
        code = bk__api_text(level, "level");
    }
    if (code == 0) {
        code = bk__api_text_or_null(message, "message");
    }
    if (code == 0) {
        struct bk__health_report report = {check, level, message, ttl_ms};
        code =
            bk__health_board_report(bk__health_board_of(keeper), &report, mono(keeper));
    }
    bk__keeper_put(keeper);
    return code;
}

int bk_beat(bk_keeper *k, const char *loop) {
    struct bk__keeper *keeper = NULL;
    int code = enter_open(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__api_text(loop, "loop");
    if (code == 0) {
        int64_t period =
            bk__config_int(bk__keeper_config(keeper), BK__OPT_HEALTH_LOOP_PERIOD);
        code = bk__health_board_beat(bk__health_board_of(keeper), loop, mono(keeper),
                                     (int)period);
    }
    bk__keeper_put(keeper);
    return code;
}

char *bk_health(bk_keeper *k) {
    struct bk__keeper *keeper = NULL;
    if (enter_open(k, &keeper) < 0) {
        return NULL;
    }
    char *text = bk__health_now(keeper);
    bk__keeper_put(keeper);
    return text;
}

int bk_begin(bk_keeper *k, const char *label) {
    struct bk__keeper *keeper = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__api_text(label, "label");
    if (code == 0) {
        code = bk__keeper_begin(keeper, label);
    }
    bk__keeper_put(keeper);
    return code;
}

int bk_end(bk_keeper *k, int id) {
    struct bk__keeper *keeper = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__keeper_end(keeper, id);
    bk__keeper_put(keeper);
    return code;
}
