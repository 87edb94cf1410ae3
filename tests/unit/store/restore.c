/*
 * Restoring into the live database: open connections go on, journal modes stay, and what fails or
 * is killed leaves the old state. tests/unit/run runs it.
 */
#include <store/store.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <core/error.h>
#include <os/clock.h>
#include <store/sqlite/sqlite.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

#define ROWS(n, text)                                                                    \
    "CREATE TABLE t(a INTEGER PRIMARY KEY, b); WITH n(i) AS (VALUES(1) UNION ALL "       \
    "SELECT i + 1 "                                                                      \
    "FROM n WHERE i < " #n ") INSERT INTO t SELECT i, '" text                            \
    "' || hex(zeroblob(300)) FROM n;"

static struct bk__job *job;
static char live[1024];
static char image[1024];

static int setup(void **state) {
    job = storejob_new();
    sandbox_setup(state);
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    snprintf(image, sizeof(image), "%s", sandbox_path("image.db"));
    return 0;
}

static int teardown(void **state) {
    storejob_free();
    return sandbox_teardown(state);
}

static int restore(void) {
    struct bk__store *store = NULL;
    char *kept = NULL;
    int code = bk__sqlite_driver.open(&store, job, live, false);

    if (code == 0) {
        code = bk__sqlite_driver.restore(store, image, &kept);
    }
    bk__store_close(store);
    return code;
}

/* The image has 300 rows "new"; the live database has 900 rows "old" and an index more. */
static sqlite3 *old_bot(const char *pragmas) {
    sqlite3 *bot = storefile_open(live);

    storefile_exec(bot, pragmas);
    storefile_exec(bot, ROWS(900, "old") "CREATE INDEX i ON t(b)");
    return bot;
}

static void make_image(const char *pragmas) {
    sqlite3 *db = storefile_open(image);

    storefile_exec(db, pragmas);
    storefile_exec(db, ROWS(300, "new"));
    sqlite3_close(db);
}

static void assert_old(sqlite3 *bot) {
    assert_int_equal(storefile_int(bot, "SELECT count(*) FROM t WHERE b LIKE 'old%'"),
                     900);
}

static void assert_new(sqlite3 *bot) {
    char said[200];

    assert_int_equal(storefile_int(bot, "SELECT count(*) FROM t WHERE b LIKE 'new%'"),
                     300);
    assert_int_equal(storefile_int(bot, "SELECT count(*) FROM t"), 300);
    storefile_text(bot, "PRAGMA integrity_check", said, sizeof(said));
    assert_string_equal(said, "ok");
}

static void
test_store_restore__open_connections_go_on_in_every_journal_mode(void **state) {
    static const char *const modes[] = {"wal", "delete", "truncate", "persist", "memory"};
    (void)state;

    for (int mode = 0; mode < 5; mode++) {
        for (int from = 0; from < 2; from++) {
            char sql[100], said[100];
            sqlite3_stmt *prepared = NULL;
            sqlite3 *bot, *fresh;

            snprintf(live, sizeof(live), "%s",
                     sandbox_path("%s%d.db", modes[mode], from));
            snprintf(image, sizeof(image), "%s",
                     sandbox_path("%s%d.image", modes[mode], from));
            make_image(from == 0 ? "PRAGMA journal_mode = WAL"
                                 : "PRAGMA journal_mode = DELETE");
            snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s", modes[mode]);
            bot = old_bot(sql);
            assert_int_equal(sqlite3_prepare_v2(bot, "SELECT b FROM t WHERE a = 7", -1,
                                                &prepared, NULL),
                             SQLITE_OK);
            assert_int_equal(sqlite3_step(prepared), SQLITE_ROW);
            assert_int_equal(
                strncmp((const char *)sqlite3_column_text(prepared, 0), "old", 3), 0);
            sqlite3_reset(prepared);

            assert_int_equal(restore(), 0);

            assert_int_equal(sqlite3_step(prepared), SQLITE_ROW);
            assert_int_equal(
                strncmp((const char *)sqlite3_column_text(prepared, 0), "new", 3), 0);
            sqlite3_finalize(prepared);
            assert_new(bot);
            storefile_exec(
                bot, "INSERT INTO t VALUES(301, 'next'); DELETE FROM t WHERE a = 301");
            storefile_text(bot, "PRAGMA journal_mode", said, sizeof(said));
            assert_string_equal(said, modes[mode]);
            fresh = storefile_open(live);
            storefile_text(fresh, "PRAGMA journal_mode", said, sizeof(said));
            assert_string_equal(said, mode == 0 ? "wal" : "delete");
            assert_new(fresh);
            sqlite3_close(fresh);
            sqlite3_close(bot);
        }
    }
}

static void test_store_restore__larger_than_the_live_one(void **state) {
    sqlite3 *bot;
    (void)state;

    storefile_make(live, "PRAGMA journal_mode = WAL; CREATE TABLE x(a)");
    bot = storefile_open(live);
    assert_int_equal(storefile_int(bot, "SELECT count(*) FROM x"), 0);
    make_image("PRAGMA journal_mode = DELETE");
    assert_int_equal(restore(), 0);
    assert_new(bot);
    sqlite3_close(bot);
}

