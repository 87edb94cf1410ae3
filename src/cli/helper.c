/*
 * `botkeep helper`, hidden: the helper process of a keeper that may not touch the
 * database in its host. Not for people: it reads one request line from standard input and
 * writes event lines to standard output; the end of its input tells it to stop. The
 * host's library starts it.
 */
#include "cli.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <botkeep.h>

#define PARENT_POLL_MS 1000
#define SHUTDOWN_MS 5000
#define PIECE 65536

/* A line that cannot be written has no reader: the end of our input tells the same. */
static void say(const char *line) {
    if (puts(line) < 0 || fflush(stdout) != 0) {
        clearerr(stdout);
    }
}

static void say_object(struct json_object *object) {
    if (object) {
        say(json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN));
    }
    json_object_put(object);
}

/* The operation never began: its done event comes from here. */
static int refuse(const char *code, const char *message) {
    struct json_object *event = json_object_new_object();
    struct json_object *error = json_object_new_object();

    if (event && error) {
        json_object_object_add(error, "code", json_object_new_string(code));
        json_object_object_add(error, "message", json_object_new_string(message));
        json_object_object_add(event, "event", json_object_new_string("done"));
        json_object_object_add(event, "ok", json_object_new_boolean(0));
        json_object_object_add(event, "error", json_object_get(error));
    }
    json_object_put(error);
    say_object(event);
    return 1;
}

/* The request line, without its end, to be freed. NULL: the input ended before it. */
static char *read_request(void) {
    char *line = NULL;
    size_t room = 0;
    size_t size = 0;

    for (;;) {
        if (room - size < PIECE) {
            char *more = realloc(line, room + PIECE + room / 2);
            if (!more) {
                break;
            }
            line = more;
            room += PIECE + room / 2;
        }
        ssize_t got = read(STDIN_FILENO, line + size, room - size - 1);
        if (got <= 0) {
            break;
        }
        size += (size_t)got;
        if (line[size - 1] == '\n') {
            line[size - 1] = '\0';
            return line;
        }
    }
    free(line);
    return NULL;
}

static int set_options(bk_keeper *keeper, struct json_object *options) {
    json_object_object_foreach(options, name, value) {
        int result = bk_set(keeper, name, json_object_get_string(value));
        if (result < 0) {
            return result;
        }
    }
    return bk_open(keeper);
}

/* The host is there as long as our input is open and our parent is the one we had: a
 * child that the host forked may hold the other end of the input open after the host's
 * death. */
static bool host_is_there(bool readable, pid_t parent) {
    char junk[256];

    if (readable && read(STDIN_FILENO, junk, sizeof junk) <= 0) {
        return false;
    }
    return getppid() == parent;
}

static void drain(int fd) {
    char bytes[256];

    while (read(fd, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {
    }
}

/* Passes on what waits. True when the job's done event was among it. */
static bool pass_events(bk_keeper *keeper) {
    bool done = false;
    char *event;

    while (!done && (event = bk_next(keeper, 0)) != NULL) {
        char *name = bk_pick_text(event, "event");
        done = name && strcmp(name, "done") == 0;
        say(event);
        bk_free(name);
        bk_free(event);
    }
    return done;
}

static void serve(bk_keeper *keeper, int job, int wakeup, pid_t parent) {
    struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN},
                           {.fd = wakeup, .events = POLLIN}};

    while (!pass_events(keeper)) {
        int ready = poll(fds, 2, PARENT_POLL_MS);
        if (ready > 0 && fds[1].revents) {
            drain(wakeup);
        }
        if (fds[0].fd >= 0 && !host_is_there(ready > 0 && fds[0].revents, parent)) {
            bk_cancel(keeper, job);
            fds[0].fd = -1;
        }
    }
}

static int run_request(bk_keeper *keeper, struct json_object *request, pid_t parent) {
    const char *args = json_object_to_json_string_ext(bk__cli_member(request, "args"),
                                                      JSON_C_TO_STRING_PLAIN);
    int result = set_options(keeper, bk__cli_member(request, "options"));

    if (result < 0) {
        return refuse(bk_error_name(result), bk_last_error());
    }
    int wakeup = bk_wakeup_fd(keeper);
    int job =
        wakeup < 0 ? wakeup : bk_run(keeper, bk__cli_text(request, "operation"), args);
    int code = 0;
    if (job < 0) {
        code = refuse(bk_error_name(job), bk_last_error());
    } else {
        serve(keeper, job, wakeup, parent);
    }
    if (wakeup >= 0) {
        close(wakeup);
    }
    bk_shutdown(keeper, SHUTDOWN_MS);
    return code;
}

int bk__cli_helper(void) {
    pid_t parent = getppid();

    if (!bk__cli_ignore_signals() || !bk__cli_say("helper")) {
        return 1;
    }
    char *line = read_request();
    if (!line) {
        return 0; /* The host only wanted to know whether we are there. */
    }
    struct json_object *request = json_tokener_parse(line);
    bk_keeper *keeper = bk_new();
    int code;
    if (!keeper) {
        code = refuse(bk_error_name(BK_ENOMEM), bk_last_error());
    } else if (!json_object_is_type(request, json_type_object)) {
        code = refuse(bk_error_name(BK_EINVAL),
                      "The request is no JSON object. Start botkeep with "
                      "a command instead; botkeep help lists them.");
    } else {
        code = run_request(keeper, request, parent);
    }
    bk_close(keeper);
    json_object_put(request);
    free(line);
    return code;
}
