/*
 * Fingerprints: the same while nothing was committed, another after anything was, none while it is too
 * early to tell; beside a naive one of size and time, which each trick here deceives.
 * tests/unit/run runs it.
 */
#include <store/store.h>

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <os/clock.h>
#include <store/sqlite/internal.h>
#include <store/sqlite/sqlite.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

#define FILL                                                                             \
    "CREATE TABLE t(id INTEGER PRIMARY KEY, v); WITH n(i) AS (VALUES(1) UNION ALL "      \
    "SELECT i + 1 FROM n WHERE i < 200) INSERT INTO t SELECT i, hex(zeroblob(200)) "     \
    "FROM n;"

static struct bk__job *job;

static int setup(void **state) {
    job = storejob_new();
    return sandbox_setup(state);
}

static int teardown(void **state) {
    storejob_free();
    return sandbox_teardown(state);
}

static void wait_settled(void) {
    bk__clock_sleep(2150);
}

static struct bk__store *opened(const char *path) {
    struct bk__store *store = NULL;
    assert_int_equal(bk__sqlite_driver.open(&store, job, path, false), 0);
    return store;
}

/* What a backup of now would note. */
static void noted(const char *path, char ret[BK__FINGERPRINT_SIZE]) {
    struct bk__image image = {0};
    const char *copy = sandbox_path("copy.db");
    struct bk__store *store = opened(path);
    assert_int_equal(bk__sqlite_driver.snapshot(store, copy, &image), 0);
    bk__store_close(store);
    assert_int_equal(unlink(copy), 0);
    memcpy(ret, image.fingerprint, BK__FINGERPRINT_SIZE);
}

/* What a later look finds. */
static void seen(const char *path, char ret[BK__FINGERPRINT_SIZE]) {
    struct bk__store *store = opened(path);
    assert_int_equal(bk__sqlite_driver.fingerprint(store, ret), 0);
    bk__store_close(store);
}

static void assert_same(const char *path, const char *before) {
    char now[BK__FINGERPRINT_SIZE];
    seen(path, now);
    assert_string_not_equal(before, "");
    assert_string_equal(now, before);
}

static void assert_other(const char *path, const char *before) {
    char now[BK__FINGERPRINT_SIZE];
    seen(path, now);
    assert_string_not_equal(before, "");
    assert_string_not_equal(now, before);
}

/* ---- the naive one: size and time of modification, of the database and its WAL -------------- */

struct naive {
    struct stat file, log;
};

static void naive_take(const char *path, struct naive *ret) {
    char log[1100];
    memset(ret, 0, sizeof(*ret));
    snprintf(log, sizeof(log), "%s-wal", path);
    assert_int_equal(stat(path, &ret->file), 0);
    if (stat(log, &ret->log) != 0) {
        memset(&ret->log, 0, sizeof(ret->log));
    }
}

