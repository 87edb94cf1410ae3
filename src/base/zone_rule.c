/*
 * POSIX's TZ rules with the widened hours of RFC 8536: reading one, and what it says of a
 * second. Not the table of a zone's past: zone.c, which alone calls it.
 */
#include <base/zone_rule.h>

#include <base/civil.h>

#define DAY 86400
#define CHANGES                                                                          \
    8 /* two in each of four years: those of the next may all lie in this one */

/* ---- reading ----------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_letter(char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* One to three digits up to most. */
static bool take_number(const char **at, int most, int *ret) {
    int value = 0;
    int digits = 0;
    while (is_digit(**at) && digits < 4) {
        value = value * 10 + (**at - '0');
        digits++;
        (*at)++;
    }
    *ret = value;
    return digits > 0 && digits < 4 && value <= most;
}

static bool take_char(const char **at, char wanted) {
    if (**at != wanted) {
        return false;
    }
    (*at)++;
    return true;
}

static bool take_name(const char **at) {
    const char *start = *at;
    if (**at == '<') {
        do {
            (*at)++;
        } while (is_letter(**at) || is_digit(**at) || **at == '+' || **at == '-');
        return take_char(at, '>') && *at - start > 2;
    }
    while (is_letter(**at)) {
        (*at)++;
    }
    return *at - start >= 3;
}

/* [+-]h[h[h]][:mm[:ss]] */
static bool take_time(const char **at, int most_hours, int *ret_seconds) {
    int sign = **at == '-' ? -1 : 1;
    int parts[3] = {0, 0, 0};
    *at += **at == '-' || **at == '+';
    if (!take_number(at, most_hours, &parts[0])) {
        return false;
    }
    for (int i = 1; i < 3 && **at == ':'; i++) {
        (*at)++;
        if (!take_number(at, 59, &parts[i])) {
            return false;
        }
    }
    *ret_seconds = sign * (parts[0] * 3600 + parts[1] * 60 + parts[2]);
    return true;
}

static bool take_day(const char **at, struct bk__zone_change *ret) {
    ret->form = is_digit(**at) ? '0' : *(*at)++;
    if (ret->form == 'M') {
        return take_number(at, 12, &ret->month) && ret->month > 0 && take_char(at, '.') &&
               take_number(at, 5, &ret->week) && ret->week > 0 && take_char(at, '.') &&
               take_number(at, 6, &ret->day);
    }
    return (ret->form == 'J' || ret->form == '0') && take_number(at, 365, &ret->day) &&
           (ret->form == '0' || ret->day > 0);
}

static bool take_change(const char **at, struct bk__zone_change *ret) {
    ret->time = 2 * 3600;
    if (!take_char(at, ',') || !take_day(at, ret)) {
        return false;
    }
    if (**at == '/') {
        (*at)++;
        return take_time(at, 167, &ret->time);
    }
    return true;
}

bool bk__zone_rule_parse(const char *text, struct bk__zone_rule *ret) {
    const char *at = text;
    int behind = 0;
    *ret = (struct bk__zone_rule){0};
    if (!take_name(&at) || !take_time(&at, 24, &behind)) {
        return false;
    }
    ret->standard = -behind;
    ret->changes = *at != '\0';
    if (!ret->changes) {
        return true;
    }
    if (!take_name(&at)) {
        return false;
    }
    ret->summer = ret->standard + 3600;
    if (*at != ',') {
        if (!take_time(&at, 24, &behind)) {
            return false;
        }
        ret->summer = -behind;
    }
    return take_change(&at, &ret->to_summer) && take_change(&at, &ret->to_standard) &&
           *at == '\0';
}

/* ---- asking ------------------------------------------------------------------------ */

static bool is_leap(int64_t year) {
    return bk__civil_days(year, 3, 1) - bk__civil_days(year, 2, 28) == 2;
}

static int64_t day_of(const struct bk__zone_change *change, int64_t year) {
    int64_t first = bk__civil_days(year, 1, 1);
    if (change->form == '0') {
        return first + change->day;
    }
    if (change->form == 'J') {
        return first + change->day - 1 + (change->day >= 60 && is_leap(year));
    }
    first = bk__civil_days(year, change->month, 1);
    int64_t next = change->month == 12 ? bk__civil_days(year + 1, 1, 1)
                                       : bk__civil_days(year, change->month + 1, 1);
    int64_t day = first + (change->day - bk__civil_weekday(first) + 7) % 7;
    day += INT64_C(7) * (change->week - 1);
    return day < next ? day : day - 7; /* the fifth is the last, whichever that is */
}

struct moment {
    int64_t at;
    int offset; /* from then on */
};

/* The changes around a second in their order. Where summer time lasts all year, one year's end
   and the next year's beginning are the same second, and the beginning counts. */
static void list_changes(const struct bk__zone_rule *rule, int64_t unix_s,
                         struct moment list[CHANGES]) {
    int64_t year = bk__civil_date(bk__civil_floor(unix_s, DAY)).year - 1;
    int count = 0;
    for (int i = 0; i < CHANGES; i++) {
        bool summer = i % 2 == 1;
        const struct bk__zone_change *change =
            summer ? &rule->to_summer : &rule->to_standard;
        struct moment one = {.at = day_of(change, year + i / 2) * DAY + change->time -
                                   (summer ? rule->standard : rule->summer),
                             .offset = summer ? rule->summer : rule->standard};
        int place = count++;
        while (place > 0 && list[place - 1].at > one.at) {
            list[place] = list[place - 1];
            place--;
        }
        list[place] = one;
    }
}

int bk__zone_rule_offset(const struct bk__zone_rule *rule, int64_t unix_s,
                         int64_t *ret_until) {
    struct moment list[CHANGES];
    *ret_until = INT64_MAX;
    if (!rule->changes) {
        return rule->standard;
    }
    list_changes(rule, unix_s, list);
    int offset = list[0].offset;
    for (int i = 0; i < CHANGES; i++) {
        if (list[i].at > unix_s) {
            *ret_until = list[i].at;
            break;
        }
        offset = list[i].offset;
    }
    return offset;
}
