/*
 * The source's sockets and its side of the replication protocol: PING, AUTH (any is right: it is the
 * server that must prove itself, by its address), REPLCONF, PSYNC, then the dump. Not the order of a
 * restore: restore.c.
 */
#include <store/redis/source.h>

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <os/owner.h>
#include <store/redis/crc64.h>
#include <store/redis/rdb.h>

#define PIECE ((size_t)256 << 10)
#define HEARD_MOST 65536 /* a handshake is a few hundred bytes */
#define REPLID 40

struct bk__redis_source {
    struct bk__job *job;
    int listener, link, file;
    char host[INET6_ADDRSTRLEN], port[8], only[INET6_ADDRSTRLEN];
    int64_t owner; /* the user that the server runs as; -1: it is on another machine */
    const char *path;
    char replid[REPLID + 1]; /* of this restore alone */
    redisReader *reader;
    size_t heard;
    int64_t size, read, sent; /* of the dump */
    bool serving;
    bool refused; /* somebody else called */
    struct bk__crc64 crc;
    uint64_t want; /* the sum of all but the tail */
    size_t tail;   /* its bytes: 0 in dumps of old */
    bool summed;   /* the tail is that sum, and not zeros */
    size_t at, filled;
    unsigned char piece[PIECE]; /* what is to be sent, from at to filled */
};

static void shut(int *fd) {
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

void bk__redis_source_close(struct bk__redis_source *source) {
    if (source == NULL) {
        return;
    }
    shut(&source->link);
    shut(&source->listener);
    shut(&source->file);
    if (source->reader != NULL) {
        redisReaderFree(source->reader);
    }
    free(source);
}

const char *bk__redis_source_host(const struct bk__redis_source *source) {
    return source->host;
}

const char *bk__redis_source_port(const struct bk__redis_source *source) {
    return source->port;
}

bool bk__redis_source_called(const struct bk__redis_source *source) {
    return source->link >= 0;
}

int64_t bk__redis_source_sent(const struct bk__redis_source *source) {
    return source->sent;
}

bool bk__redis_source_served(const struct bk__redis_source *source) {
    return source->serving && source->sent == source->size &&
           source->at == source->filled;
}

/* ---- listening ------------------------------------------------------------------------ */

static int fail_socket(const char *doing) {
    return bk__fail_errno(errno, doing, NULL, "The server was not touched. Try again.");
}

/* An address as digits; IPv4 in IPv6's clothes becomes IPv4. */
static void print_address(const struct sockaddr_storage *from, char *ret, size_t room) {
    const struct sockaddr_in *four = (const struct sockaddr_in *)from;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)from;

    ret[0] = '\0';
    if (from->ss_family == AF_INET) {
        inet_ntop(AF_INET, &four->sin_addr, ret, (socklen_t)room);
    } else if (from->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, ret, (socklen_t)room);
    } else if (from->ss_family == AF_INET6) {
        inet_ntop(AF_INET6, &six->sin6_addr, ret, (socklen_t)room);
    }
}

