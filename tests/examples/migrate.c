#include <botkeep.h>
#include <stdio.h>

int main(void) {
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    char *plan = bk_call(k, "migrate.plan", NULL); /* writes nothing, makes no file */
    char *pending = bk_pick_text(plan, "result.pending[0].name");
    printf("pending: %s\n", pending ? pending : "");
    char *done = bk_call(k, "migrate.up", NULL);
    int good = bk_pick_number(done, "ok", 0) == 1;
    if (good) {
        printf("schema version %.0f\n", bk_pick_number(done, "result.current", 0));
    } else { /* the database is as before, and the text says what to do */
        char *why = bk_pick_text(done, "error.message");
        fprintf(stderr, "the bot does not start: %s\n", why ? why : bk_last_error());
        bk_free(why);
    }
    bk_free(pending);
    bk_free(plan);
    bk_free(done);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
