/*
 * Eight processes migrate one file at once, 30 migrations, from a database that is not there:
 * every process ends well, and each migration is applied exactly once. tests/c/run runs it.
 */
#include "migrate_box.h"

#include <spawn.h>
#include <sys/wait.h>

enum { PROCESSES = 8, MIGRATIONS = 30, ROUNDS = 3 };

extern char **environ;

/* In a process of its own: the whole life of a bot that only migrates. 0: all went well. */
static int be_a_bot(const char *dir, const char *state_dir) {
    char path[1200];
    bk_keeper *k = bk_new();
    snprintf(path, sizeof path, "%s/bot.db", dir);
    bool good = bk_set(k, "database", path) == 0;
    snprintf(path, sizeof path, "%s/migrations", dir);
    good = good && bk_set(k, "migrate.dir", path) == 0;
    snprintf(path, sizeof path, "%s/backups", dir);
    good = good && bk_set(k, "backup.dir", path) == 0;
    snprintf(path, sizeof path, "%s/%s", dir, state_dir);
    good = good && bk_set(k, "state.dir", path) == 0 &&
           bk_set(k, "run.track", "false") == 0 &&
           bk_set(k, "backup.on.shutdown", "false") == 0 &&
           bk_set(k, "env.file", "") == 0;
    good = good && bk_open(k) == 0;
    char *done = good ? bk_call(k, "migrate.up", NULL) : NULL;
    good = done && bk_pick_number(done, "ok", 0) == 1 &&
           bk_pick_number(done, "result.current", 0) == MIGRATIONS;
    if (!good) {
        fprintf(stderr, "process %d: %s\n", (int)getpid(), done ? done : bk_last_error());
    }
    bk_free(done);
    bk_shutdown(k, 10000);
    bk_close(k);
    return good ? 0 : 1;
}

static void write_migrations(void) {
    for (int i = 1; i <= MIGRATIONS; i++) {
        char name[64];
        char text[256];
        snprintf(name, sizeof name, "migrations/%d_step.sql", i);
        snprintf(text, sizeof text,
                 "CREATE TABLE IF NOT EXISTS steps(n);\nINSERT INTO steps VALUES(%d);\n"
                 "CREATE TABLE t%d(x);\n",
                 i, i);
        sandbox_write(name, text);
    }
}

static pid_t start(const char *state_dir) {
    pid_t pid = 0;
    char program[] = "race_migrate";
    char word[] = "bot";
    char dir[1200];
    char state[64];
    snprintf(dir, sizeof dir, "%s", sandbox_path("%s", ""));
    snprintf(state, sizeof state, "%s", state_dir);
    char *argv[] = {program, word, dir, state, NULL};
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ), 0);
    return pid;
}

/* shared: whether all use one state.dir, and so one lock file. */
static void race(bool shared) {
    pid_t pids[PROCESSES];
    for (int i = 0; i < PROCESSES; i++) {
        char state_dir[64];
        snprintf(state_dir, sizeof state_dir, "state%d", shared ? 0 : i);
        pids[i] = start(state_dir);
    }
    int failures = 0;
    for (int i = 0; i < PROCESSES; i++) {
        int status = -1;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        failures += status != 0;
    }
    assert_int_equal(failures, 0);
    box_assert_sql("SELECT count(*) || ' ' || count(DISTINCT n) FROM steps", "30 30");
    box_assert_sql("SELECT count(*) FROM botkeep_migrations WHERE state = 'applied'",
                   "30");
    box_assert_sql(
        "SELECT count(*) || ' ' || count(DISTINCT version) FROM botkeep_migration_log "
        "WHERE outcome = 'applied'",
        "30 30");
    box_assert_sql(
        "SELECT count(*) FROM botkeep_migration_log WHERE outcome <> 'applied'", "0");
    box_assert_sql("PRAGMA integrity_check", "ok");
}

static void test_race_migrate__one_lock_file(void **state) {
    (void)state;
    write_migrations();
    for (int round = 0; round < ROUNDS; round++) {
        race(true);
        assert_int_equal(unlink(box_database()), 0);
    }
}

/* As in containers that share only the database: the database's own lock must be enough. */
static void test_race_migrate__a_lock_file_for_each(void **state) {
    (void)state;
    write_migrations();
    for (int round = 0; round < ROUNDS; round++) {
        race(false);
        assert_int_equal(unlink(box_database()), 0);
    }
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        BOX_TEST(race_migrate, one_lock_file),
        BOX_TEST(race_migrate, a_lock_file_for_each),
    };
    if (argc == 4 && strcmp(argv[1], "bot") == 0) {
        return be_a_bot(argv[2], argv[3]);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
