/*
 * Tests of src/backup/delta/delta.c: what is written is read again in pieces of any size, and nothing that
 * is not a payload gets past the reader. Not of archives and chains (tests/c/backup_deltas.c).
 */
#include <backup/delta/delta.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "sandbox.h"
#include <cmocka.h>

#define PAGE 512
#define PAGES 9
#define PAYLOAD (BK__DELTA_HEADER + 2 * BK__DELTA_RUN + 3 * PAGE + BK__DELTA_END)

static const struct bk__delta facts = {
    .page_size = PAGE,
    .pages = PAGES,
    .parent_pages = 12,
    .parent_sha256 = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff",
    .sha256 = "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100"};

/* Pages 2 and 3 of bytes 'a', page 9 of bytes 'b'. */
static void write_payload(unsigned char out[PAYLOAD]) {
    unsigned char *at = out;
    bk__delta_header(&facts, at);
    at += BK__DELTA_HEADER;
    bk__delta_run(2, 2, at);
    at += BK__DELTA_RUN;
    memset(at, 'a', 2 * PAGE);
    at += (size_t)2 * PAGE;
    bk__delta_run(PAGES, 1, at);
    at += BK__DELTA_RUN;
    memset(at, 'b', PAGE);
    at += PAGE;
    bk__delta_end(&facts, at);
    assert_ptr_equal(at + BK__DELTA_END, out + PAYLOAD);
}

/* The image: never written outside. */
static int put(void *context, const unsigned char *bytes, size_t size, int64_t at) {
    unsigned char *image = context;
    assert_true(at >= 0 && at + (int64_t)size <= PAGES * PAGE);
    memcpy(image + at, bytes, size);
    return 0;
}

/* Fed in such pieces: NULL, or why it is none. */
static const char *feed(const unsigned char *bytes, size_t size, size_t piece,
                        unsigned char *image, struct bk__delta_reader *reader) {
    const char *why = NULL;
    *reader = (struct bk__delta_reader){.put = put, .context = image};
    memset(image, '.', (size_t)PAGES * PAGE);
    for (size_t at = 0; why == NULL && at < size; at += piece) {
        size_t left = size - at;
        why = bk__delta_feed(reader, bytes + at, left < piece ? left : piece);
    }
    return why == NULL ? bk__delta_ended(reader) : why;
}

static void test_backup_delta__comes_back_in_any_pieces(void **state) {
    unsigned char payload[PAYLOAD];
    unsigned char image[PAGES * PAGE];
    struct bk__delta_reader reader;
    (void)state;
    write_payload(payload);
    for (size_t piece = 1; piece <= PAYLOAD; piece = piece * 2 + 1) {
        assert_null(feed(payload, PAYLOAD, piece, image, &reader));
        assert_int_equal(reader.found.page_size, PAGE);
        assert_int_equal(reader.found.pages, PAGES);
        assert_int_equal(reader.found.parent_pages, 12);
        assert_string_equal(reader.found.parent_sha256, facts.parent_sha256);
        assert_string_equal(reader.found.sha256, facts.sha256);
        for (size_t page = 0; page < PAGES; page++) {
            int expected = page == 1 || page == 2 ? 'a' : page == 8 ? 'b' : '.';
            assert_int_equal(image[page * PAGE], expected);
            assert_int_equal(image[page * PAGE + PAGE - 1], expected);
        }
    }
}

static void test_backup_delta__cut_anywhere_it_is_none(void **state) {
    unsigned char payload[PAYLOAD];
    unsigned char image[PAGES * PAGE];
    struct bk__delta_reader reader;
    (void)state;
    write_payload(payload);
    for (size_t size = 0; size < PAYLOAD; size++) {
        assert_non_null(feed(payload, size, 100, image, &reader));
    }
}

