/*
 * Plays the vectors through the C API, with the system's SQLite as the host's. Not a place for
 * tests of C's own (tests/c). tests/vectors/run calls it with the vectors; README.md is the rule.
 */
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <botkeep.h>

#include "host.h"
#include "match.h"

#define GRACE_MS 60000

/* Compares what came of something: a result, or an error's code and message. */
static bool expect(struct story *s, struct json_object *expected, const char *code,
                   const char *message, struct json_object *result) {
    struct json_object *expected_code = member(expected, "error"), *found;
    bool good;

    if (!code && expected_code)
        return go_wrong("it went well, not %s: %s", json_object_get_string(expected_code),
                        json_object_to_json_string(result));
    if (!code)
        return !member(expected, "result") ||
               match(s->saved, member(expected, "result"), result, "result");
    if (!expected_code)
        return go_wrong("%s: %s", code, message);
    found = json_object_new_string(code);
    good = match(s->saved, expected_code, found, message);
    json_object_put(found);
    if (good && member(expected, "result"))
        good = match(s->saved, member(expected, "result"), result, "result");
    if (!good || !member(expected, "message"))
        return good;
    found = json_object_new_string(message);
    good = match(s->saved, member(expected, "message"), found, "message");
    json_object_put(found);
    return good;
}

static bool expect_answer(struct story *s, struct json_object *expected, int answer) {
    char *message = strdup(answer < 0 ? bk_last_error() : "");
    bool good =
        expect(s, expected, answer < 0 ? bk_error_name(answer) : NULL, message, NULL);

    free(message);
    return good;
}

static int open_keeper(struct story *s) {
    int answer = 0;

    s->k = bk_new();
    json_object_object_foreach(s->options, name, value) {
        if (answer >= 0)
            answer = bk_set(s->k, name, json_object_get_string(value));
    }
    return answer >= 0 ? bk_open(s->k) : answer;
}

static bool run_step(struct story *s, struct json_object *step) {
    struct json_object *args = fill_value(s->saved, member(step, "args")), *done, *error;
    struct json_object *expected = member(step, "expect");
    int job = bk_run(s->k, text_of(step, "run"),
                     args ? json_object_to_json_string(args) : NULL);
    char *event;
    bool good;

    json_object_put(args);
    if (job < 0)
        return expect_answer(s, expected, job);
    event = bk_wait(s->k, job, 120000);
    if (!event)
        return go_wrong("no done event: %s", bk_last_error());
    done = json_tokener_parse(event);
    bk_free(event);
    error = member(done, "error");
    good = expect(s, expected, error ? text_of(error, "code") : NULL,
                  error ? text_of(error, "message") : NULL, member(done, "result"));
    json_object_put(done);
    return good;
}

static bool event_step(struct story *s, struct json_object *step) {
    const char *wanted = text_of(step, "event");
    bool found = false, good = false;

    while (!found) {
        char *text = bk_next(s->k, 10000);
        struct json_object *event = text ? json_tokener_parse(text) : NULL;

        bk_free(text);
        if (!event)
            return go_wrong("no event %s came", wanted);
        found = strcmp(text_of(event, "event"), wanted) == 0;
        good = found && match(s->saved, member(step, "expect"), event, wanted);
        json_object_put(event);
    }
    return good;
}

static bool get_step(struct story *s, struct json_object *step) {
    char *text = bk_get(s->k, text_of(step, "get"));
    struct json_object *found = text ? json_object_new_string(text) : NULL;
    bool good = match(s->saved, member(step, "value"), found, text_of(step, "get"));

    json_object_put(found);
    bk_free(text);
    return good;
}

static bool report_step(struct story *s, struct json_object *step) {
    struct json_object *args = member(step, "report");
    const char *text[3];

    for (size_t i = 0; i < 3; i++)
        text[i] = json_object_get_string(json_object_array_get_idx(args, i));
    return expect_answer(
        s, member(step, "expect"),
        bk_report(s->k, text[0], text[1], text[2],
                  json_object_get_int(json_object_array_get_idx(args, 3))));
}

static bool shut_down(struct story *s) {
    int answer = s->k ? bk_shutdown(s->k, GRACE_MS) : 0;

    if (answer < 0)
        go_wrong("shutdown: %s", bk_last_error());
    bk_close(s->k);
    s->k = NULL;
    return answer >= 0;
}

