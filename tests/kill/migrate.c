/*
 * migrate.up is killed at random points; the database must then hold the state before, or whole
 * migrations after it, and the next start must finish without help. KILLS (100) says how often,
 * KILL_SEED repeats a run. Not the kills of backup and restore. tests/kill/run runs it.
 */
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <botkeep.h>
#include <sqlite3.h>

#include <base/hash.h>

#include "sandbox.h"

enum { ROWS = 12000 };

extern char **environ;

struct scenario {
    const char *name;
    const char *journal; /* the mode of the database before */
    bool from_nothing;
    bool in_pieces; /* whole migrations may be there after a kill */
};

static const struct scenario scenarios[] = {
    {"one transaction", "DELETE", false, false},
    {"one transaction, WAL", "WAL", false, false},
    {"in pieces", "DELETE", false, true},
    {"in pieces, WAL", "WAL", false, true},
    {"from nothing", "DELETE", true, false},
    {"from nothing, in pieces", "DELETE", true, true},
};

static void need(bool good, const char *what) {
    if (!good) {
        printf("not ok migrate.up killed - %s: %s\n", what, strerror(errno));
        exit(1);
    }
}

/* ---- the bot, in a process of its own ------------------------------------------------------- */

static int be_a_bot(const char *dir) {
    static const char *const paths[][2] = {
        {"database", "bot.db"}, {"migrate.dir", "migrations"}, {"backup.dir", "backups"}};
    bk_keeper *k = bk_new();
    bool good = bk_set(k, "run.track", "false") == 0 && bk_set(k, "env.file", "") == 0 &&
                bk_set(k, "backup.on.shutdown", "false") == 0;
    for (size_t i = 0; i < 3; i++) {
        char path[1200];
        snprintf(path, sizeof path, "%s/%s", dir, paths[i][1]);
        good = good && bk_set(k, paths[i][0], path) == 0;
    }
    good = good && bk_open(k) == 0;
    char *done = good ? bk_call(k, "migrate.up", NULL) : NULL;
    good = done && bk_pick_number(done, "ok", 0) == 1;
    if (!good) {
        fprintf(stderr, "# %s\n", done ? done : bk_last_error());
    }
    bk_free(done);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}

static pid_t start(void) {
    pid_t pid = 0;
    char program[] = "migrate";
    char word[] = "bot";
    char dir[1200];
    snprintf(dir, sizeof dir, "%s", sandbox_path("%s", ""));
    char *argv[] = {program, word, dir, NULL};
    need(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ) == 0,
         "posix_spawn");
    return pid;
}

static int end(pid_t pid) {
    int status = -1;
    need(waitpid(pid, &status, 0) == pid, "waitpid");
    return status;
}

static int64_t now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- the database, looked at by SQLite while no bot runs -------------------------------------- */

static sqlite3 *open_database(const char *path) {
    sqlite3 *db = NULL;
    need(sqlite3_open(path, &db) == SQLITE_OK, "sqlite3_open");
    return db;
}

static void run_sql(sqlite3 *db, const char *sql) {
    char *why = NULL;
    if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK) {
        printf("# %s: %s\n", sql, why);
        need(false, "sqlite3_exec");
    }
}

static int add_row(void *context, int columns, char **values, char **names) {
    (void)names;
    for (int i = 0; i < columns; i++) {
        const char *text = values[i] ? values[i] : "(null)";
        bk__hash_add(context, text, strlen(text) + 1);
    }
    return 0;
}

static int add_table(void *context, int columns, char **values, char **names) {
    sqlite3 *db = ((void **)context)[0];
    struct bk__hash *hash = ((void **)context)[1];
    (void)names;
    add_row(hash, columns, values, NULL);
    if (strcmp(values[0], "table") == 0) {
        char *sql =
            sqlite3_mprintf("SELECT rowid, * FROM \"%w\" ORDER BY rowid", values[1]);
        need(sqlite3_exec(db, sql, add_row, hash, NULL) == SQLITE_OK, "reading a table");
        sqlite3_free(sql);
    }
    return 0;
}

/* SHA-256 over schema and rows of everything but our own tables. */
static void content(char ret[BK__SHA256_HEX]) {
    sqlite3 *db = open_database(sandbox_path("bot.db"));
    struct bk__hash *hash = bk__hash_new();
    void *context[] = {db, hash};
    need(sqlite3_exec(
             db,
             "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name NOT LIKE "
             "'botkeep%' AND name NOT LIKE 'sqlite%' ORDER BY type, name",
             add_table, context, NULL) == SQLITE_OK,
         "reading the schema");
    sqlite3_close(db);
    bk__hash_end(hash, ret);
}

