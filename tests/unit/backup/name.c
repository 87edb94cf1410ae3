/*
 * Tests of src/backup/catalogue/name.c: names made, taken apart, and refused when they come from outside.
 * Not of which backups exist (tests/c/backup_names.c).
 */
#include <backup/catalogue/name.h>

#include <stdio.h>
#include <string.h>

#include <core/error.h>

#include "sandbox.h"
#include <cmocka.h>

#define AT INT64_C(1764844200123) /* 2025-12-04T10:30:00.123Z */

static void test_backup_name__makes_the_documented_form(void **state) {
    char name[BK__NAME_SIZE];

    (void)state;
    struct bk__form form = {.content = "db"};
    bk__name_make(name, "manual", AT, 1, &form);
    assert_string_equal(name, "manual_2025-12-04T10-30-00.db");
    form.compression = BK__GZIP;
    bk__name_make(name, "pre_migration", AT, 2, &form);
    assert_string_equal(name, "pre_migration_2025-12-04T10-30-00_2.db.gz");
    form =
        (struct bk__form){.content = "dump", .compression = BK__ZSTD, .encrypted = true};
    bk__name_make(name, "auto", AT, 1, &form);
    assert_string_equal(name, "auto_2025-12-04T10-30-00.dump.zst.enc");
    char stem[BK__NAME_SIZE];
    bk__name_stem(name, stem);
    assert_string_equal(stem, "auto_2025-12-04T10-30-00");
}

static void test_backup_name__reads_back_what_it_makes(void **state) {
    (void)state;
    for (size_t i = 0; bk__kinds[i] != NULL; i++) {
        for (int nth = 1; nth < 100000; nth *= 7) {
            char name[BK__NAME_SIZE], kind[BK__KIND_SIZE];
            static const char *const contents[] = {"db", "dump", "rdb", "delta"};
            struct bk__form got;
            struct bk__form form = {.compression = (enum bk__compression)(nth % 3),
                                    .encrypted = nth % 2 == 0};

            snprintf(form.content, sizeof form.content, "%s", contents[nth % 4]);
            bk__name_make(name, bk__kinds[i], AT, nth, &form);
            assert_true(bk__name_parse(name, kind, &got));
            assert_string_equal(kind, bk__kinds[i]);
            assert_true(bk__form_same(&form, &got));
        }
    }
}

static void test_backup_name__takes_no_foreign_name_for_its_own(void **state) {
    static const char *const foreign[] = {
        "",
        "manual",
        "manual_",
        "manual_2025-12-04T10-30-00",
        "manual_2025-12-04T10-30-00.db.json",
        "manual_2025-12-04T10-30-00.db.gz.gz",
        "manual_2025-12-04T10-30-00.db.gz.zst",
        "manual_2025-12-04T10-30-00.db.enc.gz",
        "manual_2025-12-04T10-30-00.gz",
        "manual_2025-12-04T10-30-00.dbx",
        "manual_2025-12-04T10-30-00.rdb.",
        "manual_2025-12-04T10-30-00-123Z.db",
        "manual_2025-12-04_10-30-00.db",
        "manual_2025-12-04T10-30-00_.db",
        "manual_2025-12-04T10-30-00_0.db",
        "manual_2025-12-04T10-30-00_12345678.db",
        "manual_2025-12-04T10-30-0x.db",
        "Manual_2025-12-04T10-30-00.db",
        "../manual_2025-12-04T10-30-00.db",
        " manual_2025-12-04T10-30-00.db",
        "weekly_2025-12-04T10-30-00.db",
        "bot.db",
    };

    (void)state;
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        if (bk__name_parse(foreign[i], NULL, NULL)) {
            fail_msg("\"%s\" is taken for ours", foreign[i]);
        }
    }
}

