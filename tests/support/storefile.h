/*
 * SQLite files as a bot makes them: through SQLite's ordinary ways, in this process or in a child
 * that writes until it is killed. Not assertions: what fails here ends the program with a word.
 */
#ifndef BK_TESTS_STOREFILE_H
#define BK_TESTS_STOREFILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sqlite3.h>
#include <sys/types.h>

/* A connection of the bot's own. */
sqlite3 *storefile_open(const char *path);
void storefile_exec(sqlite3 *db, const char *sql);
int64_t storefile_int(sqlite3 *db, const char *sql);
void storefile_text(sqlite3 *db, const char *sql, char *ret, size_t size);

/* The same for a path: opened, done, closed. */
void storefile_make(const char *path, const char *sql);
int64_t storefile_read(const char *path, const char *sql);

bool storefile_exists(const char *path, const char *side); /* side: "", "-wal", ... */
int64_t storefile_size(const char *path, const char *side);
/* A sum of all bytes: for "nothing was changed". */
uint64_t storefile_sum(const char *path, const char *side);
void storefile_copy(const char *from, const char *to);
void storefile_write(const char *path, const char *bytes, size_t size);

/*
 * A child process with its own SQLite that has the database open. "write": commits one row after
 * another into log(id INTEGER PRIMARY KEY, v) and counts them in counter(n), all in one
 * transaction each. "transfer": moves one from account to account (STOREFILE_ACCOUNTS), so
 * that their sum stays 0, and checkpoints in every way. "hold": reads once and keeps it open. "lock": holds a write transaction.
 * storefile_child() must be called first thing in main().
 */
void storefile_child(int argc, char **argv);
pid_t storefile_start(const char *what,
                      const char *path); /* returns once it is at work */
void storefile_kill(pid_t child);

#define STOREFILE_ACCOUNTS                                                               \
    "CREATE TABLE account(id INTEGER PRIMARY KEY, v, pad); WITH n(i) AS (VALUES(1) "     \
    "UNION ALL "                                                                         \
    "SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO account SELECT i, 0, "              \
    "randomblob(3000) FROM n;"

#define STOREFILE_LOG                                                                    \
    "CREATE TABLE log(id INTEGER PRIMARY KEY, v); CREATE TABLE counter(n);"              \
    "INSERT INTO counter VALUES(0);"

#endif
