/*
 * backup.verify through the public ABI: bytes flipped, files cut and swapped, foreign gzip.
 * What restoring does with such archives is tested here as well: nothing.
 */
#include "backup_box.h"

#include <fcntl.h>

#define TEST(name) BOX_TEST(backup_verify, name)

/* Turns one bit of a backup's archive round; again turns it back. */
static void flip(const char *name, long at, int bit) {
    unsigned char byte = 0;
    int fd = open(sandbox_path("backups/%s", name), O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, at), 1);
    byte ^= (unsigned char)(1 << bit);
    assert_int_equal(pwrite(fd, &byte, 1, at), 1);
    close(fd);
}

static long size_of(const char *name) {
    struct stat info;
    assert_int_equal(stat(sandbox_path("backups/%s", name), &info), 0);
    return (long)info.st_size;
}

static void assert_found(const char *name, long at) {
    char args[256];
    box_args(args, sizeof args, name, "");
    box_run("backup.verify", args);
    if (bk_pick_number(box_done, "ok", 1) != 0) {
        fail_msg("a flipped byte at %ld of %ld was not found", at, size_of(name));
    }
    box_assert_failed("BK_ECORRUPT", name, "damaged", NULL);
}

/* Every place that has a meaning of its own, and many that have not. */
static void flip_around(const char *name, int places) {
    long size = size_of(name);
    unsigned seed = 20251204;
    for (int i = 0; i < places; i++) {
        long at = i < 40 ? i : i < 80 ? size - 1 - (i - 40) : rand_r(&seed) % size;
        flip(name, at, i % 8);
        assert_found(name, at);
        flip(name, at, i % 8);
    }
}

static void
test_backup_verify__every_flipped_byte_of_a_packed_one_is_found(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    flip_around(name, 160);
    box_call("backup.verify", NULL);
    box_assert_text("result.backups[0].name", name);
    box_assert_number("result.verified", 1);
}

static void test_backup_verify__every_flipped_byte_of_a_zstd_one_is_found(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create("{\"compress\":\"zstd\"}");
    flip_around(name, 160);
    box_call("backup.verify", NULL);
    box_assert_text("result.backups[0].name", name);
    box_call("backup.restore", NULL);
    assert_int_equal(box_assert_sound(box_database()), ROWS_BIG);
}

static void test_backup_verify__every_flipped_byte_of_a_plain_one_is_found(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *name = box_create(NULL);
    flip_around(name, 160);
    box_call("backup.verify", NULL);
}

static void test_backup_verify__the_place_is_told(void **state) {
    char place[64];
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    flip(name, 100, 3);
    box_run("backup.verify", NULL);
    snprintf(place, sizeof place, "at byte 0 of %ld", size_of(name));
    box_assert_failed("BK_ECORRUPT", name, place, NULL);
}

/* A plain archive has no checksums inside: its manifest's tell the place. */
static void test_backup_verify__the_place_in_a_plain_one_is_told(void **state) {
    char place[96];
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *name = box_create(NULL);
    flip(name, 4096 + 100, 3);
    box_run("backup.verify", NULL);
    snprintf(place, sizeof place, "between bytes 4096 and 8192");
    box_assert_failed("BK_ECORRUPT", name, place, NULL);
    box_run("backup.restore", NULL);
    box_assert_failed("BK_ENOTFOUND", NULL);
}

/* The same for bits of a gzip header that mean nothing to who unpacks it. */
static void test_backup_verify__the_place_of_an_idle_bit_is_told(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    flip(name, 5, 0);
    box_run("backup.verify", NULL);
    box_assert_failed("BK_ECORRUPT", name, "between bytes 0 and ", NULL);
}

static void test_backup_verify__what_is_damaged_is_marked_until_it_is_not(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *good = box_create(NULL);
    const char *bad = box_create(NULL);
    flip(bad, 5000, 1);
    box_run("backup.verify", NULL);
    box_call("backup.list", NULL);
    box_assert_number("result.backups[0].verified", 0);
    char *why = bk_pick_text(box_done, "result.backups[0].error");
    assert_non_null(strstr(why, bad));
    bk_free(why);
    box_call("backup.restore", NULL); /* the newest verified one */
    box_assert_text("result.name", good);
    flip(bad, 5000, 1);
    char args[256];
    box_args(args, sizeof args, bad, "");
    box_call("backup.verify", args);
    box_call("backup.list", "{\"kind\":\"manual\"}");
    box_assert_number("result.backups[0].verified", 1);
    box_assert_text("result.backups[0].error", NULL);
}

