/*
 * The walk through Redis dumps: every type up to version 11 from bytes laid down by hand, every
 * byte flipped, every length cut. Real dumps of a real server are tests/redis.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <core/error.h>
#include <store/redis/crc64.h>
#include <store/redis/rdb.h>

/* ---- dumps made by hand --------------------------------------------------------------- */

static unsigned char dump[65536];
static size_t dump_size;
static char why[192];

static void put(const void *bytes, size_t size) {
    assert_true(dump_size + size <= sizeof dump);
    memcpy(dump + dump_size, bytes, size);
    dump_size += size;
}

#define PUT(text) put(text, sizeof(text) - 1)

static void begin(const char *magic) {
    dump_size = 0;
    put(magic, strlen(magic));
}

/* The closing opcode and the sum of all before it. */
static void end(void) {
    struct bk__crc64 crc;
    unsigned char tail[8];
    PUT("\xff");
    bk__crc64_begin(&crc);
    bk__crc64_add(&crc, dump, dump_size);
    for (int i = 0; i < 8; i++) {
        tail[i] = (unsigned char)(crc.sum >> (8 * i));
    }
    put(tail, sizeof tail);
}

struct memory {
    const unsigned char *at;
    size_t size;
    size_t piece; /* how much is given at once */
};

static int64_t read_memory(void *context, unsigned char *bytes, size_t room) {
    struct memory *m = context;
    size_t give = m->size < room ? m->size : room;
    give = give < m->piece ? give : m->piece;
    memcpy(bytes, m->at, give);
    m->at += give;
    m->size -= give;
    return (int64_t)give;
}

static int walk_in(size_t piece, const unsigned char *bytes, size_t size,
                   struct bk__rdb_facts *ret) {
    struct memory m = {bytes, size, piece};
    const struct bk__rdb_source source = {&m, read_memory};
    why[0] = '\0';
    return bk__rdb_walk(&source, ret, why, sizeof why);
}

static int walk(struct bk__rdb_facts *ret) {
    return walk_in(sizeof dump, dump, dump_size, ret);
}

/* A dump whose database 0 has one key of that type and value. */
static void one_value(const char *magic, unsigned char type, const void *value,
                      size_t size) {
    begin(magic);
    PUT("\xfe\x00");
    put(&type, 1);
    PUT("\x03key");
    put(value, size);
    end();
}

static void assert_one_key(const char *what) {
    struct bk__rdb_facts facts;
    /* By single bytes, too: every boundary of the buffer falls somewhere. */
    for (size_t piece = 1; piece <= sizeof dump; piece += sizeof dump - 1) {
        if (walk_in(piece, dump, dump_size, &facts) != 0) {
            fail_msg("%s: %s", what, why);
        }
        assert_true(facts.summed && facts.counted);
        assert_int_equal(facts.bytes, dump_size);
        assert_int_equal(facts.db_count, 1);
        assert_int_equal(facts.dbs[0].keys, 1);
        bk__rdb_facts_free(&facts);
    }
}

static void assert_damaged(const char *says) {
    struct bk__rdb_facts facts;
    assert_int_equal(walk(&facts), BK_ECORRUPT);
    if (strstr(why, says) == NULL) {
        fail_msg("\"%s\" is not in \"%s\"", says, why);
    }
}

/* ---- sums ----------------------------------------------------------------------------- */

static void test_store_redis_crc64__the_published_check_value(void **state) {
    (void)state;
    struct bk__crc64 crc;
    bk__crc64_begin(&crc);
    bk__crc64_add(&crc, (const unsigned char *)"123456789", 9);
    assert_true(crc.sum == UINT64_C(0xe9c6d914c4b8d9ca));
    bk__crc64_begin(&crc);
    for (int i = 0; i < 9; i++) {
        bk__crc64_add(&crc, (const unsigned char *)"123456789" + i, 1);
    }
    assert_true(crc.sum == UINT64_C(0xe9c6d914c4b8d9ca));
}

/* ---- types ---------------------------------------------------------------------------- */

#define STREAM_HEAD                                                                      \
    "\x01\x10"                                                                           \
    "0123456789abcdef"                                                                   \
    "\x02lp"                                                                             \
    "\x05\x01\x02"
#define PENDING                                                                          \
    "\x01"                                                                               \
    "0123456789abcdef"                                                                   \
    "12345678"                                                                           \
    "\x03"

