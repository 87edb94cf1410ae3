/*
 * The decision which backups go, by sequence and never by the clock alone.
 * Not the deletion: prune.c does that, and only for what this marked.
 * Called by prune.c (also on behalf of create.c); tests call it with invented lists.
 */
#include <backup/retention.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/civil.h>
#include <base/zone.h>

#define DAY_MS INT64_C(86400000)

static int by_age(const void *left, const void *right) {
    const struct bk__retain *a = left;
    const struct bk__retain *b = right;
    if (a->sequence != b->sequence) {
        return a->sequence > b->sequence ? -1 : 1;
    }
    if (a->created_ms != b->created_ms) {
        return a->created_ms > b->created_ms ? -1 : 1;
    }
    return strcmp(b->name, a->name);
}

/* ---- whose time is believed -------------------------------------------------------- */

/* Times after now are believed only where they are the more numerous: then now is wrong. */
static bool is_now_right(const struct bk__retain *items, size_t count, int64_t now_ms) {
    size_t future = 0;
    for (size_t i = 0; i < count; i++) {
        future += items[i].created_ms > now_ms;
    }
    return 2 * future <= count;
}

/* The run's clock does not jump, but it may have begun wrong: on a machine that has none of its own,
   before it was set. Then the backups outvote it. */
static int64_t choose_now(const struct bk__retain *items, size_t count,
                          const struct bk__rules *rules) {
    bool late = rules->wall_ms > rules->now_ms;
    return late && !is_now_right(items, count, rules->now_ms) ? rules->wall_ms
                                                              : rules->now_ms;
}

/* Where the time belongs among the ends of the falling runs found so far: behind all that are not
   earlier. The ends' indexes stand in items[0..length).slot. */
static size_t place_of(const struct bk__retain *items, size_t length, int64_t time) {
    size_t low = 0;
    size_t high = length;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (items[items[middle].slot].created_ms >= time) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* The longest run of items whose times fall from the newest to the oldest is in order: a clock
   that was wrong for a while is outvoted by the backups made before and after. Of two equally
   long ones the later times are believed, because they make nothing old. */
static void mark_order(struct bk__retain *items, size_t count, int64_t now_ms) {
    bool right = is_now_right(items, count, now_ms);
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        items[i].in_order = false;
        if (right && items[i].created_ms > now_ms) {
            continue;
        }
        size_t place = place_of(items, length, items[i].created_ms);
        items[i].link = place > 0 ? items[place - 1].slot : count;
        items[place].slot = i;
        length = place == length ? length + 1 : length;
    }
    size_t at = length > 0 ? items[length - 1].slot : count;
    while (at < count) {
        items[at].in_order = true;
        at = items[at].link;
    }
}

/* How old each one is at the least. */
static void measure_age(struct bk__retain *items, size_t count, int64_t now_ms) {
    int64_t time = now_ms;
    for (size_t i = 0; i < count; i++) {
        time = items[i].in_order ? items[i].created_ms : time;
        items[i].age_ms = now_ms - time;
    }
}

/* ---- what stays -------------------------------------------------------------------- */

/* Walks one kind from its newest to its oldest. Partial ones push out no verified one, but they are
   counted among themselves: a store that is down for weeks must not fill the disk with halves. */
static void keep_kind(struct bk__retain *items, size_t count, const char *kind,
                      int64_t keep) {
    int64_t good = 0;
    int64_t partial = 0;
    bool newest = true;
    for (size_t i = 0; i < count; i++) {
        struct bk__retain *item = &items[i];
        if (strcmp(item->kind, kind) != 0) {
            continue;
        }
        item->stays |= newest ? BK__STAY_NEWEST : 0;
        int64_t newer = item->partial ? good + partial : good;
        item->stays |= newer < keep ? BK__STAY_COUNT : 0;
        good += item->verified;
        partial += item->partial;
        newest = false;
    }
}

/* Whatever the kinds are: those that are adopted may have other ones than ours. */
static void keep_kinds(struct bk__retain *items, size_t count, int64_t keep) {
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t j = 0; !known && j < i; j++) {
            known = strcmp(items[j].kind, items[i].kind) == 0;
        }
        if (!known) {
            keep_kind(items, count, items[i].kind, keep);
        }
    }
}

static int64_t local_day(const struct bk__zone *zone, int64_t unix_ms) {
    int64_t second = bk__civil_floor(unix_ms, 1000);
    return bk__civil_floor(second + bk__zone_offset(zone, second, NULL), 86400);
}

/* Weeks begin on Monday. */
static int64_t group_of(int64_t day, enum bk__stay rule) {
    struct bk__date date = bk__civil_date(day);
    return rule == BK__STAY_DAILY    ? day
           : rule == BK__STAY_WEEKLY ? bk__civil_floor(day + 3, 7)
                                     : date.year * 12 + date.month;
}

/* The last verified one of each of the newest days, weeks or months in which there are any, so
   that a bot that was off for a month loses none of them. */
static void keep_tail(struct bk__retain *items, size_t count,
                      const struct bk__rules *rules, enum bk__stay rule) {
    int64_t left = rule == BK__STAY_DAILY    ? rules->daily
                   : rule == BK__STAY_WEEKLY ? rules->weekly
                                             : rules->monthly;
    int64_t last = INT64_MAX;
    for (size_t i = 0; left > 0 && i < count; i++) {
        if (!items[i].in_order || !items[i].verified) {
            continue;
        }
        int64_t group = group_of(local_day(rules->zone, items[i].created_ms), rule);
        /* Less, not other: a night in which the date is shown twice is no third day. */
        if (group < last) {
            items[i].stays |= rule;
            last = group;
            left--;
        }
    }
}

