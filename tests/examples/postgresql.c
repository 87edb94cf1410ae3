#include <botkeep.h>
#include <stdio.h>
#include <stdlib.h>

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
    if (bk_set(k, "database", getenv("DATABASE_URL")) < 0 ||
        bk_set(k, "backup.dir", "backups") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    char *made = call(k, "backup.create", NULL);
    char *name = bk_pick_text(made, "result.name");
    printf("made %s of %.0f bytes\n", name, bk_pick_number(made, "result.bytes", 0));
    /* ... an accident happens ... */
    snprintf(args, sizeof args, "{\"name\":\"%s\"}", name);
    char *done = call(k, "backup.restore", args);
    show("", done, "result.message");
    show("What was there before is the database ", done, "result.kept");
    int good = made && done;
    bk_free(made);
    bk_free(name);
    bk_free(done);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
