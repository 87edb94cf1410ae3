/*
 * What an operation sees while it runs: arguments, result, progress, cancel, log, and calling
 * another operation. How jobs are queued is core/keeper.h. Every feature's run functions use it.
 */
#ifndef BK_CORE_JOB_H
#define BK_CORE_JOB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bk__config;
struct bk__job;
struct bk__keeper;
struct json_object;

/* Arguments, already checked against the operation's table and filled with its fallbacks. */
const char *bk__job_text(struct bk__job *job, const char *name); /* NULL: absent */
int64_t bk__job_int(struct bk__job *job, const char *name, int64_t fallback);
bool bk__job_bool(struct bk__job *job, const char *name, bool fallback);

/* The bytes that the host handed over with the job; they belong to it. NULL: none. */
const unsigned char *bk__job_image(struct bk__job *job, size_t *ret_size);

/* The operation's name and all its arguments as one object; both belong to the job. The relay to
   the helper program and the event queue read them. */
const char *bk__job_operation(struct bk__job *job);
struct json_object *bk__job_args(struct bk__job *job);

/* The result object to fill; it belongs to the job. Told when the run function returns 0, or
   whatever it returns once bk__job_tell_result() was called: a failure may have found something, too. */
struct json_object *bk__job_result(struct bk__job *job);
void bk__job_tell_result(struct bk__job *job);

/* 0 to go on, or BK_ECANCELLED with its text. Cheap: ask between pieces of at most ~50 ms. */
int bk__job_check(struct bk__job *job);
const bool *bk__job_cancel_flag(struct bk__job *job); /* for waits in os/file.h */

/* Progress in bytes (or steps) of a named phase; sent at most ten times a second. */
void bk__job_progress(struct bk__job *job, const char *phase, int64_t done,
                      int64_t total);

/* A log event. level: "debug" "info" "warning" "error". */
void bk__job_log(struct bk__job *job, const char *level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Runs another operation inside this job, on this thread, under its progress and cancel. args is
   taken (NULL: none). On success *ret_result is yours (json_object_put); may be NULL. */
int bk__job_call(struct bk__job *job, const char *operation, struct json_object *args,
                 struct json_object **ret_result);

/* Any other event of the table core/event.h; members is taken. */
void bk__job_event(struct bk__job *job, const char *event, struct json_object *members);

const struct bk__config *bk__job_config(struct bk__job *job);
struct bk__keeper *bk__job_keeper(struct bk__job *job);
/* When the schedule runs the operation next, in wall milliseconds, as the bot's own process
   recorded it in state.dir (also read by tools); -1: it does not. */
int64_t bk__job_next_due(struct bk__job *job, const char *operation);
int64_t bk__job_wall(struct bk__job *job); /* the keeper's clocks */
int64_t bk__job_mono(struct bk__job *job);

#endif
