/*
 * Snapshots: whole, consistent beside a writer, bounded, and without a trace on the bot's database
 * or, when they fail, on the disk. tests/unit/run runs it.
 */
#include <store/store.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <signal.h>
#include <cmocka.h>

#include <core/error.h>
#include <os/clock.h>
#include <store/sqlite/sqlite.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

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

static int snapshot(struct bk__image *ret) {
    struct bk__store *store = NULL;
    int code = bk__sqlite_driver.open(&store, job, live, false);

    if (code == 0) {
        code = bk__sqlite_driver.snapshot(store, image, ret);
    }
    bk__store_close(store);
    return code;
}

static void assert_no_trace(void) {
    assert_false(storefile_exists(image, ""));
    assert_false(storefile_exists(image, "-wal"));
    assert_false(storefile_exists(image, "-journal"));
}

static void assert_whole(const char *path) {
    char said[200];
    sqlite3 *db = storefile_open(path);

    storefile_text(db, "PRAGMA integrity_check", said, sizeof(said));
    sqlite3_close(db);
    assert_string_equal(said, "ok");
}

static void test_store_snapshot__every_journal_mode_and_page_size(void **state) {
    static const char *const modes[] = {"WAL", "DELETE", "TRUNCATE", "PERSIST", "MEMORY"};
    (void)state;

    for (int mode = 0; mode < 5; mode++) {
        for (int size = 512; size <= 65536; size *= 2) {
            struct bk__image facts = {0};
            struct stat st;
            char sql[200];
            sqlite3 *bot;

            snprintf(live, sizeof(live), "%s",
                     sandbox_path("%s%d.db", modes[mode], size));
            bot = storefile_open(live);
            snprintf(sql, sizeof(sql), "PRAGMA page_size = %d; PRAGMA journal_mode = %s;",
                     size, modes[mode]);
            storefile_exec(bot, sql);
            storefile_exec(
                bot, "CREATE TABLE t(a, b); CREATE INDEX i ON t(b); WITH n(i) AS "
                     "(VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 500) INSERT "
                     "INTO t SELECT i, hex(i * 7) || hex(zeroblob(200)) FROM n");
            assert_int_equal(snapshot(&facts), 0);
            assert_int_equal(facts.page_size, size);
            assert_int_equal(facts.bytes, facts.pages * size);
            assert_int_equal(stat(image, &st), 0);
            assert_int_equal(st.st_size, facts.bytes);
            assert_int_equal(st.st_mode & 07777, 0600);
            assert_false(storefile_exists(image, "-journal"));
            assert_false(storefile_exists(image, "-wal"));
            assert_whole(image);
            assert_int_equal(storefile_read(image, "SELECT sum(a) FROM t"), 125250);
            storefile_exec(bot, "INSERT INTO t VALUES(1, 1)");
            sqlite3_close(bot);
            unlink(image);
        }
    }
}

/* The page at one gigabyte is never used; here it stands at 64 KiB. */
static void test_store_snapshot__leaves_out_the_page_of_the_locks(void **state) {
    struct bk__image facts;
    (void)state;

    sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 65536);
    storefile_make(live, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(300000))");
    assert_int_equal(snapshot(&facts), 0);
    assert_whole(image);
    assert_int_equal(storefile_size(image, ""), storefile_size(live, ""));
    sqlite3_test_control(SQLITE_TESTCTRL_PENDING_BYTE, 0x40000000);
}

/* A prefix of what the writer did: its counter, its rows and the last of them agree. */
static void assert_prefix(int64_t at_least) {
    int64_t n = storefile_read(image, "SELECT n FROM counter");

    assert_true(n >= at_least);
    assert_int_equal(storefile_read(image, "SELECT count(*) FROM log"), n);
    assert_int_equal(storefile_read(image, "SELECT max(id) FROM log"), n);
    assert_whole(image);
}

static void beside_a_writer(const char *mode) {
    char sql[300];
    pid_t child;
    int64_t seen = 0;

    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s; %s", mode, STOREFILE_LOG);
    storefile_make(live, sql);
    child = storefile_start("write", live);
    for (int i = 0; i < 20; i++) {
        struct bk__image facts;
        struct bk__store *store = NULL;

        assert_int_equal(bk__sqlite_driver.open(&store, job, live, false), 0);
        assert_int_equal(bk__sqlite_driver.snapshot(store, image, &facts), 0);
        bk__store_close(store);
        assert_prefix(seen);
        seen = storefile_read(image, "SELECT n FROM counter");
        unlink(image);
    }
    storefile_kill(child);
    assert_true(storefile_read(live, "SELECT n FROM counter") >= seen);
    assert_int_equal(storefile_read(live, "SELECT n FROM counter"),
                     storefile_read(live, "SELECT count(*) FROM log"));
}

