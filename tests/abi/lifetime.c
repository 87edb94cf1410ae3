/*
 * The library as a plug-in: loaded and unloaded, keepers closed twice, in any order and in a
 * forked child; no thread stays. Not hostile arguments: hostile.c. tests/abi/run calls it:
 * lifetime LIBRARY, in a folder it may write to.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <botkeep.h>

static const char *path;
static bool failed;

static struct {
    int (*abi)(void);
    bk_keeper *(*fresh)(void);
    int (*set)(bk_keeper *k, const char *option, const char *value);
    int (*open)(bk_keeper *k);
    int (*shutdown)(bk_keeper *k, int grace_ms);
    int (*close)(bk_keeper *k);
    int (*run)(bk_keeper *k, const char *operation, const char *args);
    char *(*wait)(bk_keeper *k, int job, int timeout_ms);
    char *(*next)(bk_keeper *k, int timeout_ms);
    void (*free)(char *text);
    const char *(*last_error)(void);
    int (*wakeup_fd)(bk_keeper *k);
} bk;

static void fact(const char *name, bool good, const char *why) {
    failed = failed || !good;
    if (good)
        printf("ok lifetime %s\n", name);
    else
        printf("not ok lifetime %s - %s\n", name, why);
    fflush(stdout);
}

static void *load(void) {
    static const char *const names[] = {
        "bk_abi", "bk_new",  "bk_set",  "bk_open", "bk_shutdown",   "bk_close",
        "bk_run", "bk_wait", "bk_next", "bk_free", "bk_last_error", "bk_wakeup_fd"};
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; library && i < sizeof names / sizeof *names; i++) {
        void *address = dlsym(library, names[i]);
        memcpy((char *)&bk + i * sizeof(void *), &address, sizeof address);
        if (!address)
            return NULL;
    }
    return library;
}

static bk_keeper *open_keeper(void) {
    bk_keeper *k = bk.fresh();
    bk.set(k, "database", "lifetime.db");
    bk.set(k, "env.file", "");
    bk.set(k, "backup.enabled", "false");
    int error = bk.open(k);
    fact("a keeper opens", error == 0, bk.last_error());
    return k;
}

static int threads(void) {
    int count = 0;
    DIR *folder = opendir("/proc/self/task");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        count += entry->d_name[0] != '.';
    if (folder)
        closedir(folder);
    return count;
}

/* The root thread of all guests stays, once it is there; nothing else may. Threads end a moment
   after they were asked to: this waits for them, at most ten seconds. */
static bool settles(int most) {
    for (int i = 0; i < 1000; i++) {
        if (threads() <= most)
            return true;
        poll(NULL, 0, 10);
    }
    return false;
}

static void loads_again(void) {
    for (int i = 0; i < 3; i++) {
        void *library = load();
        fact("loads", library != NULL, "dlopen or dlsym failed");
        if (!library)
            exit(1);
        dlclose(library);
    }
    fact("stays after dlclose()", bk.abi() == BK_ABI, "bk_abi() answers something else");
}

static void closes_twice(void) {
    bk_keeper *k = open_keeper();
    fact("shuts down", bk.shutdown(k, 5000) == 0, bk.last_error());
    bk.shutdown(k, 5000);
    fact("closes", bk.close(k) == 0, bk.last_error());
    fact("a second close is refused", bk.close(k) == BK_EHANDLE, "it was not");
    k = bk.fresh();
    fact("a keeper that never opened closes", bk.close(k) == 0, bk.last_error());
    k = open_keeper();
    bk.run(k, "health.snapshot", NULL);
    fact("closes with a job under way", bk.close(k) == 0, bk.last_error());
    fact("and is gone", bk.wait(k, 1, 0) == NULL && bk.run(k, "x", NULL) == BK_EHANDLE,
         "it still answers");
}

static void leaves_no_thread(void) {
    bk_keeper *first = open_keeper();
    bk.shutdown(first, 5000);
    bk.close(first);
    fact("its threads end", settles(2),
         "more than main and the guests' root thread are left");
    int before = threads();
    for (int i = 0; i < 5; i++) {
        bk_keeper *k = open_keeper();
        bk.close(k);
    }
    fact("five keepers closed without shutdown leave none", settles(before),
         "some are left");
}

static int in_child(bk_keeper *k) {
    if (bk.run(k, "health.snapshot", NULL) != BK_EFORK)
        return 1;
    if (bk.next(k, 0) || bk.wait(k, 1, 0))
        return 2;
    if (bk.shutdown(k, 100) != BK_EFORK)
        return 3;
    int error = bk.close(k);
    if (error != 0 && error != BK_EFORK)
        return 4;
    bk_keeper *own = bk.fresh(); /* a child may have keepers of its own */
    if (!own || bk.set(own, "database", "child.db") != 0 || bk.close(own) != 0)
        return 5;
    return 0;
}

static void survives_fork(void) {
    char why[64];
    int status = 0;
    bk_keeper *k = open_keeper();
    pid_t child = fork();
    if (child == 0)
        _exit(in_child(k));
    waitpid(child, &status, 0);
    snprintf(why, sizeof why, "the child ended with status %d", status);
    fact("a forked child gets BK_EFORK and may have its own", status == 0, why);
    int job = bk.run(k, "health.snapshot", NULL);
    char *done = bk.wait(k, job, 20000);
    fact("the parent's keeper goes on", done != NULL, bk.last_error());
    bk.free(done);
    bk.close(k);
}

static void gives_its_last_event(void) {
    bool closed = false;
    bk_keeper *k = open_keeper();
    int fd = bk.wakeup_fd(k);
    fact("the wake-up pipe is ours", fd >= 0 && close(fd) == 0, bk.last_error());
    bk.shutdown(k, 5000);
    for (char *event; (event = bk.next(k, 0));) {
        closed = strstr(event, "\"closed\"") != NULL;
        bk.free(event);
    }
    fact("the last event is closed", closed, "it is another, or there is none");
    bk.close(k);
}

int main(int argc, char **argv) {
    path = argc > 1 ? argv[1] : "";
    loads_again();
    closes_twice();
    survives_fork();
    gives_its_last_event();
    leaves_no_thread();
    return failed;
}
