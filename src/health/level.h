/*
 * The four levels of health, and the verdict a snapshot builds: checks, issues, the worst level.
 * Not the measuring. The other files of this room fill a verdict through it.
 */
#ifndef BK_HEALTH_LEVEL_H
#define BK_HEALTH_LEVEL_H

#include <stdbool.h>

#include <base/buf.h>

/* In the order in which the worst wins: an expired report must not hide a failure. */
enum bk__level { BK__HEALTHY, BK__UNKNOWN, BK__DEGRADED, BK__UNHEALTHY };

const char *bk__level_name(enum bk__level level);
bool bk__level_parse(const char *name,
                     enum bk__level *ret); /* not "unknown": nobody reports it */

/* The members of two JSON values in the making; printed, not built, because a snapshot must cost
   microseconds. */
struct bk__verdict {
    enum bk__level worst;
    struct bk__buf checks; /* "name":{"status":...},... */
    struct bk__buf issues; /* {"code":...},... */
};

/* What one check found. code names the issue for programs; NULL when healthy. */
struct bk__finding {
    const char *check;
    enum bk__level level;
    const char *code;
    const char *message;
    const char *extra; /* more members of the check, such as "\"age_ms\":5"; NULL: none */
};

void bk__verdict_add(struct bk__verdict *verdict, const struct bk__finding *finding);
void bk__verdict_free(struct bk__verdict *verdict);

/* Printing into JSON: a quoted text, a number with one decimal whatever the locale. */
void bk__health_quote(struct bk__buf *buf, const char *text);
void bk__health_tenths(struct bk__buf *buf, double number);

#endif
