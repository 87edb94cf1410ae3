/*
 * Tests of src/backup/catalogue/manifest.c: what is printed comes back, and hostile text is refused.
 * The fuzzer of the same parser is tests/fuzz/manifest.c.
 */
#include <backup/catalogue/manifest.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>

#include "sandbox.h"
#include <cmocka.h>

#define SUM "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define SUM2 "f123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

static void fill(struct bk__manifest *m) {
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "manual_2025-12-04T10-30-00.db.gz");
    snprintf(m->kind, sizeof m->kind, "manual");
    snprintf(m->store, sizeof m->store, "sqlite");
    memcpy(m->sha256, SUM, sizeof SUM);
    memcpy(m->archive_sha256, SUM2, sizeof SUM2);
    m->created_ms = 1764844200123;
    m->verified_ms = 1764844201000;
    m->sequence = 41;
    m->bytes = 1000;
    m->places = (struct bk__places){1000, 4096, {0x1234abcd}};
    m->database_bytes = 40960;
    m->pages = 10;
    m->page_size = 4096;
    m->form = (struct bk__form){.content = "db", .compression = BK__GZIP};
    m->verified = true;
    m->snapshot_ms = 1;
    m->verify_ms = 2;
    m->total_ms = 3;
    m->note = strdup("before \"the\" update \xc3\xa4");
    m->tables = bk__json_object();
    bk__json_add_int(m->tables, "users", 12);
}

static char *printed(void) {
    struct bk__manifest m;
    fill(&m);
    char *text = bk__manifest_print(&m);
    assert_non_null(text);
    bk__manifest_clear(&m);
    return text;
}

/* The good manifest with one member changed; value NULL takes it out. */
static char *changed(const char *member, const char *value) {
    char *good = printed();
    struct json_object *object = bk__json_parse(good, NULL);
    free(good);
    json_object_object_del(object, member);
    if (value != NULL) {
        char *wrapped = bk__text_printf("{\"v\":%s}", value);
        struct json_object *holder = bk__json_parse(wrapped, NULL);
        assert_non_null(holder);
        bk__json_put(object, member, json_object_get(bk__json_member(holder, "v")));
        json_object_put(holder);
        free(wrapped);
    }
    char *text = bk__json_print(object);
    json_object_put(object);
    return text;
}

static void assert_text_refused(const char *text) {
    struct bk__manifest m;
    char why[100] = "";
    if (bk__manifest_parse(text, &m, why, sizeof why)) {
        fail_msg("accepted: %.300s", text);
    }
    assert_string_not_equal(why, "");
}

static void assert_refused(const char *member, const char *value) {
    char *text = changed(member, value);
    struct bk__manifest m;
    char why[100] = "";
    if (bk__manifest_parse(text, &m, why, sizeof why)) {
        fail_msg("accepted: %s = %.100s", member, value == NULL ? "(nothing)" : value);
    }
    assert_string_not_equal(why, "");
    free(text);
}

static void test_backup_manifest__comes_back_as_it_was_printed(void **state) {
    struct bk__manifest in, out;
    char why[100];

    (void)state;
    fill(&in);
    char *text = bk__manifest_print(&in);
    assert_true(bk__manifest_parse(text, &out, why, sizeof why));
    assert_string_equal(out.name, in.name);
    assert_string_equal(out.kind, in.kind);
    assert_string_equal(out.store, in.store);
    assert_string_equal(out.sha256, in.sha256);
    assert_string_equal(out.archive_sha256, in.archive_sha256);
    assert_memory_equal(&out.places, &in.places, sizeof in.places);
    assert_string_equal(out.note, in.note);
    assert_null(out.error);
    assert_true(out.created_ms == in.created_ms && out.verified_ms == in.verified_ms);
    assert_true(out.sequence == 41 && out.bytes == 1000 && out.database_bytes == 40960);
    assert_true(out.pages == 10 && out.page_size == 4096 &&
                out.form.compression == BK__GZIP && out.verified);
    assert_true(out.snapshot_ms == 1 && out.verify_ms == 2 && out.total_ms == 3);
    assert_int_equal(bk__json_int(out.tables, "users", -1), 12);
    free(text);
    bk__manifest_clear(&in);
    bk__manifest_clear(&out);
}

