/*
 * A socket to the server, and waiting on one: every wait ends when the job is cancelled. Not what is
 * said over it: link.c. Only on threads of ours, in whose descriptor table the socket then is.
 */
#include <store/redis/internal.h>

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>

#define CONNECT_MS 5000
#define SLICE_MS 50

int bk__redis_poll(struct bk__job *job, int fd, short events, int wait_ms) {
    struct pollfd one = {.fd = fd, .events = events};
    int64_t until = bk__clock_mono() + wait_ms;

    for (;;) {
        int64_t left = until - bk__clock_mono();
        int slice = left < 0 ? 0 : left < SLICE_MS ? (int)left : SLICE_MS;
        int rc = job == NULL ? 0 : bk__job_check(job);

        if (rc != 0) {
            return rc;
        }
        if (poll(&one, 1, slice) > 0) {
            return 1;
        }
        if (left <= 0) {
            return 0;
        }
    }
}

/* 0 and the socket waits no longer; or a positive errno, or a BK_ code below 0. */
static int finish(struct bk__job *job, int fd, const struct sockaddr *to,
                  socklen_t size) {
    int error = 0;
    socklen_t room = sizeof error;
    int came;

    if (connect(fd, to, size) != 0) {
        if (errno != EINPROGRESS) {
            return errno;
        }
        came = bk__redis_poll(job, fd, POLLOUT, CONNECT_MS);
        if (came <= 0) {
            return came < 0 ? came : ETIMEDOUT;
        }
        if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &room) != 0 || error != 0) {
            return error != 0 ? error : errno;
        }
    }
    return fcntl(fd, F_SETFL, 0) == 0 ? 0 : errno;
}

/* The socket, or -1 with *ret_why what finish() says. */
static int try_one(struct bk__job *job, const struct sockaddr *to, socklen_t size,
                   int *ret_why) {
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int one = 1;

    if (fd < 0) {
        *ret_why = errno;
        return -1;
    }
    *ret_why = finish(job, fd, to, size);
    if (*ret_why != 0) {
        close(fd);
        return -1;
    }
    if (to->sa_family != AF_UNIX) {
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
    }
    return fd;
}

static int no_server(const struct bk__redis_address *address, const char *why) {
    return bk__fail(
        BK_EIO,
        "The Redis server %s cannot be reached: %s. Its data was not touched. "
        "Check the address, and whether the server runs.",
        address->shown, why);
}

static int by_path(struct bk__job *job, const struct bk__redis_address *address,
                   int *ret_why) {
    struct sockaddr_un to = {.sun_family = AF_UNIX};

    if (strlen(address->path) >= sizeof to.sun_path) {
        *ret_why = ENAMETOOLONG;
        return -1;
    }
    memcpy(to.sun_path, address->path, strlen(address->path) + 1);
    return try_one(job, (const struct sockaddr *)&to, sizeof to, ret_why);
}

static int by_name(struct bk__job *job, const struct bk__redis_address *address,
                   int *ret_why) {
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *all = NULL;
    char port[16];
    int fd = -1;
    int rc;

    snprintf(port, sizeof port, "%d", address->port);
    rc = getaddrinfo(address->host, port, &want, &all);
    if (rc != 0) {
        *ret_why = 0;
        return no_server(address, gai_strerror(rc));
    }
    for (const struct addrinfo *one = all; fd < 0 && one != NULL; one = one->ai_next) {
        fd = try_one(job, one->ai_addr, one->ai_addrlen, ret_why);
        if (fd < 0 && *ret_why < 0) {
            break; /* cancelled */
        }
    }
    freeaddrinfo(all);
    return fd;
}

int bk__redis_connect(struct bk__job *job, const struct bk__redis_address *address) {
    int why = 0;
    int fd =
        address->path != NULL ? by_path(job, address, &why) : by_name(job, address, &why);

    if (fd >= 0 || why == 0) {
        return fd;
    }
    return why < 0 ? why : no_server(address, strerror(why));
}
