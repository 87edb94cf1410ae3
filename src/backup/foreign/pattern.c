/*
 * The table of the names that other tools give their backups, and matching against it. A new tool is
 * one row here. Not what exists (foreign.c) and not what is inside (examine.c).
 */
#include <backup/foreign/pattern.h>

#include <stdio.h>
#include <string.h>

#include <base/stamp.h>
#include <base/text.h>

const char *const bk__content_names[] = {
    [BK__SQLITE] = "sqlite", [BK__SQL] = "sql",   [BK__PGDUMP] = "postgres",
    [BK__RDB] = "redis",     [BK__TAR] = "tar",   [BK__SET] = "folder",
    [BK__EMPTY] = "empty",   [BK__STRANGE] = "?", NULL};

bool bk__content_parse(const char *text, enum bk__content *ret) {
    for (int i = 0; bk__content_names[i] != NULL; i++) {
        if (strcmp(text, bk__content_names[i]) == 0) {
            *ret = (enum bk__content)i;
            return true;
        }
    }
    return false;
}

/* ---- the table -------------------------------------------------------------------------- */

/* A name without its endings: @ is a time in any of the forms below, * is anything. The first row
   that fits wins. */
struct row {
    const char *pattern, *tool, *kind;
    bool main_alone;
};

static const struct row rows[] = {
    /* backup-manager.ts: copyFileSync of the database and, except before a restore, of -wal, -shm */
    {"pre_restore_@", "OSBot", "pre_restore", true},
    {"manual_@", "OSBot", "manual", false},
    {"auto_@", "OSBot", "auto", false},
    /* backup_database.py: VACUUM INTO and gzip; pg_dump -F c, named .sql when not compressed */
    {"dmarket_bot_sqlite_@", "DMarket", "auto", false},
    {"dmarket_bot_postgresql_@", "DMarket", "auto", false},
    /* backup_service.py: SQLite's backup API or pg_dump -F p, then gzip; a folder for each type */
    {"music_legends_daily_@*", "Music Legends", "auto", false},
    {"music_legends_periodic_@*", "Music Legends", "auto", false},
    {"music_legends_shutdown_@*", "Music Legends", "shutdown", false},
    {"music_legends_*_@*", "Music Legends", "manual", false},
    /* its shell scripts: cp of the live file, or pg_dump, then gzip */
    {"game_@", "Music Legends", "auto", true},
    {"db_@", "Music Legends", "auto", true},
    /* the sql.js bot: export() and gzip */
    {"bot-db-@", "Solana bot", "auto", false},
    /* backup-system.js: a folder or its .tar.gz with a plain pg_dump and redis-cli --rdb */
    {"backup_@", "Area51", "auto", false},
    {"database_@", "Area51", "auto", false},
    {"redis_@", "Area51", "auto", false},
    {"full_backup_*", "Area51", "manual", false},
    /* ours, without the manifest that would prove it */
    {"startup_@*", "botkeep", "startup", false},
    {"shutdown_@*", "botkeep", "shutdown", false},
    {"pre_migration_@*", "botkeep", "pre_migration", false},
    {"*@*", "", "manual", false},
    {"*", "", "manual", false}};

/* Longest first. 0 is a digit; what follows the seconds is a fraction of one. */
static const char *const times[] = {"0000-00-00T00-00-00-000Z",
                                    "0000-00-00T00:00:00.000Z",
                                    "0000-00-00_00-00-00-000",
                                    "0000-00-00_00-00-00_000",
                                    "00000000_000000_000000",
                                    "0000-00-00T00-00-00Z",
                                    "0000-00-00T00-00-00",
                                    "0000-00-00_00-00-00",
                                    "00000000_000000_000",
                                    "0000-00-00_00-00",
                                    "00000000_000000",
                                    "00000000T000000",
                                    "00000000-000000",
                                    "0000-00-00",
                                    "00000000",
                                    NULL};

struct ending {
    const char *text;
    enum bk__content content;
    enum bk__compression compression;
};

static const struct ending endings[] = {
    {".tar.gz", BK__TAR, BK__GZIP},      {".tgz", BK__TAR, BK__GZIP},
    {".tar.zst", BK__TAR, BK__ZSTD},     {".tar", BK__TAR, BK__PLAIN},
    {".db.gz", BK__SQLITE, BK__GZIP},    {".db.zst", BK__SQLITE, BK__ZSTD},
    {".db", BK__SQLITE, BK__PLAIN},      {".sqlite.gz", BK__SQLITE, BK__GZIP},
    {".sqlite", BK__SQLITE, BK__PLAIN},  {".sqlite3.gz", BK__SQLITE, BK__GZIP},
    {".sqlite3", BK__SQLITE, BK__PLAIN}, {".db3", BK__SQLITE, BK__PLAIN},
    {".sql.gz", BK__SQL, BK__GZIP},      {".sql.zst", BK__SQL, BK__ZSTD},
    {".sql", BK__SQL, BK__PLAIN},        {".dump.gz", BK__PGDUMP, BK__GZIP},
    {".dump.zst", BK__PGDUMP, BK__ZSTD}, {".dump", BK__PGDUMP, BK__PLAIN},
    {".rdb.gz", BK__RDB, BK__GZIP},      {".rdb.zst", BK__RDB, BK__ZSTD},
    {".rdb", BK__RDB, BK__PLAIN},        {NULL, BK__STRANGE, BK__PLAIN}};

