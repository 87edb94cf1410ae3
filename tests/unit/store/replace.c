/*
 * Putting a file in the place of a database: stale side files never win, the old set stays usable,
 * nobody who has it open is cut off, and a kill at any system call leaves old or new.
 * tests/unit/run runs it.
 */
#include <store/store.h>

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
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

#define NEW "CREATE TABLE t(a); INSERT INTO t VALUES('new'); CREATE TABLE only_new(a)"

/* ---- system calls that are counted, and one of them the last ------------------------- */

static int calls_left = -1; /* -1: nothing is counted */
static int fail_with; /* 0: the call before it is the last thing this process does */

/* Whether this call must fail; with fail_with 0 the process ends before it. */
static int strikes(void) {
    if (calls_left < 0 || calls_left-- > 0) {
        return 0;
    }
    if (fail_with == 0) {
        raise(SIGKILL);
    }
    errno = fail_with;
    return 1;
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

int rename(const char *from, const char *to) {
    return strikes() ? -1 : NEXT(int (*)(const char *, const char *), "rename")(from, to);
}

/* File systems without hard links, and without exchanging names. */
static bool no_links, no_exchange;

int link(const char *from, const char *to) {
    if (no_links) {
        errno = EPERM;
        return -1;
    }
    return strikes() ? -1 : NEXT(int (*)(const char *, const char *), "link")(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
              unsigned flags) {
    if (no_exchange && flags == RENAME_EXCHANGE) {
        errno = EINVAL;
        return -1;
    }
    return strikes() ? -1
                     : NEXT(int (*)(int, const char *, int, const char *, unsigned),
                            "renameat2")(from_dir, from, to_dir, to, flags);
}

int unlink(const char *path) {
    return strikes() ? -1 : NEXT(int (*)(const char *), "unlink")(path);
}

int fsync(int fd) {
    return strikes() ? -1 : NEXT(int (*)(int), "fsync")(fd);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    return strikes()
               ? -1
               : NEXT(ssize_t(*)(int, const void *, size_t), "write")(fd, bytes, size);
}

/* ---- what the tests share ------------------------------------------------------------- */

static struct bk__job *job;
static char live[1024];
static char image[1024];
static char *kept;

static int setup(void **state) {
    job = storejob_new();
    storejob_set("busy.wait", "100");
    sandbox_setup(state);
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    snprintf(image, sizeof(image), "%s", sandbox_path("image.db"));
    storefile_make(image, NEW);
    kept = NULL;
    return 0;
}

static int teardown(void **state) {
    free(kept);
    storejob_free();
    return sandbox_teardown(state);
}

static int replace(void) {
    free(kept);
    kept = NULL;
    return bk__sqlite_driver.replace(job, live, image, &kept);
}

static void assert_new(void) {
    assert_int_equal(storefile_read(live, "SELECT count(*) FROM t WHERE a = 'new'"), 1);
    assert_int_equal(storefile_read(live, "SELECT count(*) FROM only_new"), 0);
    assert_false(storefile_exists(live, "-wal"));
    assert_false(storefile_exists(live, "-journal"));
    assert_false(storefile_exists(live, ".botkeep-new"));
    assert_true(storefile_exists(image, ""));
}

/* A database whose last rows stand in the -wal of a bot that was killed. */
static int64_t make_killed(const char *mode) {
    char sql[1100];

    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s; %s", mode, STOREFILE_LOG);
    storefile_make(live, sql);
    storefile_kill(storefile_start("write", live));
    snprintf(sql, sizeof(sql), "%s.copy", live);
    storefile_copy(live, sql);
    if (storefile_exists(live, "-wal")) {
        char from[1100], to[1200];
        snprintf(from, sizeof(from), "%s-wal", live);
        snprintf(to, sizeof(to), "%s-wal", sql);
        storefile_copy(from, to);
    }
    return storefile_read(sql, "SELECT n FROM counter");
}

/* A -wal beside it is spoilt too: a good one can make the database whole again. */
static void make_garbage(void) {
    char junk[5000];
    char wal[1100];

    snprintf(wal, sizeof(wal), "%s-wal", live);
    if (storefile_exists(wal, "")) {
        storefile_write(wal, "spoilt", 6);
    }

    memset(junk, 'x', sizeof(junk));
    storefile_write(live, junk, sizeof(junk));
}

/* ---- the tests ------------------------------------------------------------------------- */

static void test_store_replace__a_missing_database(void **state) {
    (void)state;
    assert_int_equal(replace(), 0);
    assert_null(kept);
    assert_new();
}

static void test_store_replace__a_missing_database_with_stale_side_files(void **state) {
    (void)state;
    make_killed("WAL");
    unlink(live);
    assert_true(storefile_exists(live, "-wal"));
    assert_int_equal(replace(), 0);
    assert_new();
    assert_non_null(kept);
    assert_true(storefile_exists(kept, "-wal"));
}

static void test_store_replace__zero_bytes(void **state) {
    (void)state;
    storefile_write(live, "", 0);
    assert_int_equal(replace(), 0);
    assert_int_equal(storefile_size(kept, ""), 0);
    assert_new();
}

static void test_store_replace__zero_bytes_with_a_wal_keeps_that(void **state) {
    int64_t size;
    (void)state;

    make_killed("WAL");
    size = storefile_size(live, "-wal");
    assert_int_equal(truncate(live, 0), 0);
    assert_int_equal(replace(), 0);
    assert_int_equal(storefile_size(kept, "-wal"), size);
    assert_new();
}

static void test_store_replace__garbage_with_stale_wal_and_journal(void **state) {
    char path[1100];
    (void)state;

    make_killed("WAL");
    snprintf(path, sizeof(path), "%s-journal", live);
    storefile_write(path, "\0ld", 3); /* one that SQLite does not take for its own */
    make_garbage();
    assert_int_equal(replace(), 0);
    assert_new();
    assert_int_equal(storefile_size(kept, ""), 5000);
    assert_true(storefile_size(kept, "-wal") > 0);
    assert_int_equal(storefile_size(kept, "-journal"), 3);
    assert_false(storefile_exists(kept, "-shm"));
}

static void test_store_replace__what_is_kept_has_every_row(void **state) {
    static const char *const modes[] = {"WAL", "DELETE"};
    (void)state;

    for (int i = 0; i < 2; i++) {
        int64_t rows = make_killed(modes[i]);

        assert_int_equal(replace(), 0);
        assert_new();
        assert_int_equal(storefile_read(kept, "SELECT n FROM counter"), rows);
        assert_int_equal(storefile_read(kept, "SELECT count(*) FROM log"), rows);
        unlink(live);
    }
}

static void test_store_replace__owner_and_mode_stay(void **state) {
    struct stat st;
    (void)state;

    make_garbage();
    assert_int_equal(chmod(live, 0640), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(live, 65534, 65534), 0);
    }
    assert_int_equal(replace(), 0);
    assert_int_equal(stat(live, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(st.st_uid, geteuid() == 0 ? 65534 : geteuid());
}

static void test_store_replace__through_a_symbolic_link(void **state) {
    char real[1024];
    struct stat st;
    (void)state;

    snprintf(real, sizeof(real), "%s", sandbox_path("real.db"));
    snprintf(live, sizeof(live), "%s", real);
    make_garbage();
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    assert_int_equal(symlink(real, live), 0);
    assert_int_equal(replace(), 0);
    assert_int_equal(lstat(live, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(storefile_read(real, "SELECT count(*) FROM only_new"), 0);
    assert_int_equal(strncmp(kept, real, strlen(real)), 0);
}

static void test_store_replace__a_folder_is_refused(void **state) {
    (void)state;
    assert_int_equal(mkdir(live, 0700), 0);
    assert_int_equal(replace(), BK_EINVAL);
}

static void refused_while(const char *mode, const char *what) {
    char sql[300];
    uint64_t sum;
    pid_t child;

    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s; %s", mode, STOREFILE_LOG);
    unlink(live);
    storefile_make(live, sql);
    child = storefile_start(what, live);
    sum = storefile_sum(live, "");
    assert_int_equal(replace(), BK_EBUSY);
    assert_non_null(strstr(bk__error_text(), "mode staged"));
    assert_null(kept);
    assert_true(strcmp(what, "write") == 0 || storefile_sum(live, "") == sum);
    storefile_kill(child);
    assert_true(storefile_read(live, "SELECT count(*) FROM log") >= 0);
    assert_int_equal(replace(), 0);
    assert_new();
}

static void test_store_replace__is_refused_while_another_has_it_open(void **state) {
    (void)state;
    refused_while("WAL", "hold");
    refused_while("WAL", "write");
    refused_while("DELETE", "hold");
    refused_while("DELETE", "lock");
}

static void test_store_replace__is_refused_while_this_process_has_it_open(void **state) {
    sqlite3 *bot;
    (void)state;

    make_killed("DELETE");
    bot = storefile_open(live);
    assert_int_equal(storefile_int(bot, "SELECT 1 FROM sqlite_schema"), 1);
    assert_int_equal(replace(), BK_EBUSY);
    assert_non_null(strstr(bk__error_text(), "this process"));
    sqlite3_close(bot);
}

static void test_store_replace__a_missing_image_changes_nothing(void **state) {
    (void)state;
    make_garbage();
    unlink(image);
    assert_int_equal(replace(), BK_ENOTFOUND);
    assert_int_equal(storefile_size(live, ""), 5000);
}

static void test_store_replace__cancel_changes_nothing(void **state) {
    (void)state;
    make_garbage();
    storejob_cancel_at(0);
    assert_int_equal(replace(), BK_ECANCELLED);
    assert_int_equal(storefile_size(live, ""), 5000);
    assert_false(storefile_exists(live, ".botkeep-new"));
}

/* ---- killed, and failing, at each call ---------------------------------------------------- */

/* Runs replace() in a child with calls counted. The child's status as waitpid() gives it. */
static int replace_in_child(int calls, int error) {
    char counts[16], number[16];
    const char *links = no_exchange ? "neither" : no_links ? "exchange" : "links";
    int status;
    pid_t child = fork();

    snprintf(counts, sizeof(counts), "%d", calls);
    snprintf(number, sizeof(number), "%d", error);
    if (child == 0) {
        execl("/proc/self/exe", "child", live, image, counts, number, links,
              (char *)NULL);
        _exit(98);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void replace_as_child(char **argv) {
    int code;

    snprintf(live, sizeof(live), "%s", argv[1]);
    snprintf(image, sizeof(image), "%s", argv[2]);
    job = storejob_new();
    fail_with = atoi(argv[4]);
    no_links = strcmp(argv[5], "links") != 0;
    no_exchange = strcmp(argv[5], "neither") == 0;
    calls_left = atoi(argv[3]);
    code = replace();
    exit(code < 0 ? -code : 0);
}

static int count_kept(char *ret_last, size_t size) {
    DIR *dir = opendir(sandbox_path("%s", "."));
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(dir)) != NULL) {
        if (strstr(entry->d_name, ".damaged-") != NULL &&
            strstr(entry->d_name, "-wal") == NULL) {
            snprintf(ret_last, size, "%s", sandbox_path("%s", entry->d_name));
            count++;
        }
    }
    closedir(dir);
    return count;
}

/* Old: every row, and nothing of the new. Gives whether it is old. */
static bool is_old_or_new(int64_t rows) {
    if (storefile_read(
            live, "SELECT count(*) FROM sqlite_schema WHERE name = 'only_new'") == 1) {
        assert_new();
        return false;
    }
    assert_int_equal(storefile_read(live, "SELECT n FROM counter"), rows);
    assert_int_equal(storefile_read(live, "SELECT count(*) FROM log"), rows);
    return true;
}

static void start_over(void **state) {
    sandbox_teardown(state);
    sandbox_setup(state);
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    snprintf(image, sizeof(image), "%s", sandbox_path("image.db"));
    storefile_make(image, NEW);
}

static void test_store_replace__killed_anywhere_is_old_or_new(void **state) {
    int kills = 0;
    int olds = 0;
    bool done = false;
    (void)state;

    for (int at = 0; !done; at++) {
        int64_t rows;
        int status;

        start_over(state);
        rows = make_killed("WAL");
        status = replace_in_child(at, 0);
        done = WIFEXITED(status);
        assert_true(!done || WEXITSTATUS(status) == 0);
        kills += !done;
        olds += is_old_or_new(rows);
        assert_int_equal(replace(), 0);
        assert_new();
        assert_true(at < 100);
    }
    assert_true(kills >= 8);
    assert_true(olds >= 6);
}

static void test_store_replace__killed_on_garbage_the_second_call_keeps_the_set_together(
    void **state) {
    bool done = false;
    (void)state;

    for (int at = 0; !done; at++) {
        char last[1100] = "";

        start_over(state);
        make_killed("WAL");
        make_garbage();
        done = WIFEXITED(replace_in_child(at, 0));
        if (storefile_size(live, "") == 5000) {
            assert_int_equal(replace(), 0);
        }
        assert_new();
        assert_int_equal(count_kept(last, sizeof(last)), 1);
        assert_int_equal(storefile_size(last, ""), 5000);
        assert_true(storefile_size(last, "-wal") > 0);
        assert_true(at < 100);
    }
}

/* A file system without hard links (FAT, some shares): names are exchanged, so that there is never a
   moment without a database. */
static void test_store_replace__killed_anywhere_without_hard_links(void **state) {
    int news = 0;
    bool done = false;
    (void)state;

    no_links = true;
    for (int at = 0; !done; at++) {
        char last[1100] = "";
        start_over(state);
        int64_t rows = make_killed("WAL");
        done = WIFEXITED(replace_in_child(at, 0));
        assert_true(storefile_exists(live, ""));
        news += !is_old_or_new(rows);
        assert_int_equal(replace(), 0);
        assert_new();
        assert_true(count_kept(last, sizeof(last)) >= 1);
        assert_false(storefile_exists(live, ".botkeep-new"));
        assert_true(at < 100);
    }
    no_links = false;
    assert_true(news >= 2);
}

/* Nothing of that: whatever moment it is killed in, the old or the new one is there, perhaps under the
   name of what is kept, and doing it again ends it. */
static void
test_store_replace__killed_anywhere_where_names_cannot_be_exchanged(void **state) {
    int gaps = 0;
    bool done = false;
    (void)state;

    no_links = no_exchange = true;
    for (int at = 0; !done; at++) {
        char last[1100] = "";
        start_over(state);
        int64_t rows = make_killed("WAL");
        done = WIFEXITED(replace_in_child(at, 0));
        if (!storefile_exists(live, "")) {
            gaps++;
            assert_int_equal(count_kept(last, sizeof(last)), 1);
            assert_int_equal(storefile_read(last, "SELECT n FROM counter"), rows);
        } else {
            is_old_or_new(rows);
        }
        assert_int_equal(replace(), 0);
        assert_new();
        assert_true(at < 100);
    }
    no_links = no_exchange = false;
    assert_int_equal(gaps, 1);
}

static void test_store_replace__failing_anywhere_is_old_or_new_and_told(void **state) {
    static const int errors[] = {ENOSPC, EIO};
    (void)state;

    for (int e = 0; e < 4; e++) {
        bool done = false;
        no_links = e >= 2;

        for (int at = 0; !done; at++) {
            int64_t rows;
            int status;

            start_over(state);
            rows = make_killed("WAL");
            status = replace_in_child(at, errors[e % 2]);
            assert_true(WIFEXITED(status));
            is_old_or_new(rows);
            assert_false(storefile_exists(live, ".botkeep-new"));
            done = at >= 16; /* replace() makes 14 such calls at most */
        }
    }
    no_links = false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_replace__a_missing_database),
        TEST(test_store_replace__a_missing_database_with_stale_side_files),
        TEST(test_store_replace__zero_bytes),
        TEST(test_store_replace__zero_bytes_with_a_wal_keeps_that),
        TEST(test_store_replace__garbage_with_stale_wal_and_journal),
        TEST(test_store_replace__what_is_kept_has_every_row),
        TEST(test_store_replace__owner_and_mode_stay),
        TEST(test_store_replace__through_a_symbolic_link),
        TEST(test_store_replace__a_folder_is_refused),
        TEST(test_store_replace__is_refused_while_another_has_it_open),
        TEST(test_store_replace__is_refused_while_this_process_has_it_open),
        TEST(test_store_replace__a_missing_image_changes_nothing),
        TEST(test_store_replace__cancel_changes_nothing),
        TEST(test_store_replace__killed_anywhere_is_old_or_new),
        TEST(
            test_store_replace__killed_on_garbage_the_second_call_keeps_the_set_together),
        TEST(test_store_replace__killed_anywhere_without_hard_links),
        TEST(test_store_replace__killed_anywhere_where_names_cannot_be_exchanged),
        TEST(test_store_replace__failing_anywhere_is_old_or_new_and_told),
    };

    storefile_child(argc, argv);
    if (argc == 6) {
        replace_as_child(argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
