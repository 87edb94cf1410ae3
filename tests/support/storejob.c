/*
 * A job made without lanes, and a clock that cancels it after some looks: progress is told by the
 * clock, so a cancel lands in the middle of the work. Tests of the store room use it.
 */
#include "storejob.h"

#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <core/keeper_inside.h>

static bk_keeper *ticket;
static struct bk__keeper *keeper;
static struct bk__job *job;
static int looks_left = -1;
static bool deadly;
static int64_t ahead, hurry;

static const struct bk__operation operation = {.name = "store.test", .doc = ""};

static int64_t mono(void *context) {
    (void)context;
    if (job != NULL && looks_left >= 0 && looks_left-- == 0) {
        if (deadly) {
            raise(SIGKILL);
        }
        __atomic_store_n(&job->cancel, true, __ATOMIC_RELEASE);
    }
    ahead += hurry;
    return bk__clock_mono() + ahead;
}

static int64_t wall(void *context) {
    (void)context;
    return bk__clock_wall();
}

static void must(int code) {
    if (code < 0) {
        fprintf(stderr, "storejob: %s\n", bk__error_text());
        exit(99);
    }
}

struct bk__job *storejob_new(void) {
    static const struct bk__clock clock = {mono, wall, NULL};

    looks_left = -1;
    ahead = hurry = 0;
    must(bk__keeper_new(&clock, &ticket));
    must(bk__keeper_get(ticket, &keeper));
    job = bk__job_make(keeper, &operation, NULL);
    must(job == NULL ? BK_ENOMEM : 0);
    return job;
}

void storejob_free(void) {
    bk__job_free(job);
    job = NULL;
    bk__keeper_put(keeper);
    bk__keeper_close(ticket);
}

void storejob_set(const char *option, const char *value) {
    must(bk__config_set(bk__keeper_config(keeper), option, value));
}

void storejob_hurry(int ms) {
    hurry = ms;
}

void storejob_kill_at(int looks) {
    deadly = true;
    looks_left = looks;
}

void storejob_cancel_at(int looks) {
    looks_left = looks;
    if (looks == 0) {
        __atomic_store_n(&job->cancel, true, __ATOMIC_RELEASE);
    }
}