static void test_backup_verify__all_names_each_that_fails(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *one = box_create(NULL);
    box_create(NULL);
    const char *two = box_create(NULL);
    box_call("backup.verify", "{\"all\":true}");
    box_assert_number("result.verified", 3);
    flip(one, 3000, 0);
    flip(two, 4000, 0);
    box_run("backup.verify", "{\"all\":true}");
    box_assert_failed("BK_ECORRUPT", one, two, NULL);
}

/* Who asks about all wants to know which ones are good: the list comes with the error. */
static void test_backup_verify__what_is_bad_does_not_hide_what_is_good(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *good = box_create(NULL);
    const char *bad = box_create(NULL);
    const char *cut = box_create(NULL);
    flip(bad, 4096 + 7, 0);
    assert_int_equal(truncate(sandbox_path("backups/%s", cut), 100), 0);
    box_run("backup.verify", "{\"all\":true}");
    box_assert_failed("BK_ECORRUPT", cut, bad, NULL);
    box_assert_number("result.verified", 1);
    box_assert_number("result.failed", 2);
    box_assert_text("result.backups[0].name", bad);
    box_assert_text("result.backups[0].state", "damaged");
    box_assert_number("result.backups[0].damaged_from", 4096);
    box_assert_number("result.backups[0].damaged_to", 8192);
    box_assert_text("result.backups[1].name", good);
    box_assert_text("result.backups[1].state", "good");
    box_assert_text("result.backups[1].damaged_from", NULL);
    box_assert_text("result.backups[2].name", cut);
    box_assert_text("result.backups[2].state", "torn");
}

/* A lost archive is told as long as its manifest remembers it; one that a killed run did not finish
   never was one. */
static void test_backup_verify__a_lost_one_is_told(void **state) {
    char args[256];
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *lost = box_create(NULL);
    const char *good = box_create(NULL);
    assert_int_equal(unlink(sandbox_path("backups/%s", lost)), 0);
    box_args(args, sizeof args, lost, ",\"depth\":\"structure\"");
    box_run("backup.verify", args);
    box_assert_failed("BK_ECORRUPT", lost, "its archive is missing", NULL);
    sandbox_write("backups/x", "");
    assert_int_equal(
        rename(sandbox_path("backups/x"), sandbox_path("backups/.tmp-%s", lost)), 0);
    box_call("backup.verify", "{\"all\":true,\"depth\":\"structure\"}");
    assert_int_equal(unlink(sandbox_path("backups/.tmp-%s", lost)), 0);
    box_run("backup.verify", "{\"all\":true}");
    box_assert_failed("BK_ECORRUPT", lost, NULL);
    box_assert_text("result.backups[0].name", lost);
    box_assert_text("result.backups[0].state", "torn");
    box_assert_text("result.backups[1].name", good);
    box_assert_text("result.backups[1].state", "good");
}

static void put_instead(const char *path, const char *kind) {
    assert_int_equal(unlink(path), 0);
    assert_int_equal(strcmp(kind, "folder") == 0 ? mkdir(path, 0700)
                     : strcmp(kind, "pipe") == 0 ? mkfifo(path, 0600)
                                                 : symlink("/dev/zero", path),
                     0);
}

/* Nothing is waited for, nothing of it is believed, and the others are as good as before. */
static void test_backup_verify__something_else_in_its_place_is_told(void **state) {
    static const char *const kinds[] = {"folder", "pipe", "device"};
    char args[256];
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *good = box_create(NULL);
    for (int i = 0; i < 6; i++) {
        const char *bad = box_create(NULL);
        put_instead(sandbox_path("backups/%s%s", bad, i < 3 ? "" : ".json"),
                    kinds[i % 3]);
        box_args(args, sizeof args, bad, "");
        box_run("backup.verify", args);
        box_assert_failed("BK_ECORRUPT", bad, i < 3 ? "it is not a file" : "its manifest",
                          NULL);
        box_assert_text("result.backups[0].state", "torn");
        box_run("backup.restore", args);
        box_assert_failed("BK_ECORRUPT", bad, NULL);
    }
    box_run("backup.verify", "{\"all\":true}");
    box_assert_text("result.backups[0].name", good);
    box_assert_number("result.verified", 1);
    box_assert_number("result.failed", 6);
    assert_int_equal(box_assert_sound(box_database()), ROWS_SMALL);
}

