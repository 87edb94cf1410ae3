/*
 * botkeep.h - keeps a chat bot's data safe and its process honest: migrations, backups and
 * restores, health, lifecycle. The only installed header.
 *
 * THE CONTRACT
 *
 * Types.      Only int, double, const char *, char * and bk_keeper * cross this line. There are
 *             no structs, callbacks, varargs or 64-bit integers, and no macro is needed to call.
 * Returns.    An int of 0 or more is success; some calls return an id. Less than 0 is an error:
 *             bk_error_name() names it, bk_last_error() says what happened, whether the data is
 *             safe and what to do next. A char * of NULL means an error or "not yet", as stated.
 * Text.       UTF-8, ends in NUL. A char * we return is yours: give it to bk_free(). A
 *             const char * we return lives as long as the process, except bk_last_error(), which
 *             lives until the same thread's next call. What you pass in is copied before the call
 *             returns. Text that is not valid UTF-8 is refused with BK_EINVAL.
 * JSON.       Arguments, results and events are JSON objects. Numbers stay below 2^53, sizes are
 *             bytes, durations milliseconds (names end in _ms), times UTC in RFC 3339.
 * Threads.    Every function may be called from any thread, at the same time. Only bk_open(),
 *             bk_shutdown(), and bk_wait(), bk_call(), bk_next() with a timeout block.
 * Callbacks.  There are none: the library never calls you. Work becomes a job, a job becomes
 *             events, you take them with bk_next(). To sleep until there is one, watch
 *             bk_wakeup_fd().
 * Process.    No signal handler, atexit, stdio, setlocale, chdir. Threads start in bk_open() and
 *             block all asynchronous signals. After fork() the child gets BK_EFORK. The library
 *             is never unloaded (-z nodelete).
 * Your data.  The database file is touched only from guest threads that own their own file
 *             descriptor table, or from a helper process, never from your threads: an ordinary
 *             open and close of a SQLite file would silently drop your own SQLite's locks.
 * Promise.    While bk_abi() stays the same, functions are added, never changed or removed.
 */
#ifndef BOTKEEP_H
#define BOTKEEP_H

#define BK_API __attribute__((visibility("default")))

