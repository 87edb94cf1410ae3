/*
 * The doctor through the public ABI: findings about rehearsals and about the bot's own SQLite appear
 * and go away. Those about databases are in health_states.c.
 */
#include "backup_box.h"

#include <dlfcn.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>

#define TEST(name) BOX_TEST(doctor, name)

/* ---- what the system says of a folder; the library in this program asks these --------------- */

static const char
    *pretend_under; /* paths that begin so lie on the pretended file system */
static long pretend_type;
static unsigned long pretend_free; /* bytes */

static bool is_pretended(const char *path) {
    return pretend_under != NULL &&
           strncmp(path, pretend_under, strlen(pretend_under)) == 0;
}

int statfs(const char *path, struct statfs *status) {
    int (*next)(const char *, struct statfs *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "statfs");
    int rc = next(path, status);
    if (rc == 0 && pretend_type != 0 && is_pretended(path)) {
        status->f_type = pretend_type;
    }
    return rc;
}

int statvfs(const char *path, struct statvfs *status) {
    int (*next)(const char *, struct statvfs *) = NULL;
    *(void **)&next = dlsym(RTLD_NEXT, "statvfs");
    int rc = next(path, status);
    if (rc == 0 && pretend_free != 0 && is_pretended(path)) {
        status->f_bavail = pretend_free / status->f_frsize;
    }
    return rc;
}

/* ---- what the tests share ------------------------------------------------------------------ */

/* The level of the finding with this code, or NULL; the caller frees it. */
static char *level_of(const char *code) {
    char path[64];
    box_call("doctor.run", NULL);
    for (int i = 0; i < 64; i++) {
        snprintf(path, sizeof path, "result.findings[%d].code", i);
        char *found = bk_pick_text(box_done, path);
        bool same = found != NULL && strcmp(found, code) == 0;
        bool over = found == NULL;
        bk_free(found);
        if (same) {
            snprintf(path, sizeof path, "result.findings[%d].level", i);
            return bk_pick_text(box_done, path);
        }
        if (over) {
            break;
        }
    }
    return NULL;
}

static void assert_finding(const char *code, const char *level) {
    char *found = level_of(code);
    if (level == NULL ? found != NULL : found == NULL || strcmp(found, level) != 0) {
        fail_msg("%s is %s, not %s: %s", code, found ? found : "absent",
                 level ? level : "absent", box_done);
    }
    bk_free(found);
}

static void test_doctor__a_backup_that_was_never_rehearsed_is_a_warning(void **state) {
    char command[1024];
    (void)state;
    box_database_with(ROWS_SMALL);
    assert_finding("no_rehearsal", NULL); /* no_backup says it */
    assert_finding("no_backup", "warning");
    box_create(NULL);
    assert_finding("no_rehearsal", "warning");
    box_call("backup.rehearse", NULL);
    assert_finding("no_rehearsal", NULL);
    assert_finding("rehearsal", "ok");
    snprintf(
        command, sizeof command,
        "sed -i 's/\"rehearsal\":{\"at\":\"[0-9]*-/\"rehearsal\":{\"at\":\"2019-/' '%s'",
        sandbox_path("bot.db.botkeep/backup.json"));
    free(box_shell(command));
    assert_finding("no_rehearsal", "warning");
}

/* What the test itself links is the library's copy; the system's comes in as a bot's would. */
static void test_doctor__the_bots_sqlite_is_found_and_judged(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    assert_finding("sqlite", NULL);
    assert_finding("sqlite_vulnerable", NULL);
    void *library = dlopen("libsqlite3.so.0", RTLD_NOW | RTLD_LOCAL);
    assert_non_null(library);
    const char *(*source_id)(void) = NULL;
    *(void **)&source_id = dlsym(library, "sqlite3_sourceid");
    assert_non_null((void *)(uintptr_t)source_id);
    bool sound = strncmp(source_id(), "2026-03-03", 10) >= 0;
    assert_finding(sound ? "sqlite" : "sqlite_vulnerable", sound ? "ok" : "warning");
    dlclose(library);
    assert_finding("sqlite_vulnerable", NULL);
}

/* In a submodule, and in a second work tree of one repository, .git is a file. */
static void test_doctor__backups_in_a_git_work_tree_are_told(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    assert_finding("git_work_tree", NULL);
    sandbox_write(".git", "gitdir: ../.git/worktrees/bot\n");
    assert_finding("git_work_tree", "note"); /* ignored, but not safe */
    assert_int_equal(unlink(sandbox_path("backups/.gitignore")), 0);
    assert_finding("git_work_tree", "warning");
    assert_int_equal(unlink(sandbox_path(".git")), 0);
    assert_finding("git_work_tree", NULL);
}

