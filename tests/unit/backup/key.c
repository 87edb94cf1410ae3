/*
 * Tests of src/backup/seal/key.c: key files are made once, read when they are private and whole, and
 * refused otherwise without a word of what stands in them.
 */
#include <backup/seal/key.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <core/error.h>
#include <os/file.h>

#include "sandbox.h"
#include <cmocka.h>

static struct bk__key saved(const char *name, enum bk__key_mode mode) {
    struct bk__key key;
    assert_int_equal(bk__key_generate(mode, &key), 0);
    assert_int_equal(bk__key_save(sandbox_path("%s", name), &key), 0);
    return key;
}

static char *text_of(const char *name) {
    char *text = NULL;
    assert_int_equal(bk__file_load(sandbox_path("%s", name), 65536, &text, NULL), 0);
    return text;
}

static void put(const char *name, const char *text) {
    sandbox_write(name, text);
    assert_int_equal(chmod(sandbox_path("%s", name), 0600), 0);
}

static void assert_comes_back(enum bk__key_mode mode) {
    struct bk__key key = saved("key", mode);
    struct bk__key_ring *ring = bk__key_ring_new();
    assert_non_null(ring);
    assert_int_equal(bk__key_load(sandbox_path("key"), ring), 0);
    assert_int_equal(ring->count, 1);
    assert_int_equal(ring->keys[0].mode, mode);
    assert_false(ring->keys[0].is_public);
    assert_memory_equal(ring->keys[0].secret, key.secret, sizeof key.secret);
    assert_string_equal(ring->keys[0].id, key.id);
    assert_ptr_equal(bk__key_find(ring, key.id), &ring->keys[0]);
    assert_null(bk__key_find(ring, "0123456789abcdef"));
    bk__key_ring_free(ring);
}

static void test_backup_key__shared_comes_back(void **state) {
    (void)state;
    assert_comes_back(BK__KEY_SHARED);
}

static void test_backup_key__recipient_comes_back(void **state) {
    (void)state;
    assert_comes_back(BK__KEY_RECIPIENT);
}

static void test_backup_key__file_is_private_and_never_overwritten(void **state) {
    struct bk__key key = saved("key", BK__KEY_SHARED);
    struct stat info;
    char *before = text_of("key");
    (void)state;
    assert_int_equal(stat(sandbox_path("key"), &info), 0);
    assert_int_equal(info.st_mode & 07777, 0600);
    assert_int_equal(bk__key_save(sandbox_path("key"), &key), BK_EINVAL);
    assert_non_null(strstr(bk__error_text(), "exists"));
    char *after = text_of("key");
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void test_backup_key__link_in_the_way_is_not_followed(void **state) {
    struct bk__key key;
    (void)state;
    assert_int_equal(bk__key_generate(BK__KEY_SHARED, &key), 0);
    assert_int_equal(symlink(sandbox_path("target"), sandbox_path("link")), 0);
    assert_int_equal(bk__key_save(sandbox_path("link"), &key), BK_EINVAL);
    assert_false(bk__file_exists(sandbox_path("target")));
}

static void test_backup_key__two_keys_are_two(void **state) {
    struct bk__key one = saved("one", BK__KEY_SHARED);
    struct bk__key two = saved("two", BK__KEY_SHARED);
    (void)state;
    assert_memory_not_equal(one.secret, two.secret, sizeof one.secret);
    assert_string_not_equal(one.id, two.id);
}

static int load(const char *name) {
    struct bk__key_ring *ring = bk__key_ring_new();
    assert_non_null(ring);
    int rc = bk__key_load(sandbox_path("%s", name), ring);
    if (rc != 0) {
        assert_int_equal(ring->count, 0);
    }
    bk__key_ring_free(ring);
    return rc;
}

static void test_backup_key__readable_by_others_is_refused(void **state) {
    static const mode_t modes[] = {0640, 0604, 0660, 0601, 0644, 0444};
    (void)state;
    saved("key", BK__KEY_SHARED);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        assert_int_equal(chmod(sandbox_path("key"), modes[i]), 0);
        assert_int_equal(load("key"), BK_EDENIED);
        assert_non_null(strstr(bk__error_text(), "chmod 600"));
    }
    assert_int_equal(chmod(sandbox_path("key"), 0400), 0);
    assert_int_equal(load("key"), 0);
}

static void test_backup_key__missing_and_strange_files_are_refused(void **state) {
    (void)state;
    assert_int_equal(load("missing"), BK_ENOTFOUND);
    assert_int_equal(mkfifo(sandbox_path("pipe"), 0600), 0);
    assert_int_equal(load("pipe"), BK_EINVAL); /* and does not wait for a writer */
    assert_int_equal(mkdir(sandbox_path("folder"), 0700), 0);
    assert_int_equal(load("folder"), BK_EINVAL);
    put("empty", "");
    assert_int_equal(load("empty"), BK_EINVAL);
    put("comment", "# nothing\n\n");
    assert_int_equal(load("comment"), BK_EINVAL);
    char *long_text = malloc(BK__KEY_FILE_LIMIT + 2);
    assert_non_null(long_text);
    memset(long_text, '\n', BK__KEY_FILE_LIMIT + 1);
    long_text[BK__KEY_FILE_LIMIT + 1] = '\0';
    put("long", long_text);
    free(long_text);
    assert_int_equal(load("long"), BK_EINVAL);
}

