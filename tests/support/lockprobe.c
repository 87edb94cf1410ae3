/*
 * Locks as a real other process sees them, and a sandbox without close_range(). Not a test. The
 * tests of the guest room call it.
 */
#include "lockprobe.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

static void die(const char *what) {
    perror(what);
    abort();
}

void lock_first_byte(int fd) {
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};

    if (fcntl(fd, F_SETLK, &range) != 0)
        die("lock");
}

int in_child(int (*body)(void *arg), void *arg) {
    int status;
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0)
        _exit(body(arg));
    if (waitpid(child, &status, 0) != child)
        die("waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 200 + WTERMSIG(status);
}

/* By trying to take it, as another SQLite would. */
static int try_lock(void *arg) {
    struct flock range = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 1};
    int fd = open(arg, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return 2;
    if (fcntl(fd, F_SETLK, &range) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? 1 : 2;
}

bool is_locked_for_others(const char *path) {
    int answer = in_child(try_lock, (void *)(size_t)path);

    if (answer > 1)
        die("the child could not ask");
    return answer == 1;
}

void refuse_close_range(int err) {
    struct sock_filter rules[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close_range, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((unsigned)err & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {.len = sizeof rules / sizeof *rules, .filter = rules};

    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        die("seccomp");
}
