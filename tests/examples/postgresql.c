#include <botkeep.h>
#include <stdio.h>
#include <stdlib.h>

static char *call(bk_keeper *k, const char *operation, const char *args,
                  const char *show) {
    char *done = bk_call(k, operation, args);
    int good = bk_pick_number(done, "ok", 0) == 1;
    char *text = bk_pick_text(done, good ? show : "error.message");
    printf("%s: %s\n", operation, text ? text : bk_last_error());
    bk_free(done);
    if (good) {
        return text;
    }
    bk_free(text);
    return NULL;
}

int main(void) {
    char args[256];
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", getenv("DATABASE_URL")) < 0 ||
        bk_set(k, "backup.dir", "backups") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    char *name = call(k, "backup.create", NULL, "result.name");
    /* ... an accident happens ... */
    snprintf(args, sizeof args, "{\"name\":\"%s\"}", name ? name : "");
    char *said = call(k, "backup.restore", args, "result.message");
    int status = said ? 0 : 1;
    bk_free(name);
    bk_free(said);
    bk_shutdown(k, 10000);
    bk_close(k);
    return status;
}
