/*
 * The wake-up pipe: a byte when events begin to wait. A plain pipe, because it is the one thing
 * that asyncio, Node and Bun all can watch. core/event.c owns one per keeper.
 */
#ifndef BK_OS_WAKE_H
#define BK_OS_WAKE_H

struct bk__wake {
    int read_fd;
    int write_fd;
};

int bk__wake_open(struct bk__wake *wake); /* 0 or -errno; non-blocking, close-on-exec */
void bk__wake_close(struct bk__wake *wake);
void bk__wake_ring(const struct bk__wake *wake); /* one byte; a full pipe is fine */
void bk__wake_drain(const struct bk__wake *wake);
int bk__wake_dup(
    const struct bk__wake *wake); /* a descriptor the caller owns, or -errno */

#endif
