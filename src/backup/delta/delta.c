/*
 * Payloads of changed pages: the bytes of header, runs and end, and a reader that trusts none of them.
 * Not files, not packing, not which pages changed: changes.c and chain.c call it.
 */
#include <backup/delta/delta.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include <base/bytes.h>
static const unsigned char magic[8] = {'B', 'K', 'D', 'E', 'L', 'T', 'A', '1'};
#define PAGES_MOST (INT64_C(1) << 40)

enum step { HEADER, RUN, PAGES, SUM, ENDED };

/* What does not fit into 63 bits comes out negative, which is out of every range. */
static int64_t get_number(const unsigned char *from, size_t bytes) {
    return (int64_t)bk__get_le(from, bytes);
}

static unsigned digit(char hex) {
    return hex <= '9' ? (unsigned)(hex - '0') : (unsigned)(hex - 'a' + 10);
}

static void put_sum(unsigned char *to, const char sum[BK__SHA256_HEX]) {
    for (size_t i = 0; i < 32; i++) {
        to[i] = (unsigned char)(digit(sum[2 * i]) << 4 | digit(sum[2 * i + 1]));
    }
}

static void get_sum(const unsigned char *from, char ret[BK__SHA256_HEX]) {
    for (size_t i = 0; i < 32; i++) {
        snprintf(ret + 2 * i, 3, "%02x", from[i]);
    }
}

void bk__delta_header(const struct bk__delta *delta,
                      unsigned char out[BK__DELTA_HEADER]) {
    memcpy(out, magic, sizeof magic);
    bk__put_le(out + 8, 4, (uint64_t)delta->page_size);
    bk__put_le(out + 12, 4, 0);
    bk__put_le(out + 16, 8, (uint64_t)delta->pages);
    bk__put_le(out + 24, 8, (uint64_t)delta->parent_pages);
    put_sum(out + 32, delta->parent_sha256);
}

void bk__delta_run(int64_t first, int64_t count, unsigned char out[BK__DELTA_RUN]) {
    bk__put_le(out, 8, (uint64_t)first);
    bk__put_le(out + 8, 4, (uint64_t)count);
    bk__put_le(out + 12, 4, 0);
}

void bk__delta_end(const struct bk__delta *delta, unsigned char out[BK__DELTA_END]) {
    memset(out, 0, BK__DELTA_RUN);
    put_sum(out + BK__DELTA_RUN, delta->sha256);
}

/* ---- reading -------------------------------------------------------------------------- */

static bool is_page_size(int64_t size) {
    return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

static const char *take_header(struct bk__delta_reader *r) {
    struct bk__delta *found = &r->found;
    int64_t page_size = get_number(r->held + 8, 4);
    found->pages = get_number(r->held + 16, 8);
    found->parent_pages = get_number(r->held + 24, 8);
    get_sum(r->held + 32, found->parent_sha256);
    if (memcmp(r->held, magic, sizeof magic) != 0) {
        return "its changes do not begin as they should";
    }
    if (!is_page_size(page_size) || get_number(r->held + 12, 4) != 0 ||
        found->pages < 1 || found->pages > PAGES_MOST || found->parent_pages < 1 ||
        found->parent_pages > PAGES_MOST) {
        return "the header of its changes is impossible";
    }
    found->page_size = (int)page_size;
    r->next = 1;
    r->step = RUN;
    return NULL;
}

static const char *take_run(struct bk__delta_reader *r) {
    int64_t first = get_number(r->held, 8);
    int64_t count = get_number(r->held + 8, 4);
    if (get_number(r->held + 12, 4) != 0) {
        return "a run of its pages is impossible";
    }
    if (first == 0 && count == 0) {
        r->step = SUM;
        return NULL;
    }
    if (first < r->next || count < 1 || first > r->found.pages ||
        count > r->found.pages - first + 1) {
        return "a run of its pages is out of place";
    }
    r->next = first + count;
    r->at = (first - 1) * r->found.page_size;
    r->left = count * r->found.page_size;
    r->step = PAGES;
    return NULL;
}

static size_t wanted(const struct bk__delta_reader *r) {
    return r->step == HEADER ? BK__DELTA_HEADER : r->step == RUN ? BK__DELTA_RUN : 32;
}

/* Bytes of the fixed parts; how many were used. */
static size_t hold(struct bk__delta_reader *r, const unsigned char *bytes, size_t size,
                   const char **ret_why) {
    size_t missing = wanted(r) - r->have;
    size_t used = size < missing ? size : missing;
    memcpy(r->held + r->have, bytes, used);
    r->have += used;
    if (used == missing) {
        r->have = 0;
        if (r->step == SUM) {
            get_sum(r->held, r->found.sha256);
            r->step = ENDED;
        } else {
            *ret_why = r->step == HEADER ? take_header(r) : take_run(r);
        }
    }
    return used;
}

static size_t hand_on(struct bk__delta_reader *r, const unsigned char *bytes, size_t size,
                      const char **ret_why) {
    size_t used = (int64_t)size < r->left ? size : (size_t)r->left;
    r->rc = r->put(r->context, bytes, used, r->at);
    *ret_why = r->rc != 0 ? "" : NULL;
    r->at += (int64_t)used;
    r->left -= (int64_t)used;
    r->step = r->left == 0 ? RUN : PAGES;
    return used;
}

const char *bk__delta_feed(struct bk__delta_reader *r, const unsigned char *bytes,
                           size_t size) {
    const char *why = NULL;
    while (size > 0 && why == NULL) {
        if (r->step == ENDED) {
            return "something follows the end of its changes";
        }
        size_t used =
            r->step == PAGES ? hand_on(r, bytes, size, &why) : hold(r, bytes, size, &why);
        bytes += used;
        size -= used;
    }
    return why;
}

const char *bk__delta_ended(const struct bk__delta_reader *r) {
    return r->step == ENDED ? NULL : "its changes end too early";
}