static void test_store_redis_rdb__every_type_up_to_version_11(void **state) {
    (void)state;
    static const struct {
        const char *what;
        unsigned char type;
        const char *value;
        size_t size;
    } values[] = {
#define V(what, type, value) {what, type, value, sizeof(value) - 1}
        V("text", 0, "\x02hi"),
        V("text of 14 bits", 0, "\x40\x02hi"),
        V("text of 32 bits", 0, "\x80\x00\x00\x00\x02hi"),
        V("text of 64 bits", 0, "\x81\x00\x00\x00\x00\x00\x00\x00\x02hi"),
        V("int8", 0, "\xc0\x7f"),
        V("int16", 0, "\xc1\x7f\x7f"),
        V("int32", 0, "\xc2\x7f\x7f\x7f\x7f"),
        V("packed text", 0,
          "\xc3\x03\x09"
          "abc"),
        V("list", 1,
          "\x02\x01"
          "a\x01"
          "b"),
        V("set", 2,
          "\x02\x01"
          "a\x01"
          "b"),
        V("zset of texts", 3,
          "\x04\x01"
          "a\x03"
          "1.5\x01"
          "b\xfd\x01"
          "c\xfe\x01"
          "d\xff"),
        V("hash", 4,
          "\x01\x01"
          "a\x01"
          "b"),
        V("zset", 5,
          "\x01\x01"
          "a12345678"),
        V("zipmap", 9, "\x02xx"),
        V("ziplist", 10, "\x02xx"),
        V("intset", 11, "\x02xx"),
        V("zset ziplist", 12, "\x02xx"),
        V("hash ziplist", 13, "\x02xx"),
        V("quicklist", 14, "\x02\x02xx\x02yy"),
        V("stream", 15,
          STREAM_HEAD "\x01\x01g\x01\x02" PENDING "\x01\x01"
                      "c12345678\x01"
                      "0123456789abcdef"),
        V("hash listpack", 16, "\x02xx"),
        V("zset listpack", 17, "\x02xx"),
        V("quicklist 2", 18, "\x02\x01\x02xx\x02\x02yy"),
        V("stream 2", 19,
          STREAM_HEAD "\x01\x02\x03\x04\x05\x01\x01g\x01\x02\x03" PENDING "\x01\x01"
                      "c12345678\x01"
                      "0123456789abcdef"),
        V("set listpack", 20, "\x02xx"),
        V("stream 3", 21,
          STREAM_HEAD "\x01\x02\x03\x04\x05\x01\x01g\x01\x02\x03" PENDING "\x01\x01"
                      "c1234567812345678\x01"
                      "0123456789abcdef"),
#undef V
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++) {
        one_value("REDIS0011", values[i].type, values[i].value, values[i].size);
        assert_one_key(values[i].what);
    }
}

static void test_store_redis_rdb__data_of_modules_is_told(void **state) {
    (void)state;
    static const char value[] = "\x81\x01\x02\x03\x04\x05\x06\x07\x08"
                                "\x01\x05\x02\x40\x80\x03"
                                "1234\x04"
                                "12345678\x05\x02xx\x00";
    struct bk__rdb_facts facts;
    one_value("REDIS0011", 7, value, sizeof value - 1);
    assert_one_key("module");
    assert_int_equal(walk(&facts), 0);
    assert_true(facts.modules);
    bk__rdb_facts_free(&facts);
    begin("REDIS0011");
    PUT("\xf7\x01\x02\x02\x05\x02xx\x00");
    end();
    assert_int_equal(walk(&facts), 0);
    assert_true(facts.modules);
}

/* Everything that may stand between keys. */
static void put_busy_dump(void) {
    begin("REDIS0011");
    PUT("\xfa\x09redis-ver\x05"
        "7.2.4");
    PUT("\xfa\x05"
        "ctime\xc2\x01\x02\x03\x04");
    PUT("\xf5\x0blua library");
    PUT("\xfe\x00\xfb\x03\x02");
    PUT("\xfc"
        "12345678\x00\x01"
        "a\x01x");
    PUT("\xfd"
        "1234\xf8\x40\x80\x00\x01"
        "b\x01x");
    PUT("\xf9\x07\x00\x01"
        "c\x01x");
    PUT("\xfe\x05");
    PUT("\xfe\x0f\xfb\x01\x00\x00\x01"
        "d\x01x");
    end();
}

