/*
 * A link: one authenticated connection to the server, commands and their replies by hiredis. What
 * the server refuses becomes one of our errors here, without the secrets that some servers repeat.
 */
#include <store/redis/internal.h>

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>

#define WORDS_MOST 8
#define FULL "ERR max number of clients reached"

void bk__redis_link_close(struct bk__redis_link *link) {
    if (link->c != NULL) {
        redisFree(link->c);
    }
    link->c = NULL;
}

/* ---- asking --------------------------------------------------------------------------- */

static int lost(struct bk__redis_link *link, const char *why) {
    int code = bk__fail(BK_EIO,
                        "The connection to the Redis server %s is lost: %s. Nothing of "
                        "ours stays in it. Look whether the server runs, and is not one "
                        "that speaks TLS alone, and try again.",
                        link->at->shown, why);
    bk__redis_link_close(link);
    return code;
}

static const char *why_of(const redisContext *c) {
    return c->err == REDIS_ERR_IO && errno != 0 ? strerror(errno) : c->errstr;
}

static int hear(struct bk__redis_link *link, redisReply **ret) {
    int64_t until = bk__clock_mono() + BK__REDIS_WAIT_MS;
    void *reply = NULL;

    for (;;) {
        int64_t left = until - bk__clock_mono();
        int came;

        if (redisGetReplyFromReader(link->c, &reply) != REDIS_OK) {
            return lost(link, why_of(link->c));
        }
        if (reply != NULL) {
            *ret = reply;
            return 0;
        }
        came = bk__redis_poll(link->stubborn ? NULL : link->job, link->c->fd, POLLIN,
                              left > 0 ? (int)left : 0);
        if (came < 0) {
            bk__redis_link_close(
                link); /* the answer still to come would be the next one's */
            return came;
        }
        if (came == 0) {
            return lost(link, "it did not answer within 10 seconds");
        }
        if (redisBufferRead(link->c) != REDIS_OK) {
            return lost(link, why_of(link->c));
        }
    }
}

static int flush(struct bk__redis_link *link) {
    int done = 0;

    while (!done) {
        if (redisBufferWrite(link->c, &done) != REDIS_OK) {
            return lost(link, why_of(link->c));
        }
    }
    return 0;
}

int bk__redis_ask(struct bk__redis_link *link, const char *const words[],
                  redisReply **ret) {
    const char *list[WORDS_MOST];
    int count = 0;
    int rc;

    if (link->c == NULL) {
        return bk__fail(BK_EIO, "The connection to the Redis server %s is closed.",
                        link->at->shown);
    }
    while (words[count] != NULL && count < WORDS_MOST) {
        list[count] = words[count];
        count++;
    }
    if (redisAppendCommandArgv(link->c, count, list, NULL) != REDIS_OK) {
        return bk__fail_memory();
    }
    rc = flush(link);
    return rc != 0 ? rc : hear(link, ret);
}

