/*
 * Files and history compared: what is pending, and each problem with its file, version and next
 * command. tests/unit/run runs it.
 */
#include <migrate/migrate.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <core/error.h>

static struct bk__migration_plan plan;

static int leave(void **state) {
    (void)state;
    bk__plan_free(&plan);
    return 0;
}

#define FILE_OF(number, label, sum)                                                      \
    {                                                                                    \
        .version = number, .name = (char[]){label},                                      \
        .file = (char[]){#number "_" label ".sql"}, .checksum = sum, .transaction = true \
    }

#define ROW_OF(number, label, sum, status)                                               \
    {                                                                                    \
        .version = number, .name = (char[]){label}, .checksum = (char[]){sum},           \
        .state = (char[]){status}, .applied_at = (char[]) {                              \
            "2025-12-04T10:30:00.000Z"                                                   \
        }                                                                                \
    }

#define MAKE(files, rows)                                                                \
    make(files, sizeof files / sizeof *files, rows, sizeof rows / sizeof *rows)

static void make(struct bk__migration *files, size_t file_count, struct bk__applied *rows,
                 size_t row_count) {
    const struct bk__migrations all = {.items = files, .count = file_count};
    const struct bk__history history = {.items = rows, .count = row_count};
    bk__plan_free(&plan);
    assert_true(bk__plan_make(&plan, &all, &history));
}

static void assert_problem(const char *code, int64_t version, const char *file,
                           const char *word) {
    assert_int_equal(plan.problem_count, 1);
    assert_string_equal(plan.problems[0].code, code);
    assert_int_equal(plan.problems[0].version, version);
    if (file) {
        assert_string_equal(plan.problems[0].file, file);
        assert_non_null(strstr(plan.problems[0].message, file));
    } else {
        assert_null(plan.problems[0].file);
    }
    assert_non_null(strstr(plan.problems[0].message, word));
    assert_non_null(strstr(plan.problems[0].message, "botkeep "));
    assert_int_equal(bk__plan_check(&plan), BK_EMIGRATION);
    assert_non_null(strstr(bk__error_text(), plan.problems[0].message));
    assert_non_null(strstr(bk__error_text(), "Nothing was changed"));
}

static void test_migrate_plan__nothing_at_all(void **state) {
    (void)state;
    const struct bk__migrations files = {0};
    const struct bk__history history = {0};
    assert_true(bk__plan_make(&plan, &files, &history));
    assert_int_equal(plan.pending_count, 0);
    assert_int_equal(plan.problem_count, 0);
    assert_int_equal(plan.current, -1);
    assert_int_equal(bk__plan_check(&plan), 0);
}

static void test_migrate_plan__pending_after_applied(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "s1"), FILE_OF(2, "b", "s2"),
                                    FILE_OF(10, "c", "s3")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied")};
    MAKE(files, rows);
    assert_int_equal(plan.problem_count, 0);
    assert_int_equal(plan.pending_count, 2);
    assert_int_equal(plan.pending[0]->version, 2);
    assert_int_equal(plan.pending[1]->version, 10);
    assert_int_equal(plan.current, 1);
    assert_int_equal(plan.applied, 1);
}

static void test_migrate_plan__edited(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "other")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied")};
    MAKE(files, rows);
    assert_problem("edited", 1, "1_a.sql", "changed after it was applied");
    assert_int_equal(plan.pending_count, 0);
}

static void test_migrate_plan__missing(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "s1"), FILE_OF(3, "c", "s3")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied"),
                                 ROW_OF(2, "b", "s2", "applied"),
                                 ROW_OF(3, "c", "s3", "applied")};
    MAKE(files, rows);
    assert_problem("missing", 2, NULL, "0002_b.sql");
}

static void test_migrate_plan__newer_than_code(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "s1")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied"),
                                 ROW_OF(2, "b", "s2", "applied")};
    MAKE(files, rows);
    assert_problem("newer_than_code", 2, NULL, "newer than this code");
    assert_int_equal(plan.current, 2);
}

static void test_migrate_plan__out_of_order(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "s1"), FILE_OF(2, "b", "s2"),
                                    FILE_OF(3, "c", "s3")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied"),
                                 ROW_OF(3, "c", "s3", "applied")};
    MAKE(files, rows);
    assert_problem("out_of_order", 2, "2_b.sql", "mv 2_b.sql 4_b.sql");
}

static void test_migrate_plan__duplicate(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "s1"), FILE_OF(2, "b", "s2"),
                                    FILE_OF(2, "c", "s3")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied")};
    MAKE(files, rows);
    assert_problem("duplicate", 2, "2_c.sql", "mv 2_c.sql 3_c.sql");
    assert_non_null(strstr(plan.problems[0].message, "2_b.sql"));
}

static void test_migrate_plan__keeps_the_width_of_numbers(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(0001, "a", "s1"), FILE_OF(0001, "b", "s2")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied")};
    MAKE(files, rows);
    assert_problem("duplicate", 1, "0001_b.sql", "mv 0001_b.sql 0002_b.sql");
}

static void test_migrate_plan__partial_runs_again(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "s1"), FILE_OF(2, "b", "corrected")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied"),
                                 ROW_OF(2, "b", "s2", "partial")};
    MAKE(files, rows);
    assert_int_equal(plan.problem_count, 0);
    assert_int_equal(plan.pending_count, 1);
    assert_int_equal(plan.pending[0]->version, 2);
    assert_non_null(plan.partial);
    assert_int_equal(plan.current, 1);
}

static void test_migrate_plan__reverted_counts_for_nothing(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "s1"), FILE_OF(2, "b", "other")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied"),
                                 ROW_OF(2, "b", "s2", "reverted"),
                                 ROW_OF(3, "c", "s3", "reverted")};
    MAKE(files, rows);
    assert_int_equal(plan.problem_count, 0);
    assert_int_equal(plan.pending_count, 1);
    assert_int_equal(plan.current, 1);
    assert_int_equal(plan.applied, 1);
}

static void test_migrate_plan__tells_every_problem(void **state) {
    (void)state;
    struct bk__migration files[] = {FILE_OF(1, "a", "other"), FILE_OF(2, "b", "s2"),
                                    FILE_OF(2, "c", "s3"), FILE_OF(4, "e", "s4")};
    struct bk__applied rows[] = {ROW_OF(1, "a", "s1", "applied"),
                                 ROW_OF(3, "d", "s3", "applied"),
                                 ROW_OF(5, "f", "s5", "applied")};
    MAKE(files, rows);
    static const char *const codes[] = {"edited",  "out_of_order", "duplicate",
                                        "missing", "out_of_order", "newer_than_code"};
    assert_int_equal(plan.problem_count, 6);
    assert_int_equal(bk__plan_check(&plan), BK_EMIGRATION);
    for (size_t i = 0; i < 6; i++) {
        assert_string_equal(plan.problems[i].code, codes[i]);
        assert_non_null(strstr(bk__error_text(), plan.problems[i].message));
    }
}

#define TEST(name) cmocka_unit_test_teardown(test_migrate_plan__##name, leave)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(nothing_at_all),
        TEST(pending_after_applied),
        TEST(edited),
        TEST(missing),
        TEST(newer_than_code),
        TEST(out_of_order),
        TEST(duplicate),
        TEST(keeps_the_width_of_numbers),
        TEST(partial_runs_again),
        TEST(reverted_counts_for_nothing),
        TEST(tells_every_problem),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
