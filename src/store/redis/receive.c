/*
 * A snapshot: the server is asked for a full resynchronization as by a new replica, and the dump it
 * sends is written to a file, summed while it comes. Not the proof of its structure: image.c.
 * On a connection of its own, closed after the dump's last byte.
 */
#include <store/redis/internal.h>

#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/clock.h>
#include <os/file.h>
#include <store/redis/crc64.h>
#include <store/redis/rdb.h>
#include <store/redis/tail.h>

#define PIECE ((size_t)256 << 10)
#define MARK 40 /* bytes that end a dump whose size is not known before */
#define LINE_MOST 256
#define PATIENCE_MS 1000 /* then the wait is explained */
#define DOING "cannot send its data"

/* One transfer. What may be the dump's end is held back: the sum and, where there is one, the mark. */
struct transfer {
    struct bk__redis_link *link;
    const char *path;
    int file;
    int64_t size; /* announced; -1: until the mark */
    int64_t got;
    int64_t until;                 /* monotonic: the whole transfer's end */
    int64_t waited_ms;             /* until the server had forked, at the latest */
    char resync[BK__REDIS_RESYNC]; /* the line that tells which state it is; "": none */
    char mark[MARK];
    struct bk__tail held;
    struct bk__crc64 crc;
    unsigned char piece[PIECE];
};

static int broken(const struct transfer *t, const char *why) {
    return bk__fail(
        BK_EIO,
        "The dump from the Redis server %s did not come whole: %s after %" PRId64
        " bytes. Its data was not touched, and nothing was kept. Try again.",
        t->link->at->shown, why, t->got);
}

/* ---- receiving ------------------------------------------------------------------------ */

static int check_time(const struct transfer *t) {
    if (bk__clock_mono() < t->until) {
        return 0;
    }
    return bk__fail(BK_EBUSY,
                    "The dump from the Redis server %s took longer than snapshot.limit. "
                    "Its data was not touched, and nothing was kept. Raise the option "
                    "snapshot.limit, or look at the network.",
                    t->link->at->shown);
}

/* Up to room bytes; > 0, or an error. */
static ssize_t receive(struct transfer *t, unsigned char *bytes, size_t room) {
    ssize_t got;
    int rc = check_time(t);

    if (rc == 0) {
        rc = bk__redis_poll(t->link->job, t->link->c->fd, POLLIN, BK__REDIS_STALL_MS);
    }
    if (rc < 0) {
        return rc;
    }
    if (rc == 0) {
        return broken(t, "no byte came for a minute,");
    }
    do {
        got = read(t->link->c->fd, bytes, room);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        return broken(t, got == 0 ? "the server closed the connection" : strerror(errno));
    }
    return got;
}

/* What leaves the held bytes is summed and written. */
static int let_go(void *context, const unsigned char *bytes, size_t size) {
    struct transfer *t = context;
    int err = bk__file_write(t->file, bytes, size);

    bk__crc64_add(&t->crc, bytes, size);
    return err == 0 ? 0 : bk__fail_errno(err, "cannot write the dump to", t->path, NULL);
}

static bool is_complete(const struct transfer *t) {
    if (t->size >= 0) {
        return t->got == t->size;
    }
    return t->held.size == t->held.most &&
           memcmp(t->held.bytes + BK__RDB_TAIL, t->mark, MARK) == 0;
}

static int receive_dump(struct transfer *t) {
    int rc = 0;

    while (rc == 0 && !is_complete(t)) {
        size_t room = sizeof t->piece;
        ssize_t got;

        if (t->size >= 0 && (int64_t)room > t->size - t->got) {
            room = (size_t)(t->size - t->got);
        }
        got = receive(t, t->piece, room);
        t->got += got > 0 ? got : 0;
        rc = got < 0 ? (int)got : bk__tail_add(&t->held, t->piece, (size_t)got);
        bk__job_progress(t->link->job, "snapshot", t->got, t->size < 0 ? 0 : t->size);
    }
    return rc;
}