static void test_backup_manifest__unknown_members_are_for_later_versions(void **state) {
    struct bk__manifest m;
    char why[100];

    (void)state;
    char *text = changed("something_new", "{\"a\":[1,2,{\"b\":null}]}");
    assert_true(bk__manifest_parse(text, &m, why, sizeof why));
    bk__manifest_clear(&m);
    free(text);
}

static void test_backup_manifest__every_fact_is_needed(void **state) {
    static const char *const members[] = {
        "format",   "name",           "kind",        "created_at",     "sequence",
        "bytes",    "database_bytes", "pages",       "sha256",         "page_size",
        "verified", "verify_ms",      "total_ms",    "archive_sha256", "tables",
        "store",    "compression",    "verified_at", "snapshot_ms"};

    (void)state;
    for (size_t i = 0; i < sizeof members / sizeof *members; i++) {
        assert_refused(members[i], NULL);
        assert_refused(members[i], "null");
        assert_refused(members[i], "[]");
    }
}

static void test_backup_manifest__wrong_types_and_ranges_are_refused(void **state) {
    (void)state;
    assert_refused("format", "2");
    assert_refused("format", "\"1\"");
    assert_refused("bytes", "\"1000\"");
    assert_refused("bytes", "1000.5");
    assert_refused("bytes", "-1");
    assert_refused("bytes", "0");
    assert_refused("bytes", "1e300");
    assert_refused("bytes", "99999999999999999999999999");
    assert_refused("sequence", "0");
    assert_refused("sequence", "9223372036854775807");
    assert_refused("verified", "1");
    assert_refused("note", "7");
    assert_refused("error", "{}");
    assert_refused("tables", "{\"a\":-1}");
    assert_refused("tables", "{\"a\":\"1\"}");
    assert_refused("created_at", "\"2025-13-04T10:30:00.000Z\"");
    assert_refused("created_at", "\"yesterday\"");
    assert_refused("sha256", "\"\"");
    assert_refused("sha256", "\"" SUM "0\"");
    assert_refused(
        "sha256", "\"0123456789ABCDEF0123456789abcdef0123456789abcdef0123456789abcdef\"");
}

/* Older manifests have no sums by place; wrong ones are no reason to believe the rest. */
static void test_backup_manifest__places_may_be_missing_but_not_wrong(void **state) {
    struct bk__manifest m;
    char why[100];

    (void)state;
    char *text = changed("places", NULL);
    assert_true(bk__manifest_parse(text, &m, why, sizeof why));
    assert_int_equal(m.places.part, 0);
    bk__manifest_clear(&m);
    free(text);
    assert_refused("places", "7");
    assert_refused("places", "{}");
    assert_refused("places", "{\"part\":4096}");
    assert_refused("places", "{\"part\":0,\"crc32\":\"1234abcd\"}");
    assert_refused("places", "{\"part\":4096,\"crc32\":\"1234abc\"}");
    assert_refused("places", "{\"part\":4096,\"crc32\":\"1234abcd1234abcd\"}");
}

static void test_backup_manifest__facts_must_agree_with_each_other(void **state) {
    (void)state;
    assert_refused("pages", "11");
    assert_refused("pages", "4503599627370496");
    assert_refused("page_size", "1073741824");
    assert_refused("kind", "\"auto\"");
    assert_refused("compression", "\"none\"");
    assert_refused("compression", "\"zip\"");
    assert_refused("name", "\"../../etc/passwd\"");
    assert_refused("name", "\"manual_2025-12-04T10-30-00.db\"");
    assert_refused("store",
                   "\"a store with a name that is far too long to be the name of one\"");
}

