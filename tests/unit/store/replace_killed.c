/*
 * Putting a file in the place of a database, killed before each system call and failing at each: old
 * or new is there, also on file systems without hard links. The rest: replace.c. tests/unit/run runs it.
 */
#include "replace_box.h"

#include <dirent.h>
#include <dlfcn.h>

/* ---- system calls that are counted, and one of them the last ------------------------- */

static int calls_left = -1; /* -1: nothing is counted */
static int fail_with; /* 0: the call before it is the last thing this process does */

/* Whether this call must fail; with fail_with 0 the process ends before it. */
static int strikes(void) {
    if (calls_left < 0 || calls_left-- > 0) {
        return 0;
    }
    if (fail_with == 0) {
        raise(SIGKILL);
    }
    errno = fail_with;
    return 1;
}

#define NEXT(type, name) ((type)dlsym(RTLD_NEXT, name))

int rename(const char *from, const char *to) {
    return strikes() ? -1 : NEXT(int (*)(const char *, const char *), "rename")(from, to);
}

/* File systems without hard links, and without exchanging names. */
static bool no_links, no_exchange;

int link(const char *from, const char *to) {
    if (no_links) {
        errno = EPERM;
        return -1;
    }
    return strikes() ? -1 : NEXT(int (*)(const char *, const char *), "link")(from, to);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to,
              unsigned flags) {
    if (no_exchange && flags == RENAME_EXCHANGE) {
        errno = EINVAL;
        return -1;
    }
    return strikes() ? -1
                     : NEXT(int (*)(int, const char *, int, const char *, unsigned),
                            "renameat2")(from_dir, from, to_dir, to, flags);
}

int unlink(const char *path) {
    return strikes() ? -1 : NEXT(int (*)(const char *), "unlink")(path);
}

int fsync(int fd) {
    return strikes() ? -1 : NEXT(int (*)(int), "fsync")(fd);
}

ssize_t write(int fd, const void *bytes, size_t size) {
    return strikes()
               ? -1
               : NEXT(ssize_t(*)(int, const void *, size_t), "write")(fd, bytes, size);
}

/* ---- killed, and failing, at each call ---------------------------------------------------- */

