/*
 * Levels by name, and adding a finding to a verdict. No measuring here (measure.c,
 * database.c, board.c do that). Called by every file of this room.
 */
#include <health/level.h>

#include <string.h>

#include <base/json.h>

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

static bool add_issue(struct bk__health_verdict *verdict,
                      const struct bk__finding *finding) {
    struct json_object *issue = bk__json_object();
    if (!issue) {
        return false;
    }
    bk__json_add_text(issue, "code", finding->code);
    bk__json_add_text(issue, "check", finding->check);
    bk__json_add_text(issue, "message", finding->message);
    return bk__json_append(verdict->issues, issue);
}

struct json_object *bk__health_judge(struct bk__health_verdict *verdict,
                                     const struct bk__finding *finding) {
    struct json_object *check = bk__json_object();
    if (!check || !bk__json_add_text(check, "status", bk__level_name(finding->level)) ||
        !bk__json_add_text(check, "message", finding->message)) {
        json_object_put(check);
        return NULL;
    }
    if (!bk__json_put(verdict->checks, finding->check, check)) {
        return NULL;
    }
    if (finding->level > verdict->worst) {
        verdict->worst = finding->level;
    }
    if (finding->level != BK__HEALTHY && !add_issue(verdict, finding)) {
        return NULL;
    }
    return check;
}
