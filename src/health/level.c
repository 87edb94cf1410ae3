/*
 * Levels by name, and adding a finding to a verdict. No measuring here (measure.c, database.c,
 * board.c do that). Called by every file of this room.
 */
#include <health/level.h>

#include <string.h>

static const char *const names[] = {"healthy", "unknown", "degraded", "unhealthy"};

const char *bk__level_name(enum bk__level level) {
    return names[level];
}

bool bk__level_parse(const char *name, enum bk__level *ret) {
    static const enum bk__level reportable[] = {BK__HEALTHY, BK__DEGRADED, BK__UNHEALTHY};
    for (size_t i = 0; i < sizeof reportable / sizeof *reportable; i++) {
        if (strcmp(name, names[reportable[i]]) == 0) {
            *ret = reportable[i];
            return true;
        }
    }
    return false;
}

void bk__health_quote(struct bk__buf *buf, const char *text) {
    bk__buf_add(buf, "\"", 1);
    for (const char *from = text; *from;) {
        size_t plain = 0;
        while ((unsigned char)from[plain] >= 0x20 && from[plain] != '"' &&
               from[plain] != '\\') {
            plain++;
        }
        bk__buf_add(buf, from, plain);
        from += plain;
        if (*from) {
            bk__buf_printf(buf, "\\u%04x", (unsigned char)*from);
            from++;
        }
    }
    bk__buf_add(buf, "\"", 1);
}

void bk__health_tenths(struct bk__buf *buf, double number) {
    long long tenths = (long long)(number * 10 + 0.5);
    bk__buf_printf(buf, "%lld.%lld", tenths / 10, tenths % 10);
}

static void member(struct bk__buf *buf, const char *name, const char *text) {
    bk__buf_printf(buf, "\"%s\":", name);
    bk__health_quote(buf, text);
}

static void add_issue(struct bk__buf *issues, const struct bk__finding *finding) {
    bk__buf_text(issues, issues->size ? ",{" : "{");
    member(issues, "code", finding->code);
    bk__buf_text(issues, ",");
    member(issues, "check", finding->check);
    bk__buf_text(issues, ",");
    member(issues, "message", finding->message);
    bk__buf_text(issues, "}");
}

void bk__verdict_add(struct bk__verdict *verdict, const struct bk__finding *finding) {
    struct bk__buf *checks = &verdict->checks;
    if (checks->size) {
        bk__buf_text(checks, ",");
    }
    bk__health_quote(checks, finding->check);
    bk__buf_text(checks, ":{");
    member(checks, "status", bk__level_name(finding->level));
    bk__buf_text(checks, ",");
    member(checks, "message", finding->message);
    if (finding->extra) {
        bk__buf_text(checks, ",");
        bk__buf_text(checks, finding->extra);
    }
    bk__buf_text(checks, "}");
    if (finding->level > verdict->worst) {
        verdict->worst = finding->level;
    }
    if (finding->level != BK__HEALTHY) {
        add_issue(&verdict->issues, finding);
    }
}

void bk__verdict_free(struct bk__verdict *verdict) {
    bk__buf_free(&verdict->checks);
    bk__buf_free(&verdict->issues);
}
