/*
 * Tests of src/os/system.c on machines that are made of files: control groups of version 1, 2 and
 * both, in and outside of containers, with limits above, below and beyond. Not of health rules.
 */
#include <os/system.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <os/thread.h>

#include "sandbox.h"
#include <cmocka.h>

#define MB (INT64_C(1) << 20)
#define V1_NONE "9223372036854771712\n" /* the largest multiple of a page below 2^63 */

#define V2_MOUNT                                                                         \
    "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT                                                                         \
    "35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n"
#define HYBRID_V2_MOUNT                                                                  \
    "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"

static void write_number(const char *name, int64_t value) {
    char text[32];

    snprintf(text, sizeof text, "%lld\n", (long long)value);
    sandbox_write(name, text);
}

/* A process of 1000 pages on a machine of 8 GB. */
static void machine(const char *own_groups, const char *mounts) {
    sandbox_write("proc/self/statm", "5000 1000 300 1 0 2000 0\n");
    sandbox_write("proc/meminfo",
                  "MemTotal:        8388608 kB\nMemFree:  1 kB\nMemAvailable: 5 kB\n");
    sandbox_write("proc/self/cgroup", own_groups);
    sandbox_write("proc/self/mountinfo", mounts);
}

/* A group of version 2 with this limit ("max" or a number), usage, and idle file pages. */
static void group_v2(const char *dir, const char *limit, int64_t used, int64_t idle) {
    char name[256], text[256];

    snprintf(name, sizeof name, "%s/memory.max", dir);
    sandbox_write(name, limit);
    snprintf(name, sizeof name, "%s/memory.current", dir);
    write_number(name, used);
    snprintf(name, sizeof name, "%s/memory.stat", dir);
    snprintf(text, sizeof text,
             "anon 1\nfile 2\ninactive_anon 3\ninactive_file %lld\nslab 4\n",
             (long long)idle);
    sandbox_write(name, text);
}

static void group_v1(const char *dir, const char *limit, int64_t used, int64_t idle) {
    char name[256], text[256];

    snprintf(name, sizeof name, "%s/memory.limit_in_bytes", dir);
    sandbox_write(name, limit);
    snprintf(name, sizeof name, "%s/memory.usage_in_bytes", dir);
    write_number(name, used);
    snprintf(name, sizeof name, "%s/memory.stat", dir);
    snprintf(text, sizeof text, "cache 1\ninactive_file 77\ntotal_inactive_file %lld\n",
             (long long)idle);
    sandbox_write(name, text);
}

static void assert_memory(int64_t option, const char *source, int64_t limit,
                          int64_t used) {
    struct bk__memory memory;

    assert_int_equal(bk__system_memory(sandbox_dir(), option, &memory), 0);
    assert_string_equal(memory.limit_source, source);
    assert_int_equal(memory.limit_bytes, limit);
    assert_int_equal(memory.used_bytes, used);
    assert_int_equal(memory.rss_bytes, 1000 * sysconf(_SC_PAGESIZE));
}

static int64_t rss(void) {
    return 1000 * sysconf(_SC_PAGESIZE);
}

/* ---- memory -------------------------------------------------------------------------------- */

static void test_os_system__v2_container_in_its_namespace(void **state) {
    (void)state;
    machine("0::/\n", V2_MOUNT);
    group_v2("sys/fs/cgroup", "536870912\n", 300 * MB, 100 * MB);
    assert_memory(0, "cgroup_v2", 512 * MB, 200 * MB);
    assert_memory(64 * MB, "cgroup_v2", 512 * MB,
                  200 * MB); /* the option is for no group */
}

static void test_os_system__v2_parents_limit_binds(void **state) {
    (void)state;
    machine("0::/bots.slice/bot.service\n", V2_MOUNT);
    group_v2("sys/fs/cgroup/bots.slice/bot.service", "max\n", 100 * MB, 10 * MB);
    group_v2("sys/fs/cgroup/bots.slice", "268435456\n", 250 * MB, 50 * MB);
    /* Its siblings' memory counts, because it is what the limit counts. */
    assert_memory(0, "cgroup_v2", 256 * MB, 200 * MB);
}

static void test_os_system__v2_smallest_of_three_binds(void **state) {
    (void)state;
    machine("0::/a/b/c\n", V2_MOUNT);
    group_v2("sys/fs/cgroup/a/b/c", "734003200\n", 3 * MB, 0);
    group_v2("sys/fs/cgroup/a/b", "314572800\n", 4 * MB, 1 * MB);
    group_v2("sys/fs/cgroup/a", "419430400\n", 5 * MB, 0);
    assert_memory(0, "cgroup_v2", 300 * MB, 3 * MB);
}

