/*
 * Times as text: RFC 3339 UTC for records, a colon-free form for file names. Pure
 * functions: no time zone is read and no lock is taken (gmtime_r does both). Every room
 * with records calls it.
 */
#include <base/stamp.h>

#include <string.h>

#define DAY_MS INT64_C(86400000)
#define FIRST_MS INT64_C(-62167219200000) /* 0000-01-01T00:00:00.000Z */
#define LAST_MS INT64_C(253402300799999)  /* 9999-12-31T23:59:59.999Z */

struct civil {
    int year, month, day, hour, minute, second, ms;
};

/* Days since 1970-01-01 of a day in the Gregorian calendar, whose years are thought to
   begin in March so that the leap day comes last (Howard Hinnant, "chrono-compatible date
   algorithms"). */
static int64_t days_from(int year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static void split_day(int64_t days, struct civil *ret) {
    int64_t shifted = days + 719468;
    int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
    int64_t day = shifted - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;

    ret->day = (int)(of_year - (153 * month + 2) / 5 + 1);
    ret->month = (int)(month < 10 ? month + 3 : month - 9);
    ret->year = (int)(year + era * 400 + (ret->month <= 2));
}

static struct civil split(int64_t unix_ms) {
    struct civil c;
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
    split_day(days, &c);
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
    ms = days_from(take(iso, 4), take(iso + 5, 2), take(iso + 8, 2)) * DAY_MS +
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
