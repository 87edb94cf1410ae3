/*
 * Reading /proc/net/tcp and tcp6 for one connection. Not who may do what: the caller decides.
 */
#include <os/owner.h>

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <os/file.h>

#define TABLE_MOST ((size_t)64 << 20)

/* One end: IPv4 as IPv6 writes it, so that ends compare as bytes. */
struct end {
    unsigned char address[16];
    unsigned port;
};

static bool end_of(const struct sockaddr_storage *from, struct end *ret) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)from;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;

    memset(ret, 0, sizeof *ret);
    if (from->ss_family == AF_INET) {
        ret->address[10] = ret->address[11] = 0xff;
        memcpy(ret->address + 12, &four->sin_addr, 4);
        ret->port = ntohs(four->sin_port);
        return true;
    }
    if (from->ss_family == AF_INET6) {
        memcpy(ret->address, &six->sin6_addr, 16);
        ret->port = ntohs(six->sin6_port);
        return true;
    }
    return false;
}

/* "0100007F:1F90": words of 32 bits as this machine has them in memory, then the port. */
static bool read_end(const char *text, size_t words, struct end *ret) {
    unsigned word = 0;

    memset(ret, 0, sizeof *ret);
    if (words == 1) {
        ret->address[10] = ret->address[11] = 0xff;
    }
    for (size_t i = 0; i < words; i++, text += 8) {
        if (sscanf(text, "%8x", &word) != 1) {
            return false;
        }
        memcpy(ret->address + (words == 1 ? 12 : 4 * i), &word, 4);
    }
    return sscanf(text, ":%4x", &ret->port) == 1;
}

static bool same_end(const struct end *a, const struct end *b) {
    return a->port == b->port && memcmp(a->address, b->address, 16) == 0;
}

/* A line "  sl: local remote state queues timers retransmits uid ..." */
static int64_t judge_line(const char *line, size_t words, const struct end *local,
                          const struct end *remote) {
    char here[64];
    char there[64];
    struct end a;
    struct end b;
    long long uid = -1;

    if (sscanf(line, " %*d: %63s %63s %*s %*s %*s %*s %lld", here, there, &uid) != 3 ||
        !read_end(here, words, &a) || !read_end(there, words, &b)) {
        return -1;
    }
    return same_end(&a, local) && same_end(&b, remote) ? uid : -1;
}

static int64_t search(const char *table, size_t words, const struct end *local,
                      const struct end *remote) {
    char *text = NULL;
    int64_t uid = -1;

    if (bk__file_load(table, TABLE_MOST, &text, NULL) != 0) {
        return -1;
    }
    for (const char *at = text; uid < 0 && *at != '\0';) {
        uid = judge_line(at, words, local, remote);
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    free(text);
    return uid;
}

int64_t bk__owner_of_tcp(const struct sockaddr_storage *local,
                         const struct sockaddr_storage *remote) {
    struct end here;
    struct end there;
    int64_t uid;

    if (!end_of(local, &here) || !end_of(remote, &there)) {
        return -1;
    }
    uid = search("/proc/net/tcp", 1, &here, &there);
    return uid >= 0 ? uid : search("/proc/net/tcp6", 4, &here, &there);
}

int64_t bk__owner_of_peer(int fd) {
    struct sockaddr_storage here = {0};
    struct sockaddr_storage there = {0};
    socklen_t here_size = sizeof here;
    socklen_t there_size = sizeof there;
    struct ucred who = {0};
    socklen_t who_size = sizeof who;

    if (getsockname(fd, (struct sockaddr *)&here, &here_size) != 0 ||
        getpeername(fd, (struct sockaddr *)&there, &there_size) != 0) {
        return -1;
    }
    if (here.ss_family == AF_UNIX) {
        return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &who_size) == 0
                   ? (int64_t)who.uid
                   : -1;
    }
    return bk__owner_of_tcp(&there, &here);
}