static void keep_single(struct bk__retain *items, size_t count,
                        const struct bk__rules *rules) {
    bool best = true; /* still to come */
    for (size_t i = 0; i < count; i++) {
        struct bk__retain *item = &items[i];
        item->stays |= best && item->verified ? BK__STAY_BEST : 0;
        best = best && !item->verified;
        item->stays |= rules->keep == 0 ? BK__STAY_ALL : 0;
        bool spared = rules->spare && bk__name_same_stem(item->name, rules->spare);
        item->stays |= spared || item->pinned ? BK__STAY_SPARED : 0;
        item->stays |=
            rules->days > 0 && item->age_ms < rules->days * DAY_MS ? BK__STAY_DAYS : 0;
    }
}

static bool is_stem_of(const char *stem, const char *name) {
    size_t size = strlen(stem);
    return strncmp(name, stem, size) == 0 && name[size] == '.';
}

/* The search begins behind the child: there its parent is, unless a manifest says nonsense. */
static struct bk__retain *parent_of(struct bk__retain *items, size_t count,
                                    size_t child) {
    for (size_t i = 1; items[child].parent[0] != '\0' && i < count; i++) {
        struct bk__retain *item = &items[(child + i) % count];
        if (is_stem_of(items[child].parent, item->name)) {
            return item;
        }
    }
    return NULL;
}

/* What one that stays is made of stays, and what that is made of, until nothing more is found. */
static void keep_bases(struct bk__retain *items, size_t count) {
    bool more = true;
    while (more) {
        more = false;
        for (size_t i = 0; i < count; i++) {
            struct bk__retain *parent =
                items[i].stays != 0 ? parent_of(items, count, i) : NULL;
            if (parent != NULL) {
                more = more || parent->stays == 0;
                parent->stays |= BK__STAY_BASE;
            }
        }
    }
}

/* ---- telling why ------------------------------------------------------------------- */

static void say(struct bk__retain *item, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void say(struct bk__retain *item, const char *format, ...) {
    size_t size = strlen(item->reason);
    va_list args;
    va_start(args, format);
    vsnprintf(item->reason + size, sizeof item->reason - size, format, args);
    va_end(args);
}

static const char *plural(int64_t count) {
    return count == 1 ? "" : "s";
}

static void tell_drop(struct bk__retain *item, const struct bk__rules *rules) {
    say(item, "%" PRId64 " newer verified %s%s backup%s kept", rules->keep,
        item->partial ? "or partial " : "", item->kind,
        rules->keep == 1 ? " is" : "s are");
    if (rules->days > 0) {
        say(item, "; at least %" PRId64 " day%s old", rules->days, plural(rules->days));
    }
    if (rules->daily + rules->weekly + rules->monthly > 0) {
        say(item, "; not the last of a day, week or month that is kept");
    }
}

static void tell_one(struct bk__retain *item, enum bk__stay rule, const char *text) {
    if (item->stays & rule) {
        say(item, "%s%s", item->reason[0] ? "; " : "", text);
    }
}

static void tell_stay(struct bk__retain *item, const struct bk__rules *rules) {
    char count[64];
    char days[64];
    snprintf(count, sizeof count, "among the newest %" PRId64 " of its kind",
             rules->keep);
    snprintf(days, sizeof days, "younger than %" PRId64 " day%s", rules->days,
             plural(rules->days));
    tell_one(item, BK__STAY_BEST, "the newest verified");
    tell_one(item, BK__STAY_NEWEST, "the newest of its kind");
    tell_one(item, BK__STAY_SPARED, "spared");
    tell_one(item, BK__STAY_BASE, "a newer one is made of changes to it");
    tell_one(item, BK__STAY_ALL, "all are kept");
    tell_one(item, BK__STAY_COUNT, count);
    tell_one(item, BK__STAY_DAYS, days);
    tell_one(item, BK__STAY_DAILY, "the last of its day");
    tell_one(item, BK__STAY_WEEKLY, "the last of its week");
    tell_one(item, BK__STAY_MONTHLY, "the last of its month");
}

void bk__retention_decide(struct bk__retain *items, size_t count,
                          const struct bk__rules *rules) {
    if (count > 0) {
        qsort(items, count, sizeof *items, by_age);
    }
    for (size_t i = 0; i < count; i++) {
        items[i].stays = 0;
        items[i].reason[0] = '\0';
    }
    int64_t now_ms = choose_now(items, count, rules);
    mark_order(items, count, now_ms);
    measure_age(items, count, now_ms);
    keep_single(items, count, rules);
    keep_kinds(items, count, rules->keep);
    keep_tail(items, count, rules, BK__STAY_DAILY);
    keep_tail(items, count, rules, BK__STAY_WEEKLY);
    keep_tail(items, count, rules, BK__STAY_MONTHLY);
    keep_bases(items, count);
    for (size_t i = 0; i < count; i++) {
        items[i].drop = items[i].stays == 0;
        if (items[i].drop) {
            tell_drop(&items[i], rules);
        } else {
            tell_stay(&items[i], rules);
        }
    }
}
