/*
 * Keys for the tests of encrypted backups: made, given to keepers, and a database with a row that
 * must be found nowhere else. Not tests: backup_encryption*.c include it.
 */
#ifndef BK_TESTS_ENCRYPTION_BOX_H
#define BK_TESTS_ENCRYPTION_BOX_H

#include "backup_box.h"

#include <fcntl.h>

#define MARKER "a-row-that-nobody-may-read"

__attribute__((unused)) static char box_public[128];
__attribute__((unused)) static char box_key_id[32];

__attribute__((unused)) static void make_key(const char *name, const char *kind) {
    char args[512];
    snprintf(args, sizeof args, "{\"to\":\"%s\",\"kind\":\"%s\"}",
             sandbox_path("%s", name), kind);
    box_call("backup.key", args);
    char *text = bk_pick_text(box_done, "result.public");
    char *id = bk_pick_text(box_done, "result.key_id");
    snprintf(box_public, sizeof box_public, "%s", text == NULL ? "" : text);
    snprintf(box_key_id, sizeof box_key_id, "%s", id);
    bk_free(text);
    bk_free(id);
}

/* A keeper whose options say this about encryption; NULL: nothing. */
__attribute__((unused)) static void open_with(const char *key_file,
                                              const char *recipient) {
    box_new();
    if (key_file != NULL) {
        box_set("backup.key.file", sandbox_path("%s", key_file));
    }
    if (recipient != NULL) {
        box_set("backup.recipient", recipient);
    }
    box_open();
}

__attribute__((unused)) static void database(int rows) {
    box_database_with(rows);
    box_do("CREATE TABLE marked(t TEXT); INSERT INTO marked VALUES('" MARKER "');"
           "PRAGMA wal_checkpoint(TRUNCATE)");
}

/* A database, a key and a keeper that has it. */
__attribute__((unused)) static void with_key(int rows) {
    database(rows);
    make_key("key", "shared");
    open_with("key", NULL);
}

__attribute__((unused)) static void with_recipient(int rows) {
    database(rows);
    make_key("secret", "recipient");
    open_with(NULL, box_public);
}

__attribute__((unused)) static void assert_nothing_plain(void) {
    char command[1024];
    snprintf(command, sizeof command, "grep -rlaF '%s' '%s' | wc -l", MARKER,
             sandbox_path("backups"));
    assert_int_equal(box_count(command), 0);
    snprintf(
        command, sizeof command,
        "find '%s' -type f ! -name '*.enc' ! -name '*.enc.json' ! -name '.*' | wc -l",
        sandbox_path("backups"));
    assert_int_equal(box_count(command), 0);
}

__attribute__((unused)) static void restore_to(const char *name, const char *to) {
    char args[512];
    char more[256];
    snprintf(more, sizeof more, ",\"to\":\"%s\"", sandbox_path("%s", to));
    box_args(args, sizeof args, name, more);
    box_run("backup.restore", args);
}

__attribute__((unused)) static void assert_restores(const char *name, int rows) {
    char file[64];
    static int nth;
    snprintf(file, sizeof file, "out%d.db", nth++);
    restore_to(name, file);
    box_assert_number("ok", 1);
    assert_int_equal(box_assert_sound(sandbox_path("%s", file)), rows);
}

__attribute__((unused)) static void assert_depth(const char *name, const char *depth) {
    char args[256];
    box_args(args, sizeof args, name, "");
    box_call("backup.verify", args);
    box_assert_text("result.backups[0].depth", depth);
}

#endif
