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

int main(void) {
    static const char *const notes[] = {"{\"note\":\"first\"}", "{\"note\":\"second\"}",
                                        "{\"note\":\"third\"}"};
    bk_keeper *k = bk_new();
    /* After a full backup, up to six that hold only the pages that changed; then a full one. */
    if (bk_set(k, "database", "bot.db") < 0 || bk_set(k, "backup.dir", "backups") < 0 ||
        bk_set(k, "backup.deltas", "6") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    for (int i = 0; i < 3; i++) {
        char *made = call(k, "backup.create", notes[i]);
        char *name = bk_pick_text(made, "result.name");
        printf("%s builds on %.0f others\n", name,
               bk_pick_number(made, "result.chain", 0));
        bk_free(name);
        bk_free(made);
    }
    char *look =
        call(k, "backup.restore", "{\"to\":\"look.db\"}"); /* the newest, through all */
    show("", look, "result.message");

    /* Nothing changed since then, so a backup that nobody asked for is not made. */
    char *again = call(k, "backup.create", "{\"kind\":\"auto\"}");
    char *since = bk_pick_text(again, "result.unchanged_since");
    char *name = bk_pick_text(again, "result.name");
    printf("unchanged since %s in %s\n", since, name);
    int good = look && again;
    bk_free(look);
    bk_free(again);
    bk_free(since);
    bk_free(name);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