static void test_backup_delta__nothing_follows_the_end(void **state) {
    unsigned char payload[PAYLOAD + 1] = {0};
    unsigned char image[PAGES * PAGE];
    struct bk__delta_reader reader;
    (void)state;
    write_payload(payload);
    assert_non_null(feed(payload, PAYLOAD + 1, 77, image, &reader));
    assert_non_null(feed(payload, PAYLOAD + 1, PAYLOAD + 1, image, &reader));
}

/* What each bit of the fixed parts may do: be refused, or be seen by the sums or in the image; never
   write outside. */
static void test_backup_delta__every_bit_of_the_fixed_parts(void **state) {
    static const size_t parts[][2] = {{0, BK__DELTA_HEADER},
                                      {BK__DELTA_HEADER, BK__DELTA_RUN},
                                      {PAYLOAD - BK__DELTA_END, BK__DELTA_END}};
    unsigned char payload[PAYLOAD];
    unsigned char image[PAGES * PAGE];
    unsigned char expected[PAGES * PAGE];
    struct bk__delta_reader reader;
    (void)state;
    write_payload(payload);
    assert_null(feed(payload, PAYLOAD, PAYLOAD, expected, &reader));
    for (size_t part = 0; part < 3; part++) {
        for (size_t bit = 0; bit < 8 * parts[part][1]; bit++) {
            write_payload(payload);
            payload[parts[part][0] + bit / 8] ^= (unsigned char)(1U << bit % 8);
            bool sizes = part == 0 && bit / 8 >= 8 && bit / 8 < 24;
            const char *why = sizes ? NULL : feed(payload, PAYLOAD, 61, image, &reader);
            bool same = !sizes && why == NULL &&
                        strcmp(reader.found.parent_sha256, facts.parent_sha256) == 0 &&
                        strcmp(reader.found.sha256, facts.sha256) == 0 &&
                        reader.found.parent_pages == facts.parent_pages &&
                        memcmp(image, expected, sizeof image) == 0;
            assert_false(same);
        }
    }
}

static void assert_refused(int64_t first, int64_t count) {
    unsigned char bytes[BK__DELTA_HEADER + BK__DELTA_RUN];
    unsigned char image[PAGES * PAGE];
    struct bk__delta_reader reader;
    bk__delta_header(&facts, bytes);
    bk__delta_run(first, count, bytes + BK__DELTA_HEADER);
    feed(bytes, sizeof bytes, sizeof bytes, image, &reader);
    struct bk__delta_reader again = {.put = put, .context = image};
    assert_non_null(bk__delta_feed(&again, bytes, sizeof bytes));
}

static void test_backup_delta__runs_out_of_place(void **state) {
    (void)state;
    assert_refused(0, 1);
    assert_refused(1, 0);
    assert_refused(PAGES + 1, 1);
    assert_refused(PAGES, 2);
    assert_refused(1, PAGES + 1);
    assert_refused(-1, 1);
    assert_refused(INT64_MAX, 1);
    assert_refused(1, UINT32_MAX);
}

static void test_backup_delta__runs_rise(void **state) {
    unsigned char payload[PAYLOAD];
    unsigned char image[PAGES * PAGE];
    struct bk__delta_reader reader;
    (void)state;
    for (int64_t first = 1; first <= PAGES; first++) {
        write_payload(payload);
        bk__delta_run(first, 1,
                      payload + BK__DELTA_HEADER + BK__DELTA_RUN + (size_t)2 * PAGE);
        const char *why = feed(payload, PAYLOAD, 500, image, &reader);
        assert_int_equal(why == NULL, first > 3);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_delta__comes_back_in_any_pieces),
        cmocka_unit_test(test_backup_delta__cut_anywhere_it_is_none),
        cmocka_unit_test(test_backup_delta__nothing_follows_the_end),
        cmocka_unit_test(test_backup_delta__every_bit_of_the_fixed_parts),
        cmocka_unit_test(test_backup_delta__runs_out_of_place),
        cmocka_unit_test(test_backup_delta__runs_rise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
