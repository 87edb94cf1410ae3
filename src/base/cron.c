/*
 * Cron expressions, strictly read, and the search for the next time. Not when work is due: that
 * also hangs on what ran before (core/schedule.c). core/calendar.c parses, core/schedule.c asks.
 */
#include <base/cron.h>

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include <base/civil.h>
#include <base/zone.h>

#define DAY_MINUTES 1440
#define ALL_DAYS 146097 /* after 400 years the calendar repeats itself */
#define FIELDS 5
#define BLANKS " \t\r\n" /* a line of a file may be handed over with its end */

struct field {
    const char *name;
    int least, most;
    const char *const *words; /* of least, least + 1, ...; NULL: none */
};

static const char *const months[] = {"jan", "feb", "mar", "apr", "may", "jun", "jul",
                                     "aug", "sep", "oct", "nov", "dec", NULL};
static const char *const weekdays[] = {"sun", "mon", "tue", "wed",
                                       "thu", "fri", "sat", NULL};
static const struct field fields[FIELDS] = {{"minute", 0, 59, NULL},
                                            {"hour", 0, 23, NULL},
                                            {"day of the month", 1, 31, NULL},
                                            {"month", 1, 12, months},
                                            {"weekday", 0, 7, weekdays}};

static const struct {
    const char *name, *means;
} shorthands[] = {{"@hourly", "0 * * * *"},   {"@daily", "0 0 * * *"},
                  {"@midnight", "0 0 * * *"}, {"@weekly", "0 0 * * 0"},
                  {"@monthly", "0 0 1 * *"},  {"@yearly", "0 0 1 1 *"},
                  {"@annually", "0 0 1 1 *"}};

/* ---- one field --------------------------------------------------------------------- */

/* What is read, and where the complaint goes. */
struct reader {
    const char *at, *end; /* of the field */
    const struct field *field;
    char *why;
    size_t why_room;
};

static bool complain(struct reader *reader, const char *what, const char *detail) {
    snprintf(reader->why, reader->why_room, "its %s %s%s", reader->field->name, what,
             detail);
    return false;
}

static bool is_word(const char *at, size_t size, const char *word) {
    for (size_t i = 0; i < size; i++) {
        if (tolower((unsigned char)at[i]) != word[i]) {
            return false;
        }
    }
    return word[size] == '\0';
}

static bool take_word(struct reader *reader, int *ret) {
    size_t size = 0;
    while (reader->at + size < reader->end && isalpha((unsigned char)reader->at[size])) {
        size++;
    }
    for (int i = 0; reader->field->words && reader->field->words[i]; i++) {
        if (is_word(reader->at, size, reader->field->words[i])) {
            reader->at += size;
            *ret = reader->field->least + i;
            return true;
        }
    }
    char word[24];
    snprintf(word, sizeof word, "%.*s", (int)(size < 20 ? size : 20), reader->at);
    return complain(reader, "is no name that cron knows: ", word);
}

/* 0 where there are none; what is far too large stays so. */
static int take_digits(struct reader *reader) {
    int value = 0;
    while (reader->at < reader->end && isdigit((unsigned char)*reader->at)) {
        value = value > 999 ? value : value * 10 + (*reader->at - '0');
        reader->at++;
    }
    return value;
}

static bool take_value(struct reader *reader, int *ret) {
    char range[32];
    if (reader->at < reader->end && isalpha((unsigned char)*reader->at)) {
        return take_word(reader, ret);
    }
    if (reader->at == reader->end || !isdigit((unsigned char)*reader->at)) {
        return complain(reader, "lacks a number", "");
    }
    *ret = take_digits(reader);
    if (*ret >= reader->field->least && *ret <= reader->field->most) {
        return true;
    }
    snprintf(range, sizeof range, "%d to %d", reader->field->least, reader->field->most);
    return complain(reader, "is not from ", range);
}

static bool next_is(struct reader *reader, char wanted) {
    if (reader->at < reader->end && *reader->at == wanted) {
        reader->at++;
        return true;
    }
    return false;
}

/* A star, a value, or a range; *ret_wide says that a step may follow. */
static bool take_range(struct reader *reader, int *low, int *high, bool *ret_wide) {
    *low = reader->field->least;
    *high = reader->field->words == weekdays ? 6 : reader->field->most;
    *ret_wide = true;
    if (next_is(reader, '*')) {
        return true;
    }
    if (!take_value(reader, low)) {
        return false;
    }
    *high = *low;
    *ret_wide = next_is(reader, '-');
    if (*ret_wide && !take_value(reader, high)) {
        return false;
    }
    if (*high == 0 && *low > 0 && reader->field->words == weekdays) {
        *high = 7; /* fri-sun */
    }
    return *high >= *low || complain(reader, "has a range that runs backwards",
                                     "; write two, as in 22-23,0-5");
}

static bool take_item(struct reader *reader, uint64_t *bits) {
    int low = 0;
    int high = 0;
    int step = 1;
    bool wide = false;
    if (!take_range(reader, &low, &high, &wide)) {
        return false;
    }
    if (next_is(reader, '/')) {
        step = take_digits(reader);
        if (!wide) {
            return complain(reader, "has a step behind a single value",
                            "; write a range or *, as in 5-59/15");
        }
        if (step < 1 || step > high - low) {
            return complain(reader, "has a step that is 0 or wider than its range", "");
        }
    }
    for (int value = low; value <= high; value += step) {
        *bits |= UINT64_C(1) << (reader->field->words == weekdays ? value % 7 : value);
    }
    return true;
}

