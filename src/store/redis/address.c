/*
 * Redis URLs: redis://[[user]:password@]host[:port][/db], redis+unix:// and unix:// with a path.
 * Not connecting. driver.c calls it; the database in a URL says nothing, because a dump has all.
 */
#include <store/redis/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>

#define PORT 6379

static const char *const forms =
    "Write redis://[[user]:password@]host[:port] or unix:///path/of/redis.sock.";

void bk__redis_address_free(struct bk__redis_address *address) {
    if (address->password != NULL) {
        explicit_bzero(address->password, strlen(address->password));
    }
    free(address->host);
    free(address->path);
    free(address->user);
    free(address->password);
    free(address->shown);
    *address = (struct bk__redis_address){0};
}

static int wrong(const char *what) {
    return bk__fail(BK_EINVAL, "The address of Redis %s. Nothing was touched. %s", what,
                    forms);
}

static int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

/* A copy with its %HH read. A NUL among them would cut it short: refused. */
static int decode(const char *from, size_t size, char **ret) {
    char *text = malloc(size + 1);
    char *to = text;

    if (text == NULL) {
        return bk__fail_memory();
    }
    for (const char *end = from + size; from < end; from++) {
        bool coded =
            *from == '%' && end - from > 2 && digit(from[1]) >= 0 && digit(from[2]) >= 0;

        *to = coded ? (char)(digit(from[1]) * 16 + digit(from[2])) : *from;
        from += coded ? 2 : 0;
        if (*to++ == '\0') {
            free(text);
            return wrong("has a %00 in it");
        }
    }
    *to = '\0';
    free(*ret);
    *ret = text;
    return 0;
}

/* user:password, :password or user. An empty user is the default one, an empty password is none. */
static int read_user(const char *from, size_t size, struct bk__redis_address *ret) {
    const char *colon = memchr(from, ':', size);
    size_t user = colon == NULL ? size : (size_t)(colon - from);
    int rc = user == 0 ? 0 : decode(from, user, &ret->user);

    if (rc == 0 && colon != NULL && user + 1 < size) {
        rc = decode(colon + 1, size - user - 1, &ret->password);
    }
    return rc;
}

static bool is_port(const char *text, int *ret) {
    int64_t port = 0;
    bool good = bk__text_int(text, &port) && port > 0 && port < 65536;

    *ret = (int)port;
    return good;
}

/* host, host:port, [::1]:port; nothing is this machine. */
static int read_host(const char *from, size_t size, struct bk__redis_address *ret) {
    bool bracket = size > 0 && *from == '[';
    const char *end = bracket ? memchr(from, ']', size) : memchr(from, ':', size);
    const char *begin = from + bracket;
    char number[8] = "";
    size_t rest;

    if (bracket && end == NULL) {
        return wrong("has a [ without its ]");
    }
    end = end == NULL ? from + size : end;
    rest = size - (size_t)(end - from) - bracket;
    ret->port = PORT;
    if (rest > 0) {
        if (end[bracket] != ':' || rest > sizeof number - 1) {
            return wrong("has a port that is none");
        }
        memcpy(number, end + bracket + 1, rest - 1);
        if (rest > 1 && !is_port(number, &ret->port)) {
            return wrong("has a port that is none");
        }
    }
    return end == begin ? decode("127.0.0.1", 9, &ret->host)
                        : decode(begin, (size_t)(end - begin), &ret->host);
}

/* password= and username= in the query, as some clients write them. */
static int read_query(const char *query, struct bk__redis_address *ret) {
    int rc = 0;

    while (rc == 0 && *query != '\0') {
        size_t size = strcspn(query, "&");

        if (bk__text_starts(query, "password=")) {
            rc = decode(query + 9, size - 9, &ret->password);
        } else if (bk__text_starts(query, "username=")) {
            rc = decode(query + 9, size - 9, &ret->user);
        }
        query += size;
        query += *query == '&';
    }
    return rc;
}

/* "/0": a dump has all databases, so the number says nothing, but what is none is a mistake. */
static int check_number(const char *path, size_t size) {
    char number[12] = "";
    int64_t value = 0;

    if (size <= 1) {
        return 0;
    }
    snprintf(number, sizeof number, "%.*s", (int)(size - 1), path + 1);
    return size <= sizeof number && bk__text_int(number, &value) && value >= 0 &&
                   value <= INT32_MAX
               ? 0
               : wrong("names a database that is no number from 0 on");
}

/* What is behind "://". The last @ ends the password, as people paste them with raw @ and /. */
static int read_rest(const char *rest, bool unix_socket, struct bk__redis_address *ret) {
    const char *at = strrchr(rest, '@');
    int rc = at == NULL ? 0 : read_user(rest, (size_t)(at - rest), ret);
    const char *place = at == NULL ? rest : at + 1;
    const char *query = place + strcspn(place, "?");
    size_t host = strcspn(place, "/?");

    if (rc != 0) {
        return rc;
    }
    if (unix_socket) {
        rc = *place != '/' ? wrong("names no absolute path of a socket")
                           : decode(place, (size_t)(query - place), &ret->path);
    } else {
        rc = read_host(place, host, ret);
    }
    if (rc == 0 && !unix_socket) {
        rc = check_number(place + host, (size_t)(query - place) - host);
    }
    return rc != 0 || *query == '\0' ? rc : read_query(query + 1, ret);
}

int bk__redis_address_parse(const char *url, struct bk__redis_address *ret) {
    const char *rest = strstr(url, "://");
    bool unix_socket = bk__text_starts(url, "unix:") ||
                       bk__text_starts(url, "redis+unix:") ||
                       bk__text_starts(url, "redis-socket:");
    int rc;

    *ret = (struct bk__redis_address){0};
    if (bk__text_starts(url, "rediss:")) {
        return bk__fail(
            BK_EUNSUPPORTED,
            "rediss:// asks for TLS, which botkeep does not speak. Nothing was touched. "
            "Let a tunnel on this machine (stunnel, spiped, ssh -L) speak it and name "
            "its end as redis://127.0.0.1:PORT, or reach Redis over a private network.");
    }
    if (rest == NULL || (!unix_socket && !bk__text_starts(url, "redis:") &&
                         !bk__text_starts(url, "valkey:"))) {
        return wrong("is no URL of Redis");
    }
    rc = read_rest(rest + 3, unix_socket, ret);
    if (rc == 0) {
        ret->shown = bk__text_redact(url);
        rc = ret->shown == NULL ? bk__fail_memory() : 0;
    }
    if (rc != 0) {
        bk__redis_address_free(ret);
    }
    return rc;
}
