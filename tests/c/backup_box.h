/*
 * A bot's folder for the backup tests: the box of the migration tests, a database with two tables
 * that always have equally many rows, a child that writes to them, and the folder of the backups.
 * Not tests: backup_*.c include it.
 */
#ifndef BK_TESTS_BACKUP_BOX_H
#define BK_TESTS_BACKUP_BOX_H

#include <signal.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "migrate_box.h"

#define ROWS_SMALL 20
#define ROWS_BIG 20000 /* about 3 MB: three gzip members */

/* Tables left and right with the rows 1 to rows, in WAL mode. */
__attribute__((unused)) static void box_database_with(int rows) {
    char sql[1024];
    snprintf(
        sql, sizeof sql,
        "PRAGMA journal_mode = WAL;"
        "CREATE TABLE IF NOT EXISTS left_side(n INTEGER PRIMARY KEY, t TEXT);"
        "CREATE TABLE IF NOT EXISTS right_side(n INTEGER PRIMARY KEY, t TEXT);"
        "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < %d)"
        " INSERT INTO left_side SELECT x, hex(randomblob(30)) FROM c;"
        "INSERT INTO right_side SELECT * FROM left_side;",
        rows);
    box_do(sql);
}

/* ---- a child that writes -------------------------------------------------------------------- */

static pid_t box_writer_pid;

/* What the child does, for ever: one row into both tables in each transaction. Any failure but a
   busy one ends it with 1. */
__attribute__((unused)) static int box_write_for_ever(const char *path) {
    sqlite3 *db = NULL;
    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK) {
        return 1;
    }
    sqlite3_busy_timeout(db, 20000);
    for (;;) {
        int rc = sqlite3_exec(db,
                              "BEGIN IMMEDIATE;"
                              "INSERT INTO left_side(t) VALUES('x');"
                              "INSERT INTO right_side(n) SELECT max(n) FROM left_side;"
                              "COMMIT",
                              NULL, NULL, NULL);
        if (rc != SQLITE_OK) {
            return 1;
        }
        usleep(500);
    }
}

/* The first thing in main(): the program is its own writer. */
#define BOX_WRITER(argc, argv)                                                           \
    do {                                                                                 \
        if ((argc) == 3 && strcmp((argv)[1], "write-for-ever") == 0) {                   \
            return box_write_for_ever((argv)[2]);                                        \
        }                                                                                \
    } while (0)

__attribute__((unused)) static void box_writer_start(void) {
    const char *database = box_database();
    box_writer_pid = fork();
    assert_true(box_writer_pid >= 0);
    if (box_writer_pid == 0) {
        execl("/proc/self/exe", "writer", "write-for-ever", database, (char *)NULL);
        _exit(127);
    }
}

/* Kills it in the middle of whatever it does; it must not have ended by itself before. */
__attribute__((unused)) static void box_writer_kill(void) {
    int status = 0;
    assert_int_equal(waitpid(box_writer_pid, &status, WNOHANG), 0);
    kill(box_writer_pid, SIGKILL);
    assert_int_equal(waitpid(box_writer_pid, &status, 0), box_writer_pid);
    box_writer_pid = 0;
}

/* Both sides have the same rows, without a hole, and SQLite finds nothing wrong. */
__attribute__((unused)) static int box_assert_sound(const char *path) {
    char command[2048];
    snprintf(
        command, sizeof command,
        "sqlite3 -bail '%s' \"PRAGMA integrity_check;"
        "SELECT count(*) = max(n) FROM left_side;"
        "SELECT count(*) FROM (SELECT n FROM left_side EXCEPT SELECT n FROM right_side);"
        "SELECT count(*) FROM (SELECT n FROM right_side EXCEPT SELECT n FROM left_side);"
        "SELECT count(*) FROM left_side\" 2>&1",
        path);
    char *found = box_shell(command);
    int rows = -1;
    if (sscanf(found, "ok\n1\n0\n0\n%d\n", &rows) != 1) {
        fail_msg("%s: %s", path, found);
    }
    free(found);
    return rows;
}

/* ---- the folder of the backups -------------------------------------------------------------- */

/* How many of its files match the pattern of the shell. */
__attribute__((unused)) static int box_backups(const char *pattern) {
    char command[1024];
    snprintf(command, sizeof command, "find '%s' -mindepth 1 -name '%s' | wc -l",
             sandbox_path("backups"), pattern);
    return box_count(command);
}

/* Nothing is in it but the lock, .gitignore, and so many archives with their manifests. */
__attribute__((unused)) static void box_assert_only(int archives) {
    assert_int_equal(box_backups("*"), 2 + 2 * archives);
    assert_int_equal(box_backups("*.json"), archives);
}

/* Makes a backup; its name lives until the 64th call after. */
__attribute__((unused)) static const char *box_create(const char *args) {
    static char names[64][128];
    static unsigned next;
    char *kept = names[next++ % 64];
    box_call("backup.create", args);
    char *name = bk_pick_text(box_done, "result.name");
    assert_non_null(name);
    snprintf(kept, sizeof names[0], "%s", name);
    bk_free(name);
    return kept;
}

/* A command of the shell in which %s is the archive's path. */
__attribute__((unused)) static char *box_on(const char *name, const char *command) {
    char whole[4096];
    const char *path = sandbox_path("backups/%s", name);
    const char *at = strstr(command, "%s");
    assert_non_null(at);
    snprintf(whole, sizeof whole, "%.*s%s%s", (int)(at - command), command, path, at + 2);
    return box_shell(whole);
}

__attribute__((unused)) static void box_args(char *args, size_t room, const char *name,
                                             const char *more) {
    snprintf(args, room, "{\"name\":\"%s\"%s}", name, more);
}

#endif
