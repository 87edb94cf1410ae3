/*
 * Every allocation of SQLite fails in turn, once and from then on, in every operation of the
 * driver: an error or a success, never a crash, a trace or a changed database.
 * tests/unit/run runs it.
 */
#include <store/store.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <base/json.h>
#include <core/error.h>
#include <store/sqlite/sqlite.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

static const struct bk__store_driver *const driver = &bk__sqlite_driver;
static struct bk__job *job;
static char live[1024];
static char image[1024];

/* ---- SQLite's memory --------------------------------------------------------------------- */

static sqlite3_mem_methods real;
static int left = -1; /* -1: all is given */
static bool for_good; /* not only that one fails */
static bool fired;

static bool fails(void) {
    if (left < 0 || left-- > 0) {
        return false;
    }
    fired = true;
    left = for_good ? 0 : -1;
    return true;
}

static void *on_malloc(int size) {
    return fails() ? NULL : real.xMalloc(size);
}

static void *on_realloc(void *old, int size) {
    return fails() ? NULL : real.xRealloc(old, size);
}

static void take_over(void) {
    sqlite3_mem_methods ours;

    if (sqlite3_config(SQLITE_CONFIG_GETMALLOC, &real) != SQLITE_OK) {
        abort();
    }
    ours = real;
    ours.xMalloc = on_malloc;
    ours.xRealloc = on_realloc;
    if (sqlite3_config(SQLITE_CONFIG_MALLOC, &ours) != SQLITE_OK) {
        abort();
    }
}

/* ---- what is done ---------------------------------------------------------------------------- */

static int do_snapshot(struct bk__store *store) {
    struct bk__image facts;

    return driver->snapshot(store, image, &facts);
}

static int do_restore(struct bk__store *store) {
    char *kept = NULL;
    return driver->restore(store, image, &kept);
}

static int do_probe(struct bk__store *store) {
    struct json_object *report = bk__json_object();
    int code = driver->probe(store, report);

    json_object_put(report);
    return code;
}

static int do_migrate(struct bk__store *store) {
    struct bk__script_error error;
    int code = driver->begin(store);

    if (code == 0) {
        code = driver->script(
            store,
            "CREATE TABLE n(a REFERENCES t); INSERT INTO n SELECT a FROM t; "
            "ALTER TABLE n ADD b; CREATE TRIGGER g AFTER INSERT ON n BEGIN "
            "SELECT 1; END",
            true, &error);
        if (code == 0) {
            code = driver->commit(store);
        }
        driver->rollback(store);
    }
    return code;
}

static int do_query(struct bk__store *store) {
    struct json_object *list = bk__json_parse("{\"p\": [1, \"text\"]}", NULL);
    struct json_object *rows = bk__json_list();
    int code = driver->query(store, "SELECT a, ?2 AS b FROM t WHERE a > ?1",
                             bk__json_member(list, "p"), rows);

    if (code == 0) {
        code = driver->has_table(store, "t");
        code = code == 1 ? 0 : code;
    }
    json_object_put(rows);
    json_object_put(list);
    return code;
}

static int on_store(int (*body)(struct bk__store *store)) {
    struct bk__store *store = NULL;
    int code = driver->open(&store, job, live, false);

    if (code == 0) {
        code = body(store);
    }
    bk__store_close(store);
    return code;
}

static int prove(void) {
    struct json_object *report = bk__json_object();
    int code = driver->prove(job, image, report);

    json_object_put(report);
    return code;
}

static int replace(void) {
    char *kept = NULL;
    int code = driver->replace(job, live, image, &kept);

    free(kept);
    return code;
}

/* ---- the loop ----------------------------------------------------------------------------------- */

#define OLD                                                                              \
    "PRAGMA journal_mode = WAL; CREATE TABLE t(a INTEGER PRIMARY KEY, b); CREATE INDEX " \
    "i ON t(b); "                                                                        \
    "WITH n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 200) INSERT INTO "  \
    "t "                                                                                 \
    "SELECT i, hex(zeroblob(100)) FROM n;"
