/*
 * The board: a small table of pushed reports and one of event loops behind one mutex. Not
 * the snapshot itself. bk_report() and bk_beat() write it from host threads, snapshot.c
 * reads it.
 *
 * Locks: board->lock only; nothing is called while it is held but memory and JSON.
 */
#include <health/board.h>

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>

/* Names come from the host's code, not from its users: a few dozen are plenty, and a
   bound keeps a bug there from eating our memory. */
#define MOST_REPORTS 64
#define MOST_LOOPS 16
#define NAME_SIZE 65
#define MESSAGE_SIZE 257

/* A loop this much later than promised is worth a word, and this much later hangs. */
#define STALL_MS 200
#define LATE_MS 1000
#define HANG_MS 30000

struct report {
    char check[NAME_SIZE];
    char message[MESSAGE_SIZE];
    enum bk__level level;
    int ttl_ms;
    int64_t at_ms;
};

struct loop {
    char name[NAME_SIZE];
    int period_ms;
    int64_t at_ms;
    int64_t max_lag_ms;
    int64_t stalls;
};

struct probe {
    char *members;         /* of the store's section; NULL: not probed yet */
    struct report finding; /* its check is not used */
    char code[NAME_SIZE];
};

static const char *const store_names[BK__HEALTH_STORES] = {"database", "redis"};

struct bk__health_board {
    pthread_mutex_t lock;
    /* guarded by lock */
    struct report reports[MOST_REPORTS];
    int report_count;
    struct loop loops[MOST_LOOPS];
    int loop_count;
    struct probe probes[BK__HEALTH_STORES];
    bool backup_known;
    struct report backup; /* the finding about the backups */
    char backup_code[NAME_SIZE];
};

struct bk__health_board *bk__health_board_new(void) {
    struct bk__health_board *board = calloc(1, sizeof *board);
    if (board && pthread_mutex_init(&board->lock, NULL) != 0) {
        free(board);
        return NULL;
    }
    return board;
}

void bk__health_board_free(void *board_) {
    struct bk__health_board *board = board_;
    if (board) {
        pthread_mutex_destroy(&board->lock);
        for (int i = 0; i < BK__HEALTH_STORES; i++) {
            free(board->probes[i].members);
        }
        free(board);
    }
}

static int check_name(const char *what, const char *name) {
    if (!name || !*name || strlen(name) >= NAME_SIZE || !bk__text_utf8(name)) {
        return bk__fail(BK_EINVAL,
                        "A %s needs a name of 1 to %d bytes of UTF-8. Nothing was noted.",
                        what, NAME_SIZE - 1);
    }
    return 0;
}

/* Copies at most size - 1 bytes and never cuts a UTF-8 character in two. */
static void copy_text(char *to, size_t size, const char *from) {
    size_t length = strlen(from);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)from[length] & 0xC0) == 0x80) {
            length--;
        }
    }
    memcpy(to, from, length);
    to[length] = '\0';
}

static struct report *find_report(struct bk__health_board *board, const char *check) {
    for (int i = 0; i < board->report_count; i++) {
        if (strcmp(board->reports[i].check, check) == 0) {
            return &board->reports[i];
        }
    }
    if (board->report_count == MOST_REPORTS) {
        return NULL;
    }
    struct report *report = &board->reports[board->report_count++];
    copy_text(report->check, sizeof report->check, check);
    return report;
}

int bk__health_board_report(struct bk__health_board *board,
                            const struct bk__health_report *given, int64_t mono_ms) {
    enum bk__level level;
    int error = check_name("check", given->check);
    if (error) {
        return error;
    }
    if (!given->level || !bk__level_parse(given->level, &level)) {
        return bk__fail(BK_EINVAL,
                        "The level of check '%s' must be healthy, degraded or "
                        "unhealthy. Nothing was noted.",
                        given->check);
    }
    if (given->ttl_ms < 1) {
        return bk__fail(BK_EINVAL,
                        "The ttl_ms of check '%s' must be 1 or more. Nothing was noted.",
                        given->check);
    }
    if (given->message && !bk__text_utf8(given->message)) {
        return bk__fail(BK_EINVAL,
                        "The message of check '%s' is not valid UTF-8. Nothing was "
                        "noted.",
                        given->check);
    }
    pthread_mutex_lock(&board->lock);
    struct report *report = find_report(board, given->check);
    if (report) {
        copy_text(report->message, sizeof report->message,
                  given->message ? given->message : "");
        report->level = level;
        report->ttl_ms = given->ttl_ms;
        report->at_ms = mono_ms;
    }
    pthread_mutex_unlock(&board->lock);
    if (!report) {
        return bk__fail(BK_EBUSY,
                        "There are %d checks already; '%s' was not noted. Use fewer "
                        "names.",
                        MOST_REPORTS, given->check);
    }
    return 0;
}

