/*
 * Times as text: RFC 3339 UTC for records, a colon-free form for file names. Pure
 * functions: no time zone is read and no lock is taken (gmtime_r does both). Every room
 * with records calls it.
 */
#include <base/stamp.h>

#include <string.h>

#include <base/civil.h>

#define DAY_MS INT64_C(86400000)
#define FIRST_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

struct civil {
    int year, month, day, hour, minute, second, ms;
};

static struct civil split(int64_t unix_ms) {
    struct civil c;
    struct bk__date date;
    int64_t days, rest;

    /* Four digits of a year are all that the form has room for. */
    if (unix_ms < FIRST_MS) {
        unix_ms = FIRST_MS;
    }
    if (unix_ms > LAST_MS) {
        unix_ms = LAST_MS;
    }
    days = unix_ms / DAY_MS;
    rest = unix_ms % DAY_MS;
    if (rest < 0) {
        rest += DAY_MS;
        days--;
    }
    date = bk__civil_date(days);
    c.year = (int)date.year;
    c.month = date.month;
    c.day = date.day;
    c.hour = (int)(rest / 3600000);
    c.minute = (int)(rest / 60000 % 60);
    c.second = (int)(rest / 1000 % 60);
    c.ms = (int)(rest % 1000);
    return c;
}

/* Two to four decimal digits, and what stands behind them. */
static char *put(char *at, int value, int digits, char after) {
    for (int i = digits - 1; i >= 0; i--) {
        at[i] = (char)('0' + value % 10);
        value /= 10;
    }
    at[digits] = after;
    return at + digits + 1;
}

static char *put_date(char *at, const struct civil *c) {
    at = put(at, c->year, 4, '-');
    at = put(at, c->month, 2, '-');
    return put(at, c->day, 2, 'T');
}

void bk__stamp_iso(int64_t unix_ms, char out[BK__STAMP_SIZE]) {
    struct civil c = split(unix_ms);
    char *at = put_date(out, &c);

    at = put(at, c.hour, 2, ':');
    at = put(at, c.minute, 2, ':');
    at = put(at, c.second, 2, '.');
    at = put(at, c.ms, 3, 'Z');
    *at = '\0';
}

void bk__stamp_file(int64_t unix_ms, char out[BK__STAMP_SIZE]) {
    struct civil c = split(unix_ms);
    char *at = put_date(out, &c);

    at = put(at, c.hour, 2, '-');
    at = put(at, c.minute, 2, '-');
    put(at, c.second, 2, '\0');
}

/* The digits at, or -1. */
static int take(const char *at, int digits) {
    int value = 0;

    for (int i = 0; i < digits; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return -1;
        }
        value = value * 10 + (at[i] - '0');
    }
    return value;
}

bool bk__stamp_parse(const char *iso, int64_t *ret_unix_ms) {
    char again[BK__STAMP_SIZE];
    int64_t ms;

    if (strlen(iso) != sizeof "2025-12-04T10:30:00.000Z" - 1) {
        return false;
    }
    ms = bk__civil_days(take(iso, 4), take(iso + 5, 2), take(iso + 8, 2)) * DAY_MS +
         take(iso + 11, 2) * INT64_C(3600000) + take(iso + 14, 2) * INT64_C(60000) +
         take(iso + 17, 2) * INT64_C(1000) + take(iso + 20, 3);
    /* Nonsense (a 30th of February, 25 o'clock, a wrong separator) does not come back the
     * same. */
    bk__stamp_iso(ms, again);
    if (strcmp(iso, again) != 0) {
        return false;
    }
    *ret_unix_ms = ms;
    return true;
}
