/*
 * A bot's folder for the migration tests: bot.db, migrations/, backups/; a keeper over it, and
 * the sqlite3 program as the independent eye. Not tests: migrate_*.c include it.
 */
#ifndef BK_TESTS_MIGRATE_BOX_H
#define BK_TESTS_MIGRATE_BOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include <botkeep.h>

#include "sandbox.h"

#define BOX_TEST(prefix, name)                                                           \
    cmocka_unit_test_setup_teardown(test_##prefix##__##name, box_setup, box_teardown)

static bk_keeper *box_keeper;
static char *box_done; /* the last done event */

__attribute__((unused)) static const char *box_database(void) {
    return sandbox_path("bot.db");
}

__attribute__((unused)) static void box_close(void) {
    if (box_keeper) {
        bk_shutdown(box_keeper, 10000);
        bk_close(box_keeper);
        box_keeper = NULL;
    }
}

__attribute__((unused)) static int box_setup(void **state) {
    sandbox_setup(state);
    return mkdir(sandbox_path("migrations"), 0700);
}

__attribute__((unused)) static int box_teardown(void **state) {
    box_close();
    bk_free(box_done);
    box_done = NULL;
    return sandbox_teardown(state);
}

__attribute__((unused)) static void box_set(const char *option, const char *value) {
    if (bk_set(box_keeper, option, value) < 0) {
        fail_msg("%s=%s: %s", option, value, bk_last_error());
    }
}

/* A keeper with its options, not open yet. */
__attribute__((unused)) static void box_new(void) {
    box_close();
    box_keeper = bk_new();
    assert_non_null(box_keeper);
    box_set("database", box_database());
    box_set("migrate.dir", sandbox_path("migrations"));
    box_set("backup.dir", sandbox_path("backups"));
    box_set("backup.every", "0");
    box_set("backup.on.shutdown", "false");
    box_set("health.enabled", "false");
    box_set("run.track", "false");
    box_set("env.file", "");
}

__attribute__((unused)) static void box_open(void) {
    if (bk_open(box_keeper) < 0) {
        fail_msg("bk_open: %s", bk_last_error());
    }
}

/* Runs an operation to its end; its done event stays in box_done. */
__attribute__((unused)) static void box_run(const char *operation, const char *args) {
    if (!box_keeper) {
        box_new();
        box_open();
    }
    bk_free(box_done);
    box_done = bk_call(box_keeper, operation, args);
    if (!box_done) {
        fail_msg("%s: %s", operation, bk_last_error());
    }
}

__attribute__((unused)) static void box_call(const char *operation, const char *args) {
    box_run(operation, args);
    if (bk_pick_number(box_done, "ok", 0) != 1) {
        fail_msg("%s failed: %s", operation, box_done);
    }
}

/* The text at a path of the last done event is this one (NULL: there is none). */
__attribute__((unused)) static void box_assert_text(const char *path,
                                                    const char *expected) {
    char *found = bk_pick_text(box_done, path);
    bool same = expected ? found && strcmp(found, expected) == 0 : !found;
    if (!same) {
        fail_msg("%s is %s, not %s, in %s", path, found ? found : "absent",
                 expected ? expected : "absent", box_done);
    }
    bk_free(found);
}

__attribute__((unused)) static void box_assert_number(const char *path, double expected) {
    double found = bk_pick_number(box_done, path, -12345);
    if (found != expected) {
        fail_msg("%s is %g, not %g, in %s", path, found, expected, box_done);
    }
}

/* It failed with this code, and its message has each of the words (NULL ends them). */
__attribute__((unused)) static void box_assert_failed(const char *code, ...) {
    char *message = bk_pick_text(box_done, "error.message");
    va_list words;
    box_assert_number("ok", 0);
    box_assert_text("error.code", code);
    assert_non_null(message);
    va_start(words, code);
    for (const char *word = va_arg(words, const char *); word;
         word = va_arg(words, const char *)) {
        if (!strstr(message, word)) {
            fail_msg("\"%s\" is not in: %s", word, message);
        }
    }
    va_end(words);
    bk_free(message);
}

/* What a command of the shell prints; it must end well. The caller frees it. */
__attribute__((unused)) static char *box_shell(const char *command) {
    size_t size = 0;
    char *text = NULL;
    char piece[4096];
    FILE *out = open_memstream(&text, &size);
    FILE *pipe = popen(command, "re");
    assert_non_null(out);
    assert_non_null(pipe);
    for (size_t got; (got = fread(piece, 1, sizeof piece, pipe)) > 0;) {
        assert_int_equal(fwrite(piece, 1, got, out), got);
    }
    assert_int_equal(fclose(out), 0);
    if (pclose(pipe) != 0) {
        fail_msg("failed: %s: %s", command, text);
    }
    return text;
}

/* SQL by the sqlite3 program, in a process of its own. The caller frees the rows. */
__attribute__((unused)) static char *box_sql(const char *sql) {
    char command[8192];
    snprintf(command, sizeof command,
             "sqlite3 -bail -cmd '.timeout 60000' '%s' \"%s\" 2>&1", box_database(), sql);
    return box_shell(command);
}

__attribute__((unused)) static void box_do(const char *sql) {
    free(box_sql(sql));
}

__attribute__((unused)) static void box_assert_sql(const char *sql,
                                                   const char *expected) {
    char *found = box_sql(sql);
    found[strcspn(found, "\n")] = '\0';
    assert_string_equal(found, expected);
    free(found);
}

/* Schema and rows of everything but our own two tables, as SQL. The caller frees it. */
__attribute__((unused)) static char *box_content(void) {
    char command[2048];
    snprintf(command, sizeof command,
             "sqlite3 -cmd '.timeout 60000' '%s' .dump | grep -v botkeep_",
             box_database());
    return box_shell(command);
}

__attribute__((unused)) static bool box_has(const char *name) {
    struct stat st;
    return stat(sandbox_path("%s", name), &st) == 0;
}

__attribute__((unused)) static int box_count(const char *command) {
    char *text = box_shell(command);
    int count = atoi(text);
    free(text);
    return count;
}

#endif