/* Runs replace() in a child with calls counted. The child's status as waitpid() gives it. */
static int replace_in_child(int calls, int error) {
    char counts[16], number[16];
    const char *links = no_exchange ? "neither" : no_links ? "exchange" : "links";
    int status;
    pid_t child = fork();

    snprintf(counts, sizeof(counts), "%d", calls);
    snprintf(number, sizeof(number), "%d", error);
    if (child == 0) {
        execl("/proc/self/exe", "child", live, image, counts, number, links,
              (char *)NULL);
        _exit(98);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void replace_as_child(char **argv) {
    int code;

    snprintf(live, sizeof(live), "%s", argv[1]);
    snprintf(image, sizeof(image), "%s", argv[2]);
    job = storejob_new();
    fail_with = atoi(argv[4]);
    no_links = strcmp(argv[5], "links") != 0;
    no_exchange = strcmp(argv[5], "neither") == 0;
    calls_left = atoi(argv[3]);
    code = replace();
    exit(code < 0 ? -code : 0);
}

static int count_kept(char *ret_last, size_t size) {
    DIR *dir = opendir(sandbox_path("%s", "."));
    struct dirent *entry;
    int count = 0;

    while ((entry = readdir(dir)) != NULL) {
        if (strstr(entry->d_name, ".damaged-") != NULL &&
            strstr(entry->d_name, "-wal") == NULL) {
            snprintf(ret_last, size, "%s", sandbox_path("%s", entry->d_name));
            count++;
        }
    }
    closedir(dir);
    return count;
}

/* Old: every row, and nothing of the new. Gives whether it is old. */
static bool is_old_or_new(int64_t rows) {
    if (storefile_read(
            live, "SELECT count(*) FROM sqlite_schema WHERE name = 'only_new'") == 1) {
        assert_new();
        return false;
    }
    assert_int_equal(storefile_read(live, "SELECT n FROM counter"), rows);
    assert_int_equal(storefile_read(live, "SELECT count(*) FROM log"), rows);
    return true;
}

static void start_over(void **state) {
    sandbox_teardown(state);
    sandbox_setup(state);
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    snprintf(image, sizeof(image), "%s", sandbox_path("image.db"));
    storefile_make(image, NEW);
}

static void test_store_replace_killed__anywhere_is_old_or_new(void **state) {
    int kills = 0;
    int olds = 0;
    bool done = false;
    (void)state;

    for (int at = 0; !done; at++) {
        int64_t rows;
        int status;

        start_over(state);
        rows = make_killed("WAL");
        status = replace_in_child(at, 0);
        done = WIFEXITED(status);
        assert_true(!done || WEXITSTATUS(status) == 0);
        kills += !done;
        olds += is_old_or_new(rows);
        assert_int_equal(replace(), 0);
        assert_new();
        assert_true(at < 100);
    }
    assert_true(kills >= 8);
    assert_true(olds >= 6);
}

static void test_store_replace_killed__on_garbage_the_second_call_keeps_the_set_together(
    void **state) {
    bool done = false;
    (void)state;

    for (int at = 0; !done; at++) {
        char last[1100] = "";

        start_over(state);
        make_killed("WAL");
        make_garbage();
        done = WIFEXITED(replace_in_child(at, 0));
        if (storefile_size(live, "") == 5000) {
            assert_int_equal(replace(), 0);
        }
        assert_new();
        assert_int_equal(count_kept(last, sizeof(last)), 1);
        assert_int_equal(storefile_size(last, ""), 5000);
        assert_true(storefile_size(last, "-wal") > 0);
        assert_true(at < 100);
    }
}

/* A file system without hard links (FAT, some shares): names are exchanged, so that there is never a
   moment without a database. */
static void test_store_replace_killed__anywhere_without_hard_links(void **state) {
    int news = 0;
    bool done = false;
    (void)state;

    no_links = true;
    for (int at = 0; !done; at++) {
        char last[1100] = "";
        start_over(state);
        int64_t rows = make_killed("WAL");
        done = WIFEXITED(replace_in_child(at, 0));
        assert_true(storefile_exists(live, ""));
        news += !is_old_or_new(rows);
        assert_int_equal(replace(), 0);
        assert_new();
        assert_true(count_kept(last, sizeof(last)) >= 1);
        assert_false(storefile_exists(live, ".botkeep-new"));
        assert_true(at < 100);
    }
    no_links = false;
    assert_true(news >= 2);
}

/* Nothing of that: whatever moment it is killed in, the old or the new one is there, perhaps under the
   name of what is kept, and doing it again ends it. */
static void
test_store_replace_killed__anywhere_where_names_cannot_be_exchanged(void **state) {
    int gaps = 0;
    bool done = false;
    (void)state;

    no_links = no_exchange = true;
    for (int at = 0; !done; at++) {
        char last[1100] = "";
        start_over(state);
        int64_t rows = make_killed("WAL");
        done = WIFEXITED(replace_in_child(at, 0));
        if (!storefile_exists(live, "")) {
            gaps++;
            assert_int_equal(count_kept(last, sizeof(last)), 1);
            assert_int_equal(storefile_read(last, "SELECT n FROM counter"), rows);
        } else {
            is_old_or_new(rows);
        }
        assert_int_equal(replace(), 0);
        assert_new();
        assert_true(at < 100);
    }
    no_links = no_exchange = false;
    assert_int_equal(gaps, 1);
}

static void
test_store_replace_killed__failing_anywhere_is_old_or_new_and_told(void **state) {
    static const int errors[] = {ENOSPC, EIO};
    (void)state;

    for (int e = 0; e < 4; e++) {
        bool done = false;
        no_links = e >= 2;

        for (int at = 0; !done; at++) {
            int64_t rows;
            int status;

            start_over(state);
            rows = make_killed("WAL");
            status = replace_in_child(at, errors[e % 2]);
            assert_true(WIFEXITED(status));
            is_old_or_new(rows);
            assert_false(storefile_exists(live, ".botkeep-new"));
            done = at >= 16; /* replace() makes 14 such calls at most */
        }
    }
    no_links = false;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(test_store_replace_killed__anywhere_is_old_or_new),
        TEST(
            test_store_replace_killed__on_garbage_the_second_call_keeps_the_set_together),
        TEST(test_store_replace_killed__anywhere_without_hard_links),
        TEST(test_store_replace_killed__anywhere_where_names_cannot_be_exchanged),
        TEST(test_store_replace_killed__failing_anywhere_is_old_or_new_and_told),
    };

    storefile_child(argc, argv);
    if (argc == 6) {
        replace_as_child(argv);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
