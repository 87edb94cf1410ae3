#include <botkeep.h>
#include <stdio.h>

static int run(bk_keeper *k, const char *operation, const char *args, const char *show) {
    char *done = bk_call(k, operation, args);
    int good = bk_pick_number(done, "ok", 0) == 1;
    char *text = bk_pick_text(done, good ? show : "error.message");
    printf("%s: %s %s\n", operation, show, text ? text : good ? "-" : bk_last_error());
    bk_free(text);
    bk_free(done);
    return good;
}

int main(void) {
    bk_keeper *k = bk_new();
    /* After a full backup, up to six that hold only the pages that changed. */
    if (bk_set(k, "database", "bot.db") < 0 || bk_set(k, "backup.dir", "backups") < 0 ||
        bk_set(k, "backup.deltas", "6") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    int good = run(k, "migrate.up", NULL, "result.current") &&
               run(k, "backup.create", "{\"note\":\"first\"}", "result.chain") &&
               run(k, "backup.create", "{\"note\":\"second\"}", "result.chain") &&
               run(k, "backup.restore", "{\"to\":\"look.db\"}", "result.message");
    /* Nothing changed since: what nobody asked for is not made again. */
    good = good && run(k, "backup.create", "{\"kind\":\"auto\"}", "result.unchanged") &&
           run(k, "backup.status", NULL, "result.last_verified_at");
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
