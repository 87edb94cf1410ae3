/*
 * Startup backups and crash loops through the public ABI: what each start adds, what it never
 * pushes out. Kinds auto and leader: schedule.c, leader.c; skipping unchanged data: backup_create.c.
 */
#include "backup_box.h"

#include <spawn.h>

#define TEST(name) BOX_TEST(backup_startup, name)
#define STARTS 100

extern char **environ;

static void set_bot(bk_keeper *k) {
    static const char *const options[] = {
        "run.track", "true",           "backup.on.start", "true",     "backup.every",
        "24",        "health.enabled", "false",           "env.file", ""};
    for (size_t i = 0; i < sizeof options / sizeof *options; i += 2) {
        if (bk_set(k, options[i], options[i + 1]) < 0) {
            fprintf(stderr, "%s\n", bk_last_error());
        }
    }
}

/* A bot: opens its keeper, writes a row, and dies in the middle of it all. */
static int crash(char **argv) {
    sqlite3 *db = NULL;
    bk_keeper *k = bk_new();
    set_bot(k);
    bk_set(k, "database", argv[2]);
    bk_set(k, "backup.dir", argv[3]);
    bk_set(k, "backup.start.gap", argv[4]);
    if (bk_open(k) < 0) {
        fprintf(stderr, "%s\n", bk_last_error());
        return 1;
    }
    if (sqlite3_open(argv[2], &db) != SQLITE_OK ||
        sqlite3_busy_timeout(db, 20000) != SQLITE_OK ||
        sqlite3_exec(db,
                     "BEGIN IMMEDIATE; INSERT INTO left_side(t) VALUES('x');"
                     "INSERT INTO right_side(n) SELECT max(n) FROM left_side; COMMIT",
                     NULL, NULL, NULL) != SQLITE_OK) {
        return 2;
    }
    raise(SIGKILL);
    return 3;
}

static pid_t spawn(const char *gap) {
    pid_t pid = 0;
    const char *argv[] = {"bot", "crash", box_database(), sandbox_path("backups"),
                          gap,   NULL};
    assert_int_equal(posix_spawn(&pid, "/proc/self/exe", NULL, NULL,
                                 (char *const *)(uintptr_t)argv, environ),
                     0);
    return pid;
}

static void await_crash(pid_t pid) {
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
}

static void new_bot(void) {
    box_new();
    set_bot(box_keeper);
}

static int startups(void) {
    return box_backups("startup_*.json");
}

static void test_backup_startup__is_made_before_the_host_can_migrate(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    sandbox_write("migrations/0001_more.sql", "CREATE TABLE more(x);");
    new_bot();
    box_open();
    box_call("migrate.up", NULL);
    box_call("backup.list", "{\"kind\":\"startup\"}");
    box_assert_number("result.total", 1);
    char *name = bk_pick_text(box_done, "result.backups[0].name");
    char *tables = box_on(name, "sqlite3 '%s' .tables");
    assert_null(strstr(tables, "more"));
    assert_non_null(strstr(tables, "left_side"));
    free(tables);
    bk_free(name);
}

/* Each crash leaves the database changed. */
static void test_backup_startup__a_crash_loop_flushes_nothing(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *kept[9];
    for (int i = 0; i < 7; i++) {
        kept[i] = box_create("{\"kind\":\"manual\"}");
    }
    kept[7] = box_create("{\"kind\":\"pre_restore\"}");
    box_do("INSERT INTO left_side(t) VALUES('y')");
    kept[8] = box_create("{\"kind\":\"auto\"}");
    box_do("INSERT INTO right_side(t) VALUES('y')");
    for (int i = 0; i < STARTS; i++) {
        await_crash(spawn("60"));
    }
    assert_int_equal(startups(), 1);
    for (size_t i = 0; i < sizeof kept / sizeof *kept; i++) {
        assert_true(
            box_has(sandbox_path("backups/%s", kept[i]) + strlen(sandbox_dir()) + 1));
    }
    box_assert_only(10);
    /* The time of the next automatic one was noted by the first start, and stays. */
    box_call("backup.status", NULL);
    char *due = bk_pick_text(box_done, "result.next_due_at");
    await_crash(spawn("60"));
    box_call("backup.status", NULL);
    box_assert_text("result.next_due_at", due);
    bk_free(due);
}

