/*
 * Tests of src/backup/catalogue/manifest_set.c: sets come back as they were printed, with what readers of the
 * older form look for; and hostile ones are refused. Backups of one store: manifest.c.
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
#define STAMP "2025-12-04T10-30-00-123Z"
#define AT INT64_C(1764844200123)

static void fill_common(struct bk__manifest *m, const char *name, int64_t at) {
    memset(m, 0, sizeof *m);
    snprintf(m->name, sizeof m->name, "%s", name);
    snprintf(m->kind, sizeof m->kind, "manual");
    memcpy(m->sha256, SUM, sizeof SUM);
    memcpy(m->archive_sha256, SUM, sizeof SUM);
    m->created_ms = at;
    m->verified_ms = at + 1000;
    m->sequence = 7;
    m->bytes = 40960;
    m->database_bytes = 40960;
    m->verified = true;
    m->tables = bk__json_object();
}

static void fill_part(struct bk__manifest *part, const char *store, const char *name,
                      int64_t at) {
    fill_common(part, name, at);
    snprintf(part->part, sizeof part->part, "%s", store);
    bool database = strcmp(store, "database") == 0;
    snprintf(part->store, sizeof part->store, "%s", database ? "sqlite" : "redis");
    snprintf(part->form.content, sizeof part->form.content, "%s",
             database ? "db" : "rdb");
    part->pages = database ? 10 : 0;
    part->page_size = database ? 4096 : 0;
    bk__json_add_int(part->tables, database ? "users" : "db0", 12);
}

/* A set of two stores, 77 ms apart; partial: the second failed. */
static void fill(struct bk__manifest *set, const char *name, bool partial) {
    fill_common(set, name, AT);
    snprintf(set->store, sizeof set->store, "set");
    assert_true(bk__name_parse(name, NULL, &set->form));
    set->parts = calloc(2, sizeof *set->parts);
    assert_non_null(set->parts);
    set->part_count = 2;
    fill_part(&set->parts[0], "database", "database_" STAMP ".db", AT + 3);
    fill_part(&set->parts[1], "redis", "redis_" STAMP ".rdb", AT + 80);
    set->about = bk__json_parse("{\"system\":{\"platform\":\"linux\"},"
                                "\"config\":{\"retention_days\":7}}",
                                NULL);
    if (partial) {
        struct bk__manifest failed = {.part = "redis", .store = "redis"};
        failed.error = strdup("it is down");
        bk__manifest_clear(&set->parts[1]);
        set->parts[1] = failed;
        set->verified = false;
        set->error = strdup("redis: it is down");
    }
}

static char *printed(const char *name, bool partial) {
    struct bk__manifest set;
    fill(&set, name, partial);
    char *text = bk__manifest_print(&set);
    assert_non_null(text);
    bk__manifest_clear(&set);
    return text;
}

static void read_back(const char *text, struct bk__manifest *ret) {
    char why[160] = "";
    if (!bk__manifest_parse(text, ret, why, sizeof why)) {
        fail_msg("%s: %s", why, text);
    }
}

static void test_backup_manifest_set__comes_back_as_it_was_printed(void **state) {
    static const char *const names[] = {"backup_" STAMP, "backup_" STAMP ".tar",
                                        "backup_" STAMP ".tar.gz"};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct bk__manifest set;
        char *text = printed(names[i], false);
        read_back(text, &set);
        assert_string_equal(set.name, names[i]);
        assert_int_equal(set.part_count, 2);
        assert_string_equal(set.parts[1].name, "redis_" STAMP ".rdb");
        assert_string_equal(set.parts[1].part, "redis");
        assert_string_equal(set.parts[1].set, names[i]);
        assert_int_equal(set.parts[0].pages, 10);
        assert_int_equal(bk__json_int(set.parts[0].tables, "users", 0), 12);
        assert_false(bk__manifest_is_partial(&set));
        assert_int_equal(bk__manifest_skew(&set), 77);
        assert_ptr_equal(bk__manifest_part(&set, "redis"), &set.parts[1]);
        assert_ptr_equal(bk__manifest_part(&set, NULL), &set.parts[0]);
        assert_null(bk__manifest_part(&set, "mongo"));
        char *again = bk__manifest_print(&set);
        assert_string_equal(again, text);
        free(again);
        free(text);
        bk__manifest_clear(&set);
    }
}

