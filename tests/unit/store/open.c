/*
 * Opening a store: what is no usable database is told apart, nothing is made or changed by looking.
 * What is done with an open one stands in the other files. tests/unit/run runs it.
 */
#include <store/store.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <core/error.h>
#include <store/sqlite/sqlite.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

#define SOME "CREATE TABLE t(a); INSERT INTO t VALUES(1),(2);"

static struct bk__job *job;

static int setup(void **state) {
    job = storejob_new();
    return sandbox_setup(state);
}

static int teardown(void **state) {
    storejob_free();
    return sandbox_teardown(state);
}

static int try_open(const char *path, bool create) {
    struct bk__store *store = NULL;
    int code = bk__sqlite_driver.open(&store, job, path, create);

    bk__store_close(store);
    return code;
}

static void assert_says(const char *part) {
    if (strstr(bk__error_text(), part) == NULL) {
        fail_msg("\"%s\" does not say \"%s\"", bk__error_text(), part);
    }
}

static void test_store_open__missing_is_not_found_and_not_made(void **state) {
    (void)state;
    const char *path = sandbox_path("no.db");

    assert_int_equal(try_open(path, false), BK_ENOTFOUND);
    assert_says(path);
    assert_says("Nothing was made");
    assert_false(storefile_exists(path, ""));
}

static void test_store_open__create_leaves_nothing_when_nothing_was_put_in(void **state) {
    (void)state;
    const char *path = sandbox_path("new.db");

    assert_int_equal(try_open(path, true), 0);
    assert_false(storefile_exists(path, ""));
}

static void test_store_open__create_makes_what_is_filled(void **state) {
    (void)state;
    const char *path = sandbox_path("new.db");
    struct bk__store *store = NULL;

    assert_int_equal(bk__sqlite_driver.open(&store, job, path, true), 0);
    assert_int_equal(bk__sqlite_driver.query(store, "CREATE TABLE t(a)", NULL, NULL), 0);
    bk__store_close(store);
    assert_int_equal(storefile_read(path, "SELECT count(*) FROM t"), 0);
}

static void test_store_open__create_in_no_folder_is_not_found(void **state) {
    (void)state;
    assert_int_equal(try_open(sandbox_path("none/new.db"), true), BK_ENOTFOUND);
}

static void test_store_open__folder_is_refused(void **state) {
    (void)state;
    assert_int_equal(try_open(sandbox_path("%s", ""), false), BK_EINVAL);
    assert_says("a folder");
}

static void test_store_open__device_is_refused(void **state) {
    (void)state;
    assert_int_equal(try_open("/dev/null", false), BK_EINVAL);
}

static void test_store_open__zero_bytes_are_corrupt(void **state) {
    (void)state;
    sandbox_write("zero.db", "");
    assert_int_equal(try_open(sandbox_path("zero.db"), false), BK_ECORRUPT);
    assert_says("0 bytes");
    assert_int_equal(try_open(sandbox_path("zero.db"), true), 0);
    assert_true(storefile_exists(sandbox_path("zero.db"), ""));
}

static void test_store_open__other_bytes_are_corrupt(void **state) {
    (void)state;
    const char *path = sandbox_path("text.db");

    storefile_write(path,
                    "this is not a database, it only has the name of one, but it is long "
                    "enough that somebody might take it for one at first sight",
                    120);
    assert_int_equal(try_open(path, false), BK_ECORRUPT);
    assert_says("not a SQLite database");
    assert_int_equal(storefile_size(path, ""), 120);
}

static void test_store_open__cut_short_is_corrupt(void **state) {
    (void)state;
    const char *path = sandbox_path("cut.db");

    storefile_make(path, SOME "INSERT INTO t VALUES(zeroblob(20000))");
    assert_int_equal(truncate(path, 8192), 0);
    assert_int_equal(try_open(path, false), BK_ECORRUPT);
    assert_says("damaged");
}

