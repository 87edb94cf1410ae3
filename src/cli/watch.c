/*
 * `botkeep watch`, hidden: a dead man's switch. It reads what to do in an emergency from standard
 * input, and does it when that input ends or falls silent without the word "done". Not for people:
 * a live restore of Redis starts it, so that the server stops following us even when we are killed.
 */
#include "cli.h"

#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <botkeep.h>

#define LINE_MOST 65536
#define ANSWER_SECONDS 5
#define PAUSE_NS 200000000
#define TRIES 3000 /* with the pause between them: at least ten minutes */

/* What came on the first line. */
struct order {
    const char *host, *port, *path; /* a numeric address, or a unix socket */
    const char *auth, *undo;        /* commands as the protocol writes them, in hex */
    int silent_ms;
};

/* ---- the emergency -------------------------------------------------------------------- */

static int connect_to(const struct sockaddr *to, socklen_t size) {
    const struct timeval limit = {.tv_sec = ANSWER_SECONDS};
    int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -1;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        connect(fd, to, size) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int reach(const struct order *order) {
    struct sockaddr_un local = {.sun_family = AF_UNIX};
    const struct addrinfo want = {.ai_socktype = SOCK_STREAM,
                                  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV};
    struct addrinfo *found = NULL;
    int fd;

    if (order->path[0] != '\0') {
        snprintf(local.sun_path, sizeof local.sun_path, "%s", order->path);
        return connect_to((const struct sockaddr *)&local, sizeof local);
    }
    if (getaddrinfo(order->host, order->port, &want, &found) != 0) {
        return -1;
    }
    fd = connect_to(found->ai_addr, found->ai_addrlen);
    freeaddrinfo(found);
    return fd;
}

/* One command out of hex. */
static bool send_hex(int fd, const char *hex) {
    unsigned byte = 0;

    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2) {
        char one = (char)byte;
        if (send(fd, &one, 1, MSG_NOSIGNAL | (hex[2] != '\0' ? MSG_MORE : 0)) != 1) {
            return false;
        }
    }
    return true;
}

/* Whether one line came and it begins with a plus. */
static bool is_agreed(int fd) {
    char first = '\0';
    char byte = '\0';

    if (read(fd, &first, 1) != 1) {
        return false;
    }
    for (byte = first; byte != '\n';) {
        if (read(fd, &byte, 1) != 1) {
            return false;
        }
    }
    return first == '+';
}

/* A refused login may mean that none is needed: what counts is the answer to the command. */
static bool undo(const struct order *order) {
    int fd = reach(order);
    bool good = fd >= 0;

    if (good && order->auth[0] != '\0') {
        good = send_hex(fd, order->auth);
        is_agreed(fd);
    }
    good = good && send_hex(fd, order->undo) && is_agreed(fd);
    if (fd >= 0) {
        close(fd);
    }
    return good;
}

/* Again and again: a server that is loading refuses everything until it is done. */
static int insist(const struct order *order) {
    const struct timespec pause = {.tv_nsec = PAUSE_NS};

    for (int i = 0; i < TRIES; i++) {
        if (undo(order)) {
            return 0;
        }
        nanosleep(&pause, NULL);
    }
    return 1;
}

/* ---- the watch ------------------------------------------------------------------------ */

/* Whether the word came. Anything else is a sign of life. */
static bool ends_well(int silent_ms) {
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    char bytes[64];

    while (poll(&input, 1, silent_ms) > 0) {
        ssize_t got = read(STDIN_FILENO, bytes, sizeof bytes);
        if (got <= 0) {
            return false;
        }
        if (memchr(bytes, 'd', (size_t)got)) {
            return true;
        }
    }
    return false;
}

static char *read_line(void) {
    char *line = malloc(LINE_MOST);
    size_t size = 0;

    while (line && size < LINE_MOST - 1 && read(STDIN_FILENO, line + size, 1) == 1) {
        if (line[size] == '\n') {
            line[size] = '\0';
            return line;
        }
        size++;
    }
    free(line);
    return NULL;
}

static int watch(struct json_object *from) {
    const struct order order = {.host = bk__cli_text(from, "host"),
                                .port = bk__cli_text(from, "port"),
                                .path = bk__cli_text(from, "path"),
                                .auth = bk__cli_text(from, "auth"),
                                .undo = bk__cli_text(from, "undo"),
                                .silent_ms = atoi(bk__cli_text(from, "silent_ms"))};

    if (order.undo[0] == '\0' || order.silent_ms <= 0 || !bk__cli_say("armed")) {
        return 1;
    }
    return ends_well(order.silent_ms) ? 0 : insist(&order);
}

int bk__cli_watch(void) {
    if (!bk__cli_ignore_signals() || !bk__cli_say("helper")) {
        return 1;
    }
    char *line = read_line();
    if (!line) {
        return 0; /* nobody wanted anything of us */
    }
    struct json_object *from = json_tokener_parse(line);
    int code = json_object_is_type(from, json_type_object) ? watch(from) : 1;
    json_object_put(from);
    explicit_bzero(line, strlen(line));
    free(line);
    return code;
}