int bk__redis_order(struct bk__redis_link *link, const char *const words[],
                    const char *doing) {
    redisReply *reply = NULL;
    int rc = bk__redis_ask(link, words, &reply);

    if (rc == 0 && reply->type == REDIS_REPLY_ERROR) {
        rc = bk__redis_refused(link, doing, reply->str);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return rc;
}

/* ---- what the server refuses ---------------------------------------------------------- */

static int refused_login(const struct bk__redis_link *link) {
    return bk__fail(
        BK_EDENIED,
        "The Redis server %s refused the user name or the password%s. Nothing "
        "was touched. Check both in the option that names the server.",
        link->at->shown, link->at->password == NULL ? ": none is set" : "");
}

/* Some servers repeat a command's words, which may be secrets: cut off. */
static size_t safe_size(const char *text) {
    const char *words = strstr(text, ", with args");
    return words == NULL ? strcspn(text, "\r\n") : (size_t)(words - text);
}

int bk__redis_refused(const struct bk__redis_link *link, const char *doing,
                      const char *text) {
    int size = (int)safe_size(text);

    if (bk__text_starts(text, "NOAUTH") || bk__text_starts(text, "WRONGPASS")) {
        return refused_login(link);
    }
    if (bk__text_starts(text, "DENIED")) {
        return bk__fail(
            BK_EDENIED,
            "The Redis server %s is in protected mode: it has no password and "
            "takes clients of its own machine alone. Nothing was touched. Set "
            "a password there (requirepass, or an ACL), or protected-mode no.",
            link->at->shown);
    }
    if (bk__text_starts(text, "NOPERM")) {
        return bk__fail(BK_EDENIED,
                        "The Redis server %s %s: \"%.*s\". Nothing was changed. The user "
                        "needs " BK__REDIS_NEEDS " (ACL SETUSER NAME " BK__REDIS_NEEDS
                        ").",
                        link->at->shown, doing, size, text);
    }
    if (bk__text_starts(text, "LOADING") || bk__text_starts(text, "NOMASTERLINK") ||
        bk__text_starts(text, "BUSY") || bk__text_starts(text, "MASTERDOWN") ||
        strcmp(text, FULL) == 0) {
        return bk__fail(BK_EBUSY,
                        "The Redis server %s %s just now: \"%.*s\". Nothing was changed. "
                        "Try again when it is ready.",
                        link->at->shown, doing, size, text);
    }
    if (bk__text_starts(text, "ERR unknown") || strstr(text, "not allowed") != NULL ||
        strstr(text, "disabled") != NULL) {
        return bk__fail(BK_EUNSUPPORTED,
                        "The Redis server %s %s: \"%.*s\". Nothing was changed. Managed "
                        "servers often forbid replication; use their own backups.",
                        link->at->shown, doing, size, text);
    }
    return bk__fail(BK_EIO, "The Redis server %s %s: \"%.*s\". Nothing was changed.",
                    link->at->shown, doing, size, text);
}

/* ---- opening -------------------------------------------------------------------------- */

int bk__redis_auth_text(const struct bk__redis_address *address, char **ret,
                        size_t *ret_size) {
    const char *words[3] = {"AUTH", address->password, NULL};
    int size;

    *ret = NULL;
    *ret_size = 0;
    if (address->password == NULL) {
        return 0;
    }
    if (address->user != NULL) {
        words[1] = address->user;
        words[2] = address->password;
    }
    size = redisFormatCommandArgv(ret, words[2] == NULL ? 2 : 3, words, NULL);
    if (size < 0) {
        *ret = NULL;
        return bk__fail_memory();
    }
    *ret_size = (size_t)size;
    return 0;
}

/* A server without a password takes any client: no reason to stop. Any other refusal is one of the
   login, and its text is not repeated: it may hold what was sent. */
static int judge_login(struct bk__redis_link *link, const redisReply *reply) {
    if (reply->type != REDIS_REPLY_ERROR) {
        return 0;
    }
    if (strstr(reply->str, "no password is set") != NULL ||
        strstr(reply->str, "without any password configured") != NULL) {
        bk__job_log(link->job, "warning",
                    "The Redis server %s has no password, and one is set for it here",
                    link->at->shown);
        return 0;
    }
    if (bk__text_starts(reply->str, "DENIED") || strcmp(reply->str, FULL) == 0) {
        return bk__redis_refused(link, "takes no client", reply->str);
    }
    return refused_login(link);
}

static int log_in(struct bk__redis_link *link) {
    redisReply *reply = NULL;
    char *text = NULL;
    size_t size = 0;
    int rc = bk__redis_auth_text(link->at, &text, &size);

    if (rc != 0 || size == 0) {
        return rc;
    }
    if (redisAppendFormattedCommand(link->c, text, size) != REDIS_OK) {
        rc = bk__fail_memory();
    }
    explicit_bzero(text, size);
    free(text);
    if (rc == 0) {
        rc = flush(link);
    }
    if (rc == 0) {
        rc = hear(link, &reply);
    }
    if (rc == 0) {
        rc = judge_login(link, reply);
        freeReplyObject(reply);
    }
    return rc;
}

/* These are no reason to go: what cannot be done just now is refused when it is asked for, and a
   server that cannot save (MISCONF) can still be backed up. */
static bool is_there(const char *error) {
    return bk__text_starts(error, "LOADING") || bk__text_starts(error, "MASTERDOWN") ||
           bk__text_starts(error, "MISCONF");
}

/* A server that asks for a password refuses this as well. */
static int greet(struct bk__redis_link *link) {
    static const char *const ping[] = {"PING", NULL};
    redisReply *reply = NULL;
    int rc = bk__redis_ask(link, ping, &reply);

    if (rc == 0 && reply->type == REDIS_REPLY_ERROR && !is_there(reply->str)) {
        rc = bk__redis_refused(link, "takes no client", reply->str);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return rc;
}

static int open_link(struct bk__redis_link *link) {
    int fd = bk__redis_connect(link->stubborn ? NULL : link->job, link->at);
    int rc;

    if (fd < 0) {
        return fd;
    }
    link->c = redisConnectFd(fd);
    if (link->c == NULL) {
        close(fd);
        return bk__fail_memory();
    }
    rc = log_in(link);
    if (rc == 0) {
        rc = greet(link);
    }
    if (rc != 0) {
        bk__redis_link_close(link);
    }
    return rc;
}

int bk__redis_link_open(struct bk__redis_link *ret, struct bk__job *job,
                        const struct bk__redis_address *address) {
    struct bk__redis_link link = {.job = job, .at = address};
    int rc = open_link(&link);

    if (rc == 0) {
        *ret = link;
    }
    return rc;
}

int bk__redis_link_again(struct bk__redis_link *link) {
    bk__redis_link_close(link);
    return open_link(link);
}
