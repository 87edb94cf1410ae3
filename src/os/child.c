/*
 * Running a program beside a host that may catch, ignore or reap any child of its own. Between the
 * two stands a minder: a process that shares our memory, ends without a signal, and is therefore
 * found by no wait() but ours. What is run, and why, is the caller's. Store drivers call it.
 *
 * exec gives a process back its SIGCHLD, so the program itself cannot be such a one; its parent,
 * which never execs, can. The minder runs on a stack of its own and calls nothing that allocates,
 * locks or can fail, because what errno it set would be that of the thread that started it.
 */
#include <os/child.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <os/clock.h>

#define STACK_SIZE ((size_t)64 << 10)
#define STOP_MS 3000
#define POLL_MS 20
#define PIPE_SIZE (1 << 20)
#define LAST_KEPT (BK__CHILD_SAID / 2) /* of what was said at the end */

/* At the beginning of one mapping, whose rest is the two stacks. */
struct bk__minder {
    const struct bk__child_plan *plan; /* until the program runs or could not be run */
    int in, out, said, fd, ready;
    int error;           /* of exec and what comes before it */
    volatile int status; /* of the program, set before the minder ends */
    volatile pid_t program;
    pid_t pid; /* the minder's */
};
#define MAPPING (3 * STACK_SIZE)

#define UNSEEN __attribute__((no_sanitize("thread", "address", "undefined")))
#define SIGNALS_SIZE 8 /* of the kernel's signal sets */

/* The kernel itself: functions of libc may be replaced, by sanitizers for one, and count on threads
   that are theirs. */
#define CALL(name, ...) syscall(SYS_##name, __VA_ARGS__)
/* glibc's own name of clone(): what stands in for that one reads its caller's stack in the child. */
extern int __clone(int (*entry)(void *), void *stack, int flags, void *context, ...);

UNSEEN static void reset_signal(int number) {
    const unsigned long usual[8] = {0}; /* the kernel's sigaction: SIG_DFL, no flags */

    CALL(rt_sigaction, number, usual, NULL, SIGNALS_SIZE);
}

UNSEEN static void reset_signals(void) {
    const unsigned long none = 0;

    for (int number = 1; number < NSIG; number++) {
        reset_signal(number); /* refused for the two that cannot be changed */
    }
    CALL(rt_sigprocmask, SIG_SETMASK, &none, NULL, SIGNALS_SIZE);
}

UNSEEN static bool arrange(const struct bk__minder *minder) {
    int last = minder->fd < 0 ? 2 : BK__CHILD_FD;

    return CALL(prctl, PR_SET_PDEATHSIG, SIGKILL) == 0 && CALL(setpgid, 0, 0) == 0 &&
           CALL(dup3, minder->in, 0, 0) >= 0 && CALL(dup3, minder->out, 1, 0) >= 0 &&
           CALL(dup3, minder->said, 2, 0) >= 0 &&
           (minder->fd < 0 || CALL(dup3, minder->fd, BK__CHILD_FD, 0) >= 0) &&
           CALL(close_range, last + 1, ~0U, CLOSE_RANGE_CLOEXEC) == 0;
}

/* The program, up to its exec. The minder waits meanwhile, and so does the thread that started it. */
UNSEEN static int become(void *context) {
    struct bk__minder *minder = context;

    if (arrange(minder)) {
        reset_signals();
        CALL(execve, minder->plan->argv[0], minder->plan->argv,
             minder->plan->environment);
    }
    minder->error = -errno;
    CALL(exit_group, 127);
    return 127;
}

/*
 * All signals are blocked, so the wait is never interrupted. Closing every descriptor tells who
 * waits for it that the program runs, and keeps no lock of the host's alive.
 */
UNSEEN static int mind(void *context) {
    struct bk__minder *minder = context;
    int status = -1;

    CALL(prctl, PR_SET_PDEATHSIG, SIGKILL);
    reset_signal(SIGCHLD); /* ignored, it would take the status away */
    minder->program =
        clone(become, (char *)minder + MAPPING, CLONE_VM | CLONE_VFORK | SIGCHLD, minder);
    CALL(close_range, 0, ~0U, 0);
    if (minder->program > 0 && CALL(wait4, minder->program, &status, __WALL, NULL) > 0) {
        minder->status = status;
    }
    CALL(exit_group, 0);
    return 0;
}

/* Signals stay blocked while memory is shared: a handler of the host's must not run in there. */
static int clone_minder(struct bk__minder *minder) {
    sigset_t all, before;
    int pid;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid = __clone(mind, (char *)minder + 2 * STACK_SIZE, CLONE_VM, minder);
    pid = pid < 0 ? -errno : pid;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return pid;
}

/* Above what the child's dup2() calls write over. */
static int move_up(int fd) {
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, BK__CHILD_FD + 1);
    int error = -errno;

    close(fd);
    return moved < 0 ? error : moved;
}

static int open_pipe(int *ret_from, int *ret_to) {
    int ends[2];

    if (pipe2(ends, O_CLOEXEC) != 0) {
        return -errno;
    }
    *ret_from = move_up(ends[0]);
    *ret_to = move_up(ends[1]);
    return *ret_from < 0 ? *ret_from : *ret_to < 0 ? *ret_to : 0;
}

static int open_null(int *ret) {
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    *ret = fd < 0 ? -errno : move_up(fd);
    return *ret < 0 ? *ret : 0;
}

/* A reader that is behind by less than that stops nobody. As it is where that is refused. */
static int open_output(struct bk__minder *minder, int *ret_out) {
    int error;

    if (!minder->plan->pipes) {
        minder->out = fcntl(minder->said, F_DUPFD_CLOEXEC, BK__CHILD_FD + 1);
        return minder->out < 0 ? -errno : 0;
    }
    error = open_pipe(ret_out, &minder->out);
    if (!error) {
        (void)fcntl(minder->out, F_SETPIPE_SZ, PIPE_SIZE);
    }
    return error;
}