static void test_os_system__v2_no_limit_falls_to_option_then_host(void **state) {
    (void)state;
    machine("0::/user.slice/session-1.scope\n", V2_MOUNT);
    group_v2("sys/fs/cgroup/user.slice/session-1.scope", "max\n", 900 * MB, 10 * MB);
    group_v2("sys/fs/cgroup/user.slice", "max\n", 950 * MB, 10 * MB);
    assert_memory(512 * MB, "option", 512 * MB, rss());
    assert_memory(0, "host", 8192 * MB, rss());
}

static void test_os_system__limit_above_the_machine_is_none(void **state) {
    (void)state;
    machine("0::/\n", V2_MOUNT);
    group_v2("sys/fs/cgroup", "9223372036854771712\n", 300 * MB, 0);
    assert_memory(0, "host", 8192 * MB, rss());
    group_v2("sys/fs/cgroup", "8589934592\n", 300 * MB, 0); /* all of it */
    assert_memory(0, "host", 8192 * MB, rss());
    group_v2("sys/fs/cgroup", "8589930496\n", 300 * MB, 0); /* a page less */
    assert_memory(0, "cgroup_v2", 8192 * MB - 4096, 300 * MB);
    group_v2("sys/fs/cgroup", "18446744073709551615\n", 300 * MB, 0); /* no int64_t */
    assert_memory(0, "host", 8192 * MB, rss());
}

static void test_os_system__v1_in_a_container_without_namespace(void **state) {
    (void)state;
    machine("5:cpuset:/docker/ab\n4:memory:/docker/ab\n1:name=systemd:/docker/ab\n",
            "35 31 0:32 /docker/ab /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n");
    group_v1("sys/fs/cgroup/memory", "134217728\n", 90 * MB, 20 * MB);
    assert_memory(0, "cgroup_v1", 128 * MB, 70 * MB);
}

static void test_os_system__v1_on_a_host_with_parents(void **state) {
    (void)state;
    machine("4:memory:/lxc/bot\n", V1_MOUNT);
    group_v1("sys/fs/cgroup/memory/lxc/bot", V1_NONE, 90 * MB, 20 * MB);
    group_v1("sys/fs/cgroup/memory/lxc", "209715200\n", 150 * MB, 30 * MB);
    group_v1("sys/fs/cgroup/memory", V1_NONE, 4000 * MB, 0);
    assert_memory(0, "cgroup_v1", 200 * MB, 120 * MB);
}

static void test_os_system__v1_none_is_almost_two_to_the_63(void **state) {
    (void)state;
    machine("4:memory:/bot\n", V1_MOUNT);
    group_v1("sys/fs/cgroup/memory/bot", V1_NONE, 90 * MB, 20 * MB);
    assert_memory(0, "host", 8192 * MB, rss());
    assert_memory(100 * MB, "option", 100 * MB, rss());
    /* With 64 KiB pages, and on a machine that does not tell its size. */
    sandbox_write("proc/meminfo", "");
    group_v1("sys/fs/cgroup/memory/bot", "9223372036854710272\n", 90 * MB, 20 * MB);
    assert_memory(0, "host", -1, rss());
    group_v1("sys/fs/cgroup/memory/bot", "134217728\n", 90 * MB, 20 * MB);
    assert_memory(0, "cgroup_v1", 128 * MB, 70 * MB);
}

static void test_os_system__v1_knows_of_parents_it_cannot_see(void **state) {
    (void)state;
    machine("4:memory:/\n", V1_MOUNT);
    group_v1("sys/fs/cgroup/memory", V1_NONE, 90 * MB, 20 * MB);
    sandbox_write(
        "sys/fs/cgroup/memory/memory.stat",
        "cache 5\nhierarchical_memory_limit 104857600\ntotal_inactive_file 1048576\n");
    assert_memory(0, "cgroup_v1", 100 * MB, 89 * MB);
}

static void test_os_system__hybrid_takes_version_1(void **state) {
    (void)state;
    machine("4:memory:/bot\n1:name=systemd:/bot\n0::/bot\n", HYBRID_V2_MOUNT V1_MOUNT);
    group_v1("sys/fs/cgroup/memory/bot", "134217728\n", 90 * MB, 20 * MB);
    sandbox_write("sys/fs/cgroup/unified/bot/cgroup.procs", "1\n");
    assert_memory(0, "cgroup_v1", 128 * MB, 70 * MB);
}

static void test_os_system__hybrid_whose_memory_is_in_version_2(void **state) {
    (void)state;
    machine("3:cpuset:/bot\n1:name=systemd:/bot\n0::/bot\n",
            "33 31 0:30 / /sys/fs/cgroup/cpuset rw - cgroup cgroup "
            "rw,cpuset\n" HYBRID_V2_MOUNT);
    group_v2("sys/fs/cgroup/unified/bot", "134217728\n", 90 * MB, 20 * MB);
    assert_memory(0, "cgroup_v2", 128 * MB, 70 * MB);
}

