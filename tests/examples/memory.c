#include <botkeep.h>
#include <sqlite3.h>
#include <stdio.h>

int main(void) {
    sqlite3 *db = NULL;
    sqlite3_int64 size = 0;
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
    unsigned char *image = sqlite3_serialize(db, "main", &size, 0);
    /* Proven, flushed, one step: never half a file. The bytes are copied before it returns. */
    int job = bk_save(k, (const char *)image, (double)size, "{\"backup\":\"manual\"}");
    sqlite3_free(image);
    char *done = bk_wait(k, job, -1);
    char *backup = bk_pick_text(done, "result.backup");
    printf("saved %.0f bytes, backup %s\n", bk_pick_number(done, "result.bytes", 0),
           backup ? backup : "failed");
    bk_free(backup);
    bk_free(done);
    sqlite3_close(db);
    int clean = bk_shutdown(k, 10000);
    bk_close(k);
    return clean < 0;
}