static int open_ends(struct bk__minder *minder, struct bk__child *child, int *ret_ready) {
    int error = open_pipe(&child->said_fd, &minder->said);

    if (!error) {
        error = open_output(minder, &child->out_fd);
    }
    if (!error) {
        error = open_pipe(ret_ready, &minder->ready);
    }
    if (!error) {
        error = open_null(&minder->in);
    }
    if (!error && minder->plan->fd >= 0) {
        minder->fd = fcntl(minder->plan->fd, F_DUPFD_CLOEXEC, BK__CHILD_FD + 1);
        error = minder->fd < 0 ? -errno : 0;
    }
    return error;
}

static void close_end(int fd) {
    if (fd >= 0) {
        close(fd);
    }
}

/* waitpid() for a child without an end signal; EINTR is gone over. */
static pid_t reap(pid_t pid, int flags) {
    pid_t got;

    do {
        got = waitpid(pid, NULL, flags | __WALL);
    } while (got < 0 && errno == EINTR);
    return got;
}

static void await_end(int fd) {
    char byte;
    ssize_t got;

    do {
        got = read(fd, &byte, 1);
    } while (got < 0 && errno == EINTR);
}

/* Starts both and waits until the program runs. What is open here is closed again. */
static int launch(struct bk__minder *minder, struct bk__child *child) {
    int ready = -1;
    int error = open_ends(minder, child, &ready);

    if (!error) {
        int pid = clone_minder(minder);
        error = pid < 0 ? pid : 0;
        minder->pid = pid;
    }
    close_end(minder->in);
    close_end(minder->out);
    close_end(minder->said);
    close_end(minder->fd);
    close_end(minder->ready);
    if (!error) {
        await_end(ready);
        error = minder->error ? minder->error : minder->program < 0 ? -EAGAIN : 0;
        if (error) {
            reap(minder->pid, 0);
        }
    }
    close_end(ready);
    return error;
}

int bk__child_start(struct bk__child *ret, const struct bk__child_plan *plan) {
    struct bk__minder *minder = mmap(NULL, MAPPING, PROT_READ | PROT_WRITE,
                                     MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    struct bk__child child = {.minder = minder, .out_fd = -1, .said_fd = -1};
    int error;

    if (minder == MAP_FAILED) {
        return -errno;
    }
    *minder = (struct bk__minder){.plan = plan,
                                  .in = -1,
                                  .out = -1,
                                  .said = -1,
                                  .fd = -1,
                                  .ready = -1,
                                  .status = -1};
    error = launch(minder, &child);
    if (error) {
        close_end(child.out_fd);
        close_end(child.said_fd);
        munmap(minder, MAPPING);
        return error;
    }
    *ret = child;
    return 0;
}

/* Keeps the beginning, where causes stand, and the end. */
static void keep(struct bk__child *child, const char *bytes, size_t size) {
    struct bk__buf *said = &child->said;

    bk__buf_add(said, bytes, size);
    if (!said->failed && said->size > 2 * (size_t)BK__CHILD_SAID) {
        memmove(said->data + LAST_KEPT, said->data + said->size - LAST_KEPT, LAST_KEPT);
        said->size = 2 * (size_t)LAST_KEPT;
        said->data[said->size] = '\0';
    }
}

static void listen_once(struct bk__child *child) {
    char piece[4096];
    ssize_t got = read(child->said_fd, piece, sizeof piece);

    if (got > 0) {
        keep(child, piece, (size_t)got);
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        close(child->said_fd);
        child->said_fd = -1;
    }
}

static void listen_for(struct bk__child *child, int wait_ms) {
    struct pollfd from = {.fd = child->said_fd, .events = POLLIN};

    if (child->said_fd < 0) {
        bk__clock_sleep(wait_ms < POLL_MS ? wait_ms : POLL_MS);
    } else if (poll(&from, 1, wait_ms) > 0) {
        listen_once(child);
    }
}

static void take_status(struct bk__child *child, bool known) {
    child->status = known ? child->minder->status : -1;
    munmap(child->minder, MAPPING);
    child->minder = NULL;
}

/* What it said last is in the pipe; a grandchild may hold the other end open. */
static void listen_to_the_end(struct bk__child *child) {
    struct pollfd from = {.fd = child->said_fd, .events = POLLIN};

    while (child->said_fd >= 0 && poll(&from, 1, 0) > 0) {
        listen_once(child);
    }
}

bool bk__child_wait(struct bk__child *child, int wait_ms) {
    int64_t end = bk__clock_mono() + wait_ms;

    while (child->minder) {
        int64_t left = end - bk__clock_mono();

        listen_for(child, left < 0 ? 0 : left < POLL_MS ? (int)left : POLL_MS);
        pid_t got = reap(child->minder->pid, WNOHANG);
        if (got != 0) {
            take_status(child, got > 0);
        } else if (left <= 0) {
            return false;
        }
    }
    listen_to_the_end(child);
    return true;
}

void bk__child_stop(struct bk__child *child) {
    if (child->minder) {
        kill(child->minder->program, SIGTERM);
        if (!bk__child_wait(child, STOP_MS)) {
            kill(child->minder->program, SIGKILL);
            while (!bk__child_wait(child, STOP_MS)) {
            }
        }
    }
}

void bk__child_free(struct bk__child *child) {
    close_end(child->said_fd);
    bk__buf_free(&child->said);
    *child = (struct bk__child){.said_fd = -1};
}
