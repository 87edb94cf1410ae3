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
    char args[256];
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    char *made = call(k, "backup.create", NULL);
    char *name = bk_pick_text(made, "result.name");
    /* ... an accident happens ... */
    snprintf(args, sizeof args, "{\"name\":\"%s\"}", name);
    char *done = call(k, "backup.restore", args); /* into the database as it is open */
    show("", done, "result.message");
    show("What was there before is kept as ", done, "result.pre_restore");
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"to\":\"look.db\"}", name);
    char *look = call(k, "backup.restore", args); /* only to look at it */
    show("", look, "result.message");
    int good = made && done && look;
    bk_free(made);
    bk_free(name);
    bk_free(done);
    bk_free(look);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
