/*
 * The wake-up pipe: a byte when events begin to wait. Not the queue (core/event.c owns
 * both). A guest thread must not call it: it has no descriptor of ours.
 */
#include <os/wake.h>

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

int bk__wake_open(struct bk__wake *wake) {
    int fds[2];

    if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) {
        return -errno;
    }
    wake->read_fd = fds[0];
    wake->write_fd = fds[1];
    return 0;
}

void bk__wake_close(struct bk__wake *wake) {
    if (wake->read_fd >= 0) {
        close(wake->read_fd);
    }
    if (wake->write_fd >= 0) {
        close(wake->write_fd);
    }
    wake->read_fd = wake->write_fd = -1;
}

void bk__wake_ring(const struct bk__wake *wake) {
    /* EAGAIN: the pipe is full, so whoever watches it is awake already. No SIGPIPE can
       come, because the read end is ours as well. */
    while (write(wake->write_fd, "!", 1) < 0 && errno == EINTR) {
        ;
    }
}

void bk__wake_drain(const struct bk__wake *wake) {
    char bytes[256];
    ssize_t size;

    do {
        size = read(wake->read_fd, bytes, sizeof bytes);
    } while (size > 0 || (size < 0 && errno == EINTR));
}

int bk__wake_dup(const struct bk__wake *wake) {
    int fd = fcntl(wake->read_fd, F_DUPFD_CLOEXEC, 3);

    return fd < 0 ? -errno : fd;
}