static void test_os_system__groups_that_do_not_tell(void **state) {
    (void)state;
    machine("0::/bot\n", V2_MOUNT);
    assert_memory(0, "host", 8192 * MB,
                  rss()); /* no files at all: the root group has none */
    sandbox_write("sys/fs/cgroup/bot/memory.max", "134217728\n");
    assert_memory(0, "cgroup_v2", 128 * MB, rss());
    write_number("sys/fs/cgroup/bot/memory.current", 50 * MB);
    assert_memory(0, "cgroup_v2", 128 * MB, 50 * MB);
    sandbox_write("sys/fs/cgroup/bot/memory.max", "nonsense\n");
    assert_memory(0, "host", 8192 * MB, rss());
    sandbox_write("sys/fs/cgroup/bot/memory.max", "");
    assert_memory(0, "host", 8192 * MB, rss());
}

static void test_os_system__idle_pages_may_exceed_what_is_used(void **state) {
    (void)state;
    machine("0::/\n", V2_MOUNT);
    group_v2("sys/fs/cgroup", "536870912\n", 10 * MB,
             11 * MB); /* read one after the other */
    assert_memory(0, "cgroup_v2", 512 * MB, 0);
    group_v2("sys/fs/cgroup", "0\n", 10 * MB, 0);
    assert_memory(0, "cgroup_v2", 0, 10 * MB);
}

static void test_os_system__no_cgroups_at_all(void **state) {
    struct bk__memory memory = {.limit_bytes = 4711};

    (void)state;
    sandbox_write("proc/meminfo", "MemTotal: 1024 kB\n");
    assert_int_equal(bk__system_memory(sandbox_dir(), 0, &memory),
                     -ENOENT); /* no statm */
    assert_int_equal(memory.limit_bytes, 4711);
    sandbox_write("proc/self/statm", "5000 x");
    assert_int_equal(bk__system_memory(sandbox_dir(), 0, &memory), -EIO);
    sandbox_write("proc/self/statm", "5000 1000 300 1 0 2000 0\n");
    assert_memory(0, "host", 1 * MB, rss());
    assert_memory(2 * MB, "option", 2 * MB, rss());
}

static void test_os_system__limits_are_found_once_and_usage_read_often(void **state) {
    struct bk__limits limits;
    struct bk__memory memory;

    (void)state;
    machine("0::/a/b\n", V2_MOUNT);
    group_v2("sys/fs/cgroup/a/b", "max\n", 1 * MB, 0);
    group_v2("sys/fs/cgroup/a", "134217728\n", 50 * MB, 10 * MB);
    assert_int_equal(bk__system_limits(sandbox_dir(), 64 * MB, &limits), 0);
    assert_string_equal(limits.memory_group, sandbox_path("sys/fs/cgroup/a"));
    assert_true(limits.v2 && limits.cores > 0);
    group_v2("sys/fs/cgroup/a", "1\n", 90 * MB,
             20 * MB); /* a new limit waits, usage does not */
    assert_int_equal(bk__system_used(sandbox_dir(), &limits, &memory), 0);
    assert_int_equal(memory.used_bytes, 70 * MB);
    assert_int_equal(memory.limit_bytes, 128 * MB);
    assert_string_equal(memory.limit_source, "cgroup_v2");
    sandbox_write("sys/fs/cgroup/a/memory.current", ""); /* the group is gone */
    assert_int_equal(bk__system_used(sandbox_dir(), &limits, &memory), 0);
    assert_int_equal(memory.used_bytes, rss());
    bk__system_limits_free(&limits);
    assert_null(limits.memory_group);
}

/* ---- cpu ------------------------------------------------------------------------------------ */

static double quota(void) {
    struct bk__cpu cpu;

    assert_int_equal(bk__system_cpu(sandbox_dir(), &cpu), 0);
    return cpu.quota_cores;
}

static void test_os_system__cpu_quota_of_version_2(void **state) {
    double cores = bk__cpu_count();

    (void)state;
    machine("0::/a/b\n", V2_MOUNT);
    assert_true(quota() == cores);
    sandbox_write("sys/fs/cgroup/a/b/cpu.max", "max 100000\n");
    assert_true(quota() == cores);
    sandbox_write("sys/fs/cgroup/a/cpu.max", "25000 100000\n");
    assert_true(quota() == 0.25);
    sandbox_write("sys/fs/cgroup/a/b/cpu.max", "10000 50000\n");
    assert_true(quota() == 0.2);
    sandbox_write("sys/fs/cgroup/a/b/cpu.max", "100000000 100000\n"); /* 1000 cores */
    assert_true(quota() == 0.25);
    sandbox_write("sys/fs/cgroup/a/cpu.max", "25000\n");
    assert_true(quota() == cores);
}

