/*
 * The four levels of health, and the verdict a snapshot builds: checks, issues, the worst
 * level. Pure. The other files of this room fill a verdict through it.
 */
#ifndef BK_HEALTH_LEVEL_H
#define BK_HEALTH_LEVEL_H

#include <stdbool.h>

struct json_object;

/* In the order in which the worst wins: an expired report must not hide a failure. */
enum bk__level { BK__HEALTHY, BK__UNKNOWN, BK__DEGRADED, BK__UNHEALTHY };

const char *bk__level_name(enum bk__level level);
bool bk__level_parse(const char *name,
                     enum bk__level *ret); /* not "unknown": nobody reports it */

struct bk__health_verdict {
    enum bk__level worst;
    struct json_object *checks; /* {name: {status, message, ...}} */
    struct json_object *issues; /* [{code, check, message}] */
};

/* What one check found. code names the issue for programs; NULL when healthy. */
struct bk__finding {
    const char *check;
    enum bk__level level;
    const char *code;
    const char *message;
};

/* Adds the check and, unless it is healthy, its issue. The check's object, borrowed, so
   that the caller adds figures; NULL: out of memory. */
struct json_object *bk__health_judge(struct bk__health_verdict *verdict,
                                     const struct bk__finding *finding);

#endif
