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

int main(void) {
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 || bk_set(k, "backup.dir", "backups") < 0 ||
        bk_set(k, "backup.keep", "7") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    char *made = call(k, "backup.create", "{\"note\":\"before the spring event\"}");
    char *name = bk_pick_text(made, "result.name");
    printf("made %s of %.0f bytes\n", name, bk_pick_number(made, "result.bytes", 0));
    char *listed = call(k, "backup.list", "{\"limit\":10}");
    char *first = bk_pick_text(listed, "result.backups[0].name");
    char *note = bk_pick_text(listed, "result.backups[0].note");
    printf("%s - %s\n", first, note);
    char *checked = call(k, "backup.verify", "{\"all\":true}");
    printf("good: %.0f\n", bk_pick_number(checked, "result.verified", 0));
    int good = made && listed && checked;
    bk_free(made);
    bk_free(name);
    bk_free(listed);
    bk_free(first);
    bk_free(note);
    bk_free(checked);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