static void test_backup_manifest_set__has_what_older_readers_look_for(void **state) {
    (void)state;
    char *text = printed("backup_" STAMP ".tar.gz", true);
    struct json_object *object = bk__json_parse(text, NULL);
    assert_non_null(object);
    assert_string_equal(bk__json_text(object, "backupId", ""), "backup_" STAMP);
    assert_string_equal(bk__json_text(object, "timestamp", ""),
                        "2025-12-04T10:30:00.123Z");
    assert_string_equal(bk__json_text(object, "created_at", ""),
                        "2025-12-04T10:30:00.123Z");
    assert_string_equal(bk__json_text(object, "version", ""), "1.0");
    assert_string_equal(bk__json_text(object, "database", ""), "database_" STAMP ".db");
    assert_true(json_object_object_get_ex(object, "redis", NULL));
    assert_null(bk__json_text(object, "redis", NULL));
    assert_string_equal(bk__json_text(bk__json_member(object, "system"), "platform", ""),
                        "linux");
    assert_int_equal(bk__json_int(bk__json_member(object, "config"), "retention_days", 0),
                     7);
    json_object_put(object);
    free(text);
}

static void test_backup_manifest_set__a_partial_one_says_what_failed(void **state) {
    struct bk__manifest set;
    (void)state;
    char *text = printed("backup_" STAMP, true);
    read_back(text, &set);
    assert_true(bk__manifest_is_partial(&set));
    assert_int_equal(bk__manifest_skew(&set), 0);
    assert_null(bk__manifest_part(&set, "redis"));
    assert_string_equal(set.parts[1].error, "it is down");
    struct json_object *shown = bk__manifest_show(&set, true);
    assert_string_equal(bk__json_text(shown, "status", ""), "partial");
    json_object_put(shown);
    bk__manifest_clear(&set);
    free(text);
}

static void assert_refused(const char *old, const char *fresh) {
    struct bk__manifest set;
    char why[160] = "";
    char *text = printed("backup_" STAMP, false);
    char *at = strstr(text, old);
    assert_non_null(at);
    char *changed =
        bk__text_printf("%.*s%s%s", (int)(at - text), text, fresh, at + strlen(old));
    assert_non_null(changed);
    if (bk__manifest_parse(changed, &set, why, sizeof why)) {
        fail_msg("accepted: %s", changed);
    }
    assert_string_not_equal(why, "");
    free(changed);
    free(text);
}

static void test_backup_manifest_set__hostile_ones_are_refused(void **state) {
    (void)state;
    assert_refused("\"name\":\"database_", "\"name\":\"../database_");
    assert_refused("\"name\":\"database_" STAMP, "\"name\":\"/etc/passwd");
    assert_refused("\"name\":\"database_" STAMP,
                   "\"name\":\"database_2025-12-04T10-30-00-124Z");
    assert_refused("\"store\":\"database\"", "\"store\":\"../x\"");
    assert_refused("\"store\":\"database\"", "\"store\":\"redis\"");
    assert_refused("\"store\":\"database\"", "\"store\":\"\"");
    assert_refused("\"store\":\"database\"", "\"store\":\"a_very_long_name_of_a_store\"");
    assert_refused("\"driver\":\"sqlite\"", "\"driver\":null");
    assert_refused("\"stores\":[", "\"stores\":[7,");
    assert_refused("\"stores\":[", "\"stores\":[{\"store\":\"x\",\"driver\":\"x\"},");
    assert_refused("\"stores\":[", "\"stores\":{},\"others\":[");
    assert_refused("\"kind\":\"manual\"", "\"kind\":\"weekly\"");
    assert_refused("\"page_size\":4096", "\"page_size\":0");
}

static void test_backup_manifest_set__needs_one_that_did_not_fail(void **state) {
    struct bk__manifest set, got;
    char why[160] = "";
    (void)state;
    fill(&set, "backup_" STAMP, true);
    struct bk__manifest failed = {.part = "database", .store = "sqlite"};
    failed.error = strdup("gone");
    bk__manifest_clear(&set.parts[0]);
    set.parts[0] = failed;
    char *text = bk__manifest_print(&set);
    assert_false(bk__manifest_parse(text, &got, why, sizeof why));
    assert_non_null(strstr(why, "stores"));
    free(text);
    bk__manifest_clear(&set);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_manifest_set__comes_back_as_it_was_printed),
        cmocka_unit_test(test_backup_manifest_set__has_what_older_readers_look_for),
        cmocka_unit_test(test_backup_manifest_set__a_partial_one_says_what_failed),
        cmocka_unit_test(test_backup_manifest_set__hostile_ones_are_refused),
        cmocka_unit_test(test_backup_manifest_set__needs_one_that_did_not_fail),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
