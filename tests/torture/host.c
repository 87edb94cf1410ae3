/*
 * A toy bot in C with the system's SQLite and a keeper; its arguments and the words it prints are
 * those of host.py, which explains them. Built by tests/torture/SConscript, started by hosts.py.
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sqlite3.h>

#include <botkeep.h>

/* The bot's own use of its database. */
struct bot {
    sqlite3 *db;
    sqlite3_stmt *insert;
    sqlite3_stmt *total;
    int inserted;
    atomic_int acknowledged;
};

static void die(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why);
    exit(1);
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
    char line[512];
    va_list list;
    int size;

    va_start(list, format);
    size = vsnprintf(line, sizeof line - 1, format, list);
    va_end(list);
    line[size] = '\n';
    if (write(STDOUT_FILENO, line, (size_t)size + 1) != size + 1)
        exit(1);
}

static void wait_for_go(void) {
    char byte;

    while (read(STDIN_FILENO, &byte, 1) == 1 && byte != '\n')
        ;
}

static int sql(struct bot *bot, const char *text) {
    return sqlite3_exec(bot->db, text, NULL, NULL, NULL);
}

static void must(struct bot *bot, int result) {
    if (result != SQLITE_OK)
        die("the host's own SQLite", sqlite3_errmsg(bot->db));
}

