/*
 * Options: one table row each, and the values in force. Nothing else in the library knows an
 * option's name, range, environment variable or default. Set before bk_open(), immutable after,
 * so reading needs no lock.
 */
#ifndef BK_CORE_CONFIG_H
#define BK_CORE_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

enum bk__option_type {
    BK__TEXT,
    BK__PATH,
    BK__INT,
    BK__NUMBER,
    BK__BOOL,
    BK__CHOICE,
    BK__SECRET
};

/* id, name, type, unit, default, min, max, choices ("a|b"), environment ("A,B"), doc */
#define BK__OPTIONS(O)                                                                   \
    O(DATABASE, "database", BK__PATH, "", "", 0, 0, "", "DATABASE_PATH,DATABASE_URL",    \
      "The bot's database: a path, or a URL (sqlite:///, sqlite+aiosqlite:///, file:, "  \
      "postgresql://). Unset, a URL is made of POSTGRES_HOST, _PORT, _DB_NAME or _DB, "  \
      "_USER, _PASSWORD, else of PGHOST, PGPORT, PGDATABASE, PGUSER, PGPASSWORD; or "    \
      "redis://.")                                                                       \
    O(REDIS, "redis", BK__TEXT, "", "", 0, 0, "", "REDIS_URL",                           \
      "A Redis server beside the database, or alone: "                                   \
      "redis://[[user]:password@]host[:port] or unix:///path. Unset, a URL is made of "  \
      "REDIS_HOST, _PORT, _USERNAME, _PASSWORD.")                                        \
    O(DATABASE_MEMORY, "database.memory", BK__BOOL, "", "false", 0, 0, "",               \
      "DATABASE_IN_MEMORY",                                                              \
      "Whether the bot keeps the database in memory (sql.js) and saves it whole with "   \
      "bk_save().")                                                                      \
    O(STATE_DIR, "state.dir", BK__PATH, "", "", 0, 0, "", "BOTKEEP_STATE_DIR",           \
      "The folder of botkeep's own records; empty: DATABASE.botkeep beside the "         \
      "database file, .botkeep in the working folder for a database server.")            \
    O(BACKUP_DIR, "backup.dir", BK__PATH, "", "./backups", 0, 0, "", "BACKUP_DIR",       \
      "The folder of the backups, relative to the folder the process runs in.")          \
    O(BACKUP_ENABLED, "backup.enabled", BK__BOOL, "", "true", 0, 0, "",                  \
      "BACKUP_ENABLED",                                                                  \
      "Whether scheduled and shutdown backups are made; backup.create works in any "     \
      "case.")                                                                           \
    O(BACKUP_EVERY, "backup.every", BK__NUMBER, "hours", "24", 0, 87600, "",             \
      "BACKUP_INTERVAL_HOURS",                                                           \
      "Hours between automatic backups; 0: none; 0.5 is half an hour.")                  \
    O(BACKUP_CRON, "backup.cron", BK__TEXT, "", "", 0, 0, "", "BACKUP_CRON",             \
      "When automatic backups are made, as cron says it: minute hour day month "         \
      "weekday, or @daily; when set, backup.every is not used.")                         \
    O(BACKUP_TIMEZONE, "backup.timezone", BK__TEXT, "", "UTC", 0, 0, "",                 \
      "BACKUP_TIMEZONE",                                                                 \
      "The time zone of backup.cron and of the days, weeks and months that retention "   \
      "counts: a name such as Europe/Berlin.")                                           \
    O(BACKUP_ON_START, "backup.on.start", BK__BOOL, "", "false", 0, 0, "",               \
      "BACKUP_ON_START", "Whether bk_open() makes a backup, before any migration.")      \
    O(BACKUP_START_GAP, "backup.start.gap", BK__INT, "minutes", "60", 0, 525600, "",     \
      "BACKUP_START_GAP_MINUTES",                                                        \
      "A startup backup younger than this is enough for the next start, too.")           \
    O(BACKUP_KEEP, "backup.keep", BK__INT, "", "7", 0, 100000, "", "BACKUP_RETENTION",   \
      "How many backups of each kind stay; 0 keeps all.")                                \
    O(BACKUP_KEEP_DAYS, "backup.keep.days", BK__INT, "days", "0", 0, 36500, "",          \
      "BACKUP_RETENTION_DAYS",                                                           \
      "Besides, every backup younger than this stays; 0: age keeps none.")               \
    O(BACKUP_KEEP_DAILY, "backup.keep.daily", BK__INT, "", "0", 0, 36500, "",            \
      "BACKUP_KEEP_DAILY",                                                               \
      "Besides, the last backup of each of the newest so many days stays.")              \
    O(BACKUP_KEEP_WEEKLY, "backup.keep.weekly", BK__INT, "", "0", 0, 5200, "",           \
      "BACKUP_KEEP_WEEKLY",                                                              \
      "Besides, the last backup of each of the newest so many weeks stays.")             \
    O(BACKUP_KEEP_MONTHLY, "backup.keep.monthly", BK__INT, "", "0", 0, 1200, "",         \
      "BACKUP_KEEP_MONTHLY",                                                             \
      "Besides, the last backup of each of the newest so many months stays.")            \
    O(BACKUP_COMPRESS, "backup.compress", BK__CHOICE, "", "auto", 0, 0,                  \
      "auto|gzip|zstd|none", "BACKUP_COMPRESS",                                          \
      "auto compresses with gzip above 1 MB, which gunzip reads; zstd is "               \
      "smaller and faster, and zstd -d reads it.")                                       \
    O(BACKUP_REHEARSE_EVERY, "backup.rehearse.every", BK__NUMBER, "hours", "24", 0,      \
      87600, "", "BACKUP_REHEARSE_HOURS",                                                \
      "Hours between rehearsals: the newest backup is restored, checked and thrown "     \
      "away; 0: none.")                                                                  \
    O(BACKUP_KEY_FILE, "backup.key.file", BK__PATH, "", "", 0, 0, "", "BACKUP_KEY_FILE", \
      "A key file made by backup.key: with it backups are encrypted and read; empty: "   \
      "neither.")                                                                        \
    O(BACKUP_RECIPIENT, "backup.recipient", BK__TEXT, "", "", 0, 0, "",                  \
      "BACKUP_RECIPIENT",                                                                \
      "A public key from backup.key: backups are encrypted for it and cannot be read "   \
      "here.")                                                                           \
    O(BACKUP_SET, "backup.set", BK__CHOICE, "", "folder", 0, 0, "folder|tar",            \
      "BACKUP_SET",                                                                      \
      "Where there is more than one store: a set is a folder of archives, or one "       \
      ".tar.gz.")                                                                        \
    O(BACKUP_RESCUE, "backup.rescue", BK__BOOL, "", "false", 0, 0, "", "BACKUP_RESCUE",  \
      "Whether bk_open() restores the newest verified backup when the database is "      \
      "missing, empty or no database; what was there is set aside.")                     \
    O(BACKUP_DELTAS, "backup.deltas", BK__INT, "", "0", 0, 1000, "", "BACKUP_DELTAS",    \
      "How many backups in a row may hold only the pages that changed; 0: each holds "   \
      "all. Sets always do.")                                                            \
    O(BACKUP_ON_SHUTDOWN, "backup.on.shutdown", BK__BOOL, "", "true", 0, 0, "",          \
      "BACKUP_ON_SHUTDOWN", "Whether bk_shutdown() makes a last backup.")                \
    O(BACKUP_LOCK_WAIT, "backup.lock.wait", BK__INT, "ms", "60000", 0, 3600000, "",      \
      "BACKUP_LOCK_WAIT_MS",                                                             \
      "How long to wait for another process that holds the folder.")                     \
    O(SNAPSHOT_LIMIT, "snapshot.limit", BK__INT, "ms", "600000", 1000, 86400000, "",     \
      "SNAPSHOT_LIMIT_MS", "How long a snapshot may hold its read transaction.")         \
    O(SNAPSHOT_WAL_LIMIT, "snapshot.wal.limit", BK__INT, "MB", "1024", 1, 1048576, "",   \
      "SNAPSHOT_WAL_LIMIT_MB", "How far the database's WAL may grow during a snapshot.") \
    O(BUSY_WAIT, "busy.wait", BK__INT, "ms", "30000", 0, 3600000, "", "BUSY_WAIT_MS",    \
      "How long to wait for a writer that holds the database.")                          \
    O(MIGRATE_DIR, "migrate.dir", BK__PATH, "", "./migrations", 0, 0, "",                \
      "MIGRATE_DIR,MIGRATIONS_DIR", "The folder of NNNN_name.sql migration files.")      \
    O(MIGRATE_BACKUP, "migrate.backup", BK__BOOL, "", "true", 0, 0, "",                  \
      "MIGRATE_BACKUP", "Whether a backup is made before a batch of migrations.")        \
    O(HEALTH_ENABLED, "health.enabled", BK__BOOL, "", "true", 0, 0, "",                  \
      "HEALTH_CHECK_ENABLED", "Whether health is measured on a schedule.")               \
    O(HEALTH_EVERY, "health.every", BK__NUMBER, "minutes", "5", 0.01, 525600, "",        \
      "HEALTH_CHECK_INTERVAL_MINUTES", "Minutes between scheduled health snapshots.")    \
    O(HEALTH_LOOP_PERIOD, "health.loop.period", BK__INT, "ms", "1000", 10, 3600000, "",  \
      "HEALTH_LOOP_PERIOD_MS", "How often the host promises to call bk_beat().")         \
    O(HEALTH_DB_SIZE, "health.db.size", BK__INT, "MB", "500", 1, 1073741824, "",         \
      "HEALTH_DB_SIZE_MB", "A database larger than this is degraded.")                   \
    O(HEALTH_BACKUP_AGE, "health.backup.age", BK__NUMBER, "hours", "25", 0, 876000, "",  \
      "HEALTH_BACKUP_AGE_HOURS",                                                         \
      "The newest verified backup is degraded when older; 0: never.")                    \
    O(HEALTH_BACKUP_SLOW, "health.backup.slow", BK__NUMBER, "minutes", "30", 0, 525600,  \
      "", "HEALTH_BACKUP_SLOW_MINUTES",                                                  \
      "A backup that takes longer is degraded; 0: never.")                               \
    O(HEALTH_DISK_FREE, "health.disk.free", BK__INT, "MB", "100", 0, 1073741824, "",     \
      "HEALTH_DISK_FREE_MB",                                                             \
      "Less free space than this beside data or backups is degraded.")                   \
    O(MEMORY_LIMIT, "memory.limit", BK__INT, "MB", "0", 0, 1073741824, "",               \
      "MEMORY_LIMIT_MB",                                                                 \
      "The memory limit where no cgroup sets one; 0: the machine's memory.")             \
    O(GUEST_ISOLATION, "guest.isolation", BK__CHOICE, "", "auto", 0, 0,                  \
      "auto|thread|process|own", "BOTKEEP_ISOLATION",                                    \
      "Where the database is touched: auto proves thread, else process; own is for a "   \
      "program "                                                                         \
      "that holds no other SQLite, as botkeep's own helper.")                            \
    O(RUN_TRACK, "run.track", BK__BOOL, "", "true", 0, 0, "", "BOTKEEP_RUN_TRACK",       \
      "Whether this process is a run of the bot: recorded, with a schedule and a last "  \
      "backup; tools say no.")                                                           \
    O(LOG_LEVEL, "log.level", BK__CHOICE, "", "info", 0, 0,                              \
      "debug|info|warning|error|none", "BOTKEEP_LOG_LEVEL",                              \
      "The least level of log events.")                                                  \
    O(ENV_FILE, "env.file", BK__PATH, "", ".env", 0, 0, "", "",                          \
      "The .env file that is read at bk_open(); empty: none.")

