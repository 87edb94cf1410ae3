/*
 * The fuzzer of cron expressions and time zone files: an expression, NUL, a TZif file, or the rule of
 * one. What it checks beside memory: times go forward, a local time means the one second that it
 * should, what comes next is ahead, a whole minute of the local clock, and the same asked from later.
 */
#include <base/cron.h>

#include <stdlib.h>
#include <string.h>

#include <base/civil.h>
#include <base/text.h>
#include <base/zone.h>
#include <base/zone_rule.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const int64_t moments[] = {-5000000000, 0, 1764844200, 2147483647, 4102444800};

#define FAR INT64_C(1000000000000) /* no calendar reaches so far */

static void need(bool good) {
    if (!good) {
        abort();
    }
}

/* The first second from that one on at which the clock shows this local time or a later one. */
static int64_t reach(const struct bk__zone *zone, int64_t from, int64_t local) {
    int64_t until = 0;
    int64_t shown = from + bk__zone_offset(zone, from, &until);
    while (shown < local) {
        if (from + (local - shown) < until) {
            return from + (local - shown);
        }
        from = until;
        shown = from + bk__zone_offset(zone, from, &until);
    }
    return from;
}

/* Exact: the asked local time is shown, and nothing later was before. Or it was passed over: the
   clock showed less, then more, and from there on this is the first whole minute of its kind. */
static void check_instant(const struct bk__zone *zone, int64_t local) {
    int64_t second = bk__zone_instant(zone, local);
    int64_t first = reach(zone, local - 3 * 86400, local);
    int64_t shown = first + bk__zone_offset(zone, first, NULL);
    while (shown > local) {
        need(first - 1 + bk__zone_offset(zone, first - 1, NULL) < local);
        local = bk__civil_floor(shown + 59, 60) * 60;
        first = reach(zone, first, local);
        shown = first + bk__zone_offset(zone, first, NULL);
    }
    need(second == first && shown == local);
}

static void check_zone(const struct bk__zone *zone) {
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int64_t at = moments[i];
        for (int span = 0; span < 4; span++) {
            int64_t until = 0;
            int offset = bk__zone_offset(zone, at, &until);
            need(until > at && offset >= -26 * 3600 && offset <= 26 * 3600);
            need(until == INT64_MAX || bk__zone_offset(zone, until - 1, NULL) == offset);
            check_instant(zone, at + offset);
            check_instant(zone, at + offset + 1800);
            if (until > FAR) {
                break;
            }
            at = until;
        }
    }
}

static void check_next(const struct bk__cron *cron, const struct bk__zone *zone) {
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int64_t next = 0;
        if (bk__cron_next(cron, zone, moments[i], &next)) {
            int64_t local = next + bk__zone_offset(zone, next, NULL);
            need(next > moments[i] && bk__civil_floor(local, 60) * 60 == local);
            /* Nothing comes before it, wherever one asks from. */
            int64_t same = 0;
            int64_t between = moments[i] + (next - moments[i]) / 2;
            need(bk__cron_next(cron, zone, between, &same) && same == next);
            need(bk__cron_next(cron, zone, next - 1, &same) && same == next);
        }
    }
}

static void check_rule(const uint8_t *data, size_t size) {
    struct bk__zone_rule rule;
    int64_t until = 0;
    char *text = strndup((const char *)data, size);
    if (text != NULL && bk__zone_rule_parse(text, &rule)) {
        bk__zone_rule_offset(&rule, moments[2], &until);
        need(until > moments[2]);
    }
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const uint8_t *end = memchr(data, '\0', size);
    size_t length = end != NULL ? (size_t)(end - data) : size;
    const char *why = NULL;
    char complaint[160] = "";
    struct bk__cron cron;
    char *text = strndup((const char *)data, length);
    struct bk__zone *utc = bk__zone_utc();
    struct bk__zone *zone =
        end != NULL ? bk__zone_parse(end + 1, size - length - 1, &why) : NULL;
    need(zone != NULL || end == NULL || why != NULL);
    if (zone != NULL) {
        check_zone(zone);
    }
    if (text != NULL && utc != NULL) {
        if (bk__cron_parse(text, &cron, complaint, sizeof complaint)) {
            check_next(&cron, zone != NULL ? zone : utc);
        } else {
            need(strlen(complaint) > 10);
        }
    }
    check_rule(data, size);
    bk__zone_free(zone);
    bk__zone_free(utc);
    free(text);
    return 0;
}
