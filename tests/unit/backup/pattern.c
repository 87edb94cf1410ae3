/*
 * Names that other tools give their backups: whose they are, what is in them, when they were made. Not
 * files. tests/unit/run runs it.
 */
#include <backup/foreign/pattern.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include <base/stamp.h>

/* What a name must tell; when NULL: it has no time. */
static void assert_name(const char *name, const char *tool, const char *kind,
                        enum bk__content content, const char *when) {
    struct bk__guess guess;
    char stamp[BK__STAMP_SIZE] = "";
    if (!bk__pattern_match(name, false, &guess)) {
        fail_msg("%s is not taken for a backup", name);
    }
    if (guess.has_time) {
        bk__stamp_iso(guess.moment.ms, stamp);
    }
    if (strcmp(guess.tool, tool) != 0 || strcmp(guess.kind, kind) != 0 ||
        guess.content != content || strcmp(stamp, when == NULL ? "" : when) != 0) {
        fail_msg("%s: %s %s %d %s", name, guess.tool, guess.kind, (int)guess.content,
                 stamp);
    }
}

static void test_backup_pattern__each_tool_is_known_by_its_names(void **state) {
    (void)state;
    assert_name("manual_2025-12-04T10-30-00-123Z.db", "OSBot", "manual", BK__SQLITE,
                "2025-12-04T10:30:00.123Z");
    assert_name("manual_2025-12-04_15-45-30.db", "OSBot", "manual", BK__SQLITE,
                "2025-12-04T15:45:30.000Z");
    assert_name("auto_2025-12-04T10-30-00.db", "OSBot", "auto", BK__SQLITE,
                "2025-12-04T10:30:00.000Z");
    assert_name("pre_restore_2025-12-04T10-30-00-123Z.db", "OSBot", "pre_restore",
                BK__SQLITE, "2025-12-04T10:30:00.123Z");
    assert_name("dmarket_bot_sqlite_20251211.db.gz", "DMarket", "auto", BK__SQLITE,
                "2025-12-11T00:00:00.000Z");
    assert_name("dmarket_bot_sqlite_20251211_120001_123456.db", "DMarket", "auto",
                BK__SQLITE, "2025-12-11T12:00:01.123Z");
    assert_name("dmarket_bot_postgresql_20251211_120001_123.dump", "DMarket", "auto",
                BK__PGDUMP, "2025-12-11T12:00:01.123Z");
    assert_name("dmarket_bot_postgresql_20251211_120001.sql.gz", "DMarket", "auto",
                BK__SQL, "2025-12-11T12:00:01.000Z");
    assert_name("music_legends_critical_2026-01-02_03-04-05_before_update.db.gz",
                "Music Legends", "manual", BK__SQLITE, "2026-01-02T03:04:05.000Z");
    assert_name("music_legends_daily_2026-01-02_03-04-05.sql.gz", "Music Legends", "auto",
                BK__SQL, "2026-01-02T03:04:05.000Z");
    assert_name("music_legends_backup_20260102_030405.sql.gz", "Music Legends", "manual",
                BK__SQL, "2026-01-02T03:04:05.000Z");
    assert_name("game_2026-01-02_03-04.db.gz", "Music Legends", "auto", BK__SQLITE,
                "2026-01-02T03:04:00.000Z");
    assert_name("bot-db-2026-01-25_10-30-00-123.db.gz", "Solana bot", "auto", BK__SQLITE,
                "2026-01-25T10:30:00.123Z");
    assert_name("backup_2024-01-15T02-00-00-000Z.tar.gz", "Area51", "auto", BK__TAR,
                "2024-01-15T02:00:00.000Z");
    assert_name("full_backup_before_v2.sql", "Area51", "manual", BK__SQL, NULL);
    assert_name("bot.db.pre_restore", "DMarket", "pre_restore", BK__SQLITE, NULL);
}

static void test_backup_pattern__anybodys_names_by_their_endings(void **state) {
    (void)state;
    assert_name("copy.sqlite3", "", "manual", BK__SQLITE, NULL);
    assert_name("bot (1).db", "", "manual", BK__SQLITE, NULL);
    assert_name("bot-2025-12-04.sqlite.gz", "", "manual", BK__SQLITE,
                "2025-12-04T00:00:00.000Z");
    assert_name("nightly.20251204-103000.dump.gz", "", "manual", BK__PGDUMP,
                "2025-12-04T10:30:00.000Z");
    assert_name("dump.rdb", "", "manual", BK__RDB, NULL);
    assert_name("BOT.DB", "", "manual", BK__SQLITE, NULL);
    assert_name("Manual_2025-12-04T10-30-00.Db.GZ", "OSBot", "manual", BK__SQLITE,
                "2025-12-04T10:30:00.000Z");
    assert_name("bot.db.bak", "", "manual", BK__SQLITE, NULL);
    assert_name("manual_2025-12-04T10-30-00.sql.gz.old", "OSBot", "manual", BK__SQL,
                "2025-12-04T10:30:00.000Z");
    assert_name("bot 2025-12-04.bak", "", "manual", BK__STRANGE,
                "2025-12-04T00:00:00.000Z");
}

static void test_backup_pattern__no_time_is_read_into_a_number(void **state) {
    (void)state;
    assert_name("guild_12345678901234567.db", "", "manual", BK__SQLITE, NULL);
    assert_name("bot_20251399.db", "", "manual", BK__SQLITE, NULL);
    assert_name("bot_18991231.db", "", "manual", BK__SQLITE, NULL);
    assert_name("manual_2025-02-30T10-30-00.db", "", "manual", BK__SQLITE, NULL);
    assert_name("guild_123420251204.db", "", "manual", BK__SQLITE, NULL);
}

static void test_backup_pattern__other_files_are_none(void **state) {
    static const char *const others[] = {
        "readme.txt",      "x.json",    ".db", "x.db-wal",
        "x.db.tmp",        "x.gz",      "db",  "x.db.gz.md5",
        ".pre_restore",    "latest",    "",    ".bak",
        "config.json.bak", "x.old.json"};
    struct bk__guess guess;
    char name[700];
    (void)state;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        assert_false(bk__pattern_match(others[i], false, &guess));
    }
    memset(name, 'x', sizeof name);
    snprintf(name + 600, 16, ".db");
    assert_false(bk__pattern_match(name, false, &guess));
    assert_true(bk__pattern_match("backup_2024-01-15T02-00-00-000Z", true, &guess));
    assert_false(bk__pattern_match("daily", true, &guess));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_backup_pattern__each_tool_is_known_by_its_names),
        cmocka_unit_test(test_backup_pattern__anybodys_names_by_their_endings),
        cmocka_unit_test(test_backup_pattern__no_time_is_read_into_a_number),
        cmocka_unit_test(test_backup_pattern__other_files_are_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
