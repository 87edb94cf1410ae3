#include <botkeep.h>
#include <sqlite3.h>
#include <stdio.h>
#include <sys/stat.h>

/* What the bot's own script left behind. */
static int old_backup(const char *path) {
    sqlite3 *db = NULL;
    int good =
        sqlite3_open(path, &db) == SQLITE_OK &&
        sqlite3_exec(db, "CREATE TABLE users(name); INSERT INTO users VALUES('ada')",
                     NULL, NULL, NULL) == SQLITE_OK;
    sqlite3_close(db);
    return good;
}

static int call(bk_keeper *k, const char *operation, const char *args, const char *show) {
    char *done = bk_call(k, operation, args);
    int good = bk_pick_number(done, "ok", 0) == 1;
    char *text = bk_pick_text(done, good ? show : "error.message");
    printf("%s: %s\n", operation, text ? text : bk_last_error());
    bk_free(text);
    bk_free(done);
    return good;
}

int main(void) {
    bk_keeper *k = bk_new();
    mkdir("backups", 0700);
    if (!old_backup("backups/manual_2025-12-04T10-30-00-123Z.db") ||
        bk_set(k, "database", "bot.db") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    int good =
        call(k, "migrate.up", NULL, "result.current") &&
        call(k, "backup.verify", "{\"foreign\":true}", "result.backups[0].format") &&
        call(k, "backup.list", "{\"foreign\":true}", "result.foreign[0].state") &&
        call(k, "backup.adopt", "{\"all\":true}", "result.adopted[0].name") &&
        call(k, "backup.query", "{\"sql\":\"SELECT name FROM users\"}",
             "result.rows[0][0]");
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