/* The end: the sum, written and compared. */
static int take_end(struct transfer *t) {
    uint64_t stored;
    int err;

    if (t->held.size < BK__RDB_TAIL) {
        return broken(t, "it ended");
    }
    stored = bk__crc64_read(t->held.bytes);
    err = bk__file_write(t->file, t->held.bytes, BK__RDB_TAIL);
    if (err != 0) {
        return bk__fail_errno(err, "cannot write the dump to", t->path, NULL);
    }
    if (stored == 0) {
        bk__job_log(
            t->link->job, "warning",
            "The Redis server %s makes dumps without a checksum (rdbchecksum no): "
            "this one is proven by its structure and, from now on, its SHA-256",
            t->link->at->shown);
    } else if (stored != t->crc.sum) {
        return bk__fail(BK_EIO,
                        "The dump from the Redis server %s was damaged on its way: its "
                        "CRC-64 is not that of its bytes. The server's data was not "
                        "touched, and nothing was kept. Try again.",
                        t->link->at->shown);
    }
    return 0;
}

/* ---- asking for it -------------------------------------------------------------------- */

/* A line, byte by byte, because the dump begins right after it. Empty ones keep the connection
   alive while the server gets ready. */
static int receive_line(struct transfer *t, char line[LINE_MOST]) {
    int64_t explain = bk__clock_mono() + PATIENCE_MS;
    size_t size = 0;

    for (;;) {
        unsigned char byte = 0;
        ssize_t got = receive(t, &byte, 1);

        if (got < 0) {
            return (int)got;
        }
        if (byte == '\n' && size > 0) {
            line[size - (line[size - 1] == '\r')] = '\0';
            return 0;
        }
        if (byte == '\n' && explain > 0 && bk__clock_mono() > explain) {
            bk__job_log(
                t->link->job, "info",
                "The Redis server waits before it sends: repl-diskless-sync-delay, "
                "5 seconds where nobody set it");
            explain = 0;
        }
        if (byte != '\n') {
            if (size == LINE_MOST - 1) {
                return broken(t, "it does not begin like one");
            }
            line[size++] = (char)byte;
        }
    }
}

static int refused(struct transfer *t, const char *line) {
    return bk__redis_refused(t->link, DOING, line + (*line == '-'));
}

/* "$1234" or "$EOF:" and the mark. */
static int read_head(struct transfer *t, const char *line) {
    if (*line != '$') {
        return *line == '-' ? refused(t, line) : broken(t, "it does not begin like one");
    }
    t->size = -1;
    t->held = (struct bk__tail){.most = BK__RDB_TAIL, .let_go = let_go, .context = t};
    if (bk__text_starts(line, "$EOF:") && strlen(line) == 5 + MARK) {
        memcpy(t->mark, line + 5, MARK);
        t->held.most += MARK;
        return 0;
    }
    if (!bk__text_int(line + 1, &t->size) || t->size < BK__RDB_TAIL) {
        return broken(t, "it does not begin like one");
    }
    return 0;
}

