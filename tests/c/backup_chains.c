/*
 * Chains of backups: nothing that one needs is deleted, retention makes them whole where it may, and
 * what a broken one lacks is told. tests/c/run runs it.
 */
#include "deltas_box.h"

#define TEST(name) BOX_TEST(backup_chains, name)

/* ---- retention ------------------------------------------------------------------------------------ */

/* No more than so many stay for others' sake alone; a chain goes when nobody needs it. */
static void test_backup_chains__retention_never_takes_a_base(void **state) {
    struct made made[20];
    (void)state;
    open_deltas("3", "2");
    box_database_with(ROWS);
    for (int i = 0; i < 20; i++) {
        change(i);
        made[i] = make();
        int there = box_backups("*.json");
        assert_true(there >= (i > 0 ? 2 : 1) && there <= 2 + 3);
        box_call("backup.status", NULL);
        box_assert_text("result.broken[0]", NULL);
        assert_comes_back(&made[i]);
        if (i > 0) {
            assert_comes_back(&made[i - 1]);
        }
    }
}

static void test_backup_chains__what_only_others_need_goes_when_it_may(void **state) {
    struct made made[6];
    (void)state;
    fresh("9");
    for (int i = 0; i < 6; i++) {
        change(i);
        made[i] = make();
    }
    assert_int_equal(made[5].chain, 5);
    box_call("backup.prune", "{\"keep\":2,\"dry_run\":true}");
    box_assert_number("result.kept", 6);
    /* What would go then is told before. */
    open_deltas("0", "2");
    box_call("backup.prune", "{\"dry_run\":true}");
    char *foreseen = bk_pick_text(box_done, "result.deleted");
    box_assert_number("result.kept", 2);
    box_assert_only(6);
    box_call("backup.prune", NULL);
    char *gone = bk_pick_text(box_done, "result.deleted");
    assert_string_equal(foreseen, gone);
    assert_non_null(strstr(gone, made[0].name));
    box_assert_number("result.kept", 2);
    box_assert_only(2);
    bk_free(foreseen);
    bk_free(gone);
    /* The older one is whole now, under the same stem, with its number and its time. */
    box_call("backup.list", NULL);
    box_assert_number("result.backups[0].chain", 1);
    box_assert_number("result.backups[1].chain", 0);
    box_assert_number("result.backups[1].sequence", 5);
    char stem[128];
    snprintf(stem, sizeof stem, "%s", made[4].name);
    *strchr(stem, '.') = '\0';
    box_assert_text("result.backups[0].parent", stem);
    char *name = bk_pick_text(box_done, "result.backups[1].name");
    assert_true(strncmp(name, stem, strlen(stem)) == 0 && strstr(name, ".db.gz"));
    bk_free(name);
    box_call("backup.verify", "{\"all\":true}");
    /* The name it had still finds it. */
    assert_comes_back(&made[4]);
    assert_comes_back(&made[5]);
}

static void test_backup_chains__what_cannot_be_made_whole_keeps_its_bases(void **state) {
    (void)state;
    with_recipient(ROWS);
    char public[128];
    snprintf(public, sizeof public, "%s", box_public);
    box_new();
    box_set("backup.deltas", "9");
    box_set("backup.recipient", public);
    box_open();
    for (int i = 0; i < 4; i++) {
        change(i);
        make();
    }
    box_new();
    box_set("backup.recipient", public);
    box_open();
    box_call("backup.prune", "{\"keep\":1}");
    box_assert_number("result.kept", 4);
    /* With the key it can, and stays encrypted. */
    box_new();
    box_set("backup.recipient", public);
    box_set("backup.key.file", sandbox_path("secret"));
    box_open();
    box_call("backup.prune", "{\"keep\":1}");
    box_assert_number("result.kept", 1);
    box_call("backup.list", NULL);
    box_assert_number("result.backups[0].chain", 0);
    box_assert_text("result.backups[0].encryption", "recipient");
    assert_nothing_plain();
}