/* The good one as an encrypted one, with these two members. */
static bool accepts_encrypted(const char *encryption, const char *key_id) {
    struct bk__manifest m;
    char why[100];
    fill(&m);
    m.form.encrypted = true;
    snprintf(m.name, sizeof m.name, "manual_2025-12-04T10-30-00.db.gz.enc");
    m.encryption = BK__KEY_SHARED;
    snprintf(m.key_id, sizeof m.key_id, "0123456789abcdef");
    char *good = bk__manifest_print(&m);
    struct json_object *object = bk__json_parse(good, NULL);
    assert_true(bk__json_add_text(object, "encryption", encryption) &&
                bk__json_add_text(object, "key_id", key_id));
    char *text = bk__json_print(object);
    bk__manifest_clear(&m);
    bool good_one = bk__manifest_parse(text, &m, why, sizeof why);
    if (good_one) {
        assert_string_equal(m.key_id, key_id);
        assert_string_equal(bk__encryptions[m.encryption], encryption);
        bk__manifest_clear(&m);
    }
    json_object_put(object);
    free(text);
    free(good);
    return good_one;
}

static void test_backup_manifest__encryption_fits_the_name(void **state) {
    (void)state;
    assert_true(accepts_encrypted("key", "0123456789abcdef"));
    assert_true(accepts_encrypted("recipient", "fedcba9876543210"));
    assert_false(accepts_encrypted("none", "0123456789abcdef"));
    assert_false(accepts_encrypted("rot13", "0123456789abcdef"));
    assert_false(accepts_encrypted("key", ""));
    assert_false(accepts_encrypted("key", "0123456789ABCDEF"));
    assert_false(accepts_encrypted("key", "0123456789abcde"));
    assert_refused("encryption", "\"key\"");
    assert_refused("encryption", "7");
    char *text = changed("encryption", NULL); /* as before there was any */
    struct bk__manifest m;
    char why[100];
    assert_true(bk__manifest_parse(text, &m, why, sizeof why));
    assert_int_equal(m.encryption, BK__KEY_NONE);
    bk__manifest_clear(&m);
    free(text);
}

static void test_backup_manifest__what_is_no_json_object_is_refused(void **state) {
    (void)state;
    assert_text_refused("");
    assert_text_refused("{");
    assert_text_refused("[]");
    assert_text_refused("\"text\"");
    assert_text_refused("{}");
    assert_text_refused("{} {}");
    assert_text_refused("{\"name\":\"a\\u0000b\"}");
    assert_text_refused("\xff\xfe");
    assert_text_refused("{\"format\":1,\"format\":1}");
}

static void test_backup_manifest__every_truncation_is_refused(void **state) {
    (void)state;
    char *text = printed();
    for (size_t size = strlen(text); size-- > 0;) {
        text[size] = '\0';
        assert_text_refused(text);
    }
    free(text);
}

/* A flipped byte may still be a manifest (a digit of a count), but never breaks the reader. */
static void test_backup_manifest__every_flipped_byte_is_survived(void **state) {
    (void)state;
    char *text = printed();
    for (size_t i = 0; text[i] != '\0'; i++) {
        char was = text[i];
        for (int bit = 0; bit < 8; bit++) {
            struct bk__manifest m;
            char why[32];
            text[i] = (char)(was ^ (1 << bit));
            if (bk__manifest_parse(text, &m, why, sizeof why)) {
                assert_true(m.database_bytes == m.pages * m.page_size);
                assert_true(bk__name_parse(m.name, NULL, NULL));
                bk__manifest_clear(&m);
            }
        }
        text[i] = was;
    }
    free(text);
}

