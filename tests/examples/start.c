#include <botkeep.h>
#include <stdio.h>

int main(void) {
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 ||
        bk_open(k) < 0) { /* before the bot opens it */
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    /* Your bot runs here. A backup each day comes by itself. One more, by hand: */
    char *done = bk_call(k, "backup.create", NULL);
    int good = bk_pick_number(done, "ok", 0) == 1;
    char *text = bk_pick_text(done, good ? "result.name" : "error.message");
    printf("%s: %.0f row in users\n", text,
           bk_pick_number(done, "result.tables.users", 0));
    bk_free(text);
    bk_free(done);
    int clean = bk_shutdown(k, 10000); /* a last backup, and a clean end is noted */
    bk_close(k);
    return good && clean == 0 ? 0 : 1;
}
