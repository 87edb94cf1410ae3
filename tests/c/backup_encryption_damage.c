/*
 * Damage to encrypted backups, through the public ABI: flipped, cut, swapped, appended, exchanged;
 * with the key and without it. Also where somebody forges the manifest after it.
 */
#include "encryption_box.h"

#define TEST(name) BOX_TEST(backup_encryption_damage, name)

static char *archive_path(const char *name) {
    static char path[512];
    snprintf(path, sizeof path, "%s", sandbox_path("backups/%s", name));
    return path;
}

static void flip(const char *name, long at) {
    unsigned char byte = 0;
    int fd = open(archive_path(name), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= 4;
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static long size_of(const char *name) {
    struct stat info;
    assert_int_equal(stat(archive_path(name), &info), 0);
    return (long)info.st_size;
}

static void assert_damaged(const char *name, const char *where) {
    char args[256];
    box_args(args, sizeof args, name, "");
    box_run("backup.verify", args);
    box_assert_failed("BK_ECORRUPT", name, "damaged", where, NULL);
    restore_to(name, "damaged.db");
    box_assert_failed("BK_ECORRUPT", NULL);
    assert_false(box_has("damaged.db"));
}

static void flip_around(const char *name) {
    long size = size_of(name);
    unsigned seed = 20251204;
    for (int i = 0; i < 160; i++) {
        long at = i < 64 ? i : i < 90 ? size - 1 - (i - 64) : rand_r(&seed) % size;
        char args[256];
        flip(name, at);
        box_args(args, sizeof args, name, "");
        box_run("backup.verify", args);
        if (bk_pick_number(box_done, "ok", 1) != 0) {
            fail_msg("a flipped byte at %ld of %ld was not found", at, size);
        }
        box_assert_failed("BK_ECORRUPT", name, "byte", NULL);
        flip(name, at);
    }
}

static void test_backup_encryption_damage__every_flipped_byte_is_found(void **state) {
    (void)state;
    with_key(ROWS_BIG);
    flip_around(box_create(NULL));
}

static void
test_backup_encryption_damage__every_flipped_byte_is_found_without_the_key(void **state) {
    (void)state;
    with_recipient(ROWS_BIG);
    flip_around(box_create(NULL));
}

/* Where the nth frame begins. */
static long frame_at(const char *name, int nth) {
    unsigned char head[4];
    long at = 56;
    int fd = open(archive_path(name), O_RDONLY | O_CLOEXEC);
    assert_true(fd >= 0);
    for (int i = 0; i < nth; i++) {
        assert_int_equal(pread(fd, head, 4, at), 4);
        at += 4 + (head[0] | head[1] << 8 | head[2] << 16);
    }
    close(fd);
    return at;
}

/* Writes the files' pieces (a file, from, to; NULL ends) as the archive, and its size and sum into
   the manifest, as somebody would who wants it to be taken for whole. */
static void forge(const char *name, const char *pieces) {
    char command[4096];
    snprintf(command, sizeof command,
             "cd '%s' && python3 - <<'END'\n"
             "import json, hashlib\n"
             "name = '%s'\n"
             "read = lambda n, a=0, b=None: open(n, 'rb').read()[a:b]\n"
             "made = %s\n"
             "open(name, 'wb').write(made)\n"
             "m = json.load(open(name + '.json'))\n"
             "m['bytes'] = len(made)\n"
             "m['archive_sha256'] = hashlib.sha256(made).hexdigest()\n"
             "m.pop('places', None)\n"
             "json.dump(m, open(name + '.json', 'w'))\n"
             "END",
             sandbox_path("backups"), name, pieces);
    free(box_shell(command));
}

static void test_backup_encryption_damage__swapped_frames_are_found(void **state) {
    char pieces[512];
    char where[64];
    (void)state;
    with_key(ROWS_BIG);
    const char *name = box_create("{\"compress\":\"none\"}");
    long a = frame_at(name, 1);
    long b = frame_at(name, 2);
    long c = frame_at(name, 3);
    snprintf(
        pieces, sizeof pieces,
        "read(name,0,%ld) + read(name,%ld,%ld) + read(name,%ld,%ld) + read(name,%ld)", a,
        b, c, a, b, c);
    forge(name, pieces);
    snprintf(where, sizeof where, "at byte %ld of", a);
    assert_damaged(name, where);
}

static void
test_backup_encryption_damage__frames_of_another_archive_are_found(void **state) {
    char pieces[512];
    char where[64];
    (void)state;
    with_key(ROWS_BIG);
    const char *name = box_create("{\"compress\":\"none\"}");
    char other[128];
    snprintf(other, sizeof other, "%s", box_create("{\"compress\":\"none\"}"));
    long a = frame_at(name, 1);
    long b = frame_at(name, 2);
    snprintf(pieces, sizeof pieces,
             "read(name,0,%ld) + read('%s',%ld,%ld) + read(name,%ld)", a, other, a, b, b);
    forge(name, pieces);
    snprintf(where, sizeof where, "at byte %ld of", a);
    assert_damaged(name, where);
}

static void test_backup_encryption_damage__a_cut_between_frames_is_found(void **state) {
    char pieces[256];
    char where[64];
    (void)state;
    with_key(ROWS_BIG);
    const char *name = box_create(NULL);
    long a = frame_at(name, 2);
    snprintf(pieces, sizeof pieces, "read(name,0,%ld)", a);
    forge(name, pieces);
    snprintf(where, sizeof where, "at byte %ld of", a);
    assert_damaged(name, where);
    forge(name, "read(name,0,20)");
    assert_damaged(name, "at byte 20 of 20");
}

static void test_backup_encryption_damage__appended_bytes_are_found(void **state) {
    char where[64];
    (void)state;
    with_recipient(ROWS_BIG);
    const char *name = box_create(NULL);
    snprintf(where, sizeof where, "at byte %ld of", size_of(name));
    forge(name, "read(name) + read(name)[-20:]");
    char args[256];
    box_args(args, sizeof args, name, "");
    box_run("backup.verify", args); /* without the key */
    box_assert_failed("BK_ECORRUPT", name, where, NULL);
    open_with("secret", NULL);
    assert_damaged(name, where);
}

static void
test_backup_encryption_damage__another_archive_under_the_name_is_found(void **state) {
    char pieces[256];
    (void)state;
    with_key(ROWS_SMALL);
    char other[128];
    snprintf(other, sizeof other, "%s", box_create(NULL));
    make_key("key2", "shared");
    open_with("key2", NULL);
    const char *name = box_create(NULL);
    snprintf(pieces, sizeof pieces, "read('%s')", other);
    forge(name, pieces);
    assert_damaged(name, "another key than its manifest");
}

static void
test_backup_encryption_damage__a_manifest_that_says_plain_is_broken(void **state) {
    char command[1024];
    (void)state;
    with_key(ROWS_SMALL);
    const char *name = box_create(NULL);
    snprintf(command, sizeof command,
             "sed -i 's/\"encryption\":\"key\"/\"encryption\":\"none\"/' '%s.json'",
             archive_path(name));
    free(box_shell(command));
    box_call("backup.status", NULL);
    box_assert_text("result.broken[0].name", name);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_flipped_byte_is_found),
        TEST(every_flipped_byte_is_found_without_the_key),
        TEST(swapped_frames_are_found),
        TEST(frames_of_another_archive_are_found),
        TEST(a_cut_between_frames_is_found),
        TEST(appended_bytes_are_found),
        TEST(another_archive_under_the_name_is_found),
        TEST(a_manifest_that_says_plain_is_broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
