/*
 * Tests of base/near.c: slips of the finger find the name that was meant, and a word that is
 * far from all of them finds none.
 */
#include <base/near.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static const char *guess(const char *typed) {
    static const char *const names[] = {"database", "backup.keep", "backup.keep.days",
                                        "backup.dir"};
    struct bk__near best = {0};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        bk__near_try(&best, typed, names[i], names[i]);
    }
    return best.name ? best.name : "";
}

static void test_base_near__slips_find_the_name(void **state) {
    (void)state;
    assert_string_equal(guess("databse"), "database");
    assert_string_equal(guess("dtaabase"), "database");
    assert_string_equal(guess("backup.keeep"), "backup.keep");
    assert_string_equal(guess("backup.dirs"), "backup.dir");
    assert_string_equal(guess("backup.keep.day"), "backup.keep.days");
}

static void test_base_near__other_spellings_find_the_name(void **state) {
    (void)state;
    assert_string_equal(guess("backupKeep"), "backup.keep");
    assert_string_equal(guess("BACKUP_KEEP_DAYS"), "backup.keep.days");
    assert_string_equal(guess("backup-dir"), "backup.dir");
}

static void test_base_near__what_is_far_finds_none(void **state) {
    static const char *const far[] = {
        "",
        ".",
        "k",
        "discord.token",
        "keep",
        "\xff\xff",
        "backup.keep.backup.keep.backup.keep.backup.keep.backup.keep"};
    (void)state;
    for (size_t i = 0; i < sizeof far / sizeof *far; i++) {
        assert_string_equal(guess(far[i]), "");
    }
}

static void test_base_near__another_word_leads_to_the_name(void **state) {
    struct bk__near best = {0};
    (void)state;
    bk__near_try(&best, "database_url", "DATABASE_URL", "database");
    assert_string_equal(best.name, "database");
    bk__near_try(&best, "database_url", "databaseurls", "worse");
    assert_string_equal(best.name, "database");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_near__slips_find_the_name),
        cmocka_unit_test(test_base_near__other_spellings_find_the_name),
        cmocka_unit_test(test_base_near__what_is_far_finds_none),
        cmocka_unit_test(test_base_near__another_word_leads_to_the_name),
    };
    return cmocka_run_group_tests_name("base/near", tests, NULL, NULL);
}