static void test_backup_verify__a_cut_one_does_not_exist(void **state) {
    char args[256];
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    assert_int_equal(truncate(sandbox_path("backups/%s", name), size_of(name) - 1), 0);
    box_call("backup.list", NULL);
    box_assert_number("result.total", 0);
    box_call("backup.status", NULL);
    box_assert_text("result.broken[0].name", name);
    box_args(args, sizeof args, name, "");
    box_run("backup.verify", args);
    box_assert_failed("BK_ECORRUPT", name, "bytes", NULL);
    box_run("backup.verify", "{\"all\":true}");
    box_assert_failed("BK_ECORRUPT", name, NULL);
    box_run("backup.restore", NULL);
    box_assert_failed("BK_ENOTFOUND", "backup.create", NULL);
}

static void test_backup_verify__swapped_archives_are_found(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *one = box_create(NULL);
    box_do("UPDATE left_side SET t = 'other' WHERE n = 1");
    const char *two = box_create(NULL);
    assert_int_equal(size_of(one), size_of(two));
    const char *aside = sandbox_path("aside");
    assert_int_equal(rename(sandbox_path("backups/%s", one), aside), 0);
    assert_int_equal(
        rename(sandbox_path("backups/%s", two), sandbox_path("backups/%s", one)), 0);
    assert_int_equal(rename(aside, sandbox_path("backups/%s", two)), 0);
    assert_found(one, -1);
    assert_found(two, -1);
}

/* An archive that another program packed again: the manifest is told of it, zlib reads it. */
/* An archive that another program packed anew, its manifest put right by hand. */
static void repacked(const char *compress, const char *unpack, const char *pack) {
    char args[256];
    char command[1024];
    box_database_with(ROWS_BIG);
    snprintf(args, sizeof args, "{\"compress\":\"%s\"}", compress);
    const char *name = box_create(args);
    snprintf(
        command, sizeof command,
        "f='%%s'; %s \"$f\" | %s > \"$f.new\" && mv \"$f.new\" \"$f\" && "
        "sed -i \"s/\\\"bytes\\\":[0-9]*/\\\"bytes\\\":$(stat -c %%s \"$f\")/;"
        "s/\\\"archive_sha256\\\":\\\"[0-9a-f]*/\\\"archive_sha256\\\":\\\"$(sha256sum "
        "\"$f\" | cut -c1-64)/;s/,\\\"places\\\":{[^}]*}//\" \"$f.json\"",
        unpack, pack);
    free(box_on(name, command));
    box_call("backup.verify", NULL);
    box_assert_text("result.backups[0].name", name);
    box_args(args, sizeof args, name, "");
    args[strlen(args) - 1] = '\0';
    snprintf(args + strlen(args), sizeof args - strlen(args), ",\"to\":\"%s\"}",
             sandbox_path("copy.db"));
    box_call("backup.restore", args);
    assert_int_equal(box_assert_sound(sandbox_path("copy.db")), ROWS_BIG);
    flip(name, 70000, 2);
    assert_found(name, 70000);
}

static void test_backup_verify__an_archive_of_plain_gzip_is_read(void **state) {
    (void)state;
    repacked("gzip", "gunzip -c", "gzip -9n");
}

static void test_backup_verify__an_archive_of_plain_zstd_is_read(void **state) {
    (void)state;
    repacked("zstd", "zstd -dc", "zstd -q -9");
}

static void test_backup_verify__a_damaged_one_restores_nothing(void **state) {
    static const char *const modes[] = {"auto", "live", "staged"};
    char args[512];
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    box_do("DELETE FROM left_side WHERE n > 5; DELETE FROM right_side WHERE n > 5");
    flip(name, size_of(name) / 2, 4);
    for (size_t i = 0; i < 3; i++) {
        snprintf(args, sizeof args, "{\"name\":\"%s\",\"mode\":\"%s\"}", name, modes[i]);
        box_run("backup.restore", args);
        box_assert_failed("BK_ECORRUPT", name, "not touched", NULL);
        assert_int_equal(box_assert_sound(box_database()), 5);
    }
    snprintf(args, sizeof args, "{\"name\":\"%s\",\"to\":\"%s\"}", name,
             sandbox_path("copy.db"));
    box_run("backup.restore", args);
    box_assert_failed("BK_ECORRUPT", name, NULL);
    assert_false(box_has("copy.db"));
    assert_false(box_has("copy.db.botkeep-tmp"));
    assert_false(box_has("bot.db.botkeep/restore.json"));
    box_assert_only(1);
}