enum bk__option {
#define O(id, ...) BK__OPT_##id,
    BK__OPTIONS(O)
#undef O
        BK__OPTION_COUNT
};

struct bk__option_row {
    const char *name;
    enum bk__option_type type;
    const char *unit;
    const char *fallback;
    double min, max;
    const char *choices;
    const char *environment;
    const char *doc;
};
extern const struct bk__option_row bk__option_rows[BK__OPTION_COUNT];

struct bk__config;
struct bk__config *bk__config_new(void); /* NULL: out of memory */
void bk__config_free(struct bk__config *config);

/* 0 or BK_ENOTFOUND, BK_EINVAL, BK_ENOMEM with an error text that names option and range. */
int bk__config_set(struct bk__config *config, const char *option, const char *value);

/* Reads environment and .env, resolves paths and the database URL. In bk_open(), again after one
   that failed. BK_EINVAL, BK_EUNSUPPORTED (a database of another kind), BK_ENOTFOUND (env.file). */
int bk__config_resolve(struct bk__config *config);

/* A copy of an option's value for the eyes of others: secrets are "***". NULL: BK_ENOTFOUND or
   BK_ENOMEM with its text. */
char *bk__config_show(const struct bk__config *config, const char *option);

/* Whether the option database is the URL of a server: then there is no file to look at. */
bool bk__config_on_server(const struct bk__config *config);
/* Whether there is something to back up: a server, or the database's file, looked at by stat(). */
bool bk__config_has_data(const struct bk__config *config);

/* The value in force as text ("" when unset), and where it came from: "set", "environment
   BACKUP_DIR", ".env BACKUP_DIR", "default". Both live as long as the config. */
const char *bk__config_text(const struct bk__config *config, enum bk__option option);
const char *bk__config_source(const struct bk__config *config, enum bk__option option);
int64_t bk__config_int(const struct bk__config *config, enum bk__option option);
double bk__config_number(const struct bk__config *config, enum bk__option option);
bool bk__config_bool(const struct bk__config *config, enum bk__option option);

#endif
