/*
 * TZif files: the table of a zone's past, and what it says of a second or of a local time.
 * Not the rule for what follows the table (zone_rule.c), not the file system (core/calendar.c).
 * cron.c and backup/retention.c ask.
 */
#include <base/zone.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <base/civil.h>
#include <base/zone_rule.h>

#define HEADER 44
#define FARTHEST (26 * 3600)        /* from UTC, either way (RFC 8536) */
#define AROUND (2 * INT64_C(86400)) /* a local time is within this of its second */

struct change {
    int64_t at;
    int offset; /* from then on */
};

struct bk__zone {
    int first; /* the offset before the first change */
    bool ruled;
    struct bk__zone_rule rule; /* from the last change on */
    size_t count;
    struct change changes[];
};

/* ---- reading ----------------------------------------------------------------------- */

/* One header and where its data lie. */
struct block {
    const unsigned char *data; /* behind the header */
    size_t size;               /* of the data */
    size_t wide;               /* bytes of a time: 4 or 8 */
    size_t leaps, times, types;
    int version;
};

static int64_t big_endian(const unsigned char *at, size_t size) {
    uint64_t value = at[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | at[i];
    }
    return (int64_t)value;
}

static size_t count_at(const unsigned char *header, int which) {
    return (size_t)(big_endian(header + 20 + 4 * which, 4) & 0xffffffff);
}

static bool read_block(const unsigned char *at, size_t left, size_t wide,
                       struct block *ret) {
    if (left < HEADER || memcmp(at, "TZif", 4) != 0) {
        return false;
    }
    size_t marks = count_at(at, 0) + count_at(at, 1);
    size_t letters = count_at(at, 5);
    *ret = (struct block){.data = at + HEADER,
                          .wide = wide,
                          .leaps = count_at(at, 2),
                          .times = count_at(at, 3),
                          .types = count_at(at, 4),
                          .version = at[4]};
    ret->size = ret->times * (wide + 1) + ret->types * 6 + letters +
                ret->leaps * (wide + 4) + marks;
    return ret->types > 0 && ret->types <= 256 && ret->size <= left - HEADER;
}

/* The offset of local time type number, or false. */
static bool read_type(const struct block *block, size_t number, int *ret) {
    if (number >= block->types) {
        return false;
    }
    const unsigned char *types = block->data + block->times * (block->wide + 1);
    int64_t offset = big_endian(types + 6 * number, 4);
    *ret = (int)offset;
    return offset >= -FARTHEST && offset <= FARTHEST;
}

static struct bk__zone *read_table(const struct block *block, const char **ret_why) {
    struct bk__zone *zone =
        calloc(1, sizeof *zone + block->times * sizeof zone->changes[0]);
    if (!zone) {
        *ret_why = "out of memory";
        return NULL;
    }
    zone->count = block->times;
    bool good = read_type(block, 0, &zone->first);
    for (size_t i = 0; good && i < zone->count; i++) {
        struct change *change = &zone->changes[i];
        change->at = big_endian(block->data + i * block->wide, block->wide);
        good = read_type(block, block->data[block->times * block->wide + i],
                         &change->offset) &&
               (i == 0 || change->at > change[-1].at);
    }
    if (!good) {
        *ret_why = "its table is damaged";
        free(zone);
        return NULL;
    }
    return zone;
}

/* "\nRULE\n" behind the second block; an empty rule means that nothing is known. */
static bool read_footer(const unsigned char *at, size_t left, struct bk__zone *zone) {
    char text[128];
    const unsigned char *end = left > 0 ? memchr(at + 1, '\n', left - 1) : NULL;
    size_t size = end ? (size_t)(end - at - 1) : 0;
    if (!end || at[0] != '\n' || size >= sizeof text) {
        return false;
    }
    memcpy(text, at + 1, size);
    text[size] = '\0';
    zone->ruled = size > 0;
    return size == 0 || (strlen(text) == size && bk__zone_rule_parse(text, &zone->rule));
}

struct bk__zone *bk__zone_parse(const void *bytes, size_t size, const char **ret_why) {
    const unsigned char *at = bytes;
    struct block block;
    *ret_why = "it is no time zone file";
    if (!read_block(at, size, 4, &block)) {
        return NULL;
    }
    size_t skip = HEADER + block.size;
    bool wide = block.version >= '2';
    if (wide && !read_block(at + skip, size - skip, 8, &block)) {
        *ret_why = "it is cut short";
        return NULL;
    }
    if (block.leaps > 0) {
        *ret_why = "it counts leap seconds, which no clock of a computer shows";
        return NULL;
    }
    struct bk__zone *zone = read_table(&block, ret_why);
    const unsigned char *footer = block.data + block.size;
    if (zone && wide && !read_footer(footer, size - (size_t)(footer - at), zone)) {
        *ret_why = "its last line cannot be read";
        free(zone);
        return NULL;
    }
    return zone;
}

struct bk__zone *bk__zone_utc(void) {
    return calloc(1, sizeof(struct bk__zone));
}

void bk__zone_free(struct bk__zone *zone) {
    free(zone);
}

/* ---- asking ------------------------------------------------------------------------ */

/* How many changes have happened at that second. */
static size_t passed(const struct bk__zone *zone, int64_t unix_s) {
    size_t low = 0;
    size_t high = zone->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (zone->changes[middle].at <= unix_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

int bk__zone_offset(const struct bk__zone *zone, int64_t unix_s, int64_t *ret_until) {
    int64_t until = INT64_MAX;
    size_t past = passed(zone, unix_s);
    int offset = past > 0 ? zone->changes[past - 1].offset : zone->first;
    if (past < zone->count) {
        until = zone->changes[past].at;
    } else if (zone->ruled) {
        offset = bk__zone_rule_offset(&zone->rule, unix_s, &until);
    }
    if (ret_until) {
        *ret_until = until;
    }
    return offset;
}

/* Walks over the spans of equal offset from well before. In one of them the local time is shown,
   or it falls between the end of one and the beginning of the next. Never beyond the first second
   that shows more, whatever the clock shows afterwards: so a later local time is never an earlier
   second, also where a zone jumps ahead and back within hours. */
int64_t bk__zone_instant(const struct bk__zone *zone, int64_t local_s) {
    int64_t from = local_s - AROUND;
    for (;;) {
        int64_t until = INT64_MAX;
        int64_t second = local_s - bk__zone_offset(zone, from, &until);
        if (second < from) {
            /* It was skipped as this span began; so is what follows up to a whole minute. */
            local_s = bk__civil_floor(local_s + (from - second) + 59, 60) * 60;
        } else if (second < until) {
            return second;
        } else {
            from = until;
        }
    }
}
