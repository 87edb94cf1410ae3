#include <botkeep.h>
#include <stdio.h>

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

static void show(const char *done, const char *path) {
    char *text = bk_pick_text(done, path);
    printf("%s: %s\n", path, text ? text : "-");
    bk_free(text);
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
    bk_free(bk_call(k, "migrate.up", NULL));
    char *status = bk_call(k, "backup.status", NULL);
    show(status, "result.next_due_at");
    show(status, "result.leader");
    char *plan = bk_call(k, "backup.prune", "{\"dry_run\":true}");
    show(plan, "result.deleted");
    show(plan, "result.kept_because");
    int good = bk_pick_number(status, "ok", 0) == 1 && bk_pick_number(plan, "ok", 0) == 1;
    bk_free(plan);
    bk_free(status);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
