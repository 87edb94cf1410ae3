/*
 * The choice of how this process may touch a store, and the start of threads in that way.
 * Not the ways themselves: root.c has the guest threads, relay.c the helper process.
 * api/open.c calls it, and core where a lane is started.
 */
#include <guest/guest.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>
#include <guest/helper.h>
#include <guest/root.h>
#include <guest/selftest.h>
#include <os/thread.h>

#define PROBE_END_WAIT_MS 2000

static const char *const mode_names[] = {
    [BK__GUEST_THREAD] = "thread",
    [BK__GUEST_PROCESS] = "process",
    [BK__GUEST_OWN] = "own",
};

const char *bk__guest_mode_name(enum bk__guest_mode mode) {
    return mode_names[mode];
}

/* Whether the tests force a path to fail. */
static bool is_forced(const char *first, const char *second) {
    const char *value = getenv("BOTKEEP_TEST_ISOLATION");

    return value != NULL && (strcmp(value, first) == 0 || strcmp(value, second) == 0);
}

static const char *explain_root(int err) {
    switch (-err) {
    case ESRCH:
        return "this process was forked from one that had already opened a keeper";
    case ENOSYS:
        return "this kernel has no close_range(), which came with Linux 5.9";
    case EPERM:
        return "a sandbox refuses close_range()";
    default:
        return strerror(-err);
    }
}

static int try_thread(const char *scratch_dir, char **ret_why) {
    int result;

    if (is_forced("thread-fails", "all-fail")) {
        *ret_why = bk__text_printf("BOTKEEP_TEST_ISOLATION lets them fail");
        return BK_EISOLATION;
    }
    result = bk__guest_root_ready();
    if (result != 0) {
        *ret_why = bk__text_printf("%s", explain_root(result));
        return BK_EISOLATION;
    }
    return bk__guest_selftest(scratch_dir, ret_why);
}

/* Starts the helper and lets it go again: only a helper that answers is one. */
static int probe_helper(char **ret_why) {
    struct bk__helper helper = {0};
    int result = bk__helper_start(&helper, ret_why);

    if (result == 0)
        (void)bk__helper_end(&helper, PROBE_END_WAIT_MS);
    return result;
}

struct probe {
    int result;
    char *why;
};

static void *probe_main(void *arg) {
    struct probe *probe = arg;

    probe->result = probe_helper(&probe->why);
    return NULL;
}

/* On a thread of ours, where SIGPIPE is blocked: the caller is the host's thread. */
static int try_process(char **ret_why) {
    struct probe probe = {0};
    pthread_t thread;
    int result;

    if (is_forced("process-fails", "all-fail")) {
        *ret_why = bk__text_printf("BOTKEEP_TEST_ISOLATION lets it fail");
        return BK_EISOLATION;
    }
    result = bk__thread_start(&thread, "bk-probe", probe_main, &probe);
    if (result != 0) {
        *ret_why = bk__text_printf("no thread can be started (%s)", strerror(-result));
        return BK_EISOLATION;
    }
    pthread_join(thread, NULL);
    *ret_why = probe.why;
    return probe.result;
}

static int refuse(const char *threads, const char *helper) {
    return bk__fail(
        BK_EISOLATION,
        "The database cannot be touched safely from this process, so it was not "
        "touched. Guest threads: %s. Helper process: %s. Put the program botkeep "
        "beside the library or name it in BOTKEEP_HELPER, or allow close_range() in "
        "the sandbox.",
        threads != NULL ? threads : "out of memory",
        helper != NULL ? helper : "out of memory");
}

/* Another SQLite of ours in a forked child would trust the locks of its parent. */
static int choose_own(enum bk__guest_mode *ret_mode, char **ret_why) {
    if (!bk__guest_root_claim())
        return bk__fail(BK_EISOLATION,
                        "guest.isolation=own is refused: %s. Nothing was touched. Leave "
                        "guest.isolation at auto in this process.",
                        explain_root(-ESRCH));
    *ret_mode = BK__GUEST_OWN;
    *ret_why =
        bk__text_printf("guest.isolation says that this process holds no other SQLite");
    return 0;
}

static int choose_isolated(const char *wish, const char *scratch_dir,
                           enum bk__guest_mode *ret_mode, char **ret_why) {
    bool any = strcmp(wish, "auto") == 0;
    char *threads = NULL;
    char *helper = NULL;
    int result = BK_EISOLATION;

    if (any || strcmp(wish, "thread") == 0)
        result = try_thread(scratch_dir, &threads);
    else
        threads = bk__text_printf("not tried, guest.isolation is %s", wish);
    if (result == 0) {
        *ret_mode = BK__GUEST_THREAD;
        *ret_why = bk__text_printf(
            "the self-test found guest threads to hold locks of their own");
        goto out;
    }
    if (any || strcmp(wish, "process") == 0)
        result = try_process(&helper);
    else
        helper = bk__text_printf("not tried, guest.isolation is %s", wish);
    if (result == 0) {
        *ret_mode = BK__GUEST_PROCESS;
        *ret_why = bk__text_printf("guest threads: %s", threads != NULL ? threads : "");
        goto out;
    }
    result = refuse(threads, helper);
out:
    free(threads);
    free(helper);
    return result;
}

int bk__guest_choose(const char *wish, const char *scratch_dir,
                     enum bk__guest_mode *ret_mode, char **ret_why) {
    char *why = NULL;
    int result = strcmp(wish, "own") == 0
                     ? choose_own(ret_mode, &why)
                     : choose_isolated(wish, scratch_dir, ret_mode, &why);

    if (result == 0 && ret_why != NULL)
        *ret_why = why;
    else
        free(why);
    return result;
}

int bk__guest_start(enum bk__guest_mode mode, pthread_t *ret, const char *name,
                    void *(*entry)(void *), void *arg) {
    if (mode == BK__GUEST_THREAD)
        return bk__guest_root_thread(ret, name, entry, arg);
    return bk__thread_start(ret, name, entry, arg);
}

int bk__guest_start_apart(pthread_t *ret, const char *name, void *(*entry)(void *),
                          void *arg) {
    if (is_forced("thread-fails", "all-fail"))
        return -ENOSYS;
    return bk__guest_root_thread(ret, name, entry, arg);
}
