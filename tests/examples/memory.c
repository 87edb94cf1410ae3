#include <botkeep.h>
#include <sqlite3.h>
#include <stdio.h>

/* Proven, flushed, one step: never half a file. The bytes are copied before bk_save() returns. */
static char *save(bk_keeper *k, sqlite3 *db, const char *args) {
    sqlite3_int64 size = 0;
    unsigned char *image = sqlite3_serialize(db, "main", &size, 0);
    int job = bk_save(k, (const char *)image, (double)size, args);
    sqlite3_free(image);
    return bk_wait(k, job, -1);
}

int main(void) {
    sqlite3 *db = NULL;
    bk_keeper *k = bk_new();
    /* Open the keeper first: it applies a restore that waits, then the bot loads the file. */
    if (bk_set(k, "database", "bot.db") < 0 || bk_set(k, "database.memory", "true") < 0 ||
        bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    sqlite3_open(":memory:", &db);
    sqlite3_exec(db, "CREATE TABLE users (name TEXT); INSERT INTO users VALUES ('ada')",
                 NULL, NULL, NULL);
    char *saved = save(k, db, NULL);
    printf("saved %.0f bytes\n", bk_pick_number(saved, "result.bytes", 0));
    char *again = save(k, db, "{\"backup\":\"manual\"}");
    char *backup = bk_pick_text(again, "result.backup");
    printf("backup %s\n", backup);
    char *restore = bk_call(k, "backup.restore", NULL); /* for the next start */
    char *said = bk_pick_text(restore, "result.message");
    printf("%s\n", said);
    int good = saved && backup && said;
    bk_free(saved);
    bk_free(again);
    bk_free(backup);
    bk_free(restore);
    bk_free(said);
    sqlite3_close(db);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
