/*
 * What the tests of putting a file in the place of a database share: a live database, an image, and
 * bots that were killed. Not tests: replace.c and replace_killed.c include it.
 */
#ifndef BK_TESTS_REPLACE_BOX_H
#define BK_TESTS_REPLACE_BOX_H

#include <store/store.h>

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include <core/error.h>
#include <store/sqlite/sqlite.h>

#include "sandbox.h"
#include "storefile.h"
#include "storejob.h"

#define NEW "CREATE TABLE t(a); INSERT INTO t VALUES('new'); CREATE TABLE only_new(a)"

static struct bk__job *job;
static char live[1024];
static char image[1024];
static char *kept;

__attribute__((unused)) static int setup(void **state) {
    job = storejob_new();
    storejob_set("busy.wait", "100");
    sandbox_setup(state);
    snprintf(live, sizeof(live), "%s", sandbox_path("bot.db"));
    snprintf(image, sizeof(image), "%s", sandbox_path("image.db"));
    storefile_make(image, NEW);
    kept = NULL;
    return 0;
}

__attribute__((unused)) static int teardown(void **state) {
    free(kept);
    storejob_free();
    return sandbox_teardown(state);
}

__attribute__((unused)) static int replace(void) {
    free(kept);
    kept = NULL;
    return bk__sqlite_driver.replace(job, live, image, &kept);
}

__attribute__((unused)) static void assert_new(void) {
    assert_int_equal(storefile_read(live, "SELECT count(*) FROM t WHERE a = 'new'"), 1);
    assert_int_equal(storefile_read(live, "SELECT count(*) FROM only_new"), 0);
    assert_false(storefile_exists(live, "-wal"));
    assert_false(storefile_exists(live, "-journal"));
    assert_false(storefile_exists(live, ".botkeep-new"));
    assert_true(storefile_exists(image, ""));
}

/* A database whose last rows stand in the -wal of a bot that was killed. */
__attribute__((unused)) static int64_t make_killed(const char *mode) {
    char sql[1100];

    snprintf(sql, sizeof(sql), "PRAGMA journal_mode = %s; %s", mode, STOREFILE_LOG);
    storefile_make(live, sql);
    storefile_kill(storefile_start("write", live));
    snprintf(sql, sizeof(sql), "%s.copy", live);
    storefile_copy(live, sql);
    if (storefile_exists(live, "-wal")) {
        char from[1100], to[1200];
        snprintf(from, sizeof(from), "%s-wal", live);
        snprintf(to, sizeof(to), "%s-wal", sql);
        storefile_copy(from, to);
    }
    return storefile_read(sql, "SELECT n FROM counter");
}

/* A -wal beside it is spoilt too: a good one can make the database whole again. */
__attribute__((unused)) static void make_garbage(void) {
    char junk[5000];
    char wal[1100];

    snprintf(wal, sizeof(wal), "%s-wal", live);
    if (storefile_exists(wal, "")) {
        storefile_write(wal, "spoilt", 6);
    }

    memset(junk, 'x', sizeof(junk));
    storefile_write(live, junk, sizeof(junk));
}

/* ---- the tests ------------------------------------------------------------------------- */

#endif