static int keep_text(void *context, int columns, char **values, char **names) {
    (void)columns;
    (void)names;
    snprintf(context, 64, "%s", values[0] ? values[0] : "");
    return 0;
}

/* The first value, "" when the statement fails or gives nothing. */
static void value(const char *sql, char ret[64]) {
    sqlite3 *db = open_database(sandbox_path("bot.db"));
    ret[0] = '\0';
    sqlite3_exec(db, sql, keep_text, ret, NULL);
    sqlite3_close(db);
}

static bool is_value(const char *sql, const char *expected) {
    char found[64];
    value(sql, found);
    return strcmp(found, expected) == 0;
}

/* ---- one scenario -------------------------------------------------------------------------- */

static void make_database(const struct scenario *s) {
    char sql[512];
    if (s->from_nothing) {
        return;
    }
    sqlite3 *db = open_database(sandbox_path("bot.db"));
    snprintf(sql, sizeof sql, "PRAGMA journal_mode = %s", s->journal);
    run_sql(db, sql);
    snprintf(sql, sizeof sql,
             "CREATE TABLE users(id INTEGER PRIMARY KEY, name);"
             "CREATE TABLE posts(id INTEGER PRIMARY KEY, user REFERENCES users ON DELETE "
             "CASCADE, text);"
             "INSERT INTO users VALUES(1, 'Ann'), (2, 'Bob');"
             "INSERT INTO posts WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
             "FROM c "
             "LIMIT %d) SELECT i, i %% 2 + 1, hex(zeroblob(60)) || i FROM c",
             ROWS);
    run_sql(db, sql);
    sqlite3_close(db);
}

static void write_migrations(const struct scenario *s) {
    const char *marker =
        s->in_pieces ? "-- migrate:up transaction:false\n" : "-- migrate:up\n";
    char text[1024];
    sandbox_write(
        "migrations/1_begin.sql",
        "CREATE TABLE IF NOT EXISTS users(id INTEGER PRIMARY KEY, name);\n"
        "CREATE TABLE IF NOT EXISTS posts(id INTEGER PRIMARY KEY, user, text);\n"
        "CREATE TABLE steps(n);\nINSERT INTO steps VALUES(1);\n");
    sandbox_write(
        "migrations/2_rebuild.sql",
        "CREATE TABLE new_users(id INTEGER PRIMARY KEY, name NOT NULL);\n"
        "INSERT INTO new_users SELECT * FROM users;\nDROP TABLE users;\n"
        "ALTER TABLE new_users RENAME TO users;\nINSERT INTO steps VALUES(2);\n");
    snprintf(text, sizeof text,
             "%sCREATE TABLE five(a);\n"
             "UPDATE posts SET text = text || '!';\n"
             "INSERT INTO steps VALUES(3);\n"
             "CREATE INDEX posts_text ON posts(text);\n"
             "INSERT INTO five SELECT text FROM posts;\n",
             marker);
    sandbox_write("migrations/3_five.sql", text);
    sandbox_write("migrations/4_end.sql",
                  "UPDATE posts SET text = text || '?';\nINSERT INTO steps VALUES(4);\n");
}

static void set_up(const struct scenario *s) {
    sandbox_setup(NULL);
    write_migrations(s);
    make_database(s);
}

/* What a correct end looks like, and how long it takes. */
struct reference {
    char before[BK__SHA256_HEX];
    char after[BK__SHA256_HEX];
    int64_t us;
};

static bool measure(const struct scenario *s, struct reference *ret) {
    set_up(s);
    content(ret->before);
    if (s->from_nothing) {
        unlink(sandbox_path("bot.db"));
    }
    int64_t began = now_us();
    bool good = end(start()) == 0;
    ret->us = now_us() - began;
    content(ret->after);
    sandbox_teardown(NULL);
    return good && strcmp(ret->before, ret->after) != 0;
}

/* After a kill: NULL, or what is wrong. */
static const char *look_after_kill(const struct scenario *s, const struct reference *r) {
    char now[BK__SHA256_HEX];
    struct stat st;
    if (stat(sandbox_path("bot.db"), &st) < 0 || st.st_size == 0) {
        return s->from_nothing ? NULL : "the database is gone";
    }
    if (!is_value("PRAGMA integrity_check", "ok")) {
        return "the database is damaged";
    }
    content(now);
    bool old = strcmp(now, r->before) == 0;
    bool new = strcmp(now, r->after) == 0;
    bool partial =
        is_value("SELECT count(*) FROM botkeep_migrations WHERE state = 'partial'", "1");
    if (!s->in_pieces) {
        return old || new ? NULL : "a third state after the kill";
    }
    /* Whole migrations: as many steps as rows. Else the file in between is marked. */
    bool whole =
        old || is_value("SELECT count(*) = (SELECT count(*) FROM botkeep_migrations) "
                        "FROM steps",
                        "1");
    return whole || partial ? NULL : "half a migration that is not marked";
}