/* Where we are seen by the server, with port 0; and who alone may come. */
static int look_at(struct bk__redis_source *source, int server,
                   struct sockaddr_storage *ret, socklen_t *ret_size) {
    struct sockaddr_storage peer = {0};
    struct sockaddr_in *four = (struct sockaddr_in *)ret;
    socklen_t size = sizeof peer;

    *ret_size = sizeof *ret;
    if (getsockname(server, (struct sockaddr *)ret, ret_size) != 0 ||
        getpeername(server, (struct sockaddr *)&peer, &size) != 0) {
        return fail_socket("cannot learn this machine's address");
    }
    if (ret->ss_family != AF_INET && ret->ss_family != AF_INET6) { /* a unix socket */
        *four = (struct sockaddr_in){.sin_family = AF_INET,
                                     .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        *ret_size = sizeof *four;
        peer = *ret;
    }
    if (ret->ss_family == AF_INET6) {
        ((struct sockaddr_in6 *)ret)->sin6_port = 0;
    } else {
        four->sin_port = 0;
    }
    print_address(ret, source->host, sizeof source->host);
    print_address(&peer, source->only, sizeof source->only);
    return 0;
}

static int listen_at(struct bk__redis_source *source, int server) {
    struct sockaddr_storage here = {0};
    socklen_t size = sizeof here;
    int rc = look_at(source, server, &here, &size);

    if (rc != 0) {
        return rc;
    }
    source->listener =
        socket(here.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (source->listener < 0 ||
        bind(source->listener, (const struct sockaddr *)&here, size) != 0 ||
        listen(source->listener, 4) != 0 ||
        getsockname(source->listener, (struct sockaddr *)&here, &size) != 0) {
        return fail_socket("cannot listen for the Redis server");
    }
    /* The port stands at the same place in both families. */
    snprintf(source->port, sizeof source->port, "%d",
             ntohs(((struct sockaddr_in *)&here)->sin_port));
    return 0;
}

static int make_replid(struct bk__redis_source *source) {
    unsigned char bytes[REPLID / 2];

    if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes) {
        return fail_socket("cannot draw random bytes");
    }
    for (size_t i = 0; i < sizeof bytes; i++) {
        snprintf(source->replid + 2 * i, 3, "%02x", bytes[i]);
    }
    return 0;
}

static int open_dump(struct bk__redis_source *source, const struct bk__rdb_facts *facts) {
    source->size = facts->bytes;
    source->want = facts->sum;
    source->summed = facts->summed;
    source->tail = facts->version >= 5 ? BK__RDB_TAIL : 0;
    bk__crc64_begin(&source->crc);
    source->file = bk__file_open_read(source->path);
    if (source->file < 0) {
        return bk__fail_errno(source->file, "cannot open the dump", source->path, NULL);
    }
    source->reader = redisReaderCreate();
    return source->reader == NULL ? bk__fail_memory() : 0;
}

int bk__redis_source_open(struct bk__redis_source **ret, struct bk__job *job, int server,
                          const char *path, const struct bk__rdb_facts *facts) {
    struct bk__redis_source *source = calloc(1, sizeof *source);
    int rc;

    if (source == NULL) {
        return bk__fail_memory();
    }
    source->job = job;
    source->path = path;
    source->owner = bk__owner_of_peer(server);
    source->listener = source->link = source->file = -1;
    rc = open_dump(source, facts);
    if (rc == 0) {
        rc = make_replid(source);
    }
    if (rc == 0) {
        rc = listen_at(source, server);
    }
    if (rc != 0) {
        bk__redis_source_close(source);
        return rc;
    }
    *ret = source;
    return 0;
}

/* ---- the dump ------------------------------------------------------------------------- */

/* How much to read next: never so much that less than a whole tail is left for the last piece. */
static size_t next_size(const struct bk__redis_source *source) {
    int64_t left = source->size - source->read;

    if (left <= (int64_t)PIECE) {
        return (size_t)left;
    }
    return left >= (int64_t)(PIECE + BK__RDB_TAIL) ? PIECE : PIECE - BK__RDB_TAIL;
}

/* A server that gets a dump with a wrong sum ends itself. So the last piece is let go only when the
   sum of all that was sent is the proven one, and the tail is what it was. */
static int check_last(const struct bk__redis_source *source) {
    const unsigned char *tail = source->piece + source->filled - source->tail;
    bool good = source->crc.sum == source->want;

    if (good && source->tail > 0) {
        good = bk__crc64_read(tail) == (source->summed ? source->want : 0);
    }
    return good ? 0
                : bk__fail(BK_EIO,
                           "The dump %s changed after it was verified: look at the disk.",
                           source->path);
}

static int read_piece(struct bk__redis_source *source) {
    size_t size = next_size(source);
    bool last = source->read + (int64_t)size == source->size;
    int64_t got = bk__file_read(source->file, source->piece, size);

    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read the dump", source->path, NULL);
    }
    if ((size_t)got != size) {
        return bk__fail(BK_EIO,
                        "The dump %s became shorter while it was read: look at the disk.",
                        source->path);
    }
    bk__crc64_add(&source->crc, source->piece, size - (last ? source->tail : 0));
    source->read += got;
    source->filled = size;
    source->at = 0;
    return last ? check_last(source) : 0;
}

static int lost(struct bk__redis_source *source, const char *why) {
    bool served = bk__redis_source_served(source);

    shut(&source->link);
    if (!source->serving || served) {
        return 0; /* it calls again by itself, or needs no more */
    }
    return bk__fail(
        BK_EIO,
        "The Redis server broke off while it was fed: %s. Look at its log; its "
        "disk may be full.",
        why);
}

static int send_more(struct bk__redis_source *source) {
    ssize_t put;

    if (source->at == source->filled) {
        int rc = source->serving && source->read < source->size ? read_piece(source) : 0;
        if (rc != 0) {
            return rc;
        }
    }
    put = send(source->link, source->piece + source->at, source->filled - source->at,
               MSG_NOSIGNAL | MSG_DONTWAIT);
    if (put < 0) {
        return errno == EAGAIN || errno == EINTR ? 0 : lost(source, strerror(errno));
    }
    source->at += (size_t)put;
    source->sent += source->read > 0 ? put : 0;
    return 0;
}