/* ---- less than all -------------------------------------------------------------------------- */

/* Where each block begins is read from the block before; a wrong size leads astray. */
static void test_backup_verify__the_structure_is_looked_at_alone(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    box_call("backup.verify", "{\"depth\":\"structure\"}");
    box_assert_text("result.backups[0].depth", "structure");
    box_assert_number("result.backups[0].checked_bytes", 0);
    flip(name, size_of(name) / 2, 3); /* inside a block: not its structure */
    box_call("backup.verify", "{\"depth\":\"structure\"}");
    flip(name, size_of(name) / 2, 3);
    flip(name, 17, 2); /* the size of the first block */
    box_run("backup.verify", "{\"depth\":\"structure\"}");
    box_assert_failed("BK_ECORRUPT", name, "no whole block begins there", NULL);
}

/* A sample with time enough sees all parts; each damaged byte is in one of them. */
static void test_backup_verify__a_sample_without_hurry_sees_all(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    box_call("backup.verify", "{\"depth\":\"sample\",\"deadline_ms\":60000}");
    box_assert_number("result.backups[0].checked_bytes", (double)size_of(name));
    for (long at = 50; at < size_of(name); at += size_of(name) / 7) {
        flip(name, at, 1);
        box_run("backup.verify", "{\"depth\":\"sample\",\"deadline_ms\":60000}");
        box_assert_failed("BK_ECORRUPT", name, "between bytes", NULL);
        flip(name, at, 1);
    }
}

/* With no time at all one part is read: samples taken again and again find it in the end. */
static void test_backup_verify__samples_find_damage_in_the_end(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *name = box_create(NULL);
    assert_true(size_of(name) > 2 * 4096);
    box_call("backup.verify", "{\"depth\":\"sample\",\"deadline_ms\":0}");
    assert_true(bk_pick_number(box_done, "result.backups[0].checked_bytes", 0) <
                (double)size_of(name));
    flip(name, 5000, 1);
    for (int tries = 0; tries < 1000; tries++) {
        box_run("backup.verify", "{\"depth\":\"sample\",\"deadline_ms\":0}");
        if (bk_pick_number(box_done, "ok", 1) == 0) {
            box_assert_failed("BK_ECORRUPT", name, "between bytes 4096 and 8192", NULL);
            return;
        }
    }
    fail_msg("no sample of a thousand found it");
}

/* A look that finds nothing proves nothing: what was found damaged stays so until all is read. */
static void test_backup_verify__a_sample_does_not_make_a_damaged_one_good(void **state) {
    (void)state;
    box_database_with(ROWS_BIG);
    const char *name = box_create(NULL);
    flip(name, 5000, 1);
    box_run("backup.verify", NULL);
    flip(name, 5000, 1);
    box_call("backup.verify", "{\"depth\":\"structure\"}");
    box_call("backup.list", NULL);
    box_assert_number("result.backups[0].verified", 0);
    box_call("backup.verify", NULL);
    box_call("backup.list", NULL);
    box_assert_number("result.backups[0].verified", 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(every_flipped_byte_of_a_packed_one_is_found),
        TEST(every_flipped_byte_of_a_zstd_one_is_found),
        TEST(every_flipped_byte_of_a_plain_one_is_found),
        TEST(the_place_is_told),
        TEST(the_place_in_a_plain_one_is_told),
        TEST(the_place_of_an_idle_bit_is_told),
        TEST(what_is_damaged_is_marked_until_it_is_not),
        TEST(all_names_each_that_fails),
        TEST(what_is_bad_does_not_hide_what_is_good),
        TEST(a_lost_one_is_told),
        TEST(something_else_in_its_place_is_told),
        TEST(a_cut_one_does_not_exist),
        TEST(swapped_archives_are_found),
        TEST(an_archive_of_plain_gzip_is_read),
        TEST(an_archive_of_plain_zstd_is_read),
        TEST(a_damaged_one_restores_nothing),
        TEST(the_structure_is_looked_at_alone),
        TEST(a_sample_without_hurry_sees_all),
        TEST(samples_find_damage_in_the_end),
        TEST(a_sample_does_not_make_a_damaged_one_good),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