/* The newest one was made whole: nothing changed all the same. */
static void test_backup_chains__made_whole_it_still_holds_all(void **state) {
    (void)state;
    fresh("9");
    make();
    change(1);
    box_create("{\"kind\":\"auto\"}");
    box_assert_number("result.chain", 1);
    open_deltas("0", "1");
    box_call("backup.prune", NULL);
    box_call("backup.create", "{\"kind\":\"auto\"}");
    char *unchanged = bk_pick_text(box_done, "result.unchanged");
    assert_string_equal(unchanged, "true");
    bk_free(unchanged);
}

/* ---- broken chains ---------------------------------------------------------------------------------- */

static void test_backup_chains__what_lost_its_base_is_told_and_stays(void **state) {
    struct made made[4];
    char args[256];
    (void)state;
    fresh("9");
    for (int i = 0; i < 4; i++) {
        change(i);
        made[i] = make();
    }
    free(box_on(made[1].name, "rm %s"));
    box_call("backup.list", NULL);
    box_assert_number("result.total", 1);
    box_call("backup.status", NULL);
    box_assert_text("result.broken[2]", NULL);
    char *first = bk_pick_text(box_done, "result.broken[0].error");
    assert_non_null(strstr(first, "made of changes to"));
    bk_free(first);
    box_args(args, sizeof args, made[3].name, "");
    box_run("backup.restore", args);
    box_assert_failed("BK_ECORRUPT", made[3].name, "gone or broken", NULL);
    box_call("backup.prune", "{\"keep\":1}");
    assert_int_equal(box_backups(made[2].name), 1);
    assert_int_equal(box_backups(made[3].name), 1);
    /* The next one does not build on what is broken. */
    change(7);
    struct made full = make();
    assert_int_equal(full.chain, 0);
    assert_comes_back(&full);
}

static void test_backup_chains__the_damaged_link_is_named(void **state) {
    struct made made[4];
    char args[256];
    (void)state;
    fresh("9");
    for (int i = 0; i < 4; i++) {
        change(i);
        made[i] = make();
    }
    free(box_on(made[1].name,
                "printf xx | dd of=%s bs=1 seek=200 conv=notrunc status=none"));
    restore_to(made[3].name, "no.db");
    box_assert_failed("BK_ECORRUPT", made[3].name, made[1].name, NULL);
    assert_false(box_has("no.db"));
    box_args(args, sizeof args, made[1].name, "");
    box_run("backup.verify", args);
    box_assert_failed("BK_ECORRUPT", made[1].name, NULL);
    /* Whatever builds on it is no good either, and not chosen. */
    box_call("backup.list", NULL);
    char *why = bk_pick_text(box_done, "result.backups[0].error");
    assert_non_null(why);
    assert_non_null(strstr(why, "made of changes to"));
    bk_free(why);
    box_call("backup.restore", NULL);
    box_assert_text("result.name", made[0].name);
}

/* Whole archives in each other's places: each is what its manifest says, the sum is not. */
static void test_backup_chains__a_base_of_another_history(void **state) {
    char command[3000], base[600], delta[600];
    (void)state;
    fresh("9");
    struct made a = make();
    change(1);
    struct made b = make();
    snprintf(base, sizeof base, "%s", sandbox_path("backups/%s", a.name));
    snprintf(delta, sizeof delta, "%s", sandbox_path("backups/%s", b.name));
    /* The parent's manifest claims another state. */
    snprintf(command, sizeof command, "sed -i 's/%s/%064d/' '%s.json'", a.sha256, 7,
             base);
    free(box_shell(command));
    box_call("backup.status", NULL);
    char *first = bk_pick_text(box_done, "result.broken[0].error");
    assert_non_null(first);
    bk_free(first);
    restore_to(b.name, "no.db");
    box_assert_failed("BK_ECORRUPT", NULL);
    assert_false(box_has("no.db"));
}

int main(int argc, char **argv) {
    BOX_WRITER(argc, argv);
    const struct CMUnitTest tests[] = {
        TEST(retention_never_takes_a_base),
        TEST(what_only_others_need_goes_when_it_may),
        TEST(what_cannot_be_made_whole_keeps_its_bases),
        TEST(made_whole_it_still_holds_all),
        TEST(what_lost_its_base_is_told_and_stays),
        TEST(the_damaged_link_is_named),
        TEST(a_base_of_another_history),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