static bool restart_step(struct story *s, struct json_object *options) {
    struct json_object *filled = fill_value(s->saved, options);

    json_object_object_foreach(filled, name, value)
        json_object_object_add(s->options, name, json_object_get(value));
    json_object_put(filled);
    close_connections(s, NULL);
    if (!shut_down(s))
        return false;
    return open_keeper(s) >= 0 || go_wrong("open: %s", bk_last_error());
}

static bool host_close(struct story *s, const char *name) {
    char *path = path_of(s, name);

    close_connections(s, path);
    free(path);
    return true;
}

static bool play_step(struct story *s, const char *kind, struct json_object *step) {
    if (strcmp(kind, "run") == 0)
        return run_step(s, step);
    if (strcmp(kind, "sql") == 0 && member(step, "do"))
        return run_sql(s, text_of(step, "sql"), text_of(step, "do"));
    if (strcmp(kind, "sql") == 0)
        return compare_rows(s, step);
    if (strcmp(kind, "host_close") == 0)
        return host_close(s, text_of(step, kind));
    if (strcmp(kind, "event") == 0)
        return event_step(s, step);
    if (strcmp(kind, "get") == 0)
        return get_step(s, step);
    if (strcmp(kind, "report") == 0)
        return report_step(s, step);
    if (strcmp(kind, "beat") == 0)
        return expect_answer(s, member(step, "expect"),
                             bk_beat(s->k, text_of(step, "beat")));
    if (strcmp(kind, "restart") == 0)
        return restart_step(s, member(step, kind));
    return file_step(s, kind, step);
}

static bool play(struct story *s, struct json_object *data) {
    struct json_object *steps = member(data, "steps"), *files = member(data, "files");
    char reason[sizeof(wrong)];

    if (files) {
        json_object_object_foreach(files, name, content) {
            if (!make_file(s, name, content))
                return false;
        }
    }
    if (!expect_answer(s, member(data, "open"), open_keeper(s)))
        return false;
    for (size_t i = 0; steps && i < json_object_array_length(steps); i++) {
        struct json_object *step = json_object_array_get_idx(steps, i);
        struct json_object_iterator first = json_object_iter_begin(step);
        const char *kind = json_object_iter_peek_name(&first);

        if (!play_step(s, kind, step)) {
            memcpy(reason, wrong, sizeof(reason));
            return go_wrong("step %zu (%s): %.4000s", i + 1, kind, reason);
        }
    }
    close_connections(s, NULL);
    return member(data, "open") || shut_down(s);
}

static bool play_file(const char *path) {
    struct json_object *data = json_object_from_file(path);
    const char *top = getenv("TMPDIR");
    struct story s = {
        json_object_new_object(), json_object_new_object(), NULL, {{NULL, NULL}}};
    char dir[4096], command[4200];
    bool good;

    snprintf(dir, sizeof(dir), "%s/vector-XXXXXX", top ? top : "/tmp");
    wrong[0] = 0;
    if (!data || !mkdtemp(dir))
        return go_wrong("cannot be read, or there is no folder for it");
    json_object_object_add(s.saved, "dir", json_object_new_string(dir));
    const char *redis = getenv("VECTORS_REDIS");
    json_object_object_add(s.saved, "redis", json_object_new_string(redis ? redis : ""));
    json_object_put(s.options);
    s.options = fill_value(s.saved, member(data, "set"));
    if (!s.options)
        s.options = json_object_new_object();
    good = play(&s, data);
    close_connections(&s, NULL);
    bk_close(s.k);
    snprintf(command, sizeof(command), "rm -rf -- '%s'", dir);
    if (system(command) != 0)
        good = go_wrong("cannot remove %s", dir);
    json_object_put(s.saved);
    json_object_put(s.options);
    json_object_put(data);
    return good;
}

int main(int argc, char **argv) {
    const char *as = getenv("VECTORS_AS") ? getenv("VECTORS_AS") : "c";
    int status = 0;

    for (int i = 1; i < argc; i++) {
        char *folder = strdup(argv[i]), *copy = strdup(argv[i]), *name = basename(copy);
        bool good;

        home = dirname(folder);
        good = play_file(argv[i]);
        status = good ? status : 1;
        printf("%s %s %.*s%s%s\n", good ? "ok" : "not ok", as, (int)strlen(name) - 5,
               name, good ? "" : " - ", good ? "" : wrong);
        fflush(stdout);
        free(copy);
        free(folder);
    }
    return status;
}
