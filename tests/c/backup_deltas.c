/*
 * Backups that hold only what changed: each state of a chain comes back byte for byte, whatever
 * became of the database meanwhile. tests/c/run runs it.
 */
#include "deltas_box.h"

#define TEST(name) BOX_TEST(backup_deltas, name)

/* ---- chains ---------------------------------------------------------------------------------- */

static void test_backup_deltas__none_unless_asked_for(void **state) {
    (void)state;
    box_new();
    box_open();
    box_database_with(ROWS);
    for (int i = 0; i < 3; i++) {
        change(i);
        assert_int_equal(make().chain, 0);
    }
    assert_false(box_has("bot.db.botkeep/backup.pages"));
}

static void test_backup_deltas__so_many_in_a_row_and_all_come_back(void **state) {
    struct made made[9];
    (void)state;
    fresh("3");
    for (int i = 0; i < 9; i++) {
        change(i);
        made[i] = make();
        assert_int_equal(made[i].chain, i % 4);
    }
    for (int i = 9; i-- > 0;) {
        assert_comes_back(&made[i]);
    }
    box_call("backup.verify", "{\"all\":true}");
    box_assert_number("result.verified", 9);
    box_call("backup.list", NULL);
    box_assert_number("result.backups[0].chain", 0);
    box_assert_number("result.backups[1].chain", 3);
    char stem[128];
    snprintf(stem, sizeof stem, "%s", made[6].name);
    *strchr(stem, '.') = '\0';
    box_assert_text("result.backups[1].parent", stem);
}

static void test_backup_deltas__growth_shrinking_and_nothing_at_all(void **state) {
    static const char *const steps[] = {
        "INSERT INTO left_side(t) SELECT t FROM left_side WHERE n < 900",
        "UPDATE left_side SET t = NULL WHERE n > 7900",
        ("DELETE FROM left_side WHERE n > 7000; DELETE FROM right_side WHERE n > 7000;"
         "PRAGMA incremental_vacuum"),
        "CREATE TABLE more(x); DROP TABLE more",
        "SELECT 1",
    };
    struct made made[6];
    (void)state;
    open_deltas("100", "100");
    box_do("PRAGMA auto_vacuum = INCREMENTAL");
    box_database_with(ROWS);
    made[0] = make();
    for (int i = 0; i < 5; i++) {
        box_do(steps[i]);
        double before = bk_pick_number(box_done, "result.pages", 0);
        made[i + 1] = make();
        double after = bk_pick_number(box_done, "result.pages", 0);
        assert_int_equal(made[i + 1].chain, i + 1);
        if (i == 0) {
            assert_true(after > before);
        } else if (i == 2) {
            assert_true(after < before);
        }
    }
    /* Nothing changed, but it was asked for: a delta without pages. */
    assert_true(bk_pick_number(box_done, "result.payload_bytes", 0) < 5000);
    for (int i = 0; i < 6; i++) {
        assert_comes_back(&made[i]);
    }
}

static void test_backup_deltas__full_where_most_of_it_changed(void **state) {
    static const char *const steps[] = {
        "UPDATE left_side SET t = hex(randomblob(30));"
        "UPDATE right_side SET t = hex(randomblob(30))",
        "PRAGMA journal_mode = DELETE; PRAGMA page_size = 1024; VACUUM",
    };
    (void)state;
    fresh("9");
    make();
    for (int i = 0; i < 2; i++) {
        box_do(steps[i]);
        struct made full = make();
        assert_int_equal(full.chain, 0);
        change(i);
        struct made next = make();
        assert_int_equal(next.chain, 1);
        assert_comes_back(&full);
        assert_comes_back(&next);
    }
}

static void test_backup_deltas__every_page_size_and_rollback_mode(void **state) {
    static const int sizes[] = {512, 4096, 65536};
    (void)state;
    open_deltas("5", "100");
    for (size_t i = 0; i < 3; i++) {
        char sql[256];
        unlink(box_database());
        snprintf(sql, sizeof sql,
                 "PRAGMA page_size = %d; CREATE TABLE t(n INTEGER PRIMARY KEY, v);"
                 "WITH c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 9000)"
                 " INSERT INTO t SELECT x, hex(randomblob(50)) FROM c",
                 sizes[i]);
        box_do(sql);
        struct made full = make();
        box_do("UPDATE t SET v = 'x' WHERE n = 4321");
        struct made delta = make();
        assert_int_equal(full.chain, 0);
        assert_int_equal(delta.chain, 1);
        assert_comes_back(&delta);
    }
}

static void test_backup_deltas__packed_and_sealed_like_any(void **state) {
    static const char *const forms[] = {"none", "gzip", "zstd"};
    struct made made[4];
    (void)state;
    database(ROWS);
    make_key("key", "shared");
    for (int sealed = 0; sealed < 2; sealed++) {
        box_new();
        box_set("backup.deltas", "9");
        if (sealed) {
            box_set("backup.key.file", sandbox_path("key"));
        }
        box_open();
        make();
        box_assert_number("result.chain", 0); /* another key: not in the same chain */
        for (int i = 0; i < 3; i++) {
            char args[64];
            change(10 * sealed + i);
            snprintf(args, sizeof args, "{\"compress\":\"%s\"}", forms[i]);
            take_made(&made[i], box_create(args));
            assert_int_equal(made[i].chain, i + 1);
            assert_int_equal(strstr(made[i].name, ".enc") != NULL, sealed);
        }
        for (int i = 0; i < 3; i++) {
            assert_comes_back(&made[i]);
            assert_depth(made[i].name, "full");
        }
    }
}

