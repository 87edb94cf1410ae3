/*
 * Tests of src/os/oom.c: how often the kernel killed, on machines that are made of files.
 * Not of what lifecycle makes of it.
 */
#include <os/system.h>

#include "sandbox.h"
#include <cmocka.h>

static void machine(const char *groups, const char *mounts) {
    sandbox_write("proc/self/cgroup", groups);
    sandbox_write("proc/self/mountinfo", mounts);
}

static void test_os_oom__counts_of_version_2(void **state) {
    (void)state;
    machine("0::/bot\n", "2 1 0:1 / /cg rw - cgroup2 cgroup rw\n");
    assert_int_equal(bk__system_oom_kills(sandbox_dir()),
                     -1); /* the group does not tell */
    sandbox_write("cg/bot/memory.events",
                  "low 0\nhigh 0\nmax 12\noom 7\noom_kill 3\noom_group_kill 1\n");
    assert_int_equal(bk__system_oom_kills(sandbox_dir()), 3);
    sandbox_write("cg/bot/memory.events", "low 0\noom 7\noom_kill 0\n");
    assert_int_equal(bk__system_oom_kills(sandbox_dir()), 0);
}

static void test_os_oom__counts_of_version_1(void **state) {
    (void)state;
    machine("4:memory:/bot\n0::/\n", "2 1 0:1 / /cg rw - cgroup cgroup rw,memory\n");
    sandbox_write("cg/bot/memory.oom_control",
                  "oom_kill_disable 0\nunder_oom 0\noom_kill 5\n");
    assert_int_equal(bk__system_oom_kills(sandbox_dir()), 5);
    sandbox_write("cg/bot/memory.oom_control",
                  "oom_kill_disable 0\nunder_oom 1\n"); /* before Linux 4.13 */
    assert_int_equal(bk__system_oom_kills(sandbox_dir()), -1);
}

static void test_os_oom__unknown_without_groups(void **state) {
    (void)state;
    assert_int_equal(bk__system_oom_kills(sandbox_dir()), -1);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_os_oom__##name, sandbox_setup, sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(counts_of_version_2),
        TEST(counts_of_version_1),
        TEST(unknown_without_groups),
    };

    return cmocka_run_group_tests_name("os/oom", tests, NULL, NULL);
}