static struct loop *find_loop(struct bk__health_board *board, const char *name,
                              int64_t now) {
    for (int i = 0; i < board->loop_count; i++) {
        if (strcmp(board->loops[i].name, name) == 0) {
            return &board->loops[i];
        }
    }
    if (board->loop_count == MOST_LOOPS) {
        return NULL;
    }
    struct loop *loop = &board->loops[board->loop_count++];
    copy_text(loop->name, sizeof loop->name, name);
    loop->at_ms = now;
    return loop;
}

static int64_t lag_of(const struct loop *loop, int64_t now) {
    int64_t lag = now - loop->at_ms - loop->period_ms;
    return lag > 0 ? lag : 0;
}

int bk__health_board_beat(struct bk__health_board *board, const char *name,
                          int64_t mono_ms, int period_ms) {
    int error = check_name("loop", name);
    if (error) {
        return error;
    }
    pthread_mutex_lock(&board->lock);
    struct loop *loop = find_loop(board, name, mono_ms);
    if (loop) {
        loop->period_ms = period_ms;
        int64_t lag = lag_of(loop, mono_ms);
        loop->max_lag_ms = lag > loop->max_lag_ms ? lag : loop->max_lag_ms;
        loop->stalls += lag > STALL_MS;
        loop->at_ms = mono_ms;
    }
    pthread_mutex_unlock(&board->lock);
    if (!loop) {
        return bk__fail(BK_EBUSY,
                        "There are %d loops already; '%s' was not noted. Use fewer "
                        "names.",
                        MOST_LOOPS, name);
    }
    return 0;
}

int bk__health_board_probe(struct bk__health_board *board, enum bk__health_store store,
                           const struct bk__finding *finding, const char *members,
                           int64_t mono_ms) {
    struct probe *probe = &board->probes[store];
    char *copy = strdup(members);
    if (!copy) {
        return bk__fail_memory();
    }
    pthread_mutex_lock(&board->lock);
    free(probe->members);
    probe->members = copy;
    probe->finding.level = finding->level;
    probe->finding.at_ms = mono_ms;
    copy_text(probe->finding.message, sizeof probe->finding.message, finding->message);
    copy_text(probe->code, sizeof probe->code, finding->code ? finding->code : "");
    pthread_mutex_unlock(&board->lock);
    return 0;
}

void bk__health_board_backup(struct bk__health_board *board,
                             const struct bk__finding *finding) {
    pthread_mutex_lock(&board->lock);
    board->backup_known = finding != NULL;
    if (finding != NULL) {
        board->backup.level = finding->level;
        copy_text(board->backup.message, sizeof board->backup.message, finding->message);
        copy_text(board->backup_code, sizeof board->backup_code,
                  finding->code ? finding->code : "");
    }
    pthread_mutex_unlock(&board->lock);
}

/* What the bot says of a store that is probed as well stands beside what was found. */
static void name_check(const struct report *report, const struct bk__board_view *view,
                       char ret[NAME_SIZE + 16]) {
    bool twice = false;
    for (int i = 0; i < BK__HEALTH_STORES; i++) {
        twice |= view->wanted[i] && strcmp(report->check, store_names[i]) == 0;
    }
    snprintf(ret, NAME_SIZE + 16, "%s%s", report->check, twice ? ".reported" : "");
}

static void read_report(const struct report *report, const struct bk__board_view *view,
                        struct bk__verdict *verdict) {
    char name[NAME_SIZE + 16];
    char text[MESSAGE_SIZE + 64];
    char extra[96];
    int64_t age = view->mono_ms - report->at_ms;
    name_check(report, view, name);
    snprintf(extra, sizeof extra, "\"kind\":\"push\",\"age_ms\":%lld,\"ttl_ms\":%d",
             (long long)age, report->ttl_ms);
    struct bk__finding finding = {name, report->level, "reported", report->message,
                                  extra};
    if (age > report->ttl_ms) {
        snprintf(text, sizeof text, "No report for %lld s; the last one said %s",
                 (long long)(age / 1000), bk__level_name(report->level));
        finding = (struct bk__finding){name, BK__UNKNOWN, "report_expired", text, extra};
    }
    bk__verdict_add(verdict, &finding);
}