static void test_backup_startup__without_a_gap_its_own_kind_is_bounded(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *manual = box_create(NULL);
    for (int i = 0; i < 10; i++) {
        await_crash(spawn("0"));
    }
    assert_int_equal(startups(), 7);
    assert_true(box_has(sandbox_path("backups/%s", manual) + strlen(sandbox_dir()) + 1));
}

static void test_backup_startup__many_shards_make_one(void **state) {
    pid_t pids[8];
    (void)state;
    box_database_with(ROWS_SMALL);
    for (size_t i = 0; i < 8; i++) {
        pids[i] = spawn("60");
    }
    for (size_t i = 0; i < 8; i++) {
        await_crash(pids[i]);
    }
    assert_int_equal(startups(), 1);
}

/* Moves the only startup backup's date by an expression of sed. */
static void redate(const char *expression) {
    char command[512];
    snprintf(command, sizeof command,
             "sed -i 's/\"created_at\":\"20/\"created_at\":\"%s/' %s/*.json", expression,
             sandbox_path("backups"));
    free(box_shell(command));
}

static void test_backup_startup__an_old_one_is_not_enough(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    await_crash(spawn("60"));
    await_crash(spawn("60"));
    assert_int_equal(startups(), 1);
    redate("19");
    await_crash(spawn("60"));
    assert_int_equal(startups(), 2);
    await_crash(spawn("60"));
    assert_int_equal(startups(), 2);
    /* One of the future is no more enough than one of the past, and once is enough of that. */
    redate("90");
    await_crash(spawn("60"));
    await_crash(spawn("60"));
    assert_int_equal(startups(), 3);
}

static void test_backup_startup__unchanged_data_is_not_saved_again(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    for (int i = 0; i < 3; i++) {
        new_bot();
        box_set("backup.start.gap", "0");
        box_open();
        box_close();
    }
    assert_int_equal(startups(), 1);
}

static void test_backup_startup__the_result_tells_which_is_enough(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *first = box_create("{\"kind\":\"startup\",\"gap\":60}");
    box_do("INSERT INTO left_side(t) VALUES('y')");
    box_call("backup.create", "{\"kind\":\"startup\",\"gap\":60}");
    box_assert_text("result.name", first);
    box_assert_number("result.recent", 1);
    box_call("backup.create", "{\"kind\":\"manual\",\"gap\":60}");
    box_assert_text("result.recent", NULL);
    box_do("INSERT INTO left_side(t) VALUES('z')");
    box_call("backup.create", "{\"kind\":\"startup\"}");
    assert_int_equal(startups(), 2);
    box_run("backup.create", "{\"gap\":-1}");
    box_assert_failed("BK_EINVAL", "gap", NULL);
}

static void test_backup_startup__one_that_fails_keeps_no_bot_from_starting(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    sandbox_write("backups", "a file");
    new_bot();
    box_open();
    char *event = bk_next(box_keeper, 10000);
    while (event && !strstr(event, "The startup backup failed")) {
        bk_free(event);
        event = bk_next(box_keeper, 10000);
    }
    assert_non_null(event);
    bk_free(event);
    assert_int_equal(bk_close(box_keeper), 0);
    box_keeper = NULL;
}

static void test_backup_startup__is_for_bots_that_want_it(void **state) {
    static const char *const off[][2] = {{"backup.on.start", "false"},
                                         {"backup.enabled", "false"},
                                         {"run.track", "false"}};
    (void)state;
    new_bot();
    box_open(); /* no database yet */
    box_database_with(ROWS_SMALL);
    for (size_t i = 0; i < 3; i++) {
        new_bot();
        box_set(off[i][0], off[i][1]);
        box_open();
    }
    assert_false(box_has("backups"));
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "crash") == 0) {
        return crash(argv);
    }
    const struct CMUnitTest tests[] = {
        TEST(is_made_before_the_host_can_migrate),
        TEST(a_crash_loop_flushes_nothing),
        TEST(without_a_gap_its_own_kind_is_bounded),
        TEST(many_shards_make_one),
        TEST(an_old_one_is_not_enough),
        TEST(unchanged_data_is_not_saved_again),
        TEST(the_result_tells_which_is_enough),
        TEST(one_that_fails_keeps_no_bot_from_starting),
        TEST(is_for_bots_that_want_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