static void test_os_system__cpu_quota_of_version_1(void **state) {
    double cores = bk__cpu_count();

    (void)state;
    machine(
        "2:cpu,cpuacct:/bot\n",
        "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n");
    sandbox_write("sys/fs/cgroup/cpu,cpuacct/bot/cpu.cfs_quota_us", "-1\n");
    sandbox_write("sys/fs/cgroup/cpu,cpuacct/bot/cpu.cfs_period_us", "100000\n");
    assert_true(quota() == cores);
    sandbox_write("sys/fs/cgroup/cpu,cpuacct/bot/cpu.cfs_quota_us", "75000\n");
    assert_true(quota() == 0.75);
    sandbox_write("sys/fs/cgroup/cpu,cpuacct/bot/cpu.cfs_period_us", "0\n");
    assert_true(quota() == cores);
}

static void test_os_system__cpu_time_is_this_processs(void **state) {
    struct bk__cpu before, after;
    volatile unsigned sum = 0;

    (void)state;
    assert_int_equal(bk__system_cpu("", &before), 0);
    do {
        for (unsigned i = 0; i < 100000; i++) {
            sum = sum + i;
        }
        assert_int_equal(bk__system_cpu("", &after), 0);
    } while (after.process_ms < before.process_ms + 20);
    assert_true(after.mono_ms >= before.mono_ms);
    assert_true(after.quota_cores > 0);
}

/* ---- this machine --------------------------------------------------------------------------- */

static void test_os_system__rss_sees_memory_come(void **state) {
    int64_t before = bk__system_rss(), after;
    size_t size = 64 * (size_t)MB;
    char *memory = malloc(size);

    (void)state;
    assert_non_null(memory);
    memset(memory, 1, size);
    after = bk__system_rss();
    assert_true(before > 0);
    /* The kernel adds up in batches per processor, so a little may be missing. */
    assert_true(after - before > (int64_t)size * 9 / 10);
    free(memory);
}

static void test_os_system__real_machine_has_a_limit(void **state) {
    struct bk__memory memory;

    (void)state;
    assert_int_equal(bk__system_memory("", 0, &memory), 0);
    assert_true(memory.limit_bytes > memory.rss_bytes);
    assert_true(memory.used_bytes > 0 && memory.rss_bytes > 0);
}

static void test_os_system__boot_id_is_one_line(void **state) {
    char id[64] = "", again[64] = "";

    (void)state;
    assert_true(bk__system_boot_id(id));
    assert_true(bk__system_boot_id(again));
    assert_int_equal(strlen(id), 36);
    assert_null(strchr(id, '\n'));
    assert_string_equal(id, again);
}

static void test_os_system__filesystems(void **state) {
    bool ephemeral = false, network = true;

    (void)state;
    assert_string_equal(bk__system_filesystem("/dev/shm", &ephemeral, &network), "tmpfs");
    assert_true(ephemeral);
    assert_false(network);
    network = true;
    assert_string_equal(bk__system_filesystem("/proc", &ephemeral, &network), "unknown");
    assert_false(ephemeral);
    assert_false(network);
    ephemeral = true;
    assert_string_equal(bk__system_filesystem(sandbox_path("no"), &ephemeral, &network),
                        "unknown");
    assert_false(ephemeral);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_os_system__##name, sandbox_setup,               \
                                    sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(v2_container_in_its_namespace),
        TEST(v2_parents_limit_binds),
        TEST(v2_smallest_of_three_binds),
        TEST(v2_no_limit_falls_to_option_then_host),
        TEST(limit_above_the_machine_is_none),
        TEST(v1_in_a_container_without_namespace),
        TEST(v1_on_a_host_with_parents),
        TEST(v1_none_is_almost_two_to_the_63),
        TEST(v1_knows_of_parents_it_cannot_see),
        TEST(hybrid_takes_version_1),
        TEST(hybrid_whose_memory_is_in_version_2),
        TEST(groups_that_do_not_tell),
        TEST(idle_pages_may_exceed_what_is_used),
        TEST(no_cgroups_at_all),
        TEST(limits_are_found_once_and_usage_read_often),
        TEST(cpu_quota_of_version_2),
        TEST(cpu_quota_of_version_1),
        TEST(cpu_time_is_this_processs),
        TEST(rss_sees_memory_come),
        TEST(real_machine_has_a_limit),
        TEST(boot_id_is_one_line),
        TEST(filesystems),
    };

    return cmocka_run_group_tests_name("os/system", tests, NULL, NULL);
}
