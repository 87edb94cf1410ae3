#include <botkeep.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
    char args[256];
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 ||
        bk_set(k, "redis", getenv("REDIS_URL")) < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    bk_free(bk_call(k, "migrate.up", NULL));
    char *made = bk_call(k, "backup.create", NULL); /* both stores */
    char *name = bk_pick_text(made, "result.name");
    char *why = bk_pick_text(made, "error.message"); /* BK_EPARTIAL: it says which */
    printf("%s, snapshots %.0f ms apart\n", name ? name : why,
           bk_pick_number(made, "result.skew_ms", -1));
    /* ... an accident happens ... */
    snprintf(args, sizeof args, "{\"name\":\"%s\"}", name ? name : "");
    char *done = bk_call(k, "backup.restore", args); /* or with "store":"redis" */
    int good = bk_pick_number(done, "ok", 0) == 1;
    char *said = bk_pick_text(done, good ? "result.message" : "error.message");
    printf("%s\n", said ? said : bk_last_error());
    bk_free(made);
    bk_free(name);
    bk_free(why);
    bk_free(done);
    bk_free(said);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