static void test_store_redis_rdb__keys_are_counted_per_database(void **state) {
    (void)state;
    struct bk__rdb_facts facts;
    put_busy_dump();
    assert_int_equal(walk(&facts), 0);
    assert_string_equal(facts.server, "7.2.4");
    assert_int_equal(facts.version, 11);
    assert_false(facts.modules);
    assert_int_equal(facts.db_count, 2); /* one without keys is not counted */
    assert_int_equal(facts.dbs[0].number, 0);
    assert_int_equal(facts.dbs[0].keys, 3);
    assert_int_equal(facts.dbs[0].expiring, 2);
    assert_int_equal(facts.dbs[1].number, 15);
    assert_int_equal(facts.dbs[1].keys, 1);
    bk__rdb_facts_free(&facts);
}

/* ---- damage --------------------------------------------------------------------------- */

/* Numbers are packed or plain, and what is none is no reason to refuse a dump. */
static void test_store_redis_rdb__what_a_dump_says_of_itself(void **state) {
    static const struct {
        const char *value;
        size_t size;
        int64_t memory;
    } cases[] = {{"\xc0\x7f", 2, 127},
                 {"\xc0\xff", 2, 0}, /* -1 */
                 {"\xc1\xff\x7f", 3, 32767},
                 {"\xc1\x00\x80", 3, 0},
                 {"\xc2\x00\x00\x00\x40", 5, 1073741824},
                 {"\xc2\x00\x00\x00\x80", 5, 0},
                 {"\x0a"
                  "5000000000",
                  11, INT64_C(5000000000)},
                 {"\x03"
                  "5GB",
                  4, 0}};
    struct bk__rdb_facts facts;
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        begin("REDIS0011");
        PUT("\xfa\x0avalkey-ver\x05"
            "8.0.1");
        PUT("\xfa\x08used-mem");
        put(cases[i].value, cases[i].size);
        PUT("\xfe\x0f\xfb\x01\x00\x00\x01"
            "a\x01x");
        end();
        assert_int_equal(walk(&facts), 0);
        assert_int_equal(facts.memory, cases[i].memory);
        assert_int_equal(facts.last_db, 15);
        assert_true(facts.valkey);
        assert_string_equal(facts.server, "8.0.1");
        bk__rdb_facts_free(&facts);
    }
}