static void test_backup_name__only_its_own_temporary_files_are_temporary(void **state) {
    (void)state;
    assert_true(bk__name_is_temp(".tmp-manual_2025-12-04T10-30-00.db"));
    assert_true(bk__name_is_temp(".tmp-auto_2025-12-04T10-30-00_2.db.gz.json"));
    assert_true(bk__name_is_temp(".tmp-auto_2025-12-04T10-30-00.db-journal"));
    assert_false(bk__name_is_temp(".tmp-"));
    assert_false(bk__name_is_temp(".tmp-upload.db"));
    assert_false(bk__name_is_temp(".tmp-manual_yesterday.db"));
    assert_false(bk__name_is_temp("manual_2025-12-04T10-30-00.db"));
}

#define STAMP "2025-12-04T10-30-00-123Z"

static void test_backup_name__sets_and_their_parts(void **state) {
    static const char *const ours[] = {"backup_" STAMP, "backup_" STAMP ".tar",
                                       "backup_" STAMP ".tar.gz",
                                       "backup_" STAMP ".tar.zst.enc"};
    static const char *const foreign[] = {"backup_",
                                          "backup_2025-12-04T10-30-00Z",
                                          "backup_" STAMP "_2",
                                          "backup_" STAMP ".db",
                                          "backup_" STAMP ".tar.gz.json",
                                          "backup_" STAMP "/",
                                          "backup_" STAMP ".",
                                          ("Backup_" STAMP)};
    char name[BK__NAME_SIZE];
    (void)state;
    for (size_t i = 0; i < sizeof ours / sizeof *ours; i++) {
        struct bk__form form;
        char kind[BK__KIND_SIZE] = "x";
        assert_true(bk__name_parse(ours[i], kind, &form));
        assert_string_equal(kind, "");
        assert_true(bk__form_is_set(&form));
        assert_int_equal(bk__form_is_folder(&form), i == 0);
        bk__name_set(name, AT, &form);
        assert_string_equal(name, ours[i]);
        bk__name_part(name, ours[i], "redis");
        assert_string_equal(name, "redis_" STAMP);
        assert_true(
            bk__name_parse_part("redis_" STAMP ".rdb.enc", ours[i], "redis", &form));
        assert_true(form.encrypted && strcmp(form.content, "rdb") == 0);
        assert_false(
            bk__name_parse_part("redis_" STAMP ".rdb", ours[i], "database", &form));
        assert_false(bk__name_parse_part("redis_" STAMP ".tar", ours[i], "redis", &form));
        assert_false(bk__name_parse_part("redis_" STAMP, ours[i], "redis", &form));
    }
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++) {
        if (bk__name_parse(foreign[i], NULL, NULL)) {
            fail_msg("\"%s\" is taken for ours", foreign[i]);
        }
    }
    assert_true(bk__name_is_temp(".tmp-backup_" STAMP));
    assert_true(bk__name_is_temp(".tmp-backup_" STAMP ".tar.gz.json"));
    assert_true(bk__name_is_temp(".tmp-database_" STAMP ".db.image"));
    assert_false(bk__name_is_temp(".tmp-Data_" STAMP ".db"));
    assert_false(bk__name_is_temp(".tmp-_" STAMP ".db"));
}

static void assert_name_refused(const char *name) {
    bk__error_clear();
    assert_int_equal(bk__name_check(name), BK_EINVAL);
    assert_non_null(strstr(bk__error_text(), "name"));
}

static void test_backup_name__paths_and_huge_names_are_refused(void **state) {
    char huge[4096];

    (void)state;
    memset(huge, 'a', sizeof huge - 1);
    huge[sizeof huge - 1] = '\0';
    assert_name_refused("");
    assert_name_refused("/etc/passwd");
    assert_name_refused("../manual_2025-12-04T10-30-00.db");
    assert_name_refused("..");
    assert_name_refused("a/../b");
    assert_name_refused(huge);
    assert_int_equal(bk__name_check("anything-else"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_name__makes_the_documented_form),
        cmocka_unit_test(test_backup_name__reads_back_what_it_makes),
        cmocka_unit_test(test_backup_name__takes_no_foreign_name_for_its_own),
        cmocka_unit_test(test_backup_name__only_its_own_temporary_files_are_temporary),
        cmocka_unit_test(test_backup_name__sets_and_their_parts),
        cmocka_unit_test(test_backup_name__paths_and_huge_names_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
