/*
 * Runs one operation on a keeper of the program's own and prints its end. Not the
 * parsing, not the looks of a result (render.c). Ctrl-C cancels the job, so that nothing
 * is left half done.
 */
#include "cli.h"

#include <signal.h>
#include <string.h>

#include <botkeep.h>

static volatile sig_atomic_t interrupted;

static void note_interrupt(int signal_number) {
    (void)signal_number;
    interrupted = 1;
}

/* The program is no run of the bot, and what it does must not count as one. */
static int set_options(bk_keeper *keeper, struct json_object *options) {
    int error = bk_set(keeper, "run.track", "false");
    json_object_object_foreach(options, name, value) {
        error = error ? error : bk_set(keeper, name, json_object_get_string(value));
    }
    return error;
}

static void show_log(struct json_object *event) {
    const char *level = bk__cli_text(event, "level");
    if (strcmp(level, "warning") == 0 || strcmp(level, "error") == 0) {
        bk__cli_progress_end();
        fprintf(stderr, "%s: %s\n", level, bk__cli_text(event, "message"));
    }
}

/* Takes events until the job's done event, which the caller releases; NULL: the keeper
 * failed. */
static struct json_object *await_done(bk_keeper *keeper, int job) {
    bool cancelled = false;
    for (;;) {
        if (interrupted && !cancelled) {
            bk_cancel(keeper, job);
            cancelled = true;
        }
        char *text = bk_next(keeper, 100);
        struct json_object *event = text ? json_tokener_parse(text) : NULL;
        bk_free(text);
        if (!event) {
            if (*bk_last_error()) {
                return NULL;
            }
            continue;
        }
        const char *kind = bk__cli_text(event, "event");
        if (strcmp(kind, "done") == 0 &&
            json_object_get_int(bk__cli_member(event, "job")) == job) {
            bk__cli_progress_end();
            return event;
        }
        if (strcmp(kind, "progress") == 0) {
            bk__cli_progress(event);
        } else if (strcmp(kind, "log") == 0) {
            show_log(event);
        }
        json_object_put(event);
    }
}

static int print_json(struct json_object *value) {
    int flags = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                JSON_C_TO_STRING_NOSLASHESCAPE;
    return puts(json_object_to_json_string_ext(value, flags)) < 0 ? 1 : 0;
}

static int health_code(struct json_object *result) {
    const char *status = bk__cli_text(result, "status");
    return strcmp(status, "healthy") == 0 ? 0 : strcmp(status, "degraded") == 0 ? 1 : 2;
}

static int print_end(const struct bk__cli *cli, struct json_object *done) {
    const char *operation = bk__cli_text(cli->operation, "name");
    bool health = strcmp(operation, "health.snapshot") == 0;
    if (!json_object_get_boolean(bk__cli_member(done, "ok"))) {
        struct json_object *error = bk__cli_member(done, "error");
        struct json_object *found = bk__cli_member(done, "result");
        if (cli->json) {
            print_json(done);
        } else if (found) {
            bk__cli_render(operation, found);
            fflush(stdout); /* before the error, where both go to one place */
        }
        fprintf(stderr, "botkeep: %s (%s)\n", bk__cli_text(error, "message"),
                bk__cli_text(error, "code"));
        return health ? 2 : 1;
    }
    struct json_object *result = bk__cli_member(done, "result");
    int code = cli->json ? print_json(result) : bk__cli_render(operation, result);
    if (fflush(stdout) != 0) {
        fprintf(stderr, "botkeep: cannot write the result; the work itself is done\n");
        return 1;
    }
    return health ? health_code(result) : code;
}

static int run_on(bk_keeper *keeper, const struct bk__cli *cli) {
    int job = set_options(keeper, cli->options);
    if (job == BK_EINVAL || job == BK_ENOTFOUND) {
        fprintf(stderr, "botkeep: %s\n", bk_last_error());
        return CLI_USAGE;
    }
    job = job ? job : bk_open(keeper);
    if (job == 0) {
        job = bk_run(
            keeper, bk__cli_text(cli->operation, "name"),
            json_object_to_json_string_ext(cli->arguments, JSON_C_TO_STRING_PLAIN));
    }
    if (job < 0) {
        fprintf(stderr, "botkeep: %s (%s)\n", bk_last_error(), bk_error_name(job));
        bool health =
            strcmp(bk__cli_text(cli->operation, "name"), "health.snapshot") == 0;
        return health ? 2 : 1;
    }
    struct json_object *done = await_done(keeper, job);
    if (!done) {
        fprintf(stderr, "botkeep: %s\n", bk_last_error());
        return 1;
    }
    int code = print_end(cli, done);
    json_object_put(done);
    return code;
}

int bk__cli_run(const struct bk__cli *cli) {
    struct sigaction action = {.sa_handler = note_interrupt};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    bk_keeper *keeper = bk_new();
    if (!keeper) {
        fprintf(stderr, "botkeep: %s\n", bk_last_error());
        return 1;
    }
    int code = run_on(keeper, cli);
    bk_shutdown(keeper, 10000);
    bk_close(keeper);
    return code;
}
