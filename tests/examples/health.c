#include <botkeep.h>
#include <stdio.h>

int main(void) {
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    bk_free(bk_call(k, "migrate.up", NULL));
    bk_beat(k, "main"); /* from a timer of your event loop */
    bk_report(k, "discord", "healthy", "45 ms, 150 guilds", 60000);
    bk_free(bk_call(k, "health.snapshot", NULL)); /* reads a page of the database */
    char *now = bk_health(k);                     /* microseconds, as often as you like */
    char *status = bk_pick_text(now, "status");
    printf("%s\n", status ? status : "failed");
    bk_free(status);
    bk_free(now);
    bk_shutdown(k, 10000);
    return bk_close(k) < 0;
}
