/*
 * The fuzzer of cron expressions and time zone files: an expression, NUL, a TZif file, or the rule of
 * one. What it checks beside memory: times go forward, a local time comes back, what comes next is
 * ahead and a whole minute of the local clock. tests/fuzz/run runs it.
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

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static void check_zone(const struct bk__zone *zone) {
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int64_t until = 0;
        int offset = bk__zone_offset(zone, moments[i], &until);
        need(until > moments[i] && offset >= -26 * 3600 && offset <= 26 * 3600);
        /* A clock that showed this before, or skipped it before, is the only reason for another
           second. */
        int64_t second = bk__zone_instant(zone, moments[i] + offset);
        int64_t shown = second + bk__zone_offset(zone, second, NULL);
        need(second <= moments[i] && shown >= moments[i] + offset);
    }
}

static void check_next(const struct bk__cron *cron, const struct bk__zone *zone) {
    for (size_t i = 0; i < sizeof moments / sizeof *moments; i++) {
        int64_t next = 0;
        if (bk__cron_next(cron, zone, moments[i], &next)) {
            int64_t local = next + bk__zone_offset(zone, next, NULL);
            need(next > moments[i] && bk__civil_floor(local, 60) * 60 == local);
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