static void test_store_snapshot__prefix_beside_a_writer_wal(void **state) {
    (void)state;
    beside_a_writer("WAL");
}

static void test_store_snapshot__prefix_beside_a_writer_rollback(void **state) {
    (void)state;
    beside_a_writer("DELETE");
}

/* The read-ahead must never show a page from before or after the snapshot's instant. */
static void
test_store_snapshot__is_one_instant_beside_every_kind_of_checkpoint(void **state) {
    int64_t changed = 0;
    pid_t child;
    (void)state;

    storefile_make(live, "PRAGMA journal_mode = WAL;" STOREFILE_ACCOUNTS);
    child = storefile_start("transfer", live);
    for (int i = 0; i < 40; i++) {
        struct bk__image facts;
        int64_t now;

        assert_int_equal(snapshot(&facts), 0);
        assert_whole(image);
        assert_int_equal(storefile_read(image, "SELECT sum(v) FROM account"), 0);
        assert_int_equal(storefile_read(image, "SELECT count(*) FROM account"), 3000);
        now = storefile_read(image, "SELECT sum(abs(v)) FROM account");
        changed += i > 0 && now > 0;
        unlink(image);
    }
    storefile_kill(child);
    assert_true(changed >= 20);
}

static void
test_store_snapshot__sees_what_is_only_in_the_wal_and_leaves_it_there(void **state) {
    struct bk__image facts;
    sqlite3 *bot;
    uint64_t main_sum, wal_sum;
    (void)state;

    bot = storefile_open(live);
    storefile_exec(
        bot, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE "
             "t(a); INSERT INTO t VALUES(42)");
    main_sum = storefile_sum(live, "");
    wal_sum = storefile_sum(live, "-wal");
    for (int i = 0; i < 3; i++) {
        assert_int_equal(snapshot(&facts), 0);
        assert_int_equal(storefile_read(image, "SELECT a FROM t"), 42);
        unlink(image);
    }
    assert_true(storefile_sum(live, "") == main_sum);
    assert_true(storefile_sum(live, "-wal") == wal_sum);
    sqlite3_close(bot);
}

static void test_store_snapshot__existing_target_is_refused_and_kept(void **state) {
    struct bk__image facts;
    (void)state;

    storefile_make(live, "CREATE TABLE t(a)");
    sandbox_write("image.db", "mine");
    assert_true(snapshot(&facts) < 0);
    assert_int_equal(storefile_size(image, ""), 4);
}

static void test_store_snapshot__missing_folder_is_told(void **state) {
    struct bk__image facts;
    (void)state;

    storefile_make(live, "CREATE TABLE t(a)");
    snprintf(image, sizeof(image), "%s", sandbox_path("none/image.db"));
    assert_int_equal(snapshot(&facts), BK_ENOTFOUND);
    assert_non_null(strstr(bk__error_text(), image));
}

static void test_store_snapshot__full_disk_leaves_nothing(void **state) {
    struct rlimit before, little = {100000, RLIM_INFINITY};
    struct bk__image facts;
    int code;
    (void)state;

    storefile_make(live, "CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(3000000))");
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    little.rlim_max = before.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    code = snapshot(&facts);
    setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(code, BK_EIO);
    assert_no_trace();
    assert_int_equal(snapshot(&facts), 0);
}

static void test_store_snapshot__cancel_leaves_nothing(void **state) {
    struct bk__image facts;
    int cancelled = 0;
    (void)state;

    storefile_make(live, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(9000000))");
    for (int at = 0; at < 8; at++) {
        storejob_free();
        job = storejob_new();
        storejob_cancel_at(at);
        if (snapshot(&facts) == BK_ECANCELLED) {
            cancelled++;
            assert_no_trace();
        }
        unlink(image);
    }
    assert_true(cancelled >= 4);
}

static void test_store_snapshot__wal_growth_is_bounded(void **state) {
    struct bk__image facts;
    pid_t child;
    int code;
    (void)state;

    storefile_make(live,
                   "PRAGMA journal_mode = WAL; CREATE TABLE big(a); INSERT INTO big "
                   "VALUES(zeroblob(400000000));" STOREFILE_LOG);
    child = storefile_start("write", live);
    storejob_set("snapshot.wal.limit", "1");
    code = 0;
    for (int i = 0; i < 20 && code == 0; i++) {
        unlink(image);
        code = snapshot(&facts);
    }
    storefile_kill(child);
    assert_int_equal(code, BK_EBUSY);
    assert_non_null(strstr(bk__error_text(), "snapshot.wal.limit"));
    assert_no_trace();
}

