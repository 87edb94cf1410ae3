#include <botkeep.h>
#include <stdio.h>

int main(void) {
    bk_keeper *k = bk_new();
    if (bk_set(k, "database", "bot.db") < 0 || bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    bk_free(bk_call(k, "migrate.up", NULL)); /* what is new in migrations/ */
    char *done = bk_call(k, "backup.create", NULL);
    char *name = bk_pick_text(done, "result.name");
    printf("backup %s, %.0f users\n", name ? name : "failed",
           bk_pick_number(done, "result.tables.users", 0));
    bk_free(name);
    bk_free(done);
    int clean = bk_shutdown(k, 10000); /* a last backup, and a clean end is noted */
    bk_close(k);
    return clean < 0;
}
