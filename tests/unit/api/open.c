/*
 * What bk_open() refuses and what it leaves alone: isolation switched off, and who may apply what
 * waits for the bot's next start. Threads and events are core's. tests/unit/run runs it.
 */
#include <botkeep.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

static char dir[4096];

static int make_dir(void **state) {
    const char *base = getenv("TMPDIR");

    (void)state;
    snprintf(dir, sizeof dir, "%s/botkeep-open-XXXXXX", base ? base : "/tmp");
    return mkdtemp(dir) == NULL;
}

static int remove_dir(void **state) {
    char command[4300];

    (void)state;
    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    return system(command);
}

static bk_keeper *new_keeper(const char *isolation, const char *track) {
    char path[4200];
    bk_keeper *keeper = bk_new();

    assert_non_null(keeper);
    snprintf(path, sizeof path, "%s/bot.db", dir);
    assert_int_equal(bk_set(keeper, "database", path), 0);
    snprintf(path, sizeof path, "%s/backups", dir);
    assert_int_equal(bk_set(keeper, "backup.dir", path), 0);
    assert_int_equal(bk_set(keeper, "backup.on.shutdown", "false"), 0);
    assert_int_equal(bk_set(keeper, "env.file", ""), 0);
    assert_int_equal(bk_set(keeper, "guest.isolation", isolation), 0);
    assert_int_equal(bk_set(keeper, "run.track", track), 0);
    return keeper;
}

static void test_api_open__a_bot_does_not_get_own(void **state) {
    bk_keeper *keeper = new_keeper("own", "true");

    (void)state;
    assert_int_equal(bk_open(keeper), BK_EINVAL);
    assert_non_null(strstr(bk_last_error(), "nothing was touched"));
    assert_int_equal(bk_set(keeper, "guest.isolation", "auto"), 0);
    assert_int_equal(bk_open(keeper), 0);
    assert_int_equal(bk_shutdown(keeper, 20000), 0);
    assert_int_equal(bk_close(keeper), 0);
}

static void test_api_open__internal_operations_are_for_the_helper_alone(void **state) {
    bk_keeper *bot = new_keeper("auto", "true");
    bk_keeper *helper = new_keeper("own", "false");
    char *done;

    (void)state;
    assert_int_equal(bk_open(bot), 0);
    assert_int_equal(bk_run(bot, "backup.apply", NULL), BK_ENOTFOUND);
    assert_int_equal(bk_shutdown(bot, 20000), 0);
    assert_int_equal(bk_close(bot), 0);

    assert_int_equal(bk_open(helper), 0);
    done = bk_call(helper, "backup.apply", NULL);
    assert_non_null(done);
    assert_true(bk_pick_number(done, "ok", 0) == 1);
    bk_free(done);
    assert_int_equal(bk_shutdown(helper, 20000), 0);
    assert_int_equal(bk_close(helper), 0);
}

/* A staged restore that cannot be read makes the bot's open fail, and a tool's go on. */
static void test_api_open__a_tool_leaves_a_staged_restore_alone(void **state) {
    char path[4300];
    bk_keeper *tool = new_keeper("auto", "false");
    bk_keeper *bot = new_keeper("auto", "true");
    FILE *file;

    (void)state;
    assert_int_equal(bk_open(tool), 0); /* makes state.dir */
    assert_int_equal(bk_shutdown(tool, 20000), 0);
    assert_int_equal(bk_close(tool), 0);
    snprintf(path, sizeof path, "%s/bot.db.botkeep/restore.json", dir);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs("not an intent", file) >= 0);
    assert_int_equal(fclose(file), 0);

    tool = new_keeper("auto", "false");
    assert_int_equal(bk_open(tool), 0);
    assert_int_equal(bk_shutdown(tool, 20000), 0);
    assert_int_equal(bk_close(tool), 0);
    assert_int_equal(bk_open(bot), BK_ECORRUPT);
    assert_int_equal(bk_close(bot), 0);
}

#define test_in_dir(f) cmocka_unit_test_setup_teardown(f, make_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        test_in_dir(test_api_open__a_bot_does_not_get_own),
        test_in_dir(test_api_open__internal_operations_are_for_the_helper_alone),
        test_in_dir(test_api_open__a_tool_leaves_a_staged_restore_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
