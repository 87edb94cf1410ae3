/*
 * The calendar as arithmetic (Howard Hinnant, "chrono-compatible date algorithms"): years
 * are thought to begin in March, so that the leap day comes last. Not clocks and not zones.
 * stamp.c, zone_rule.c, cron.c and backup/retention.c call it.
 */
#include <base/civil.h>

int64_t bk__civil_days(int64_t year, int month, int day) {
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t era = (y >= 0 ? y : y - 399) / 400;
    int64_t of_era = y - era * 400;
    int64_t of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct bk__date bk__civil_date(int64_t days) {
    int64_t shifted = days + 719468;
    int64_t era = bk__civil_floor(shifted, 146097);
    int64_t day = shifted - era * 146097;
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t of_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * of_year + 2) / 153;
    struct bk__date date;

    date.day = (int)(of_year - (153 * month + 2) / 5 + 1);
    date.month = (int)(month < 10 ? month + 3 : month - 9);
    date.year = year + era * 400 + (date.month <= 2);
    return date;
}

int bk__civil_weekday(int64_t days) {
    int64_t shifted = days + 4; /* 1970-01-01 was a Thursday */

    return (int)(shifted - bk__civil_floor(shifted, 7) * 7);
}

int64_t bk__civil_floor(int64_t a, int64_t b) {
    return a >= 0 ? a / b : -((-a + b - 1) / b);
}