/* As another user: root reads everything. */
static int open_as_nobody(const char *path) {
    int status;
    pid_t child = fork();

    if (child == 0) {
        if (geteuid() == 0 && (setegid(65534) != 0 || seteuid(65534) != 0)) {
            _exit(99);
        }
        _exit(-try_open(path, false));
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return -WEXITSTATUS(status);
}

static void test_store_open__unreadable_is_denied(void **state) {
    (void)state;
    const char *path = sandbox_path("secret.db");

    storefile_make(path, SOME);
    assert_int_equal(chmod(sandbox_path("%s", ""), 0755), 0);
    assert_int_equal(chmod(path, 0), 0);
    assert_int_equal(open_as_nobody(path), BK_EDENIED);
}

static void test_store_open__wal_in_a_read_only_folder_is_denied(void **state) {
    (void)state;
    const char *path = sandbox_path("wal.db");

    storefile_make(path, "PRAGMA journal_mode = WAL;" SOME);
    assert_int_equal(chmod(path, 0644), 0);
    assert_int_equal(chmod(sandbox_path("%s", ""), 0555), 0);
    assert_int_equal(open_as_nobody(path), BK_EDENIED);
    assert_int_equal(chmod(sandbox_path("%s", ""), 0755), 0);
}

static void test_store_open__odd_names_are_only_names(void **state) {
    static const char *const names[] = {"file:x?mode=memory", "100%41.db", "a#b.db",
                                        "mit Leerzeichen äöü 💾.db", "sqlite"};
    (void)state;

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *path = sandbox_path("%s", names[i]);

        storefile_make(path, SOME);
        assert_int_equal(try_open(path, false), 0);
        assert_true(storefile_exists(path, ""));
    }
}

static void test_store_open__memory_is_refused(void **state) {
    (void)state;
    assert_int_equal(try_open(":memory:", true), BK_EINVAL);
    assert_int_equal(try_open("", true), BK_EINVAL);
}

static void test_store_open__waits_for_nobody(void **state) {
    (void)state;
    const char *path = sandbox_path("busy.db");
    struct bk__store *store = NULL;
    pid_t child;

    storefile_make(path, SOME);
    child = storefile_start("lock", path);
    storejob_set("busy.wait", "100");
    assert_int_equal(bk__sqlite_driver.open(&store, job, path, false), 0);
    assert_int_equal(bk__sqlite_driver.query(store, "SELECT * FROM t", NULL, NULL),
                     BK_EBUSY);
    assert_says("as it was before");
    storefile_kill(child);
    assert_int_equal(bk__sqlite_driver.query(store, "SELECT * FROM t", NULL, NULL), 0);
    bk__store_close(store);
}

static void test_store_open__leaves_no_side_files_of_its_own(void **state) {
    (void)state;
    const char *path = sandbox_path("rest.db");

    storefile_make(path, "PRAGMA journal_mode = WAL;" SOME);
    assert_false(storefile_exists(path, "-wal"));
    assert_int_equal(try_open(path, false), 0);
    assert_false(storefile_exists(path, "-wal"));
    assert_false(storefile_exists(path, "-shm"));
}

static void test_store_open__leaves_the_side_files_of_a_killed_bot(void **state) {
    (void)state;
    const char *path = sandbox_path("killed.db");
    uint64_t before;

    storefile_make(path, "PRAGMA journal_mode = WAL;" STOREFILE_LOG);
    storefile_kill(storefile_start("write", path));
    before = storefile_sum(path, "-wal");
    assert_int_equal(try_open(path, false), 0);
    assert_true(storefile_sum(path, "-wal") == before);
}

static void test_store_driver_for__tells_what_it_cannot(void **state) {
    (void)state;
    assert_ptr_equal(bk__store_driver_for("/some/bot.db"), &bk__sqlite_driver);
    assert_null(bk__store_driver_for(""));
    assert_null(bk__store_driver_for("mysql://bot:secret@db/bot"));
    assert_says("mysql://bot:***@db/bot");
    assert_null(strstr(bk__error_text(), "secret"));
}

static void test_store_open__without_the_option_says_which(void **state) {
    (void)state;
    struct bk__store *store = NULL;

    assert_int_equal(bk__store_open(&store, job, false), BK_EINVAL);
    assert_says("option database");
    assert_null(store);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_open__missing_is_not_found_and_not_made),
        TEST(test_store_open__create_leaves_nothing_when_nothing_was_put_in),
        TEST(test_store_open__create_makes_what_is_filled),
        TEST(test_store_open__create_in_no_folder_is_not_found),
        TEST(test_store_open__folder_is_refused),
        TEST(test_store_open__device_is_refused),
        TEST(test_store_open__zero_bytes_are_corrupt),
        TEST(test_store_open__other_bytes_are_corrupt),
        TEST(test_store_open__cut_short_is_corrupt),
        TEST(test_store_open__unreadable_is_denied),
        TEST(test_store_open__wal_in_a_read_only_folder_is_denied),
        TEST(test_store_open__odd_names_are_only_names),
        TEST(test_store_open__memory_is_refused),
        TEST(test_store_open__waits_for_nobody),
        TEST(test_store_open__leaves_no_side_files_of_its_own),
        TEST(test_store_open__leaves_the_side_files_of_a_killed_bot),
        TEST(test_store_driver_for__tells_what_it_cannot),
        TEST(test_store_open__without_the_option_says_which),
    };

    storefile_child(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