/* ---- matching --------------------------------------------------------------------------- */

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

/* The digits of a text that has a form, in their order; or 0. */
static size_t take_digits(const char *text, const char *form, char digits[24]) {
    size_t count = 0;
    size_t i = 0;
    for (; form[i] != '\0'; i++) {
        if (form[i] == '0' ? !is_digit(text[i]) : text[i] != form[i]) {
            return 0;
        }
        if (form[i] == '0') {
            digits[count++] = text[i];
        }
    }
    digits[count] = '\0';
    /* A longer number is no time: "12345678" in "123456789". */
    return is_digit(form[i - 1] == '0' ? text[i] : 'Z') ? 0 : i;
}

/* How many bytes of the text are a time, and which; 0: it does not begin with one. */
static size_t take_time(const char *text, int64_t *ret_ms) {
    for (size_t i = 0; times[i] != NULL; i++) {
        char all[24];
        char digits[32] = "00000000000000000";
        char iso[64];
        size_t size = take_digits(text, times[i], all);
        if (size == 0) {
            continue;
        }
        memcpy(digits, all, strlen(all) < 17 ? strlen(all) : 17);
        snprintf(iso, sizeof iso, "%.4s-%.2s-%.2sT%.2s:%.2s:%.2s.%.3sZ", digits,
                 digits + 4, digits + 6, digits + 8, digits + 10, digits + 12,
                 digits + 14);
        if (strncmp(digits, "1990", 4) > 0 && strncmp(digits, "2100", 4) < 0 &&
            bk__stamp_parse(iso, ret_ms)) {
            return size;
        }
    }
    return 0;
}

static bool fits(const char *pattern, const char *text, struct bk__guess *guess) {
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '@') {
            size_t size = take_time(text, &guess->time_ms);
            guess->has_time = size > 0;
            return size > 0 && fits(pattern + 1, text + size, guess);
        }
        if (*pattern == '*') {
            do {
                if (fits(pattern + 1, text, guess)) {
                    return true;
                }
            } while (*text++ != '\0');
            guess->has_time = false;
            return false;
        }
        if (*pattern != *text++) {
            return false;
        }
    }
    return *text == '\0';
}

/* "<database>.pre_restore": DMarket's one copy of the main file before a restore. */
#define PRE_RESTORE ".pre_restore"

static bool match_pre_restore(const char *name, struct bk__guess *ret) {
    if (!bk__text_ends(name, PRE_RESTORE) || strlen(name) == strlen(PRE_RESTORE)) {
        return false;
    }
    *ret = (struct bk__guess){.tool = "DMarket",
                              .kind = "pre_restore",
                              .main_alone = true,
                              .content = BK__SQLITE};
    return true;
}

static bool take_ending(const char *name, char stem[512], struct bk__guess *guess) {
    for (const struct ending *end = endings; end->text != NULL; end++) {
        if (bk__text_ends(name, end->text) && strlen(name) > strlen(end->text) &&
            strlen(name) < 512) {
            guess->content = end->content;
            guess->compression = end->compression;
            snprintf(stem, 512, "%.*s", (int)(strlen(name) - strlen(end->text)), name);
            return true;
        }
    }
    return false;
}

bool bk__pattern_match(const char *name, bool folder, struct bk__guess *ret) {
    struct bk__guess guess = {0};
    char stem[512];
    if (folder) {
        if (!fits("backup_@", name, &guess)) {
            return false;
        }
        guess.content = BK__SET;
        snprintf(stem, sizeof stem, "%.500s", name);
    } else if (match_pre_restore(name, ret)) {
        return true;
    } else if (!take_ending(name, stem, &guess)) {
        return false;
    }
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        guess.has_time = false;
        if (fits(rows[i].pattern, stem, &guess)) {
            guess.tool = rows[i].tool;
            guess.kind = rows[i].kind;
            guess.main_alone = rows[i].main_alone && guess.content == BK__SQLITE;
            *ret = guess;
            return true;
        }
    }
    return false;
}
