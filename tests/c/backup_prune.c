/*
 * Retention through the public ABI: what goes, what never goes, and what status and list tell.
 * The decision itself is tests/unit/backup/retention.c.
 */
#include "backup_box.h"

#define TEST(name) BOX_TEST(backup_prune, name)

static void with_keep(const char *keep) {
    box_new();
    box_set("backup.keep", keep);
    box_open();
}

static void test_backup_prune__each_new_backup_pushes_an_old_one_out(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    with_keep("2");
    box_create("{\"kind\":\"auto\"}");
    const char *first = box_create(NULL);
    box_create(NULL);
    box_assert_text("result.pruned[0]", NULL);
    box_create(NULL);
    box_assert_text("result.pruned[0]", first);
    box_assert_text("result.pruned[1]", NULL);
    assert_int_equal(box_backups("manual_*.db"), 2);
    assert_int_equal(box_backups("auto_*.db"), 1);
    box_assert_only(3);
}

static void test_backup_prune__zero_keeps_all(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    with_keep("0");
    for (int i = 0; i < 10; i++) {
        box_create(NULL);
    }
    box_call("backup.prune", NULL);
    box_assert_number("result.kept", 10);
    box_assert_only(10);
}

static void test_backup_prune__tells_before_and_does_then(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    with_keep("0");
    const char *oldest = box_create(NULL);
    double bytes = bk_pick_number(box_done, "result.bytes", 0);
    box_create(NULL);
    box_create(NULL);
    box_call("backup.prune", "{\"keep\":2,\"dry_run\":true}");
    box_assert_text("result.deleted[0].name", oldest);
    box_assert_text("result.deleted[0].reason",
                    "2 newer verified manual backups are kept");
    box_assert_number("result.freed_bytes", bytes);
    box_assert_number("result.dry_run", 1);
    box_assert_only(3);
    box_call("backup.prune", "{\"keep\":2}");
    box_assert_text("result.deleted[0].name", oldest);
    box_assert_text("result.deleted[1].name", NULL);
    box_assert_number("result.kept", 2);
    box_assert_number("result.freed_bytes", bytes);
    box_assert_only(2);
}

static void test_backup_prune__foreign_files_stay(void **state) {
    static const char *const foreign[] = {
        "backups/bot.db",
        "backups/manual_2020-01-01T00-00-00.db",
        "backups/manual_2025-12-04T10-30-00-123Z.db",
        "backups/auto_2020-01-01T00-00-00.db.gz",
        "backups/auto_2020-01-01T00-00-00.db.gz.json",
    };
    (void)state;
    box_database_with(ROWS_SMALL);
    with_keep("1");
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        sandbox_write(foreign[i], "foreign");
    }
    for (int i = 0; i < 4; i++) {
        box_create(NULL);
    }
    box_call("backup.prune", "{\"keep\":1}");
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        assert_true(box_has(foreign[i]));
    }
    box_call("backup.list", NULL);
    box_assert_number("result.total", 1);
}

static void test_backup_prune__a_broken_manifest_is_told_and_never_deleted(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    with_keep("1");
    const char *name = box_create(NULL);
    free(box_on(name, "sed -i 's/\"pages\":/\"pages\":1/' '%s.json'"));
    for (int i = 0; i < 3; i++) {
        box_create(NULL);
    }
    box_call("backup.status", NULL);
    box_assert_number("result.total", 1);
    box_assert_text("result.broken[0].name", name);
    char *why = bk_pick_text(box_done, "result.broken[0].error");
    assert_non_null(strstr(why, "pages"));
    bk_free(why);
    assert_true(box_has(sandbox_path("backups/%s", name) + strlen(sandbox_dir()) + 1));
    char args[256];
    box_args(args, sizeof args, name, "");
    box_run("backup.restore", args);
    box_assert_failed("BK_ECORRUPT", name, "pages", NULL);
}

static void test_backup_prune__goes_by_sequence_whatever_the_clock_said(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    with_keep("0");
    const char *future = box_create(NULL);
    free(box_on(future, "sed -i 's/\"created_at\":\"20/\"created_at\":\"90/' '%s.json'"));
    box_create(NULL);
    const char *past = box_create(NULL);
    free(box_on(past, "sed -i 's/\"created_at\":\"20/\"created_at\":\"19/' '%s.json'"));
    box_call("backup.list", NULL);
    box_assert_text("result.backups[0].name", past);
    box_assert_text("result.backups[2].name", future);
    box_call("backup.prune", "{\"keep\":1}");
    box_assert_number("result.kept", 1);
    assert_true(box_has(sandbox_path("backups/%s", past) + strlen(sandbox_dir()) + 1));
    box_create(NULL);
    box_assert_number("result.sequence", 4);
}

static void test_backup_prune__without_a_folder_nothing_is_made(void **state) {
    (void)state;
    box_call("backup.prune", NULL);
    box_assert_number("result.kept", 0);
    box_call("backup.list", NULL);
    box_assert_number("result.total", 0);
    box_call("backup.status", NULL);
    box_assert_text("result.newest", NULL);
    box_assert_text("result.last_success_at", NULL);
    assert_true(bk_pick_number(box_done, "result.free_bytes", -1) > 0);
    box_call("backup.verify", "{\"all\":true}");
    box_assert_number("result.verified", 0);
    assert_false(box_has("backups"));
    box_run("backup.prune", "{\"keep\":-1}");
    box_assert_failed("BK_EINVAL", "keep", NULL);
    box_run("backup.list", "{\"limit\":-1}");
    box_assert_failed("BK_EINVAL", "limit", NULL);
}

static void test_backup_prune__list_and_status_tell_what_is_there(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create("{\"kind\":\"auto\",\"note\":\"n\"}");
    const char *newest = box_create(NULL);
    double bytes = bk_pick_number(box_done, "result.bytes", 0);
    box_call("backup.list", "{\"limit\":1}");
    box_assert_text("result.backups[0].name", newest);
    box_assert_text("result.backups[1].name", NULL);
    box_assert_number("result.total", 2);
    box_call("backup.list", "{\"kind\":\"auto\"}");
    box_assert_text("result.backups[0].note", "n");
    box_assert_number("result.total", 1);
    box_call("backup.status", NULL);
    box_assert_text("result.newest.name", newest);
    box_assert_number("result.total", 2);
    box_assert_number("result.total_bytes", 2 * bytes);
    box_assert_text("result.dir", sandbox_path("backups"));
    box_assert_text("result.isolation", "thread");
    box_assert_text("result.staged", NULL);
    box_assert_text("result.last_failure", NULL);
    box_assert_number("result.keep", 7);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(each_new_backup_pushes_an_old_one_out),
        TEST(zero_keeps_all),
        TEST(tells_before_and_does_then),
        TEST(foreign_files_stay),
        TEST(a_broken_manifest_is_told_and_never_deleted),
        TEST(goes_by_sequence_whatever_the_clock_said),
        TEST(without_a_folder_nothing_is_made),
        TEST(list_and_status_tell_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