static void test_backup_deltas__a_recipients_chain_stays_shut(void **state) {
    struct made made[3];
    (void)state;
    with_recipient(ROWS);
    char public[128];
    snprintf(public, sizeof public, "%s", box_public);
    box_new();
    box_set("backup.deltas", "9");
    box_set("backup.recipient", public);
    box_open();
    for (int i = 0; i < 3; i++) {
        change(i);
        made[i] = make();
    }
    assert_int_equal(made[2].chain, 2);
    assert_nothing_plain();
    assert_depth(made[2].name, "sealed");
    restore_to(made[2].name, "no.db");
    box_assert_failed("BK_EDENIED", NULL);
    open_with("secret", NULL);
    assert_comes_back(&made[2]);
    assert_nothing_plain();
}

static void test_backup_deltas__live_and_staged_restores(void **state) {
    (void)state;
    fresh("9");
    make();
    for (int i = 0; i < 2; i++) {
        char args[256];
        change(i);
        open_deltas("9", "100");
        struct made made = make();
        char *before = box_content();
        box_do("DELETE FROM left_side");
        box_args(args, sizeof args, made.name, i ? ",\"mode\":\"staged\"" : "");
        box_call("backup.restore", args);
        if (i) {
            box_new();
            box_set("run.track", "true");
            box_open();
            box_close();
        }
        char *after = box_content();
        assert_true(strcmp(before, after) == 0);
        free(before);
        free(after);
    }
}

static void test_backup_deltas__nothing_changed_makes_none(void **state) {
    (void)state;
    fresh("9");
    make();
    change(1);
    struct made delta = make();
    box_call("backup.create", "{\"kind\":\"auto\"}");
    box_assert_text("result.name", delta.name);
    free(box_sql("PRAGMA wal_checkpoint(TRUNCATE)"));
    box_call("backup.create", "{\"kind\":\"auto\"}");
    box_assert_text("result.name", delta.name);
    box_assert_only(2);
}

/* A folder stands where the sums would be written: full backups, but backups. */
static void test_backup_deltas__sums_that_cannot_be_written_are_no_failure(void **state) {
    (void)state;
    fresh("9");
    make();
    assert_int_equal(mkdir(sandbox_path("bot.db.botkeep/backup.pages.tmp"), 0700), 0);
    for (int i = 0; i < 2; i++) {
        change(i);
        struct made made = make();
        assert_int_equal(made.chain, 0);
        assert_comes_back(&made);
    }
    assert_int_equal(rmdir(sandbox_path("bot.db.botkeep/backup.pages.tmp")), 0);
    change(7);
    struct made made = make();
    assert_int_equal(made.chain, 1);
    assert_comes_back(&made);
}

/* ---- beside writers ---------------------------------------------------------------------------- */

static void test_backup_deltas__each_is_one_instant_beside_a_writer(void **state) {
    struct made made[MOST];
    char file[64];
    (void)state;
    fresh("5");
    box_writer_start();
    for (int i = 0; i < MOST; i++) {
        made[i] = make();
        box_assert_number("result.tables.right_side",
                          bk_pick_number(box_done, "result.tables.left_side", -1));
        usleep(30000);
    }
    box_writer_kill();
    int last = 0;
    for (int i = 0; i < MOST; i++) {
        snprintf(file, sizeof file, "writer%d.db", i);
        restore_to(made[i].name, file);
        box_assert_number("ok", 1);
        int rows = box_assert_sound(sandbox_path("%s", file));
        assert_true(rows >= last);
        last = rows;
    }
    assert_true(last > ROWS);
}

/* ---- the sums of the pages ------------------------------------------------------------------------ */

static void test_backup_deltas__lost_or_broken_sums_make_a_full_one(void **state) {
    static const char *const harms[] = {
        "rm '%s'",
        ": > '%s'",
        "truncate -s -1 '%s'",
        "truncate -s 100 '%s'",
        "printf x | dd of='%s' bs=1 seek=20 conv=notrunc status=none",
        "printf x | dd of='%s' bs=1 seek=700 conv=notrunc status=none",
        "printf x | dd of='%s' bs=1 seek=$(($(stat -c %%s '%s') - 3)) conv=notrunc "
        "status=none",
        "printf x | dd of='%s' bs=1 seek=$(($(stat -c %%s '%s') - 200)) conv=notrunc "
        "status=none"};
    (void)state;
    fresh("99");
    make();
    for (size_t i = 0; i < sizeof harms / sizeof *harms; i++) {
        char command[1500], path[512];
        snprintf(path, sizeof path, "%s", sandbox_path("bot.db.botkeep/backup.pages"));
        change((int)i);
        assert_int_equal(make().chain, 1);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(command, sizeof command, harms[i], path, path);
#pragma GCC diagnostic pop
        free(box_shell(command));
        change(50 + (int)i);
        struct made made = make();
        assert_int_equal(made.chain, 0);
        assert_comes_back(&made);
    }
}

int main(int argc, char **argv) {
    BOX_WRITER(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(none_unless_asked_for),
        TEST(so_many_in_a_row_and_all_come_back),
        TEST(growth_shrinking_and_nothing_at_all),
        TEST(full_where_most_of_it_changed),
        TEST(every_page_size_and_rollback_mode),
        TEST(packed_and_sealed_like_any),
        TEST(a_recipients_chain_stays_shut),
        TEST(live_and_staged_restores),
        TEST(nothing_changed_makes_none),
        TEST(sums_that_cannot_be_written_are_no_failure),
        TEST(each_is_one_instant_beside_a_writer),
        TEST(lost_or_broken_sums_make_a_full_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
