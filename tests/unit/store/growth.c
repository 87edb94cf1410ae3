/*
 * Snapshots that are read along while they are made: what was told final never changes, in every
 * journal mode, with and without a WAL, beside a writer. tests/unit/run runs it.
 */
#include <store/growth.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <core/error.h>
#include <os/file.h>
#include <os/thread.h>
#include <store/sqlite/sqlite.h>
#include <store/store.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

#define PIECE 65536

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

/* Reads along into memory, never further than it was told. */
struct reading {
    struct bk__growth growth;
    unsigned char *bytes;
    int64_t size;
    bool given_up;
};

static void *read_along(void *arg) {
    struct reading *r = arg;
    int fd = -1;
    int64_t got = 1;

    while (got > 0) {
        if (!bk__growth_wait(&r->growth, r->size + PIECE)) {
            r->given_up = true;
            break;
        }
        fd = fd < 0 ? bk__file_open_read(image) : fd;
        got = bk__file_read(fd, r->bytes + r->size, PIECE);
        r->size += got > 0 ? got : 0;
    }
    bk__file_close(fd);
    return NULL;
}

/* What was read along is the image, and most of it was final before the snapshot ended. */
static void assert_read_along(void) {
    struct reading r = {.bytes = malloc(32 << 20)};
    struct bk__image facts = {0};
    struct bk__store *store = NULL;
    pthread_t thread;
    size_t size = 0;
    char *text = NULL;

    bk__growth_begin(&r.growth);
    assert_int_equal(bk__thread_start(&thread, "along", read_along, &r), 0);
    assert_int_equal(bk__sqlite_driver.open(&store, job, live, false), 0);
    store->growth = &r.growth;
    assert_int_equal(bk__sqlite_driver.snapshot(store, image, &facts), 0);
    int64_t told = r.growth.bytes;
    bk__growth_end(&r.growth, true);
    pthread_join(thread, NULL);
    bk__store_close(store);
    assert_false(r.given_up);
    assert_int_equal(told, facts.bytes);
    assert_int_equal(r.growth.pages, facts.pages);
    assert_int_equal(r.growth.page_size, facts.page_size);
    assert_int_equal(bk__file_load(image, 32 << 20, &text, &size), 0);
    assert_int_equal(size, facts.bytes);
    assert_int_equal(r.size, facts.bytes);
    assert_memory_equal(r.bytes, text, size);
    free(text);
    free(r.bytes);
    bk__growth_free(&r.growth);
}

static void assert_whole(void) {
    char said[200];
    sqlite3 *db = storefile_open(image);

    storefile_text(db, "PRAGMA integrity_check", said, sizeof(said));
    sqlite3_close(db);
    assert_string_equal(said, "ok");
    unlink(image);
    unlink(sandbox_path("image.db-wal"));
    unlink(sandbox_path("image.db-shm"));
}

#define FILL                                                                             \
    "CREATE TABLE t(a, b); CREATE INDEX i ON t(b); WITH n(i) AS (VALUES(1) UNION ALL "   \
    "SELECT i + 1 FROM n WHERE i < 3000) INSERT INTO t SELECT i, hex(randomblob(500)) "  \
    "FROM n"

static void test_store_growth__every_journal_mode_and_page_size(void **state) {
    static const char *const modes[] = {"WAL", "DELETE", "TRUNCATE"};
    (void)state;

    for (int mode = 0; mode < 3; mode++) {
        for (int size = 512; size <= 65536; size *= 2) {
            char sql[200];
            sqlite3 *bot;

            snprintf(live, sizeof(live), "%s",
                     sandbox_path("%s%d.db", modes[mode], size));
            bot = storefile_open(live);
            snprintf(sql, sizeof(sql), "PRAGMA page_size = %d; PRAGMA journal_mode = %s;",
                     size, modes[mode]);
            storefile_exec(bot, sql);
            storefile_exec(bot, FILL);
            assert_read_along();
            assert_int_equal(storefile_read(image, "SELECT sum(a) FROM t"), 4501500);
            assert_whole();
            /* Page 1 changes in the WAL, in a checkpointed one, and not at all. */
            storefile_exec(bot, "CREATE TABLE later(a)");
            assert_read_along();
            assert_int_equal(storefile_read(image, "SELECT count(*) FROM later"), 0);
            assert_whole();
            storefile_exec(bot, "PRAGMA wal_checkpoint(TRUNCATE)");
            assert_read_along();
            assert_whole();
            sqlite3_close(bot);
        }
    }
}

/* An unchanged database gives the same bytes again, with a reader and in a new connection. */
static void test_store_growth__the_same_state_is_the_same_image(void **state) {
    uint64_t sum;
    (void)state;

    storefile_make(live, "PRAGMA journal_mode = WAL; " FILL);
    assert_read_along();
    sum = storefile_sum(image, "");
    assert_whole();
    assert_read_along();
    assert_true(storefile_sum(image, "") == sum);
}

static void test_store_growth__beside_a_writer(void **state) {
    char sql[400];
    (void)state;

    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = WAL; %s", STOREFILE_LOG);
    storefile_make(live, sql);
    pid_t child = storefile_start("write", live);
    for (int i = 0; i < 30; i++) {
        assert_read_along();
        assert_int_equal(storefile_read(image, "SELECT n FROM counter"),
                         storefile_read(image, "SELECT count(*) FROM log"));
        assert_whole();
    }
    storefile_kill(child);
}

static void test_store_growth__one_page(void **state) {
    (void)state;
    storefile_make(live, "PRAGMA user_version = 7");
    assert_read_along();
    assert_int_equal(storefile_read(image, "PRAGMA user_version"), 7);
}

/* Giving up is the last word: who waits is told, and who asks later too. */
static void test_store_growth__giving_up_wins(void **state) {
    struct bk__growth growth;
    (void)state;
    bk__growth_begin(&growth);
    bk__growth_tell(&growth, 100);
    assert_true(bk__growth_wait(&growth, 100));
    bk__growth_end(&growth, true);
    assert_true(bk__growth_wait(&growth, 1000));
    bk__growth_end(&growth, false);
    assert_false(bk__growth_wait(&growth, 100));
    bk__growth_end(&growth, true);
    assert_false(bk__growth_wait(&growth, 100));
    bk__growth_free(&growth);
}

int main(int argc, char **argv) {
    storefile_child(argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            test_store_growth__every_journal_mode_and_page_size, setup, teardown),
        cmocka_unit_test_setup_teardown(
            test_store_growth__the_same_state_is_the_same_image, setup, teardown),
        cmocka_unit_test_setup_teardown(test_store_growth__beside_a_writer, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_store_growth__one_page, setup, teardown),
        cmocka_unit_test(test_store_growth__giving_up_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