static void open_bot(struct bot *bot, const char *path, const char *journal) {
    bool wal = strcmp(journal, "wal") == 0;

    must(bot, sqlite3_open(path, &bot->db));
    must(bot, sqlite3_busy_timeout(bot->db, 60000));
    must(bot, sql(bot, wal ? "PRAGMA journal_mode=wal" : "PRAGMA journal_mode=delete"));
    must(bot, sql(bot, wal ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=OFF"));
    must(bot, sqlite3_prepare_v2(bot->db, "INSERT INTO rows VALUES ('host', ?, 'x')", -1,
                                 &bot->insert, NULL));
    must(bot, sqlite3_prepare_v2(bot->db, "UPDATE totals SET n = ? WHERE writer = 'host'",
                                 -1, &bot->total, NULL));
}

static void step(struct bot *bot, sqlite3_stmt *statement) {
    must(bot, sqlite3_bind_int(statement, 1, bot->inserted));
    if (sqlite3_step(statement) != SQLITE_DONE)
        must(bot, SQLITE_ERROR);
    must(bot, sqlite3_reset(statement));
}

static void insert(struct bot *bot) {
    bot->inserted++;
    step(bot, bot->insert);
    step(bot, bot->total);
}

static void commit_row(struct bot *bot) {
    must(bot, sql(bot, "BEGIN IMMEDIATE"));
    insert(bot);
    must(bot, sql(bot, "COMMIT"));
    atomic_store(&bot->acknowledged, bot->inserted);
    say("a %d", bot->inserted);
}

static bk_keeper *open_keeper(const char *path, const char *how) {
    char backups[4096];
    bk_keeper *keeper = bk_new();

    snprintf(backups, sizeof backups, "%.*s/backups", (int)(strrchr(path, '/') - path),
             path);
    if (keeper == NULL || bk_set(keeper, "database", path) < 0 ||
        bk_set(keeper, "backup.dir", backups) < 0 ||
        bk_set(keeper, "backup.keep", "0") < 0 ||
        bk_set(keeper, "guest.isolation", how) < 0 ||
        bk_set(keeper, "run.track", strcmp(how, "own") == 0 ? "false" : "true") < 0 ||
        bk_set(keeper, "env.file", "") < 0 || bk_open(keeper) < 0)
        die("the keeper", bk_last_error());
    return keeper;
}

/* One operation; member of its result as text. Yours: bk_free(). */
static char *ask(bk_keeper *keeper, const char *operation, const char *args,
                 const char *member) {
    char *done = bk_call(keeper, operation, args);
    char *text = done != NULL ? bk_pick_text(done, member) : NULL;

    if (text == NULL)
        die(operation, done != NULL ? done : bk_last_error());
    bk_free(done);
    return text;
}

static void say_isolation(bk_keeper *keeper) {
    char *isolation = ask(keeper, "health.snapshot", NULL, "result.isolation");

    say("i %s", isolation);
    bk_free(isolation);
}

/* Reading a byte of the file, as a hash, a copy or an upload would. */
static void naive_touch(const char *path) {
    char byte;
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (fd < 0 || read(fd, &byte, 1) != 1 || close(fd) != 0)
        die(path, "cannot be read");
}

static void safe_touch(bk_keeper *keeper) {
    say_isolation(keeper);
    bk_free(ask(keeper, "backup.create", NULL, "result.name"));
    bk_free(ask(keeper, "backup.verify", NULL, "result.verified"));
}

static void commit_held(struct bot *bot) {
    if (sql(bot, "COMMIT") != SQLITE_OK) {
        say("error %s", sqlite3_errmsg(bot->db));
        return;
    }
    for (int seq = atomic_load(&bot->acknowledged) + 1; seq <= bot->inserted; seq++)
        say("a %d", seq);
}

static void script(struct bot *bot, char **arguments, int before, int after) {
    bool wal = strcmp(arguments[0], "wal") == 0;
    bool naive = strcmp(arguments[1], "naive") == 0;
    bk_keeper *keeper = naive ? NULL : open_keeper(arguments[2], arguments[1]);

    open_bot(bot, arguments[2], arguments[0]);
    for (int i = 0; i < before; i++)
        commit_row(bot);
    if (!wal)
        must(bot, sql(bot, "BEGIN IMMEDIATE"));
    for (int i = 0; !wal && i < after; i++)
        insert(bot);
    if (naive)
        naive_touch(arguments[2]);
    else
        safe_touch(keeper);
    say("t");
    wait_for_go();
    for (int i = 0; wal && i < after; i++)
        commit_row(bot);
    if (!wal)
        commit_held(bot);
    say("d");
    wait_for_go(); /* for kill -9 */
}

/* One number that the bot's own connection reads. */
static int read_number(struct bot *bot, const char *query) {
    sqlite3_stmt *statement = NULL;
    int number;

    must(bot, sqlite3_prepare_v2(bot->db, query, -1, &statement, NULL));
    if (sqlite3_step(statement) != SQLITE_ROW)
        must(bot, SQLITE_ERROR);
    number = sqlite3_column_int(statement, 0);
    must(bot, sqlite3_finalize(statement));
    return number;
}

/* A live restore under the open connection and its prepared statements, which then go on. */
static void restore(struct bot *bot, char **arguments, int before, int after) {
    char args[512];
    bk_keeper *keeper = open_keeper(arguments[2], arguments[1]);

    open_bot(bot, arguments[2], arguments[0]);
    for (int i = 0; i < before; i++)
        commit_row(bot);
    char *name = ask(keeper, "backup.create", NULL, "result.name");
    for (int i = 0; i < after; i++)
        commit_row(bot);
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"mode\":\"live\"}", name);
    bk_free(name);
    bk_free(ask(keeper, "backup.restore", args, "result.mode"));
    bot->inserted = read_number(bot, "SELECT n FROM totals WHERE writer = 'host'");
    say("r %d", read_number(bot, "SELECT count(*) FROM rows WHERE writer = 'host'"));
    for (int i = 0; i < after; i++)
        commit_row(bot);
    say("t");
    wait_for_go();
    say("d");
    wait_for_go(); /* for kill -9 */
}

static void *write_for_ever(void *bot) {
    for (;;)
        commit_row(bot);
    return NULL;
}

static void storm(struct bot *bot, char **arguments) {
    pthread_t writer;
    bk_keeper *keeper = open_keeper(arguments[2], arguments[1]);

    open_bot(bot, arguments[2], arguments[0]);
    if (pthread_create(&writer, NULL, write_for_ever, bot) != 0)
        die("a thread", "cannot be started");
    say_isolation(keeper);
    for (;;) {
        int least = atomic_load(&bot->acknowledged);
        char *name = ask(keeper, "backup.create", NULL, "result.name");

        say("b %s %d %d", name, least, atomic_load(&bot->acknowledged));
        bk_free(name);
        bk_free(ask(keeper, "health.snapshot", NULL, "result.status"));
        say("h");
    }
}

int main(int argc, char **argv) {
    static struct bot bot;

    if (argc == 7 && strcmp(argv[1], "restore") == 0)
        restore(&bot, argv + 2, atoi(argv[5]), atoi(argv[6]));
    else if (argc == 7)
        script(&bot, argv + 2, atoi(argv[5]), atoi(argv[6]));
    else if (argc == 5)
        storm(&bot, argv + 2);
    return 64;
}
