/*
 * Tests of src/backup/seal/encryption.c: whether a key lies among the backups, whatever its path says. What
 * the options lead to is tested whole in tests/c/backup_encryption.c.
 */
#include <backup/seal/encryption.h>

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sandbox.h"
#include <cmocka.h>

static bool inside(const char *file) {
    return bk__encryption_inside(sandbox_path("%s", file), sandbox_path("backups"));
}

static int folders(void **state) {
    sandbox_setup(state);
    sandbox_write("backups/deep/key", "");
    sandbox_write("backups2/key", "");
    sandbox_write("key", "");
    return symlink(sandbox_path("backups/deep"), sandbox_path("link"));
}

static void test_backup_encryption__what_lies_below_is_inside(void **state) {
    (void)state;
    assert_true(inside("backups/deep/key"));
    assert_true(inside("backups"));
    assert_true(inside("backups/../backups/deep/key"));
    assert_true(inside("link/key"));
}

static void
test_backup_encryption__what_is_not_made_yet_is_judged_by_its_folder(void **state) {
    (void)state;
    assert_true(inside("backups/new"));
    assert_true(inside("link/new"));
    assert_false(inside("new"));
    assert_false(inside("nowhere/new"));
}

static void test_backup_encryption__neighbours_and_parents_are_outside(void **state) {
    (void)state;
    assert_false(inside("key"));
    assert_false(inside("backups2/key"));
    assert_false(inside("backups/../key"));
    assert_false(inside(""));
}

static void
test_backup_encryption__a_folder_that_is_not_there_holds_nothing(void **state) {
    (void)state;
    assert_false(bk__encryption_inside(sandbox_path("key"), sandbox_path("none")));
}

/* The same folder by another name is the same folder. */
static void test_backup_encryption__links_to_the_folder_are_followed(void **state) {
    (void)state;
    assert_int_equal(symlink(sandbox_path("backups"), sandbox_path("other")), 0);
    assert_true(
        bk__encryption_inside(sandbox_path("backups/deep/key"), sandbox_path("other")));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folders, sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_backup_encryption__what_lies_below_is_inside),
        TEST(test_backup_encryption__what_is_not_made_yet_is_judged_by_its_folder),
        TEST(test_backup_encryption__neighbours_and_parents_are_outside),
        TEST(test_backup_encryption__a_folder_that_is_not_there_holds_nothing),
        TEST(test_backup_encryption__links_to_the_folder_are_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
