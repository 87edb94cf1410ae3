/*
 * Backups that hold only what changed, for the tests of them: made, and compared with what was told
 * when they were. Not tests: backup_deltas.c and backup_chains.c include it.
 */
#ifndef BK_TESTS_DELTAS_BOX_H
#define BK_TESTS_DELTAS_BOX_H

#include "encryption_box.h"

#define ROWS 8000 /* about 1.2 MB */
#define MOST 16

/* A keeper that lets so many in a row hold only changes. */
__attribute__((unused)) static void open_deltas(const char *deltas, const char *keep) {
    box_new();
    box_set("backup.deltas", deltas);
    box_set("backup.keep", keep);
    box_open();
}

__attribute__((unused)) static void fresh(const char *deltas) {
    open_deltas(deltas, "100");
    box_database_with(ROWS);
}

struct made {
    const char *name;
    char sha256[80];
    int chain;
};

__attribute__((unused)) static void take_made(struct made *ret, const char *name) {
    char *sum = bk_pick_text(box_done, "result.sha256");
    ret->name = name;
    ret->chain = (int)bk_pick_number(box_done, "result.chain", -1);
    snprintf(ret->sha256, sizeof ret->sha256, "%s", sum);
    bk_free(sum);
    bool delta = strstr(name, ".delta") != NULL;
    assert_int_equal(delta, ret->chain > 0);
}

__attribute__((unused)) static struct made make(void) {
    struct made made;
    take_made(&made, box_create(NULL));
    return made;
}

/* Restored into a file, it has the SHA-256 that was told when it was made. */
__attribute__((unused)) static void assert_comes_back(const struct made *made) {
    static int nth;
    char file[64], command[1200], expected[200];
    snprintf(file, sizeof file, "back%d.db", nth++);
    restore_to(made->name, file);
    if (bk_pick_number(box_done, "ok", 0) != 1) {
        fail_msg("%s: %s", made->name, box_done);
    }
    snprintf(command, sizeof command, "sha256sum < '%s'", sandbox_path("%s", file));
    snprintf(expected, sizeof expected, "%s  -\n", made->sha256);
    char *found = box_shell(command);
    assert_string_equal(found, expected);
    free(found);
    snprintf(command, sizeof command, "sqlite3 '%s' 'PRAGMA integrity_check'",
             sandbox_path("%s", file));
    found = box_shell(command);
    assert_string_equal(found, "ok\n");
    free(found);
}

__attribute__((unused)) static void change(int i) {
    char sql[200];
    snprintf(sql, sizeof sql, "UPDATE left_side SET t = t || 'c' WHERE n %% 977 = %d", i);
    box_do(sql);
}

#endif
