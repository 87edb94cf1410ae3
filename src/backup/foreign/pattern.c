/*
 * The table of the names that other tools give their backups, and matching against it. A new tool is
 * one row here. Not what exists (foreign.c) and not what is inside (examine.c).
 */
#include <backup/foreign/pattern.h>

#include <stdio.h>
#include <string.h>
#include <strings.h>

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

/* A name without its endings: @ is a time (moment.h), * is anything. The first row that fits wins. */
struct row {
    const char *pattern, *tool, *kind;
    unsigned facts;
};

#define MAIN_ALONE 1u /* the tool copies a database without its -wal */
#define IN_UTC 2u     /* its times are UTC and do not say so */

static const struct row rows[] = {
    /* backup-manager.ts: copyFileSync of the database and, except before a restore, of -wal, -shm */
    {"pre_restore_@", "OSBot", "pre_restore", MAIN_ALONE},
    {"manual_@", "OSBot", "manual", 0},
    {"auto_@", "OSBot", "auto", 0},
    /* backup_database.py: VACUUM INTO and gzip; pg_dump -F c, named .sql when not compressed */
    {"dmarket_bot_sqlite_@", "DMarket", "auto", 0},
    {"dmarket_bot_postgresql_@", "DMarket", "auto", 0},
    /* backup_service.py: SQLite's backup API or pg_dump -F p, then gzip; a folder for each type */
    {"music_legends_daily_@*", "Music Legends", "auto", 0},
    {"music_legends_periodic_@*", "Music Legends", "auto", 0},
    {"music_legends_shutdown_@*", "Music Legends", "shutdown", 0},
    {"music_legends_*_@*", "Music Legends", "manual", 0},
    /* its shell scripts: cp of the live file, or pg_dump, then gzip */
    {"game_@", "Music Legends", "auto", MAIN_ALONE},
    {"db_@", "Music Legends", "auto", MAIN_ALONE},
    /* the sql.js bot: export() and gzip; toISOString() with "T" replaced */
    {"bot-db-@", "Solana bot", "auto", IN_UTC},
    /* backup-system.js: a folder or its .tar.gz with a plain pg_dump and redis-cli --rdb */
    {"backup_@", "Area51", "auto", 0},
    {"database_@", "Area51", "auto", 0},
    {"redis_@", "Area51", "auto", 0},
    {"full_backup_*", "Area51", "manual", 0},
    /* ours, without the manifest that would prove it */
    {"startup_@*", "botkeep", "startup", 0},
    {"shutdown_@*", "botkeep", "shutdown", 0},
    {"pre_migration_@*", "botkeep", "pre_migration", 0},
    {"*@*", "", "manual", 0},
    {"*", "", "manual", 0}};

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

/* Windows writes BOT.DB as well. Bytes beyond ASCII stay what they are. */
static char small(char c) {
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/* A byte stands before the text. */
static bool fits(const char *pattern, const char *text, struct bk__guess *guess) {
    for (; *pattern != '\0'; pattern++) {
        if (*pattern == '@') {
            bool inside = text[-1] >= '0' && text[-1] <= '9'; /* of a longer number */
            size_t size = inside ? 0 : bk__moment_parse(text, &guess->moment);
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
        if (*pattern != small(*text++)) {
            return false;
        }
    }
    return *text == '\0';
}

/* "<database>.pre_restore": DMarket's one copy of the main file before a restore. */
#define PRE_RESTORE ".pre_restore"

static bool ends(const char *name, size_t size, const char *ending) {
    size_t length = strlen(ending);
    return size > length && strncasecmp(name + size - length, ending, length) == 0;
}

static bool match_pre_restore(const char *name, struct bk__guess *ret) {
    if (!ends(name, strlen(name), PRE_RESTORE)) {
        return false;
    }
    *ret = (struct bk__guess){.tool = "DMarket",
                              .kind = "pre_restore",
                              .main_alone = true,
                              .content = BK__SQLITE};
    return true;
}

/* What somebody puts behind the whole name of a file that is kept: bot.db.bak; or, alone, behind its
   stem: bot.bak. */
static const char *const asides[] = {".bak", ".backup", ".old", NULL};

static size_t take_aside(const char *name, size_t size) {
    for (int i = 0; asides[i] != NULL; i++) {
        if (ends(name, size, asides[i])) {
            return size - strlen(asides[i]);
        }
    }
    return size;
}

static bool take_ending(const char *name, char stem[512], struct bk__guess *guess) {
    size_t whole = strlen(name);
    size_t size = take_aside(name, whole);
    const struct ending *end = endings;
    while (end->text != NULL && !ends(name, size, end->text)) {
        end++;
    }
    bool bare = end->text == NULL && size < whole && memchr(name, '.', size) == NULL;
    if (whole >= 512 || (end->text == NULL && !bare)) {
        return false;
    }
    guess->content = end->content;
    guess->compression = end->compression;
    size -= end->text == NULL ? 0 : strlen(end->text);
    snprintf(stem, 512, "%.*s", (int)size, name);
    return true;
}

bool bk__pattern_match(const char *name, bool folder, struct bk__guess *ret) {
    struct bk__guess guess = {0};
    char room[1 + 512] = "/";
    char *stem = room + 1;
    if (folder) {
        snprintf(stem, 512, "%.500s", name);
        if (!fits("backup_@", stem, &guess)) {
            return false;
        }
        guess.content = BK__SET;
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
            guess.main_alone =
                (rows[i].facts & MAIN_ALONE) != 0 && guess.content == BK__SQLITE;
            guess.moment.utc = guess.moment.utc || (rows[i].facts & IN_UTC) != 0;
            *ret = guess;
            return true;
        }
    }
    return false;
}