static void test_backup_manifest__brief_leaves_tables_out(void **state) {
    struct bk__manifest m;

    (void)state;
    fill(&m);
    struct json_object *brief = bk__manifest_show(&m, true);
    struct json_object *whole = bk__manifest_show(&m, false);
    assert_null(bk__json_member(brief, "tables"));
    assert_non_null(bk__json_member(whole, "tables"));
    assert_string_equal(bk__json_text(brief, "created_at", ""),
                        "2025-12-04T10:30:00.123Z");
    json_object_put(brief);
    json_object_put(whole);
    bk__manifest_clear(&m);
}

/* The text of one that holds only changes, with one member changed. */
static char *of_changes(const char *member, struct json_object *value) {
    struct bk__manifest m;
    fill(&m);
    snprintf(m.name, sizeof m.name, "manual_2025-12-04T10-30-00.delta.gz");
    snprintf(m.form.content, sizeof m.form.content, "delta");
    snprintf(m.parent, sizeof m.parent, "auto_2025-12-03T10-30-00_2");
    memcpy(m.parent_sha256, SUM2, sizeof SUM2);
    m.payload_bytes = 4208;
    char *good = bk__manifest_print(&m);
    assert_non_null(good);
    bk__manifest_clear(&m);
    struct json_object *object = bk__json_parse(good, NULL);
    free(good);
    if (member != NULL) {
        json_object_object_del(object, member);
        assert_true(value == NULL || bk__json_put(object, member, value));
    }
    char *text = bk__json_print(object);
    json_object_put(object);
    return text;
}

static void test_backup_manifest__changes_come_back(void **state) {
    struct bk__manifest m;
    char why[100] = "";
    char *text = of_changes(NULL, NULL);
    (void)state;
    assert_true(bk__manifest_parse(text, &m, why, sizeof why));
    assert_string_equal(m.parent, "auto_2025-12-03T10-30-00_2");
    assert_string_equal(m.parent_sha256, SUM2);
    assert_int_equal(m.payload_bytes, 4208);
    bk__manifest_clear(&m);
    free(text);
}

static void refuse_changes(const char *member, struct json_object *value) {
    char *text = of_changes(member, value);
    assert_text_refused(text);
    free(text);
}

static void test_backup_manifest__changes_to_nothing_are_refused(void **state) {
    (void)state;
    refuse_changes("parent", NULL);
    refuse_changes("parent", json_object_new_string(""));
    refuse_changes("parent", json_object_new_string("../auto_2025-12-03T10-30-00"));
    refuse_changes("parent", json_object_new_string("auto_2025-12-03T10-30-00.db"));
    refuse_changes("parent", json_object_new_string("auto_2025-12-03T10-30-00/x"));
    refuse_changes("parent", json_object_new_int(7));
    refuse_changes("parent_sha256", NULL);
    refuse_changes("parent_sha256", json_object_new_string("00"));
    refuse_changes("payload_bytes", NULL);
    refuse_changes("payload_bytes", json_object_new_int(0));
    refuse_changes("payload_bytes", json_object_new_int(-1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_manifest__comes_back_as_it_was_printed),
        cmocka_unit_test(test_backup_manifest__unknown_members_are_for_later_versions),
        cmocka_unit_test(test_backup_manifest__every_fact_is_needed),
        cmocka_unit_test(test_backup_manifest__wrong_types_and_ranges_are_refused),
        cmocka_unit_test(test_backup_manifest__places_may_be_missing_but_not_wrong),
        cmocka_unit_test(test_backup_manifest__facts_must_agree_with_each_other),
        cmocka_unit_test(test_backup_manifest__encryption_fits_the_name),
        cmocka_unit_test(test_backup_manifest__what_is_no_json_object_is_refused),
        cmocka_unit_test(test_backup_manifest__every_truncation_is_refused),
        cmocka_unit_test(test_backup_manifest__every_flipped_byte_is_survived),
        cmocka_unit_test(test_backup_manifest__brief_leaves_tables_out),
        cmocka_unit_test(test_backup_manifest__changes_come_back),
        cmocka_unit_test(test_backup_manifest__changes_to_nothing_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
