#include <botkeep.h>
#include <stdio.h>

/* Prints the value at a path of a JSON text. */
static void show(const char *before, const char *json, const char *path) {
    char *text = bk_pick_text(json, path);
    printf("%s%s\n", before, text ? text : "-");
    bk_free(text);
}

int main(void) {
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    bk_beat(k, "main"); /* from a timer of your event loop */
    bk_report(k, "discord", "healthy", "45 ms, 150 guilds", 60000);
    char *snapshot =
        bk_call(k, "health.snapshot", NULL); /* reads a page of the database */
    show("measured: ", snapshot, "result.status");
    char *now = bk_health(k); /* microseconds, as often as you like */
    show("known: ", now, "status");
    int good = snapshot && now;
    bk_free(now);
    bk_free(snapshot);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