static void test_store_restore__a_reader_keeps_its_snapshot_in_wal_mode(void **state) {
    sqlite3 *bot;
    (void)state;

    make_image("PRAGMA journal_mode = DELETE");
    bot = old_bot("PRAGMA journal_mode = WAL");
    storefile_exec(bot, "BEGIN");
    assert_old(bot);
    assert_int_equal(restore(), 0);
    assert_old(bot);
    storefile_exec(bot, "COMMIT");
    assert_new(bot);
    sqlite3_close(bot);
}

static void
test_store_restore__other_page_size_under_an_open_wal_is_unsupported(void **state) {
    sqlite3 *bot;
    (void)state;

    make_image("PRAGMA page_size = 1024");
    bot = old_bot("PRAGMA journal_mode = WAL");
    assert_int_equal(restore(), BK_EUNSUPPORTED);
    assert_non_null(strstr(bk__error_text(), "mode staged"));
    assert_old(bot);
    sqlite3_close(bot);
}

static void
test_store_restore__other_page_size_when_alone_stays_in_wal_mode(void **state) {
    char said[100];
    sqlite3 *bot;
    (void)state;

    make_image("PRAGMA page_size = 16384");
    sqlite3_close(old_bot("PRAGMA journal_mode = WAL"));
    assert_int_equal(restore(), 0);
    bot = storefile_open(live);
    assert_new(bot);
    assert_int_equal(storefile_int(bot, "PRAGMA page_size"), 16384);
    storefile_text(bot, "PRAGMA journal_mode", said, sizeof(said));
    assert_string_equal(said, "wal");
    sqlite3_close(bot);
}

static void test_store_restore__other_page_size_in_rollback_mode(void **state) {
    sqlite3 *bot;
    (void)state;

    for (int size = 512; size <= 65536; size *= 2) {
        char sql[100];

        unlink(live);
        unlink(image);
        snprintf(sql, sizeof(sql), "PRAGMA page_size = %d; PRAGMA journal_mode = WAL",
                 size);
        make_image(sql);
        bot = old_bot("PRAGMA journal_mode = DELETE");
        assert_int_equal(restore(), 0);
        assert_new(bot);
        storefile_exec(bot, "INSERT INTO t VALUES(301, 'next')");
        assert_int_equal(storefile_int(bot, "PRAGMA page_size"), size);
        sqlite3_close(bot);
        assert_int_equal(storefile_read(live, "SELECT count(*) FROM t"), 301);
        assert_false(storefile_exists(live, "-wal"));
    }
}

static void test_store_restore__cancel_leaves_the_old_state(void **state) {
    int cancelled = 0;
    (void)state;

    for (int at = 0; at < 12; at++) {
        sqlite3 *bot;

        snprintf(live, sizeof(live), "%s", sandbox_path("%d.db", at));
        snprintf(image, sizeof(image), "%s", sandbox_path("%d.image", at));
        bot = old_bot(at % 2 ? "PRAGMA journal_mode = WAL"
                             : "PRAGMA journal_mode = DELETE");
        make_image("PRAGMA journal_mode = DELETE");
        storefile_make(image, "CREATE TABLE big AS SELECT zeroblob(4000000)");
        storejob_free();
        job = storejob_new();
        storejob_cancel_at(at / 2);
        if (restore() == BK_ECANCELLED) {
            cancelled++;
            assert_old(bot);
        } else {
            assert_new(bot);
        }
        sqlite3_close(bot);
    }
    assert_true(cancelled >= 6);
}

static void
test_store_restore__cancel_leaves_wal_mode_when_the_page_size_changes(void **state) {
    char said[100];
    sqlite3 *bot;
    (void)state;

    make_image("PRAGMA page_size = 16384");
    storefile_make(image, "CREATE TABLE big AS SELECT zeroblob(4000000)");
    sqlite3_close(old_bot("PRAGMA journal_mode = WAL"));
    storejob_cancel_at(1);
    assert_int_equal(restore(), BK_ECANCELLED);
    bot = storefile_open(live);
    assert_old(bot);
    storefile_text(bot, "PRAGMA journal_mode", said, sizeof(said));
    assert_string_equal(said, "wal");
    sqlite3_close(bot);
}

static void test_store_restore__busy_leaves_the_old_state(void **state) {
    static const char *const modes[] = {"PRAGMA journal_mode = WAL",
                                        "PRAGMA journal_mode = DELETE"};
    (void)state;

    for (int i = 0; i < 2; i++) {
        pid_t child;
        sqlite3 *bot;

        unlink(live);
        unlink(image);
        make_image("PRAGMA journal_mode = DELETE");
        sqlite3_close(old_bot(modes[i]));
        storejob_set("busy.wait", "50");
        child = storefile_start("lock", live);
        assert_int_equal(restore(), BK_EBUSY);
        storefile_kill(child);
        bot = storefile_open(live);
        assert_old(bot);
        sqlite3_close(bot);
    }
}

