#include <botkeep.h>
#include <stdio.h>

/* The done event of an operation that went well; else says why not, and gives NULL. */
static char *call(bk_keeper *k, const char *operation, const char *args) {
    char *done = bk_call(k, operation, args);
    if (bk_pick_number(done, "ok", 0) == 1) {
        return done;
    }
    char *why = bk_pick_text(done, "error.message");
    fprintf(stderr, "%s\n", why ? why : bk_last_error());
    bk_free(why);
    bk_free(done);
    return NULL;
}

/* Prints the value at a path of a JSON text. */
static void show(const char *before, const char *json, const char *path) {
    char *text = bk_pick_text(json, path);
    printf("%s%s\n", before, text ? text : "-");
    bk_free(text);
}

static const char *const options[][2] = {
    {"database", "bot.db"},
    {"backup.dir", "backups"},
    {"backup.cron", "0 3 * * *"}, /* at 3 in the morning */
    {"backup.timezone", "Europe/Berlin"},
    {"backup.on.start", "true"},
    {"backup.keep", "3"}, /* of each kind */
    {"backup.keep.daily", "7"},
    {"backup.keep.weekly", "4"},
    {"backup.keep.monthly", "6"},
};

/* The rows of a list in the plan. */
static void show_rows(const char *plan, const char *list, const char *what) {
    for (int i = 0;; i++) {
        char path[80];
        snprintf(path, sizeof path, "result.%s[%d].name", list, i);
        char *name = bk_pick_text(plan, path);
        if (!name) {
            return;
        }
        snprintf(path, sizeof path, "result.%s[%d].reason", list, i);
        char *reason = bk_pick_text(plan, path);
        printf("%s %s: %s\n", name, what, reason);
        bk_free(reason);
        bk_free(name);
    }
}

int main(void) {
    bk_keeper *k = bk_new();
    int code = 0;
    for (size_t i = 0; code == 0 && i < sizeof options / sizeof *options; i++) {
        code = bk_set(k, options[i][0], options[i][1]);
    }
    if (code < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    char *status = call(k, "backup.status", NULL);
    show("next one at ", status, "result.next_due_at");
    char *plan = call(k, "backup.prune", "{\"dry_run\":true}");
    show_rows(plan, "deleted", "would go");
    show_rows(plan, "kept_because", "stays");
    int good = status && plan;
    bk_free(plan);
    bk_free(status);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
