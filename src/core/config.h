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
      "postgresql://, redis://). If it is not set, a URL is made of POSTGRES_HOST, "     \
      "_PORT, _DB_NAME or _DB, _USER, _PASSWORD, or else of PGHOST, PGPORT, "            \
      "PGDATABASE, PGUSER, PGPASSWORD.")                                                 \
    O(REDIS, "redis", BK__TEXT, "", "", 0, 0, "", "REDIS_URL",                           \
      "A Redis server beside the database, or alone: "                                   \
      "redis://[[user]:password@]host[:port] or unix:///path. If it is not set, a URL "  \
      "is made of REDIS_HOST, _PORT, _USERNAME, _PASSWORD.")                             \
    O(DATABASE_MEMORY, "database.memory", BK__BOOL, "", "false", 0, 0, "",               \
      "DATABASE_IN_MEMORY",                                                              \
      "Whether the bot keeps the database in memory (sql.js) and saves it as a whole "   \
      "with save().")                                                                    \
    O(STATE_DIR, "state.dir", BK__PATH, "", "", 0, 0, "", "BOTKEEP_STATE_DIR",           \
      "The folder for botkeep's own records. Empty: DATABASE.botkeep beside the "        \
      "database file, or .botkeep in the working folder for a database server.")         \
    O(BACKUP_DIR, "backup.dir", BK__PATH, "", "./backups", 0, 0, "", "BACKUP_DIR",       \
      "The folder for the backups, relative to the folder the process runs in.")         \
    O(BACKUP_ENABLED, "backup.enabled", BK__BOOL, "", "true", 0, 0, "",                  \
      "BACKUP_ENABLED",                                                                  \
      "Whether backups are made on schedule, at start and at shutdown; backup.create "   \
      "works in any case.")                                                              \
    O(BACKUP_EVERY, "backup.every", BK__NUMBER, "hours", "24", 0, 87600, "",             \
      "BACKUP_INTERVAL_HOURS",                                                           \
      "Hours between automatic backups: 0.5 is half an hour, 0 makes none.")             \
    O(BACKUP_CRON, "backup.cron", BK__TEXT, "", "", 0, 0, "", "BACKUP_CRON",             \
      "When automatic backups are made, as a cron expression: minute hour day month "    \
      "weekday, or @daily. If it is set, backup.every is not used.")                     \
    O(BACKUP_TIMEZONE, "backup.timezone", BK__TEXT, "", "UTC", 0, 0, "",                 \
      "BACKUP_TIMEZONE",                                                                 \
      "The time zone of backup.cron, of the days, weeks and months that retention "      \
      "counts, and of local times in the names of other tools' backups: a name such as " \
      "Europe/Berlin.")                                                                  \
    O(BACKUP_ON_START, "backup.on.start", BK__BOOL, "", "false", 0, 0, "",               \
      "BACKUP_ON_START",                                                                 \
      "Whether a backup is made as the keeper opens, before any migration.")             \
    O(BACKUP_START_GAP, "backup.start.gap", BK__INT, "minutes", "60", 0, 525600, "",     \
      "BACKUP_START_GAP_MINUTES",                                                        \
      "A start makes no backup while the last startup backup is younger than this.")     \
    O(BACKUP_KEEP, "backup.keep", BK__INT, "", "7", 0, 100000, "", "BACKUP_RETENTION",   \
      "How many backups of each kind stay; 0 keeps all of them.")                        \
    O(BACKUP_KEEP_DAYS, "backup.keep.days", BK__INT, "days", "0", 0, 36500, "",          \
      "BACKUP_RETENTION_DAYS",                                                           \
      "Every backup younger than this stays as well; 0: age keeps none.")                \
    O(BACKUP_KEEP_DAILY, "backup.keep.daily", BK__INT, "", "0", 0, 36500, "",            \
      "BACKUP_KEEP_DAILY",                                                               \
      "For this many days that have backups, the last one of each day stays as well.")   \
    O(BACKUP_KEEP_WEEKLY, "backup.keep.weekly", BK__INT, "", "0", 0, 5200, "",           \
      "BACKUP_KEEP_WEEKLY",                                                              \
      "For this many weeks that have backups, the last one of each week stays as well.") \
    O(BACKUP_KEEP_MONTHLY, "backup.keep.monthly", BK__INT, "", "0", 0, 1200, "",         \
      "BACKUP_KEEP_MONTHLY",                                                             \
      "For this many months that have backups, the last one of each month stays as "     \
      "well.")                                                                           \
    O(BACKUP_COMPRESS, "backup.compress", BK__CHOICE, "", "auto", 0, 0,                  \
      "auto|gzip|zstd|none", "BACKUP_COMPRESS",                                          \
      "auto: gzip above 1 MB, nothing below. gunzip reads gzip, zstd -d reads zstd, "    \
      "which is smaller and faster.")                                                    \
    O(BACKUP_REHEARSE_EVERY, "backup.rehearse.every", BK__NUMBER, "hours", "24", 0,      \
      87600, "", "BACKUP_REHEARSE_HOURS",                                                \
      "Hours between rehearsals, in which the newest backup is restored, checked and "   \
      "thrown away; 0: none.")                                                           \
    O(BACKUP_KEY_FILE, "backup.key.file", BK__PATH, "", "", 0, 0, "", "BACKUP_KEY_FILE", \
      "A key file made by backup.key, with which backups are encrypted and read. "       \
      "Empty: they are not encrypted.")                                                  \
    O(BACKUP_RECIPIENT, "backup.recipient", BK__TEXT, "", "", 0, 0, "",                  \
      "BACKUP_RECIPIENT",                                                                \
      "A public key made by backup.key: backups are encrypted for it, and cannot be "    \
      "read without its secret half.")                                                   \
    O(BACKUP_SET, "backup.set", BK__CHOICE, "", "folder", 0, 0, "folder|tar",            \
      "BACKUP_SET",                                                                      \
      "What a backup of several stores is: a folder of archives, or one .tar.gz.")       \
    O(BACKUP_RESCUE, "backup.rescue", BK__BOOL, "", "false", 0, 0, "", "BACKUP_RESCUE",  \
      "Whether opening the keeper restores the newest verified backup when the "         \
      "database is missing, empty or no database at all. What was there is set aside.")  \
    O(BACKUP_DELTAS, "backup.deltas", BK__INT, "", "0", 0, 1000, "", "BACKUP_DELTAS",    \
      "How many backups in a row may hold only the pages that changed; 0: each holds "   \
      "everything. Sets always do.")                                                     \
    O(BACKUP_ON_SHUTDOWN, "backup.on.shutdown", BK__BOOL, "", "true", 0, 0, "",          \
      "BACKUP_ON_SHUTDOWN", "Whether a last backup is made as the keeper shuts down.")   \
    O(BACKUP_LOCK_WAIT, "backup.lock.wait", BK__INT, "ms", "60000", 0, 3600000, "",      \
      "BACKUP_LOCK_WAIT_MS",                                                             \
      "How long to wait for another process that works on the backup folder.")           \
    O(SNAPSHOT_LIMIT, "snapshot.limit", BK__INT, "ms", "600000", 1000, 86400000, "",     \
      "SNAPSHOT_LIMIT_MS", "How long a snapshot may take: it holds a read transaction.") \
    O(SNAPSHOT_WAL_LIMIT, "snapshot.wal.limit", BK__INT, "MB", "1024", 1, 1048576, "",   \
      "SNAPSHOT_WAL_LIMIT_MB",                                                           \
      "How large the database's WAL may grow during a snapshot.")                        \
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
      "HEALTH_LOOP_PERIOD_MS",                                                           \
      "How often the bot promises to call beat() in each of its event loops.")           \
    O(HEALTH_DB_SIZE, "health.db.size", BK__INT, "MB", "500", 1, 1073741824, "",         \
      "HEALTH_DB_SIZE_MB", "Health is degraded when the database is larger than this.")  \
    O(HEALTH_BACKUP_AGE, "health.backup.age", BK__NUMBER, "hours", "25", 0, 876000, "",  \
      "HEALTH_BACKUP_AGE_HOURS",                                                         \
      "Health is degraded when the newest verified backup is older than this; 0: "       \
      "never.")                                                                          \
    O(HEALTH_BACKUP_SLOW, "health.backup.slow", BK__NUMBER, "minutes", "30", 0, 525600,  \
      "", "HEALTH_BACKUP_SLOW_MINUTES",                                                  \
      "Health is degraded when the last backup took longer than this; 0: never.")        \
    O(HEALTH_DISK_FREE, "health.disk.free", BK__INT, "MB", "100", 0, 1073741824, "",     \
      "HEALTH_DISK_FREE_MB",                                                             \
      "Health is degraded when less space than this is free beside the data or the "     \
      "backups.")                                                                        \
    O(MEMORY_LIMIT, "memory.limit", BK__INT, "MB", "0", 0, 1073741824, "",               \
      "MEMORY_LIMIT_MB",                                                                 \
      "The memory limit, where no control group sets one; 0: the machine's memory.")     \
    O(GUEST_ISOLATION, "guest.isolation", BK__CHOICE, "", "auto", 0, 0,                  \
      "auto|thread|process|own", "BOTKEEP_ISOLATION",                                    \
      "Where the database is touched. auto: on guest threads if they prove safe, else "  \
      "in a helper process. own: for programs that hold no other SQLite, such as "       \
      "botkeep's own helper.")                                                           \
    O(RUN_TRACK, "run.track", BK__BOOL, "", "true", 0, 0, "", "BOTKEEP_RUN_TRACK",       \
      "Whether this process is a run of the bot, which is recorded and has a schedule "  \
      "and a last backup. false for tools.")                                             \
    O(LOG_LEVEL, "log.level", BK__CHOICE, "", "info", 0, 0,                              \
      "debug|info|warning|error|none", "BOTKEEP_LOG_LEVEL",                              \
      "From which level on log events are sent.")                                        \
    O(ENV_FILE, "env.file", BK__PATH, "", ".env", 0, 0, "", "",                          \
      "The .env file that is read as the keeper opens. Empty: none.")

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