static void print_loop(struct bk__buf *buf, const struct loop *loop, int64_t now) {
    if (buf->size) {
        bk__buf_text(buf, ",");
    }
    bk__health_quote(buf, loop->name);
    bk__buf_printf(
        buf,
        ":{\"age_ms\":%lld,\"period_ms\":%d,\"lag_ms\":%lld,\"max_lag_ms\":%lld,"
        "\"stalls\":%lld}",
        (long long)(now - loop->at_ms), loop->period_ms, (long long)lag_of(loop, now),
        (long long)loop->max_lag_ms, (long long)loop->stalls);
}

static void judge_loop(const struct loop *loop, int64_t now,
                       struct bk__verdict *verdict) {
    int64_t lag = lag_of(loop, now);
    char name[NAME_SIZE + 8];
    char text[NAME_SIZE + 96];
    snprintf(name, sizeof name, "loop.%s", loop->name);
    struct bk__finding finding = {name, BK__HEALTHY, NULL, "The event loop beats", NULL};
    if (lag > LATE_MS) {
        bool hangs = lag > HANG_MS;
        snprintf(text, sizeof text, "Event loop '%s' has not answered for %lld ms",
                 loop->name, (long long)(now - loop->at_ms));
        finding = (struct bk__finding){name, hangs ? BK__UNHEALTHY : BK__DEGRADED,
                                       hangs ? "loop_hangs" : "loop_late", text, NULL};
    }
    bk__verdict_add(verdict, &finding);
}

/* One that is not there, or too old, says nothing. */
static void judge_blind(enum bk__health_store store, bool old,
                        struct bk__verdict *verdict) {
    char code[NAME_SIZE];
    char text[96];
    snprintf(code, sizeof code, "%s_%s", store_names[store],
             old ? "probe_old" : "not_probed");
    snprintf(text, sizeof text, "The %s has not been probed %s",
             store == BK__HEALTH_REDIS ? "Redis server" : "database",
             old ? "for long" : "yet");
    struct bk__finding finding = {store_names[store], BK__UNKNOWN, code, text, NULL};
    bk__verdict_add(verdict, &finding);
}

static void read_probe(const struct bk__health_board *board, enum bk__health_store store,
                       struct bk__verdict *verdict, struct bk__board_view *view) {
    const struct probe *probe = &board->probes[store];
    struct bk__buf *out = &view->stores[store];
    if (!view->wanted[store] || !probe->members) {
        bk__buf_text(out, "null");
        if (view->wanted[store]) {
            judge_blind(store, false, verdict);
        }
        return;
    }
    int64_t age = view->mono_ms - probe->finding.at_ms;
    bk__buf_printf(out, "{%s,\"age_ms\":%lld}", probe->members, (long long)age);
    if (age > view->stale_ms) {
        judge_blind(store, true, verdict);
        return;
    }
    struct bk__finding finding = {store_names[store], probe->finding.level, probe->code,
                                  probe->finding.message, NULL};
    bk__verdict_add(verdict, &finding);
}

void bk__health_board_read(struct bk__health_board *board, struct bk__verdict *verdict,
                           struct bk__board_view *view) {
    pthread_mutex_lock(&board->lock);
    for (int i = 0; i < BK__HEALTH_STORES; i++) {
        read_probe(board, (enum bk__health_store)i, verdict, view);
    }
    if (board->backup_known) {
        struct bk__finding finding = {"backup", board->backup.level, board->backup_code,
                                      board->backup.message, NULL};
        bk__verdict_add(verdict, &finding);
    }
    for (int i = 0; i < board->report_count; i++) {
        read_report(&board->reports[i], view, verdict);
    }
    for (int i = 0; i < board->loop_count; i++) {
        print_loop(&view->loops, &board->loops[i], view->mono_ms);
        judge_loop(&board->loops[i], view->mono_ms, verdict);
    }
    pthread_mutex_unlock(&board->lock);
}
