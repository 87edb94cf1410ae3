/*
 * The doctor through the public ABI: findings about rehearsals and about the bot's own SQLite appear
 * and go away. Those about databases are in health_states.c.
 */
#include "backup_box.h"

#include <dlfcn.h>

#define TEST(name) BOX_TEST(doctor, name)

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

static void test_doctor__backups_in_a_git_work_tree_are_told(void **state) {
    (void)state;
    box_database_with(ROWS_SMALL);
    box_create(NULL);
    assert_finding("git_work_tree", NULL);
    assert_int_equal(mkdir(sandbox_path(".git"), 0700), 0);
    assert_finding("git_work_tree", "note");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_backup_that_was_never_rehearsed_is_a_warning),
        TEST(the_bots_sqlite_is_found_and_judged),
        TEST(backups_in_a_git_work_tree_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