static void test_store_redis_rdb__every_flipped_bit_is_seen(void **state) {
    (void)state;
    struct bk__rdb_facts facts;
    put_busy_dump();
    for (size_t bit = 0; bit < dump_size * 8; bit++) {
        dump[bit / 8] ^= (unsigned char)(1 << bit % 8);
        if (walk(&facts) != BK_ECORRUPT) {
            fail_msg("bit %zu of byte %zu", bit % 8, bit / 8);
        }
        dump[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

static void test_store_redis_rdb__every_cut_is_seen(void **state) {
    (void)state;
    struct bk__rdb_facts facts;
    put_busy_dump();
    for (size_t size = 0; size < dump_size; size++) {
        assert_int_equal(walk_in(7, dump, size, &facts), BK_ECORRUPT);
        assert_true(why[0] != '\0');
    }
    PUT("x");
    assert_damaged("bytes follow its end");
    /* Also where the source gives them in a piece of their own. */
    for (size_t piece = 1; piece <= dump_size; piece++) {
        assert_int_equal(walk_in(piece, dump, dump_size, &facts), BK_ECORRUPT);
        assert_non_null(strstr(why, "bytes follow its end"));
    }
}

static void test_store_redis_rdb__a_sum_of_zeros_is_none(void **state) {
    (void)state;
    struct bk__rdb_facts facts;
    put_busy_dump();
    memset(dump + dump_size - 8, 0, 8);
    assert_int_equal(walk(&facts), 0);
    assert_false(facts.summed);
    assert_true(facts.counted);
    bk__rdb_facts_free(&facts);
    dump[dump_size - 1] = 1;
    assert_damaged("CRC-64");
}

static void test_store_redis_rdb__lengths_are_not_believed(void **state) {
    (void)state;
    one_value("REDIS0011", 0, "\x81\xff\xff\xff\xff\xff\xff\xff\xffx", 10);
    assert_damaged("ends in the middle");
    one_value("REDIS0011", 1, "\x81\xff\xff\xff\xff\xff\xff\xff\xff\x01x", 11);
    assert_damaged("impossible");
    one_value("REDIS0011", 0, "\xc3\x00\x09", 3);
    assert_damaged("packed");
    one_value("REDIS0011", 0, "\xc7", 1);
    assert_damaged("encoding");
    one_value("REDIS0011", 18, "\x01\x03\x01x", 4);
    assert_damaged("node");
    one_value("REDIS0011", 1, "\xc0\x01", 2);
    assert_damaged("text where a length");
}

static void test_store_redis_rdb__what_stands_in_a_wrong_place(void **state) {
    (void)state;
    begin("REDIS0011");
    PUT("\x00\x01k\x01v");
    end();
    assert_damaged("before any database");
    begin("REDIS0011");
    PUT("\xfe\x03\xfe\x02");
    end();
    assert_damaged("database number");
    begin("REDIS0011");
    PUT("\xfe\x00\xfc"
        "12345678");
    end();
    assert_damaged("time to live");
    begin("REDIS00x1");
    end();
    assert_damaged("no number");
    begin("SQLite format 3");
    assert_damaged("begin like");
}

/* ---- other versions ------------------------------------------------------------------- */

static void
test_store_redis_rdb__a_later_version_is_summed_and_not_counted(void **state) {
    (void)state;
    struct bk__rdb_facts facts;
    for (size_t piece = 1; piece < 12; piece++) {
        one_value("REDIS0012", 24, "some new thing that nobody knows", 32);
        assert_int_equal(walk_in(piece, dump, dump_size, &facts), 0);
        assert_false(facts.counted);
        assert_true(facts.summed);
        assert_int_equal(facts.bytes, dump_size);
        assert_int_equal(facts.db_count, 0);
        assert_non_null(strstr(facts.unknown, "24 at byte 12"));
        bk__rdb_facts_free(&facts);
        dump[20] ^= 1;
        assert_int_equal(walk_in(piece, dump, dump_size, &facts), BK_ECORRUPT);
    }
}

static void test_store_redis_rdb__a_new_type_in_an_old_dump_needs_a_sum(void **state) {
    (void)state;
    struct bk__rdb_facts facts;
    one_value("REDIS0010", 24, "something", 9);
    assert_int_equal(walk(&facts), 0);
    assert_false(facts.counted);
    bk__rdb_facts_free(&facts);
    memset(dump + dump_size - 8, 0, 8);
    assert_damaged("no checksum");
}

static void test_store_redis_rdb__versions_before_5_have_no_sum(void **state) {
    (void)state;
    struct bk__rdb_facts facts;
    begin("REDIS0004");
    PUT("\xfe\x00\x00\x01k\x01v\xff");
    assert_int_equal(walk(&facts), 0);
    assert_false(facts.summed);
    assert_int_equal(facts.dbs[0].keys, 1);
    bk__rdb_facts_free(&facts);
}

static int64_t read_failing(void *context, unsigned char *bytes, size_t room) {
    (void)bytes;
    (void)room;
    return *(int *)context;
}

static void test_store_redis_rdb__the_sources_own_failure_is_passed_on(void **state) {
    (void)state;
    int code = BK_ECANCELLED;
    const struct bk__rdb_source source = {&code, read_failing};
    struct bk__rdb_facts facts;
    assert_int_equal(bk__rdb_walk(&source, &facts, why, sizeof why), BK_ECANCELLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_redis_crc64__the_published_check_value),
        cmocka_unit_test(test_store_redis_rdb__every_type_up_to_version_11),
        cmocka_unit_test(test_store_redis_rdb__data_of_modules_is_told),
        cmocka_unit_test(test_store_redis_rdb__keys_are_counted_per_database),
        cmocka_unit_test(test_store_redis_rdb__what_a_dump_says_of_itself),
        cmocka_unit_test(test_store_redis_rdb__every_flipped_bit_is_seen),
        cmocka_unit_test(test_store_redis_rdb__every_cut_is_seen),
        cmocka_unit_test(test_store_redis_rdb__a_sum_of_zeros_is_none),
        cmocka_unit_test(test_store_redis_rdb__lengths_are_not_believed),
        cmocka_unit_test(test_store_redis_rdb__what_stands_in_a_wrong_place),
        cmocka_unit_test(test_store_redis_rdb__a_later_version_is_summed_and_not_counted),
        cmocka_unit_test(test_store_redis_rdb__a_new_type_in_an_old_dump_needs_a_sum),
        cmocka_unit_test(test_store_redis_rdb__versions_before_5_have_no_sum),
        cmocka_unit_test(test_store_redis_rdb__the_sources_own_failure_is_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
