/*
 * Tests of src/base/hash.c: the published vectors, in one piece and in many.
 * Not of libcrypto's speed.
 */
#include <base/hash.h>

#include <string.h>

#include "sandbox.h"
#include <cmocka.h>

#define EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define MILLION_A "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"

static void test_base_hash__published_vectors(void **state) {
    char hex[BK__SHA256_HEX];

    (void)state;
    bk__hash_bytes("", 0, hex);
    assert_string_equal(hex, EMPTY);
    bk__hash_bytes("abc", 3, hex);
    assert_string_equal(hex, ABC);
}

static void test_base_hash__pieces_of_any_size_make_the_same_sum(void **state) {
    static const size_t pieces[] = {1, 63, 64, 65, 1000, 4096};
    char bytes[4096], hex[BK__SHA256_HEX];

    (void)state;
    memset(bytes, 'a', sizeof bytes);
    for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
        struct bk__hash *hash = bk__hash_new();

        assert_non_null(hash);
        for (size_t left = 1000000; left;) {
            size_t size = left < pieces[i] ? left : pieces[i];

            bk__hash_add(hash, bytes, size);
            left -= size;
        }
        bk__hash_end(hash, hex);
        assert_string_equal(hex, MILLION_A);
    }
}

static void test_base_hash__two_run_side_by_side_and_one_is_dropped(void **state) {
    struct bk__hash *kept = bk__hash_new(), *dropped = bk__hash_new();
    char hex[BK__SHA256_HEX];

    (void)state;
    bk__hash_add(kept, "ab", 2);
    bk__hash_add(dropped, "xy", 2);
    bk__hash_add(kept, "c", 1);
    bk__hash_drop(dropped);
    bk__hash_drop(NULL);
    bk__hash_end(kept, hex);
    assert_string_equal(hex, ABC);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_base_hash__published_vectors),
        cmocka_unit_test(test_base_hash__pieces_of_any_size_make_the_same_sum),
        cmocka_unit_test(test_base_hash__two_run_side_by_side_and_one_is_dropped),
    };

    return cmocka_run_group_tests_name("base/hash", tests, NULL, NULL);
}