#ifdef __cplusplus
extern "C" {
#endif

/* bk_abi() of this header. */
#define BK_ABI 1

/* One bot's data under care. Opaque. */
typedef struct bk_keeper bk_keeper;

/* Every error: name, number, meaning. Numbers never change; new ones are added at the end. */
#define BK_ERRORS(E)                                                                     \
    E(EINVAL, -1, "an argument or an option is not allowed here")                        \
    E(EHANDLE, -2, "not a live keeper")                                                  \
    E(ESTATE, -3, "too early or too late for this call")                                 \
    E(ENOTFOUND, -4, "no such option, operation, job, backup or file")                   \
    E(EBUSY, -5, "someone else holds the lock, or too many jobs wait")                   \
    E(ECORRUPT, -6, "the data does not match its checksum or is not a database")         \
    E(EIO, -7, "the disk or the system failed")                                          \
    E(ENOSPC, -8, "the disk is full")                                                    \
    E(EFORK, -9, "the keeper belongs to the parent process")                             \
    E(ENOMEM, -10, "out of memory")                                                      \
    E(ECANCELLED, -11, "the job was cancelled")                                          \
    E(EDENIED, -12, "the system refuses access")                                         \
    E(EISOLATION, -13, "the database cannot be touched safely from this process")        \
    E(EMIGRATION, -14,                                                                   \
      "a migration failed, or the migration files and history disagree")                 \
    E(EUNSUPPORTED, -15, "this build or this kind of store cannot do that")              \
    E(EINTERNAL, -16, "a defect in botkeep; please report it")                           \
    E(EPARTIAL, -17, "some of the stores are done and some failed: the text tells which")

typedef enum bk_error {
    BK_OK = 0,
#define E(name, number, text) BK_##name = number,
    BK_ERRORS(E)
#undef E
} bk_error;

/* ---- the library ---------------------------------------------------------------------- */

/* The ABI of the loaded library: equals BK_ABI, or do not go on. */
BK_API int bk_abi(void);

/* The version of the loaded library, for example "0.1.0". Lives as long as the process. */
BK_API const char *bk_version(void);

/* "BK_EBUSY" for BK_EBUSY, "BK_OK" for 0 and more, "BK_EUNKNOWN" for any other. Never NULL. */
BK_API const char *bk_error_name(int error);

/* Why this thread's last failed call failed; "" if none has. Until this thread's next call. */
BK_API const char *bk_last_error(void);

/* Every option, operation, error and event as one JSON object. Yours: bk_free(). NULL: ENOMEM. */
BK_API char *bk_describe(void);

/* Frees a text this library returned. NULL is fine. */
BK_API void bk_free(char *text);

/* ---- a keeper: new, set, open, use, shutdown, close ------------------------------------ */

/* A keeper that is not open yet, options at their defaults. NULL: bk_last_error(). */
BK_API bk_keeper *bk_new(void);

/*
 * Sets an option (docs/reference/options.md) before bk_open(). A value wins over the
 * environment, which wins over a .env file, which wins over the default; NULL takes an earlier
 * value back. Errors: EINVAL (value out of range), ENOTFOUND (no such option), ESTATE (open).
 */
BK_API int bk_set(bk_keeper *k, const char *option, const char *value);

/* The option's value in force; secrets come back as "***". Yours: bk_free(). NULL: an error. */
BK_API char *bk_get(bk_keeper *k, const char *option);

/*
 * Checks the options, proves the isolation on this machine, applies a staged restore, notes how
 * the run before ended, starts the threads. Call it before your bot opens its database. It never
 * creates the database file. Errors: EINVAL, EISOLATION, ECORRUPT and EIO (staged restore).
 */
BK_API int bk_open(bk_keeper *k);

/*
 * Takes no new work, waits for jobs and operations in flight, makes the final backup if
 * backup.on.shutdown says so, marks the run as cleanly ended, stops the threads. Blocks at most
 * about grace_ms milliseconds (0 to 3600000); what is not done by then is cancelled and
 * BK_ECANCELLED is returned. The keeper still gives its last events; free it with bk_close().
 */
BK_API int bk_shutdown(bk_keeper *k, int grace_ms);

/*
 * Gives the keeper up. Never blocks, in any state, from any finalizer; running jobs are cancelled
 * and memory goes when the last thread has ended. Does not mark the run as cleanly ended: that is
 * bk_shutdown(). A second call gets BK_EHANDLE and harms nothing.
 */
BK_API int bk_close(bk_keeper *k);

/* ---- work: operations become jobs (docs/reference/operations.md) ----------------------- */

/*
 * Starts an operation with arguments as a JSON object (NULL: none). The job id, > 0 and never
 * used again in this process, or an error: EINVAL, ENOTFOUND, ESTATE (not open, shutting down),
 * EBUSY (256 jobs not ended or not taken). Every job ends with exactly one "done" event.
 */
BK_API int bk_run(bk_keeper *k, const char *operation, const char *args_json);

/*
 * Waits for a job's done event and takes it; bk_next() will not give it again. timeout_ms: 0
 * polls, -1 waits for ever. Yours: bk_free(). NULL: not yet (bk_last_error() is ""), or an error.
 */
BK_API char *bk_wait(bk_keeper *k, int job, int timeout_ms);

/* bk_run() and bk_wait() without end in one: the done event. Yours: bk_free(). NULL: an error. */
BK_API char *bk_call(bk_keeper *k, const char *operation, const char *args_json);

/* Asks a job to stop. It still sends its done event, with BK_ECANCELLED if it stopped. */
BK_API int bk_cancel(bk_keeper *k, int job);

/*
 * For a bot that keeps its database in memory (sql.js, option database.memory): hands over the
 * image, size bytes, copied before the call returns. A job of store.save, which proves the image,
 * flushes it and puts it in the place of the database's file in one step: killed anywhere, the old
 * or the new file is there. args_json {"backup":"auto"} makes a backup of it as well. The job's id,
 * or BK_EINVAL, BK_ENOMEM and what bk_run() gives.
 */
BK_API int bk_save(bk_keeper *k, const char *image, double size, const char *args_json);

/* ---- events (docs/reference/events.md) -------------------------------------------------- */

/*
 * The next event. timeout_ms: 0 polls, -1 waits for ever. Yours: bk_free(). NULL: none yet
 * (bk_last_error() is ""), or an error. The last one of a keeper is {"event":"closed"}. A done
 * event is never dropped; of the others the oldest go when 1024 wait, and {"event":"overflow"}
 * says how many.
 */
BK_API char *bk_next(bk_keeper *k, int timeout_ms);

/*
 * The read end of a pipe, for poll(), asyncio, Node or Bun: readable when events wait. Read it
 * empty, then call bk_next() until it gives NULL. Yours: close() it. Negative: an error.
 */
BK_API int bk_wakeup_fd(bk_keeper *k);

/* ---- what a bot reports (cheap: no disk, no waiting) ------------------------------------ */

/*
 * The host's own measurement of a named check: level is "healthy", "degraded" or "unhealthy",
 * message may be NULL. After ttl_ms (1 to 2147483647) without a new report the check is "unknown".
 */
BK_API int bk_report(bk_keeper *k, const char *check, const char *level,
                     const char *message, int ttl_ms);

/* The named event loop is alive. Call it from a timer of that loop, each health.loop.period. */
BK_API int bk_beat(bk_keeper *k, const char *loop);

/*
 * The health of this process now, the same object as the result of health.snapshot, in a few
 * microseconds and without a job: memory, CPU, disks, reports and loops are measured, the database
 * is as the last health.snapshot found it (database.age_ms). Yours: bk_free(). NULL: an error.
 */
BK_API char *bk_health(bk_keeper *k);

/* An operation of the host begins, for example a command: an id > 0; ESTATE once shutting down. */
BK_API int bk_begin(bk_keeper *k, const char *label);

/* It ended. A second end of the same id gets BK_ENOTFOUND and harms nothing. */
BK_API int bk_end(bk_keeper *k, int id);

/* ---- reading one value out of a JSON text, for callers without a JSON library ----------- */

/* The value at a path such as "result.backups[0].name", as text; objects and lists as JSON.
   Yours: bk_free(). NULL: there is none, or it is null. */
BK_API char *bk_pick_text(const char *json, const char *path);

/* The number (or true as 1, false as 0) at a path, or fallback where there is none. */
BK_API double bk_pick_number(const char *json, const char *path, double fallback);

#ifdef __cplusplus
}
#endif
#endif