static void test_store_snapshot__time_is_bounded(void **state) {
    struct bk__image facts;
    (void)state;

    storefile_make(live, "CREATE TABLE t(a); INSERT INTO t VALUES(zeroblob(9000000))");
    storejob_set("snapshot.limit", "1000");
    storejob_hurry(200);
    assert_int_equal(snapshot(&facts), BK_EBUSY);
    assert_non_null(strstr(bk__error_text(), "snapshot.limit"));
    assert_no_trace();
}

static long resident_kb(void) {
    char line[200];
    long kb = 0;
    FILE *file = fopen("/proc/self/status", "r");

    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, "VmHWM:", 6) == 0) {
            kb = atol(line + 6);
        }
    }
    fclose(file);
    return kb;
}

static void test_store_snapshot__memory_does_not_grow_with_the_database(void **state) {
    struct bk__image facts;
    long before;
    (void)state;

    storefile_make(
        live, "PRAGMA default_cache_size = 1000000; CREATE TABLE t(a); WITH n(i) AS "
              "(VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t "
              "SELECT randomblob(1000000) FROM n");
    sqlite3_release_memory(1 << 30);
    assert_int_equal(system("echo 5 > /proc/$PPID/clear_refs"), 0);
    before = resident_kb();
    assert_int_equal(snapshot(&facts), 0);
    assert_true(facts.bytes > 200000000);
    assert_true(resident_kb() - before < 8 * 1024);
}

static void
test_store_snapshot__writers_of_a_rollback_database_go_on_after_it(void **state) {
    struct bk__image facts;
    sqlite3 *bot;
    (void)state;

    storefile_make(live, "CREATE TABLE t(a)");
    bot = storefile_open(live);
    assert_int_equal(snapshot(&facts), 0);
    sqlite3_busy_timeout(bot, 0);
    storefile_exec(bot, "INSERT INTO t VALUES(1)");
    sqlite3_close(bot);
}

/* Read-only media: nothing beside the database can be made or locked for writing. As another
   user, because root may write everywhere. */
static int snapshot_as_nobody(void) {
    struct bk__image facts;
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) {
            _exit(99);
        }
        _exit(-snapshot(&facts));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void test_store_snapshot__of_what_may_only_be_read(void **state) {
    (void)state;
    assert_int_equal(mkdir(sandbox_path("media"), 0755), 0);
    assert_int_equal(mkdir(sandbox_path("backups"), 0755), 0);
    assert_int_equal(chmod(sandbox_path("%s", ""), 0755), 0);
    assert_int_equal(chmod(sandbox_path("backups"), 0777), 0);
    snprintf(live, sizeof(live), "%s", sandbox_path("media/bot.db"));
    snprintf(image, sizeof(image), "%s", sandbox_path("backups/image.db"));
    storefile_make(live, "CREATE TABLE t(a); INSERT INTO t VALUES(1), (2)");
    assert_int_equal(chmod(live, 0444), 0);
    assert_int_equal(chmod(sandbox_path("media"), 0555), 0);
    assert_int_equal(snapshot_as_nobody(), 0);
    assert_int_equal(chmod(sandbox_path("media"), 0755), 0);
    assert_int_equal(storefile_read(image, "SELECT count(*) FROM t"), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_snapshot__every_journal_mode_and_page_size),
        TEST(test_store_snapshot__leaves_out_the_page_of_the_locks),
        TEST(test_store_snapshot__prefix_beside_a_writer_wal),
        TEST(test_store_snapshot__prefix_beside_a_writer_rollback),
        TEST(test_store_snapshot__is_one_instant_beside_every_kind_of_checkpoint),
        TEST(test_store_snapshot__sees_what_is_only_in_the_wal_and_leaves_it_there),
        TEST(test_store_snapshot__existing_target_is_refused_and_kept),
        TEST(test_store_snapshot__missing_folder_is_told),
        TEST(test_store_snapshot__full_disk_leaves_nothing),
        TEST(test_store_snapshot__cancel_leaves_nothing),
        TEST(test_store_snapshot__wal_growth_is_bounded),
        TEST(test_store_snapshot__time_is_bounded),
        TEST(test_store_snapshot__memory_does_not_grow_with_the_database),
        TEST(test_store_snapshot__of_what_may_only_be_read),
        TEST(test_store_snapshot__writers_of_a_rollback_database_go_on_after_it),
    };

    storefile_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
