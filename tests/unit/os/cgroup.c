/*
 * Tests of src/os/cgroup.c: finding the own group among odd mounts, climbing, reading numbers.
 * Not of what the numbers mean (system.c).
 */
#include <os/cgroup.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox.h"
#include <cmocka.h>

static void proc(const char *groups, const char *mounts) {
    sandbox_write("proc/self/cgroup", groups);
    sandbox_write("proc/self/mountinfo", mounts);
}

static void assert_found(const char *controller, bool v2, const char *dir) {
    struct bk__cgroup group = {0};
    int error = bk__cgroup_find(sandbox_dir(), controller, &group);

    if (error) {
        fail_msg("%s: error %d", dir, error);
    }
    assert_string_equal(group.dir, sandbox_path("%s", dir));
    assert_int_equal(group.v2, v2);
    bk__cgroup_free(&group);
    assert_null(group.dir);
}

static void assert_none(const char *controller) {
    struct bk__cgroup group;

    assert_int_equal(bk__cgroup_find(sandbox_dir(), controller, &group), -ENOENT);
}

static void test_os_cgroup__controllers_are_whole_words(void **state) {
    (void)state;
    proc("3:cpuset:/a\n4:cpu,cpuacct:/b\n5:memoryx:/c\n6:xmemory,memory2:/d\n",
         "1 1 0:1 / /cpuset rw - cgroup cgroup rw,cpuset\n"
         "1 1 0:1 / /cpu rw - cgroup cgroup rw,cpu,cpuacct\n"
         "1 1 0:1 / /mem rw - cgroup cgroup rw,memoryx\n");
    assert_found("cpu", false, "cpu/b");
    assert_found("cpuacct", false, "cpu/b");
    assert_found("cpuset", false, "cpuset/a");
    assert_none("memory");
}

static void test_os_cgroup__optional_fields_and_escapes_of_mounts(void **state) {
    (void)state;
    proc("0::/my bot\n", "30 23 0:26 / /sys/fs/c\\040g rw shared:4 master:1 "
                         "propagate_from:2 - cgroup2 none rw\n");
    assert_found("memory", true, "sys/fs/c g/my bot");
    proc("0::/b\n", "30 23 0:26 / /a\\134b\\011 rw - cgroup2 cgroup2 rw\n");
    assert_found("memory", true, "a\\b\t/b");
}

static void test_os_cgroup__a_bound_tree_of_the_machine_is_not_the_own(void **state) {
    (void)state;
    proc("0::/\n", "1 1 0:1 /../.. /host/sys/fs/cgroup ro - cgroup2 cgroup rw\n"
                   "2 1 0:1 / /sys/fs/cgroup ro - cgroup2 cgroup rw\n");
    assert_found("memory", true, "sys/fs/cgroup");
    proc("4:memory:/docker/a\n", "1 1 0:1 /docker/ab /x ro - cgroup cgroup rw,memory\n"
                                 "2 1 0:1 /docker/a /y ro - cgroup cgroup rw,memory\n");
    assert_found("memory", false, "y");
}

static void test_os_cgroup__outside_of_its_namespace_the_mount_is_the_best(void **state) {
    (void)state;
    proc("0::/../other\n", "2 1 0:1 / /cg ro - cgroup2 cgroup rw\n");
    assert_found("memory", true, "cg");
    proc("0::/elsewhere\n", "2 1 0:1 /docker/a /cg ro - cgroup2 cgroup rw\n");
    assert_found("memory", true, "cg");
    proc("0::/docker/a/sub\n", "2 1 0:1 /docker/a /cg ro - cgroup2 cgroup rw\n");
    assert_found("memory", true, "cg/sub");
}

static void test_os_cgroup__nonsense_is_none(void **state) {
    (void)state;
    assert_none("memory"); /* no files */
    proc("", "");
    assert_none("memory");
    proc("0\n::\n0:\n\n:::\nmemory\n",
         "- cgroup2 x\n a - cgroup2 \n - \n2 1 - cgroup2 c rw\n");
    assert_none("memory");
    proc("0::/a\n", "2 1 0:1 / /cg rw - tmpfs cgroup2 rw,memory\n");
    assert_none("memory");
}

static void test_os_cgroup__climbs_to_the_mount_and_no_further(void **state) {
    struct bk__cgroup group;

    (void)state;
    proc("0::/a/b.slice/c\n", "2 1 0:1 / /cg rw - cgroup2 cgroup rw\n");
    assert_int_equal(bk__cgroup_find(sandbox_dir(), "memory", &group), 0);
    assert_true(bk__cgroup_climb(&group));
    assert_string_equal(group.dir, sandbox_path("cg/a/b.slice"));
    assert_true(bk__cgroup_climb(&group));
    assert_true(bk__cgroup_climb(&group));
    assert_string_equal(group.dir, sandbox_path("cg"));
    assert_false(bk__cgroup_climb(&group));
    assert_string_equal(group.dir, sandbox_path("cg"));
    bk__cgroup_free(&group);
}

static void test_os_cgroup__numbers(void **state) {
    struct bk__cgroup group;
    char *text;

    (void)state;
    proc("0::/\n", "2 1 0:1 / /cg rw - cgroup2 cgroup rw\n");
    assert_int_equal(bk__cgroup_find(sandbox_dir(), "memory", &group), 0);
    sandbox_write("cg/a", "9223372036854775807\n");
    sandbox_write("cg/b", "9223372036854775808\n");
    sandbox_write("cg/c", "-1\n");
    sandbox_write("cg/d", "max\n");
    sandbox_write("cg/stat",
                  "inactive_file_x 1\nxinactive_file 2\ninactive_file 3\nlast 4");
    assert_int_equal(bk__cgroup_number(&group, "a"), INT64_MAX);
    assert_int_equal(bk__cgroup_number(&group, "b"), -1);
    assert_int_equal(bk__cgroup_number(&group, "c"), -1);
    assert_int_equal(bk__cgroup_number(&group, "d"), -1);
    assert_int_equal(bk__cgroup_number(&group, "none"), -1);
    assert_int_equal(bk__cgroup_stat(&group, "stat", "inactive_file"), 3);
    assert_int_equal(bk__cgroup_stat(&group, "stat", "last"), 4);
    assert_int_equal(bk__cgroup_stat(&group, "stat", "inactive"), -1);
    assert_int_equal(bk__cgroup_stat(&group, "none", "last"), -1);
    text = bk__cgroup_text(&group, "d");
    assert_string_equal(text, "max\n");
    free(text);
    bk__cgroup_free(&group);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_os_cgroup__##name, sandbox_setup,               \
                                    sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(controllers_are_whole_words),
        TEST(optional_fields_and_escapes_of_mounts),
        TEST(a_bound_tree_of_the_machine_is_not_the_own),
        TEST(outside_of_its_namespace_the_mount_is_the_best),
        TEST(nonsense_is_none),
        TEST(climbs_to_the_mount_and_no_further),
        TEST(numbers),
    };

    return cmocka_run_group_tests_name("os/cgroup", tests, NULL, NULL);
}