/* Words that some old servers do not know, and that only make it better. */
static int tell(struct transfer *t, const char *name, const char *value) {
    const char *const words[] = {"REPLCONF", name, value, NULL};
    redisReply *reply = NULL;
    int rc = bk__redis_ask(t->link, words, &reply);

    if (rc == 0 && reply->type == REDIS_REPLY_ERROR &&
        bk__text_starts(reply->str, "NOPERM")) {
        rc = bk__redis_refused(t->link, DOING, reply->str);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return rc;
}

static int say(struct transfer *t, const char *command) {
    size_t size = strlen(command);
    size_t said = 0;

    while (said < size) {
        ssize_t put = write(t->link->c->fd, command + said, size - said);

        if (put < 0 && errno != EINTR) {
            return broken(t, strerror(errno));
        }
        said += put > 0 ? (size_t)put : 0;
    }
    return 0;
}

/* PSYNC, and SYNC where the server does not know that. */
static int ask_for_dump(struct transfer *t) {
    char line[LINE_MOST] = "";
    int64_t asked = bk__clock_mono();
    int rc = say(t, "PSYNC ? -1\r\n");

    if (rc == 0) {
        rc = receive_line(t, line);
    }
    if (rc == 0 && bk__text_starts(line, "-ERR unknown")) {
        rc = say(t, "SYNC\r\n");
        line[0] = '\0';
    } else if (rc == 0 && *line != '+') {
        return refused(t, line);
    }
    snprintf(t->resync, sizeof t->resync, "%.*s", (int)sizeof t->resync - 1, line);
    if (rc == 0) {
        rc = receive_line(t, line);
    }
    t->waited_ms = bk__clock_mono() - asked;
    return rc == 0 ? read_head(t, line) : rc;
}

static int transfer(struct transfer *t) {
    int rc = tell(t, "capa", "eof");

    if (rc == 0) {
        rc = tell(t, "rdb-only", "1");
    }
    if (rc == 0) {
        rc = ask_for_dump(t);
    }
    if (rc == 0) {
        rc = receive_dump(t);
    }
    return rc == 0 ? take_end(t) : rc;
}

static int into_file(struct transfer *t, struct bk__image *ret) {
    int rc;
    int err;

    t->file = bk__file_create(t->path);
    if (t->file < 0) {
        return bk__fail_errno(t->file, "cannot create", t->path, NULL);
    }
    rc = transfer(t);
    err = bk__file_close(t->file);
    if (rc == 0 && err != 0) {
        rc = bk__fail_errno(err, "cannot finish writing", t->path, NULL);
    }
    if (rc != 0) {
        bk__file_remove(t->path);
        return rc;
    }
    *ret = (struct bk__image){.bytes = t->got - (int64_t)(t->held.most - BK__RDB_TAIL),
                              .waited_ms = t->waited_ms};
    return 0;
}

/* What this server writes, it can read: the restore asks for the version. */
static int version_of(const char *path) {
    char head[10] = "";
    int fd = bk__file_open_read(path);
    int version = 0;

    if (fd < 0) {
        return 0;
    }
    if (bk__file_read(fd, head, sizeof head - 1) != sizeof head - 1 ||
        sscanf(head, "REDIS%4d", &version) != 1) {
        version = 0;
    }
    bk__file_close(fd);
    return version;
}

/* What the server can be asked later, whether it still holds this; not worth an error. */
static void take_fingerprint(struct bk__redis_link *link,
                             const struct bk__redis_look *before, const char *resync,
                             char ret[BK__FINGERPRINT_SIZE]) {
    struct bk__redis_look after;

    if (bk__redis_look(link, &after) == 0 &&
        bk__redis_look_same(before, &after, resync)) {
        bk__redis_look_text(&after, ret);
    }
}

int bk__redis_snapshot(struct bk__store *store, const char *path, struct bk__image *ret) {
    struct bk__redis *redis = (struct bk__redis *)store;
    struct bk__redis_link link = {0};
    struct bk__redis_look before = {0};
    struct transfer *t = calloc(1, sizeof *t);
    int rc;

    if (t == NULL) {
        return bk__fail_memory();
    }
    rc = bk__redis_link_open(&link, redis->job, &redis->at);
    if (rc == 0) {
        rc = bk__redis_look(&link, &before);
    }
    if (rc == 0) {
        t->link = &link;
        t->path = path;
        t->until = bk__clock_mono() +
                   bk__config_int(bk__job_config(redis->job), BK__OPT_SNAPSHOT_LIMIT);
        bk__crc64_begin(&t->crc);
        rc = into_file(t, ret);
    }
    if (rc == 0) {
        redis->rdb_version = version_of(path);
    }
    bk__redis_link_close(
        &link); /* first: the server's pings to replicas move its offset */
    if (rc == 0) {
        take_fingerprint(&redis->link, &before, t->resync, ret->fingerprint);
    }
    free(t);
    return rc;
}