#define NEW "CREATE TABLE t(a INTEGER PRIMARY KEY); INSERT INTO t VALUES(1000)"

static void prepare(bool with_image) {
    static const char *const sides[] = {"", "-wal", "-shm", "-journal"};

    for (int i = 0; i < 4; i++) {
        char path[1100];

        snprintf(path, sizeof(path), "%s%s", live, sides[i]);
        unlink(path);
    }
    unlink(image);
    storefile_make(live, OLD);
    if (with_image) {
        storefile_make(image, NEW);
    }
}

static void assert_sound(void) {
    char said[100];
    sqlite3 *db = storefile_open(live);
    int64_t sum = storefile_int(db, "SELECT sum(a) FROM t");

    storefile_text(db, "PRAGMA integrity_check", said, sizeof(said));
    assert_string_equal(said, "ok");
    assert_true(sum == 20100 || sum == 1000);
    sqlite3_close(db);
}

/* One of the two; the other is NULL. with_image: there is one before it begins. */
struct subject {
    int (*body)(struct bk__store *store);
    int (*alone)(void);
    bool with_image;
    bool changes; /* the database, when it succeeds */
};

static void fail_in_turn(const struct subject *s) {
    int failures = 0;
    bool done = false;

    prepare(s->with_image);
    for (int at = 0; !done; at++) {
        int code;

        fired = false;
        left = at;
        code = s->body != NULL ? on_store(s->body) : s->alone();
        left = -1;
        if (code != 0 && code != BK_ENOMEM) {
            fail_msg("allocation %d: %d %s", at, code, bk__error_text());
        }
        failures += code != 0;
        done = !fired;
        assert_true(!done || code == 0);
        assert_sound();
        assert_true(code == 0 || s->with_image || !storefile_exists(image, ""));
        if (code == 0 && (s->changes || !s->with_image)) {
            prepare(s->with_image);
        }
    }
    assert_true(failures > 5);
}

static void each_way(const struct subject *s) {
    for_good = false;
    fail_in_turn(s);
    for_good = true;
    fail_in_turn(s);
}

static int setup(void **state) {
    job = storejob_new();
    storejob_set("busy.wait", "1000");
    sandbox_setup(state);
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    snprintf(image, sizeof(image), "%s", sandbox_path("image.db"));
    return 0;
}

static int teardown(void **state) {
    storejob_free();
    return sandbox_teardown(state);
}

static void test_store_memory__of_a_snapshot(void **state) {
    (void)state;
    each_way(&(struct subject){.body = do_snapshot});
}

static void test_store_memory__of_a_restore(void **state) {
    (void)state;
    each_way(&(struct subject){.body = do_restore, .with_image = true, .changes = true});
}

static void test_store_memory__of_a_probe(void **state) {
    (void)state;
    each_way(&(struct subject){.body = do_probe, .with_image = true});
}

static void test_store_memory__of_a_migration(void **state) {
    (void)state;
    each_way(&(struct subject){.body = do_migrate, .with_image = true, .changes = true});
}

static void test_store_memory__of_a_query(void **state) {
    (void)state;
    each_way(&(struct subject){.body = do_query, .with_image = true});
}

static void test_store_memory__of_a_proof(void **state) {
    (void)state;
    each_way(&(struct subject){.alone = prove, .with_image = true});
}

static void test_store_memory__of_a_replacement(void **state) {
    (void)state;
    each_way(&(struct subject){.alone = replace, .with_image = true, .changes = true});
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_memory__of_a_snapshot),
        TEST(test_store_memory__of_a_restore),
        TEST(test_store_memory__of_a_probe),
        TEST(test_store_memory__of_a_migration),
        TEST(test_store_memory__of_a_query),
        TEST(test_store_memory__of_a_proof),
        TEST(test_store_memory__of_a_replacement),
    };

    storefile_child(argc, argv);
    take_over();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