/* ---- the handshake -------------------------------------------------------------------- */

static void answer(struct bk__redis_source *source, const char *text) {
    size_t size = strlen(text);

    if (source->at == source->filled) {
        source->at = source->filled = 0;
    }
    if (source->filled + size <= sizeof source->piece) {
        memcpy(source->piece + source->filled, text, size);
        source->filled += size;
    }
}

static void answer_command(struct bk__redis_source *source, const redisReply *command) {
    const char *name = command->type == REDIS_REPLY_ARRAY && command->elements > 0 &&
                               command->element[0]->type == REDIS_REPLY_STRING
                           ? command->element[0]->str
                           : "";
    char text[96];

    if (source->serving) {
        return; /* it asked already */
    }
    if (strcasecmp(name, "PING") == 0) {
        answer(source, "+PONG\r\n");
    } else if (strcasecmp(name, "PSYNC") == 0 || strcasecmp(name, "SYNC") == 0) {
        snprintf(text, sizeof text, "+FULLRESYNC %s 1\r\n", source->replid);
        answer(source, strcasecmp(name, "PSYNC") == 0 ? text : "");
        snprintf(text, sizeof text, "$%lld\r\n", (long long)source->size);
        answer(source, text);
        source->serving = true;
    } else {
        answer(source, "+OK\r\n");
    }
}

static int hear(struct bk__redis_source *source) {
    char bytes[4096];
    void *command = NULL;
    ssize_t got = recv(source->link, bytes, sizeof bytes, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return 0;
    }
    if (got <= 0) {
        return lost(source, got == 0 ? "it closed the connection" : strerror(errno));
    }
    if (source->serving) {
        return 0; /* acknowledgements, and empty lines while it loads */
    }
    source->heard += (size_t)got;
    if (source->heard > HEARD_MOST ||
        redisReaderFeed(source->reader, bytes, (size_t)got) != REDIS_OK) {
        return lost(source, "it does not speak like a replica");
    }
    while (redisReaderGetReply(source->reader, &command) == REDIS_OK && command != NULL) {
        answer_command(source, command);
        freeReplyObject(command);
    }
    return source->reader->err == 0 ? 0
                                    : lost(source, "it does not speak like a replica");
}

/* Who has the server's address on this machine may still be another user's program. */
static bool is_strange(const struct bk__redis_source *source, int fd) {
    int64_t owner = source->owner < 0 ? -1 : bk__owner_of_peer(fd);
    return owner >= 0 && owner != source->owner;
}

/* Somebody called. Only the server's own address and user are let in, and only one at a time. */
static int take_call(struct bk__redis_source *source) {
    struct sockaddr_storage from = {0};
    socklen_t size = sizeof from;
    char who[INET6_ADDRSTRLEN];
    int fd = accept4(source->listener, (struct sockaddr *)&from, &size,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);

    if (fd < 0) {
        return 0;
    }
    print_address(&from, who, sizeof who);
    if (strcmp(who, source->only) != 0 || is_strange(source, fd)) {
        if (!source->refused) { /* who is refused often calls again each second */
            bk__job_log(source->job, "warning",
                        "Calls from %s are refused: not from the Redis server at %s", who,
                        source->only);
        }
        source->refused = true;
        close(fd);
        return 0;
    }
    redisReaderFree(source->reader);
    source->reader = redisReaderCreate();
    source->heard = source->at = source->filled = 0;
    source->link = fd;
    return source->reader == NULL ? bk__fail_memory() : 0;
}

int bk__redis_source_step(struct bk__redis_source *source, int wait_ms) {
    bool calling = source->link < 0;
    bool sends = !calling && (source->at < source->filled ||
                              (source->serving && source->read < source->size));
    struct pollfd one = {.fd = calling ? source->listener : source->link,
                         .events = (short)(POLLIN | (sends ? POLLOUT : 0))};
    int rc = 0;

    if (poll(&one, 1, wait_ms) <= 0) {
        return 0;
    }
    if (calling) {
        return take_call(source);
    }
    if (one.revents & (POLLIN | POLLHUP | POLLERR)) {
        rc = hear(source);
    }
    if (rc == 0 && source->link >= 0 && one.revents & POLLOUT) {
        rc = send_more(source);
    }
    return rc;
}