static bool naive_same(const struct stat *a, const struct stat *b) {
    return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
           a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void assert_naive_deceived(const char *path, const struct naive *before) {
    struct naive now;
    naive_take(path, &now);
    assert_true(naive_same(&now.file, &before->file));
    assert_true(naive_same(&now.log, &before->log));
}

static void put_times_back(const char *path, const char *side, const struct stat *was) {
    char name[1100];
    const struct timespec times[2] = {was->st_atim, was->st_mtim};
    snprintf(name, sizeof(name), "%s%s", path, side);
    assert_int_equal(utimensat(AT_FDCWD, name, times, 0), 0);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static void test_store_fingerprint__none_while_it_is_too_early(void **state) {
    char text[BK__FINGERPRINT_SIZE];
    const char *modes[] = {"PRAGMA journal_mode = WAL;" FILL, FILL};
    (void)state;

    for (int i = 0; i < 2; i++) {
        const char *path = sandbox_path("fresh%d.db", i);
        sqlite3 *bot = storefile_open(path);
        storefile_exec(bot, modes[i]);
        noted(path, text);
        assert_string_equal(text, "");
        sqlite3_close(bot);
    }
}

static void test_store_fingerprint__settled_needs_two_seconds_of_the_past(void **state) {
    const int64_t second = 1000000000;
    struct stat file = {.st_mtim = {100, 5}, .st_ctim = {90, 5}};
    (void)state;

    assert_false(bk__sqlite_settled(&file, 100 * second));
    assert_false(bk__sqlite_settled(&file, 102 * second + 4));
    assert_true(bk__sqlite_settled(&file, 102 * second + 5));
    /* The clock was set back: the file comes from the future. */
    assert_false(bk__sqlite_settled(&file, 50 * second));
    /* An old file, copied just now with its time. */
    file.st_mtim.tv_sec = 10;
    file.st_ctim.tv_sec = 101;
    assert_false(bk__sqlite_settled(&file, 102 * second));
}

static void test_store_fingerprint__same_while_nothing_is_committed(void **state) {
    char open_log[BK__FINGERPRINT_SIZE], alone[BK__FINGERPRINT_SIZE],
        plain[BK__FINGERPRINT_SIZE];
    char paths[3][1024];
    (void)state;

    for (int i = 0; i < 3; i++) {
        snprintf(paths[i], sizeof(paths[i]), "%s", sandbox_path("bot%d.db", i));
    }
    sqlite3 *bot = storefile_open(paths[0]);
    storefile_exec(bot, "PRAGMA journal_mode = WAL;" FILL);
    storefile_make(paths[1], "PRAGMA journal_mode = WAL;" FILL);
    storefile_make(paths[2], FILL);
    assert_false(storefile_exists(paths[1], "-wal"));
    wait_settled();
    noted(paths[0], open_log);
    noted(paths[1], alone);
    noted(paths[2], plain);
    /* Neither readers nor our own visits nor a transaction that is rolled back change it. */
    storefile_exec(bot, "SELECT count(*) FROM t; BEGIN IMMEDIATE; UPDATE t SET v = 'x' "
                        "WHERE id = 7; ROLLBACK");
    for (int i = 0; i < 2; i++) {
        assert_int_equal(storefile_read(paths[i], "SELECT count(*) FROM t"), 200);
        assert_same(paths[0], open_log);
        assert_same(paths[1], alone);
        assert_same(paths[2], plain);
    }
    sqlite3_close(bot);
}

static void test_store_fingerprint__another_after_each_kind_of_commit(void **state) {
    static const char *const changes[] = {
        "INSERT INTO t(v) VALUES('x')", "UPDATE t SET v = 'x' WHERE id = 3",
        "DELETE FROM t WHERE id = 5",   "CREATE TABLE u(x)",
        "PRAGMA user_version = 7",      "VACUUM",
        "PRAGMA journal_mode = DELETE", "PRAGMA journal_mode = WAL",
    };
    enum { KINDS = sizeof(changes) / sizeof(*changes) };
    static char before[2][KINDS][BK__FINGERPRINT_SIZE];
    sqlite3 *bots[2][KINDS];
    (void)state;

    for (int wal = 0; wal < 2; wal++) {
        for (int i = 0; i < KINDS; i++) {
            bots[wal][i] = storefile_open(sandbox_path("bot%d%d.db", wal, i));
            storefile_exec(bots[wal][i], wal ? "PRAGMA journal_mode = WAL;" FILL : FILL);
        }
    }
    wait_settled();
    for (int wal = 0; wal < 2; wal++) {
        for (int i = 0; i < KINDS; i++) {
            const char *path = sandbox_path("bot%d%d.db", wal, i);
            bool changes_mode = strncmp(changes[i], "PRAGMA j", 8) == 0;
            bool to_wal = strstr(changes[i], "WAL") != NULL;
            noted(path, before[wal][i]);
            storefile_exec(bots[wal][i], changes[i]);
            if (changes_mode && to_wal == wal) {
                assert_same(path, before[wal][i]);
            } else {
                assert_other(path, before[wal][i]);
            }
            sqlite3_close(bots[wal][i]);
        }
    }
}

/* The part after the n-th space. */
static const char *part(const char *text, int n) {
    while (n-- > 0) {
        text = strchr(text, ' ');
        assert_non_null(text);
        text++;
    }
    return text;
}

/* After a checkpoint the WAL begins anew in place: as many frames, the same size. */
static void test_store_fingerprint__frames_written_in_place(void **state) {
    char before[BK__FINGERPRINT_SIZE], after[BK__FINGERPRINT_SIZE];
    char path[1024];
    struct naive was;
    (void)state;

    snprintf(path, sizeof(path), "%s", sandbox_path("bot.db"));
    sqlite3 *bot = storefile_open(path);
    storefile_exec(bot, "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0;" FILL
                        "PRAGMA wal_checkpoint(TRUNCATE);"
                        "UPDATE t SET v = 'one' WHERE id = 3;"
                        "PRAGMA wal_checkpoint(FULL)");
    wait_settled();
    noted(path, before);
    naive_take(path, &was);
    storefile_exec(bot, "UPDATE t SET v = 'two' WHERE id = 3");
    put_times_back(path, "-wal", &was.log);
    assert_naive_deceived(path, &was);
    assert_other(path, before);
    /* What stands in the log tells, not only the time of the last change to the inode. */
    seen(path, after);
    assert_int_not_equal(strcspn(part(before, 3), " "), 0);
    assert_memory_not_equal(part(before, 3), part(after, 3),
                            strcspn(part(before, 3), " "));
    sqlite3_close(bot);
}

static void test_store_fingerprint__an_older_file_with_its_time(void **state) {
    char in_place[BK__FINGERPRINT_SIZE], renamed[BK__FINGERPRINT_SIZE];
    char path[1024], other[1024], old[1024];
    struct naive was, was_other;
    (void)state;

    snprintf(path, sizeof(path), "%s", sandbox_path("bot.db"));
    snprintf(other, sizeof(other), "%s", sandbox_path("other.db"));
    snprintf(old, sizeof(old), "%s", sandbox_path("old.db"));
    storefile_make(path, FILL);
    storefile_copy(path, old);
    storefile_copy(path, other);
    storefile_make(path, "UPDATE t SET v = v || 'x' WHERE id = 3");
    storefile_make(other, "UPDATE t SET v = v || 'x' WHERE id = 3");
    wait_settled();
    noted(path, in_place);
    noted(other, renamed);
    naive_take(path, &was);
    naive_take(other, &was_other);
    /* Written over it, as cp -p does; and moved over it. */
    storefile_copy(old, path);
    put_times_back(path, "", &was.file);
    assert_naive_deceived(path, &was);
    assert_other(path, in_place);
    put_times_back(old, "", &was_other.file);
    assert_int_equal(rename(old, other), 0);
    assert_naive_deceived(other, &was_other);
    assert_other(other, renamed);
}

/* A page that is dirty already is written through a mapping without a new time; what commits that
   way counts it in the header. */
static void test_store_fingerprint__written_through_a_mapping(void **state) {
    char before[BK__FINGERPRINT_SIZE];
    char path[1024];
    (void)state;

    snprintf(path, sizeof(path), "%s", sandbox_path("bot.db"));
    storefile_make(path, FILL);
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    unsigned char *bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    assert_true(bytes != MAP_FAILED);
    bytes[27]++;
    bytes[95]++;
    wait_settled();
    noted(path, before);
    bytes[27]++;
    bytes[95]++;
    assert_other(path, before);
    munmap(bytes, 4096);
    close(fd);
}

static void test_store_fingerprint__fits(void **state) {
    char text[BK__FINGERPRINT_SIZE];
    const char *path = sandbox_path("bot.db");
    (void)state;

    sqlite3 *bot = storefile_open(path);
    storefile_exec(bot, "PRAGMA journal_mode = WAL;" FILL);
    seen(path, text);
    /* Each of its numbers at its widest would still leave room. */
    assert_true(strlen(text) < BK__FINGERPRINT_SIZE - 100);
    sqlite3_close(bot);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_store_fingerprint__none_while_it_is_too_early, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_fingerprint__settled_needs_two_seconds_of_the_past, setup,
            teardown),
        cmocka_unit_test_setup_teardown(
            test_store_fingerprint__same_while_nothing_is_committed, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_fingerprint__another_after_each_kind_of_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_fingerprint__frames_written_in_place,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_fingerprint__an_older_file_with_its_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_fingerprint__written_through_a_mapping,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_fingerprint__fits, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
