/*
 * Reading 2025-12-04T10-30-00-123Z, 20251204_103000, 2025-12-04 and their like. A "T" or a "Z" is taken
 * for UTC, as JavaScript's toISOString() means it; other forms come from scripts that take the local time.
 * Called by pattern.c and foreign.c.
 */
#include <backup/foreign/moment.h>

#include <string.h>

#include <base/civil.h>
#include <base/zone.h>

#define QUARTER_MS INT64_C(900000)     /* every zone is a number of these from UTC */
#define AHEAD_MOST INT64_C(56)         /* UTC+14 */
#define BEHIND_MOST INT64_C(48)        /* UTC-12 */
#define BACKUP_MS_MOST INT64_C(120000) /* from taking the time to the last byte */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The number that these digits are; -1: there are fewer. */
static int number(const char *text, int digits) {
    int value = 0;
    for (int i = 0; i < digits; i++) {
        if (!is_digit(text[i])) {
            return -1;
        }
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

/* Whether one of these stands there; what the next ones must be is then the same. */
static size_t separator(const char *text, const char *known) {
    return *text != '\0' && strchr(known, *text) != NULL ? 1 : 0;
}

static size_t take_date(const char *text, int64_t *ret_days) {
    size_t apart = 0;
    int year = number(text, 4);
    if (year < 1990 || year > 2099) {
        return 0;
    }
    apart = separator(text + 4, "-._");
    int month = number(text + 4 + apart, 2);
    if (month < 1 || month > 12 || (apart > 0 && text[7] != text[4])) {
        return 0;
    }
    int day = number(text + 6 + 2 * apart, 2);
    if (day < 1) {
        return 0;
    }
    *ret_days = bk__civil_days(year, month, day);
    return bk__civil_date(*ret_days).day == day ? 8 + 2 * apart : 0;
}

/* Three digits or more behind the seconds are a fraction of one. */
static size_t take_fraction(const char *text, int *ret_ms) {
    size_t digits = 0;
    if (separator(text, "-_.") == 0) {
        return 0;
    }
    while (is_digit(text[1 + digits])) {
        digits++;
    }
    if (digits < 3 || digits > 9) {
        return 0;
    }
    *ret_ms = number(text + 1, 3);
    return 1 + digits;
}

/* Hours and minutes, and seconds where they follow in the same way. */
static size_t take_clock(const char *text, int64_t *ret_ms) {
    int ms = 0;
    int hour = number(text, 2);
    size_t apart = hour < 0 ? 0 : separator(text + 2, "-:._");
    int minute = hour < 0 ? -1 : number(text + 2 + apart, 2);
    if (hour > 23 || minute < 0 || minute > 59) {
        return 0;
    }
    size_t at = 4 + apart;
    int second = 0;
    if ((apart == 0 || text[at] == text[2]) && is_digit(text[at + apart])) {
        second = number(text + at + apart, 2);
        if (second < 0 || second > 59) {
            return 0;
        }
        at += apart + 2;
        at += take_fraction(text + at, &ms);
    }
    *ret_ms = ((hour * 60 + minute) * 60 + second) * INT64_C(1000) + ms;
    return is_digit(text[at]) ? 0 : at;
}

size_t bk__moment_parse(const char *text, struct bk__moment *ret) {
    struct bk__moment moment = {0};
    int64_t days = 0;
    int64_t clock = 0;
    size_t date = take_date(text, &days);
    if (date == 0) {
        return 0;
    }
    bool compact = date == 8 && is_digit(text[date]); /* 20251204103000 */
    size_t between = separator(text + date, "Tt_- ");
    size_t size = between > 0 || compact ? take_clock(text + date + between, &clock) : 0;
    if (size == 0 && is_digit(text[date])) {
        return 0; /* a longer number is no date */
    }
    moment.ms = days * INT64_C(86400000) + clock;
    moment.timed = size > 0;
    if (moment.timed) {
        bool zulu = separator(text + date + between + size, "Zz") > 0;
        moment.utc = zulu || separator(text + date, "Tt") > 0;
        size += between + zulu;
    }
    *ret = moment;
    return date + size;
}

int64_t bk__moment_instant(const struct bk__moment *moment, const struct bk__zone *zone,
                           int64_t changed_ms) {
    if (moment->utc) {
        return moment->ms;
    }
    if (zone != NULL) {
        return bk__zone_instant(zone, moment->ms / 1000) * 1000 + moment->ms % 1000;
    }
    int64_t ahead = moment->ms - changed_ms;
    int64_t quarters = -bk__civil_floor(-ahead, QUARTER_MS);
    int64_t took = quarters * QUARTER_MS - ahead;
    bool fits = moment->timed && took <= BACKUP_MS_MOST && quarters <= AHEAD_MOST &&
                quarters >= -BEHIND_MOST;
    return fits ? moment->ms - quarters * QUARTER_MS : moment->ms;
}
