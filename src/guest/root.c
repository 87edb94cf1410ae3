/*
 * The guest root thread, one per process, without end. Not the choice whether to use it
 * (guest.c) nor the proof that it works (selftest.c), which are its callers.
 *
 * Lock order: `lock` alone; it is never held around anything but pthread_create().
 */
#include <guest/root.h>

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <os/thread.h>

#ifndef CLOSE_RANGE_UNSHARE
#define CLOSE_RANGE_UNSHARE 2U
#endif
#ifndef SYS_close_range
#define SYS_close_range 436
#endif

#define FIRST_OTHER_FD 3

/* A thread somebody wants; it lives on the asker's stack until done. */
struct request {
    pthread_t *ret;
    const char *name;
    void *(*entry)(void *);
    void *arg;
    int result;
    bool done;
};

enum state { NONE, STARTING, READY, REFUSED };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;

/* Guarded by lock. */
static enum state state;
static int refusal; /* -errno of the kernel's no */
static struct request *wanted;

/* The process whose root this is, claimed before the lock is ever taken: a forked child,
   which may have inherited the lock held for ever, sees the foreign number and stays away
   from it. */
static atomic_int owner;

bool bk__guest_root_claim(void) {
    int claimed = 0;
    int self = (int)getpid();

    return atomic_compare_exchange_strong(&owner, &claimed, self) || claimed == self;
}

/*
 * Standard input, output and error come along with the new table. They are put out of the
 * way, so that a pipe the host closes is really closed and no stray write reaches a file
 * of the host. Where there is no /dev/null they stay, which harms nothing else.
 */
static void let_go_of_standard_files(void) {
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null_fd < 0)
        return;
    for (int fd = 0; fd < FIRST_OTHER_FD; fd++)
        (void)dup2(null_fd, fd);
    if (null_fd >= FIRST_OTHER_FD)
        close(null_fd);
}

/*
 * The kernel keeps POSIX locks by descriptor table. One call makes a new table without
 * the host's descriptors in it; nothing is closed in the host's. It is close_range() and
 * not unshare(CLONE_FILES), because container sandboxes allow the first and refuse the
 * second; it is a raw system call, because C libraries before glibc 2.34 have no name for
 * it.
 */
static int take_own_table(void) {
    if (syscall(SYS_close_range, (unsigned)FIRST_OTHER_FD, ~0U, CLOSE_RANGE_UNSHARE) != 0)
        return -errno;
    let_go_of_standard_files();
    return 0;
}

static void serve(struct request *request) {
    request->result =
        bk__thread_start(request->ret, request->name, request->entry, request->arg);
    request->done = true;
    wanted = NULL;
    pthread_cond_broadcast(&changed);
}

static void *root_main(void *unused) {
    int result = take_own_table();

    (void)unused;
    pthread_mutex_lock(&lock);
    state = result == 0 ? READY : result == -ENOMEM ? NONE : REFUSED;
    refusal = result;
    pthread_cond_broadcast(&changed);
    while (state == READY) {
        if (wanted != NULL)
            serve(wanted);
        else
            pthread_cond_wait(&changed, &lock);
    }
    pthread_mutex_unlock(&lock);
    return NULL;
}

/* Called with the lock held. A thread the system cannot spare now may be had later: NONE.
 */
static int start_root(void) {
    pthread_t thread;
    int result = bk__thread_start(&thread, "bk-root", root_main, NULL);

    if (result != 0)
        return result;
    pthread_detach(thread);
    state = STARTING;
    return 0;
}

int bk__guest_root_ready(void) {
    int result = 0;

    if (!bk__guest_root_claim())
        return -ESRCH;
    pthread_mutex_lock(&lock);
    if (state == NONE)
        result = start_root();
    while (state == STARTING)
        pthread_cond_wait(&changed, &lock);
    if (result == 0 && state != READY)
        result = refusal;
    pthread_mutex_unlock(&lock);
    return result;
}

int bk__guest_root_thread(pthread_t *ret, const char *name, void *(*entry)(void *),
                          void *arg) {
    struct request request = {.ret = ret, .name = name, .entry = entry, .arg = arg};
    int result = bk__guest_root_ready();

    if (result != 0)
        return result;
    pthread_mutex_lock(&lock);
    while (wanted != NULL)
        pthread_cond_wait(&changed, &lock);
    wanted = &request;
    pthread_cond_broadcast(&changed);
    while (!request.done)
        pthread_cond_wait(&changed, &lock);
    pthread_mutex_unlock(&lock);
    return request.result;
}

int bk__guest_root_call(void *(*entry)(void *), void *arg) {
    pthread_t thread;
    int result = bk__guest_root_thread(&thread, "bk-guest", entry, arg);

    if (result != 0)
        return result;
    return -pthread_join(thread, NULL);
}