/* Where the folder really is counts, not which way leads there. */
static void test_doctor__a_link_into_a_git_work_tree_is_seen_through(void **state) {
    char link[512];
    (void)state;
    box_database_with(ROWS_SMALL);
    assert_int_equal(mkdir(sandbox_path("tree"), 0700), 0);
    assert_int_equal(mkdir(sandbox_path("tree/.git"), 0700), 0);
    assert_int_equal(mkdir(sandbox_path("tree/saved"), 0700), 0);
    snprintf(link, sizeof link, "%s", sandbox_path("link"));
    assert_int_equal(symlink(sandbox_path("tree/saved"), link), 0);
    box_new();
    box_set("backup.dir", link);
    box_open();
    box_create(NULL);
    assert_finding("git_work_tree", "warning"); /* a folder that we did not make */
    sandbox_write("tree/.gitignore", "node_modules\n*.log\nsave\nsavedd\n");
    assert_finding("git_work_tree", "warning");
    sandbox_write("tree/.gitignore", "node_modules\n/saved/\n*.log");
    assert_finding("git_work_tree", "note"); /* somebody thought of it */
    sandbox_write("tree/.gitignore", "");
    sandbox_write("tree/saved/.gitignore", "*\n");
    assert_finding("git_work_tree", "note");
}

static void test_doctor__a_disk_that_does_not_last_is_told(void **state) {
    static const struct {
        long type;
        const char *code, *level;
    } kinds[] = {{0x01021994, "ephemeral_disk", "warning"}, /* tmpfs */
                 {0x794C7630, "ephemeral_disk", "warning"}, /* overlay, in a container */
                 {0x00006969, "network_backups", "note"},   /* nfs */
                 {(long)0xFE534D42, "network_backups", "note"}}; /* smb2 */
    char under[512];
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    snprintf(under, sizeof under, "%s", sandbox_path("backups"));
    pretend_under = under;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        pretend_type = kinds[i].type;
        assert_finding(kinds[i].code, kinds[i].level);
        assert_finding("network_disk", NULL); /* that is for databases */
    }
    snprintf(under, sizeof under, "%s", box_database());
    assert_finding("network_disk", "warning");
    assert_finding("network_backups", NULL);
    pretend_type = 0;
    assert_finding("network_disk", NULL);
    assert_finding("ephemeral_disk", NULL);
}

static void test_doctor__a_real_disk_of_memory_is_told(void **state) {
    char dir[64];
    (void)state;
    box_database_with(ROWS_SMALL);
    snprintf(dir, sizeof dir, "/dev/shm/doctor-%ld", (long)getpid());
    box_new();
    box_set("backup.dir", dir);
    box_open();
    assert_finding("ephemeral_disk", "warning");
    assert_finding("same_disk", NULL);
}

static void test_doctor__no_room_for_the_next_one_is_told(void **state) {
    char under[512];
    (void)state;
    box_database_with(ROWS_BIG);
    struct stat info;
    box_do("PRAGMA wal_checkpoint(TRUNCATE)");
    assert_int_equal(stat(box_database(), &info), 0);
    long size = (long)info.st_size;
    snprintf(under, sizeof under, "%s", sandbox_path("%s", "."));
    under[strlen(under) - 2] = '\0'; /* the whole sandbox */
    pretend_under = under;
    pretend_free = (unsigned long)size * 5 / 4;
    assert_finding("no_space", "problem");
    box_run("backup.create", NULL); /* it says the same */
    box_assert_failed("BK_ENOSPC", NULL);
    pretend_free = (unsigned long)size * 7 / 4;
    assert_finding("no_space", "warning");
    pretend_free = (unsigned long)size * 3;
    assert_finding("no_space", NULL);
    assert_finding("space", "ok");
    pretend_free = 0;
}

/* What did not change needs no new backup, and no warning. */
static void test_doctor__an_unchanged_database_has_no_old_backup(void **state) {
    char command[2048];
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *name = box_create("{\"kind\":\"auto\"}");
    snprintf(command, sizeof command,
             "sed -i 's/\"created_at\":\"[0-9]*-/\"created_at\":\"2019-/' '%s'",
             sandbox_path("backups/%s.json", name));
    free(box_shell(command));
    assert_finding("backup_old", "warning");
    box_call("backup.create", "{\"kind\":\"auto\"}");
    box_assert_number("result.unchanged", 1);
    assert_finding("backup_old", NULL);
    assert_finding("backup", "ok");
}

static void test_doctor__a_failure_is_told_until_it_is_mended(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    assert_int_equal(rename(box_database(), sandbox_path("gone.db")), 0);
    box_run("backup.create", NULL);
    assert_int_equal(rename(sandbox_path("gone.db"), box_database()), 0);
    assert_finding("backup_failed", "warning");
    box_create(NULL);
    assert_finding("backup_failed", NULL);
}

/* That there are backups says little when none of them is whole. */
static void test_doctor__damaged_backups_are_no_backups(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    const char *name = box_create(NULL);
    free(box_on(name, "printf x | dd of=%s bs=1 seek=5000 conv=notrunc status=none"));
    box_run("backup.verify", NULL);
    assert_finding("no_verified_backup", "problem");
    box_create(NULL);
    assert_finding("no_verified_backup", NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_backup_that_was_never_rehearsed_is_a_warning),
        TEST(the_bots_sqlite_is_found_and_judged),
        TEST(backups_in_a_git_work_tree_are_told),
        TEST(a_link_into_a_git_work_tree_is_seen_through),
        TEST(a_disk_that_does_not_last_is_told),
        TEST(a_real_disk_of_memory_is_told),
        TEST(no_room_for_the_next_one_is_told),
        TEST(an_unchanged_database_has_no_old_backup),
        TEST(a_failure_is_told_until_it_is_mended),
        TEST(damaged_backups_are_no_backups),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
