/*
 * Operations in flight: ids that end once, stale ids after their slot is used again, the oldest.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <botkeep.h>
#include <core/inflight.h>

static struct bk__inflight table;

static int setup(void **state) {
    (void)state;
    bk__inflight_init(&table);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    bk__inflight_free(&table);
    return 0;
}

static void test_core_inflight__an_id_ends_once(void **state) {
    (void)state;
    int id = bk__inflight_begin(&table, "play", 10);
    assert_true(id > 0);
    assert_int_equal(table.count, 1);
    assert_int_equal(bk__inflight_end(&table, id), 0);
    assert_int_equal(table.count, 0);
    assert_int_equal(bk__inflight_end(&table, id), BK_ENOTFOUND);
    assert_int_equal(table.count, 0);
}

static void test_core_inflight__a_stale_id_never_ends_another(void **state) {
    (void)state;
    int stale = bk__inflight_begin(&table, "first", 0);
    assert_int_equal(bk__inflight_end(&table, stale), 0);
    for (int i = 0; i < 100000; i++) {
        int id = bk__inflight_begin(&table, "next", i);
        assert_true(id > 0 && id != stale);
        assert_int_equal(bk__inflight_end(&table, stale), BK_ENOTFOUND);
        assert_int_equal(bk__inflight_end(&table, id), 0);
    }
}

static void test_core_inflight__junk_ids_are_refused(void **state) {
    (void)state;
    static const int junk[] = {0, -1, 1, 65535, 65536, INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < sizeof junk / sizeof junk[0]; i++) {
        assert_int_equal(bk__inflight_end(&table, junk[i]), BK_ENOTFOUND);
    }
}

static void test_core_inflight__the_oldest_is_known(void **state) {
    (void)state;
    const char *label = NULL;
    assert_int_equal(bk__inflight_oldest(&table, &label), -1);
    int first = bk__inflight_begin(&table, "first", 10);
    int second = bk__inflight_begin(&table, "second", 20);
    int third = bk__inflight_begin(&table, "third", 30);
    assert_int_equal(bk__inflight_oldest(&table, &label), 10);
    assert_string_equal(label, "first");
    assert_int_equal(bk__inflight_end(&table, second), 0);
    assert_int_equal(bk__inflight_oldest(&table, &label), 10);
    assert_int_equal(bk__inflight_end(&table, first), 0);
    assert_int_equal(bk__inflight_oldest(&table, &label), 30);
    assert_string_equal(label, "third");
    assert_int_equal(bk__inflight_end(&table, third), 0);
    assert_int_equal(bk__inflight_oldest(&table, &label), -1);
}

static void test_core_inflight__it_grows_to_a_bound(void **state) {
    (void)state;
    int last = 0;
    int count = 0;
    for (int id = 1; id > 0 && count <= 70000; count += id > 0) {
        id = bk__inflight_begin(&table, "x", count);
        last = id > 0 ? id : last;
        if (id < 0) {
            assert_int_equal(id, BK_EBUSY);
        }
    }
    assert_int_equal(count, 65535);
    assert_int_equal(bk__inflight_end(&table, last), 0);
    assert_true(bk__inflight_begin(&table, "y", 1) > 0);
}

#define TEST(name)                                                                       \
    cmocka_unit_test_setup_teardown(test_core_inflight__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_id_ends_once),      TEST(a_stale_id_never_ends_another),
        TEST(junk_ids_are_refused), TEST(the_oldest_is_known),
        TEST(it_grows_to_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