/* After the next start: NULL, or what is wrong. */
static const char *look_at_end(const struct reference *r, bool interrupted) {
    char now[BK__SHA256_HEX];
    content(now);
    if (strcmp(now, r->after) != 0) {
        return "the next start did not reach the state after";
    }
    if (!is_value("SELECT count(*) || min(state) || max(state) FROM botkeep_migrations",
                  "4appliedapplied")) {
        return "the history is wrong";
    }
    if (!is_value("SELECT count(*) || ' ' || count(DISTINCT version) FROM "
                  "botkeep_migration_log "
                  "WHERE outcome = 'applied'",
                  "4 4")) {
        return "a migration was applied more than once";
    }
    if (interrupted &&
        !is_value("SELECT count(*) FROM botkeep_migration_log WHERE outcome = "
                  "'interrupted' AND version = 3 AND backup IS NOT NULL",
                  "1")) {
        return "the attempt that was cut off is not in the log";
    }
    return NULL;
}

struct tally {
    int killed; /* while it still ran */
    int in_a_file;
};

/* One start that is killed; what is wrong after it. */
static const char *start_and_kill(const struct scenario *s, const struct reference *r,
                                  struct tally *t, bool *ret_in_a_file) {
    pid_t pid = start();
    usleep((useconds_t)((double)rand() / RAND_MAX * 1.1 * (double)r->us));
    kill(pid, SIGKILL);
    if (!WIFSIGNALED(end(pid))) {
        return NULL;
    }
    const char *wrong = look_after_kill(s, r);
    *ret_in_a_file =
        is_value("SELECT count(*) FROM botkeep_migrations WHERE state = 'partial'", "1");
    t->killed++;
    t->in_a_file += *ret_in_a_file;
    return wrong;
}

/* Every third time the start after a kill is killed as well. */
static const char *kill_once(const struct scenario *s, const struct reference *r,
                             struct tally *t) {
    bool in_a_file = false;
    set_up(s);
    const char *wrong = start_and_kill(s, r, t, &in_a_file);
    if (!wrong && rand() % 3 == 0) {
        wrong = start_and_kill(s, r, t, &in_a_file);
        in_a_file =
            false; /* the second start may have noted it, and been undone itself */
    }
    if (!wrong && end(start()) != 0) {
        wrong = "the next start failed";
    }
    wrong = wrong ? wrong : look_at_end(r, in_a_file);
    if (!wrong) {
        sandbox_teardown(NULL);
    } else {
        printf("# left in %s\n", sandbox_path("%s", ""));
    }
    return wrong;
}

static bool run_scenario(const struct scenario *s, int kills) {
    struct reference r = {0};
    struct tally t = {0};
    if (!measure(s, &r)) {
        printf("not ok %s - it fails without a kill\n", s->name);
        return false;
    }
    int most = kills * 4;
    for (int i = 0; i < most && t.killed < kills; i++) {
        const char *wrong = kill_once(s, &r, &t);
        if (wrong) {
            printf("not ok %s - %s after %d kills\n", s->name, wrong, t.killed);
            return false;
        }
    }
    printf("%s %s: %d kills survived, %d inside a transaction:false file%s\n",
           t.killed >= kills ? "ok" : "not ok", s->name, t.killed, t.in_a_file,
           t.killed >= kills ? "" : " - too few kills hit");
    return t.killed >= kills;
}

int main(int argc, char **argv) {
    const size_t count = sizeof scenarios / sizeof *scenarios;
    const char *wish = getenv("KILLS");
    const char *seed = getenv("KILL_SEED");
    int kills = wish && atoi(wish) > 0 ? atoi(wish) : 100;
    bool good = true;
    if (argc == 3 && strcmp(argv[1], "bot") == 0) {
        return be_a_bot(argv[2]);
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    unsigned start_value =
        seed ? (unsigned)strtoul(seed, NULL, 10) : (unsigned)time(NULL);
    printf("# KILL_SEED=%u\n", start_value);
    srand(start_value);
    for (size_t i = 0; i < count; i++) {
        good = run_scenario(&scenarios[i], (kills + (int)count - 1) / (int)count) && good;
    }
    return good ? 0 : 1;
}
