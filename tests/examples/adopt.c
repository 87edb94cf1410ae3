#include <botkeep.h>
#include <stdio.h>

/* Prints the value at a path of a JSON text. */
static void show(const char *before, const char *json, const char *path,
                 const char *after) {
    char *text = bk_pick_text(json, path);
    printf("%s%s%s", before, text ? text : "-", after);
    bk_free(text);
}

int main(void) {
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    char *checked =
        bk_call(k, "backup.verify", "{\"foreign\":true}"); /* all, to the end */
    show("", checked, "error.code", "\n");                 /* one of them is torn */
    char *listed = bk_call(k, "backup.list", "{\"foreign\":true}");
    show("", listed, "result.foreign[0].name", " is ");
    show("", listed, "result.foreign[0].state", "\n");
    show("", listed, "result.foreign[1].name", " is ");
    show("", listed, "result.foreign[1].state", "\n");

    /* A whole one is looked into without restoring it, then made ours. */
    char *found = bk_call(k, "backup.query",
                          "{\"name\":\"manual_2025-12-04T10-30-00-123Z.db\","
                          "\"sql\":\"SELECT name FROM users\"}");
    show("first row: ", found, "result.rows[0][0]", "\n");
    char *done = bk_call(k, "backup.adopt", "{\"all\":true}");
    show("adopted as ", done, "result.adopted[0].name", " - left out: ");
    show("", done, "result.skipped[0].name", "\n");
    int good = bk_pick_number(done, "ok", 0) == 1;
    bk_free(checked);
    bk_free(listed);
    bk_free(found);
    bk_free(done);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}