/* Where in the text the key's own line begins. */
static char *key_line(char *text) {
    char *line = strrchr(text, '\n');
    assert_non_null(line);
    *line = '\0';
    line = strrchr(text, '\n');
    assert_non_null(line);
    return line + 1;
}

static void
test_backup_key__every_damaged_byte_is_found_and_told_without_the_secret(void **state) {
    saved("key", BK__KEY_RECIPIENT);
    char *text = text_of("key");
    char *line = key_line(text);
    size_t size = strlen(line);
    char secret[17];
    (void)state;
    snprintf(secret, sizeof secret, "%.16s", line + strlen("recipient ") + 20);
    for (size_t i = 0; i < size; i++) {
        char was = line[i];
        line[i] = was == '7' ? '8' : '7';
        put("damaged", text);
        assert_int_equal(load("damaged"), BK_EINVAL);
        assert_null(strstr(bk__error_text(), secret));
        assert_non_null(strstr(bk__error_text(), "line 5"));
        line[i] = was;
    }
    for (size_t cut = 1; cut < size; cut++) {
        line[size - cut] = '\0';
        put("cut", text);
        assert_int_equal(load("cut"), BK_EINVAL);
    }
    free(text);
}

static void test_backup_key__several_keys_are_found_by_their_ids(void **state) {
    struct bk__key one = saved("one", BK__KEY_SHARED);
    struct bk__key two = saved("two", BK__KEY_RECIPIENT);
    char *text_one = text_of("one");
    char *text_two = text_of("two");
    char *both = malloc(strlen(text_one) + strlen(text_two) + 8);
    struct bk__key_ring *ring = bk__key_ring_new();
    (void)state;
    assert_true(both != NULL && ring != NULL);
    sprintf(both, "%s\r\n%s", text_one, text_two);
    put("both", both);
    assert_int_equal(bk__key_load(sandbox_path("both"), ring), 0);
    assert_int_equal(ring->count, 2);
    assert_string_equal(ring->keys[0].id, one.id);
    assert_ptr_equal(bk__key_find(ring, two.id), &ring->keys[1]);
    bk__key_ring_free(ring);
    free(text_one);
    free(text_two);
    free(both);
}

static void test_backup_key__seventeen_keys_are_refused(void **state) {
    saved("one", BK__KEY_SHARED);
    char *text = text_of("one");
    const char *line = key_line(text);
    char *many = calloc(18, strlen(line) + 2);
    struct bk__key_ring *ring = bk__key_ring_new();
    int at = 0;
    (void)state;
    assert_true(many != NULL && ring != NULL);
    for (int i = 0; i < 17; i++) {
        strcat(strcat(many, line), "\n");
    }
    assert_non_null(bk__key_parse(many, strlen(many), ring, &at));
    assert_int_equal(at, 17);
    assert_int_equal(ring->count, 0);
    bk__key_ring_free(ring);
    free(many);
    free(text);
}

static void test_backup_key__public_text_comes_back_and_a_typo_is_found(void **state) {
    struct bk__key key;
    struct bk__key other;
    char text[BK__KEY_PUBLIC_SIZE];
    (void)state;
    assert_int_equal(bk__key_generate(BK__KEY_RECIPIENT, &key), 0);
    bk__key_show(&key, text);
    assert_int_equal(strlen(text), BK__KEY_PUBLIC_SIZE - 1);
    assert_null(bk__key_read_public(text, &other));
    assert_true(other.is_public);
    assert_string_equal(other.id, key.id);
    assert_memory_equal(other.shown, key.shown, sizeof key.shown);
    for (size_t i = 0; i < strlen(text); i++) {
        char was = text[i];
        text[i] = was == '3' ? '4' : '3';
        assert_non_null(bk__key_read_public(text, &other));
        text[i] = was;
    }
    text[strlen(text) - 1] = '\0';
    assert_non_null(bk__key_read_public(text, &other));
    assert_non_null(bk__key_read_public("", &other));
    assert_non_null(bk__key_read_public("bkpub-", &other));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, sandbox_setup, sandbox_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_backup_key__shared_comes_back),
        TEST(test_backup_key__recipient_comes_back),
        TEST(test_backup_key__file_is_private_and_never_overwritten),
        TEST(test_backup_key__link_in_the_way_is_not_followed),
        TEST(test_backup_key__two_keys_are_two),
        TEST(test_backup_key__readable_by_others_is_refused),
        TEST(test_backup_key__missing_and_strange_files_are_refused),
        TEST(test_backup_key__every_damaged_byte_is_found_and_told_without_the_secret),
        TEST(test_backup_key__several_keys_are_found_by_their_ids),
        TEST(test_backup_key__seventeen_keys_are_refused),
        TEST(test_backup_key__public_text_comes_back_and_a_typo_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
