/*
 * Exported functions of a keeper's start and end, but for the two long ones: bk_open() is in
 * open.c, bk_shutdown() in shutdown.c. Called by hosts alone.
 */
#include <botkeep.h>

#include <stddef.h>

#include <api/check.h>
#include <health/operations.h>
#include <os/clock.h>

bk_keeper *bk_new(void) {
    bk__error_clear();
    bk_keeper *ticket = NULL;
    if (bk__keeper_new(&bk__clock_system, &ticket) < 0) {
        return NULL;
    }
    struct bk__keeper *k = NULL;
    int code = bk__keeper_get(ticket, &k);
    if (code == 0) {
        code = bk__health_attach(k);
        bk__keeper_put(k);
    }
    if (code < 0) {
        bk__keeper_close(ticket);
        return NULL;
    }
    return ticket;
}

int bk_set(bk_keeper *k, const char *option, const char *value) {
    struct bk__keeper *keeper = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__api_text(option, "option");
    if (code == 0) {
        code = bk__api_text_or_null(value, "value");
    }
    if (code == 0) {
        code = bk__keeper_set(keeper, option, value);
    }
    bk__keeper_put(keeper);
    return code;
}

char *bk_get(bk_keeper *k, const char *option) {
    struct bk__keeper *keeper = NULL;
    if (bk__api_enter(k, &keeper) < 0) {
        return NULL;
    }
    char *value = NULL;
    if (bk__api_text(option, "option") == 0) {
        value = bk__keeper_show(keeper, option);
    }
    bk__keeper_put(keeper);
    return value;
}

int bk_close(bk_keeper *k) {
    bk__error_clear();
    return bk__keeper_close(k);
}