static bool take_field(struct reader *reader, uint64_t *bits) {
    *bits = 0;
    do {
        if (!take_item(reader, bits)) {
            return false;
        }
    } while (next_is(reader, ','));
    char rest[2] = {reader->at < reader->end ? *reader->at : '\0', '\0'};
    return reader->at == reader->end ||
           complain(reader, "lacks a comma or a blank before ", rest);
}

/* ---- the expression ---------------------------------------------------------------- */

static size_t blanks(const char *at) {
    return strspn(at, BLANKS);
}

static int count_fields(const char *text) {
    int count = 0;
    for (const char *at = text + blanks(text); *at; at += blanks(at)) {
        at += strcspn(at, BLANKS);
        count++;
    }
    return count;
}

static const char *spell_out(const char *text) {
    const char *at = text + blanks(text);
    size_t size = strcspn(at, BLANKS);
    for (size_t i = 0; i < sizeof shorthands / sizeof *shorthands; i++) {
        if (is_word(at, size, shorthands[i].name) &&
            at[size + blanks(at + size)] == '\0') {
            return shorthands[i].means;
        }
    }
    return text;
}

bool bk__cron_parse(const char *text, struct bk__cron *ret, char *why, size_t why_room) {
    struct bk__cron cron = {0};
    uint64_t *const bits[FIELDS] = {&cron.minutes, &cron.hours, &cron.days, &cron.months,
                                    &cron.weekdays};
    const char *at = spell_out(text);
    int count = count_fields(at);
    if (at[blanks(at)] == '@') {
        snprintf(why, why_room,
                 "cron knows @hourly, @daily, @weekly, @monthly and "
                 "@yearly, and this is none of them");
        return false;
    }
    if (count != FIELDS) {
        snprintf(why, why_room,
                 "it has %d field%s in place of five (minute, hour, day "
                 "of the month, month, weekday)",
                 count, count == 1 ? "" : "s");
        return false;
    }
    for (int i = 0; i < FIELDS; i++) {
        at += blanks(at);
        struct reader reader = {.at = at,
                                .end = at + strcspn(at, BLANKS),
                                .field = &fields[i],
                                .why = why,
                                .why_room = why_room};
        cron.any_day = i == 2 ? *at == '*' : cron.any_day;
        cron.any_weekday = i == 4 ? *at == '*' : cron.any_weekday;
        at = reader.end;
        if (!take_field(&reader, bits[i])) {
            return false;
        }
    }
    *ret = cron;
    return true;
}

/* ---- the next time ----------------------------------------------------------------- */

static bool has(uint64_t bits, int value) {
    return bits >> value & 1;
}

static bool is_day(const struct bk__cron *cron, int64_t day,
                   const struct bk__date *date) {
    bool by_date = has(cron->days, date->day);
    bool by_weekday = has(cron->weekdays, bk__civil_weekday(day));
    bool both = cron->any_day || cron->any_weekday;
    return has(cron->months, date->month) &&
           (both ? by_date && by_weekday : by_date || by_weekday);
}

/* The first wanted minute of a day from that one on, or -1. */
static int minute_of_day(const struct bk__cron *cron, int from) {
    for (int minute = from; minute < DAY_MINUTES; minute++) {
        if (!has(cron->hours, minute / 60)) {
            minute += 59 - minute % 60;
        } else if (has(cron->minutes, minute % 60)) {
            return minute;
        }
    }
    return -1;
}

/* The first wanted local minute from that one on. */
static bool next_local(const struct bk__cron *cron, int64_t from, int64_t *ret) {
    int64_t first = bk__civil_floor(from, DAY_MINUTES);
    for (int64_t day = first; day <= first + ALL_DAYS; day++) {
        struct bk__date date = bk__civil_date(day);
        if (!has(cron->months, date.month)) {
            /* To the last day of the month: the loop goes on to the next one. */
            int64_t next = date.month == 12
                               ? bk__civil_days(date.year + 1, 1, 1)
                               : bk__civil_days(date.year, date.month + 1, 1);
            day = next - 1;
            continue;
        }
        int from_minute = day == first ? (int)(from - first * DAY_MINUTES) : 0;
        int minute = is_day(cron, day, &date) ? minute_of_day(cron, from_minute) : -1;
        if (minute >= 0) {
            *ret = day * DAY_MINUTES + minute;
            return true;
        }
    }
    return false;
}

/* Later local times never mean earlier seconds, so the first that lies ahead is the one; those
   which the clock shows for the second time lie behind. */
bool bk__cron_next(const struct bk__cron *cron, const struct bk__zone *zone,
                   int64_t after_s, int64_t *ret_s) {
    /* From a minute back: what the clock skipped within it may be due at its end. */
    int64_t from = after_s - 60;
    int64_t minute = bk__civil_floor(from + bk__zone_offset(zone, from, NULL), 60);
    while (next_local(cron, minute, &minute)) {
        int64_t second = bk__zone_instant(zone, minute * 60);
        if (second > after_s) {
            *ret_s = second;
            return true;
        }
        minute++;
    }
    return false;
}