static void test_store_restore__beside_a_writer_that_goes_on(void **state) {
    pid_t child;
    int64_t n;
    (void)state;

    for (int i = 0; i < 2; i++) {
        char sql[300];

        unlink(live);
        unlink(image);
        snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s; %s", i ? "WAL" : "DELETE",
                 STOREFILE_LOG);
        storefile_make(live, sql);
        storefile_make(image,
                       STOREFILE_LOG "INSERT INTO log VALUES(1000000, 'restored'); "
                                     "UPDATE counter SET n = 1000000");
        child = storefile_start("write", live);
        assert_int_equal(restore(), 0);
        do {
            bk__clock_sleep(5);
            n = storefile_read(live, "SELECT n FROM counter");
        } while (n < 1000010);
        storefile_kill(child);
        n = storefile_read(live, "SELECT n FROM counter");
        assert_int_equal(storefile_read(live, "SELECT count(*) FROM log"),
                         n - 1000000 + 1);
        assert_int_equal(
            storefile_read(live, "SELECT count(*) FROM log WHERE id < 1000000"), 0);
    }
}

static void test_store_restore__an_image_that_is_none_changes_nothing(void **state) {
    sqlite3 *bot = old_bot("PRAGMA journal_mode = WAL");
    (void)state;

    sandbox_write("image.db",
                  "this is no image at all, only a text that is a little long; this "
                  "is no image at all, only a text that is a little long");
    assert_int_equal(restore(), BK_ECORRUPT);
    assert_non_null(strstr(bk__error_text(), image));
    assert_old(bot);
    assert_int_equal(unlink(image), 0);
    assert_int_equal(restore(), BK_ENOTFOUND);
    assert_old(bot);
    sqlite3_close(bot);
}

/* ---- killed in the middle ------------------------------------------------------------- */

/* In a program of its own: restores, and dies at the n-th look of core at its clock. */
static void restore_and_die(char **argv) {
    snprintf(live, sizeof(live), "%s", argv[2]);
    snprintf(image, sizeof(image), "%s", argv[3]);
    job = storejob_new();
    storejob_kill_at(atoi(argv[4]));
    exit(-restore());
}

static bool killed_at(int look) {
    char number[16];
    int status;
    pid_t child = fork();

    snprintf(number, sizeof(number), "%d", look);
    if (child == 0) {
        execl("/proc/self/exe", "child", "--restore", live, image, number, (char *)NULL);
        _exit(98);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status)) {
        return true;
    }
    assert_int_equal(WEXITSTATUS(status), 0);
    return false;
}

static void test_store_restore__killed_leaves_old_or_new(void **state) {
    int kills = 0;
    int olds = 0;
    (void)state;

    for (int at = 0; at < 16; at++) {
        bool killed;
        sqlite3 *bot;

        snprintf(live, sizeof(live), "%s", sandbox_path("%d.db", at));
        snprintf(image, sizeof(image), "%s", sandbox_path("%d.image", at));
        sqlite3_close(old_bot(at % 2 ? "PRAGMA journal_mode = WAL"
                                     : "PRAGMA journal_mode = DELETE"));
        storefile_make(live, "CREATE TABLE was AS SELECT randomblob(6000000)");
        make_image("PRAGMA journal_mode = DELETE");
        storefile_make(image, "CREATE TABLE big AS SELECT randomblob(6000000)");
        killed = killed_at(at / 2);
        bot = storefile_open(live);
        kills += killed;
        /* The last look comes after the commit. */
        if (killed && storefile_int(bot, "SELECT count(*) FROM t") == 900) {
            olds++;
            assert_old(bot);
        } else {
            assert_new(bot);
        }
        sqlite3_close(bot);
    }
    assert_true(kills >= 10);
    assert_true(olds >= 8);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_restore__open_connections_go_on_in_every_journal_mode),
        TEST(test_store_restore__larger_than_the_live_one),
        TEST(test_store_restore__a_reader_keeps_its_snapshot_in_wal_mode),
        TEST(test_store_restore__other_page_size_under_an_open_wal_is_unsupported),
        TEST(test_store_restore__other_page_size_when_alone_stays_in_wal_mode),
        TEST(test_store_restore__other_page_size_in_rollback_mode),
        TEST(test_store_restore__cancel_leaves_the_old_state),
        TEST(test_store_restore__cancel_leaves_wal_mode_when_the_page_size_changes),
        TEST(test_store_restore__busy_leaves_the_old_state),
        TEST(test_store_restore__beside_a_writer_that_goes_on),
        TEST(test_store_restore__an_image_that_is_none_changes_nothing),
        TEST(test_store_restore__killed_leaves_old_or_new),
    };

    storefile_child(argc, argv);
    if (argc == 5 && strcmp(argv[1], "--restore") == 0) {
        restore_and_die(argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
