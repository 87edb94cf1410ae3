/*
 * The history in the database: botkeep_migrations (one row for each applied migration)
 * and botkeep_migration_log (every attempt, only ever added to). Not what they mean:
 * plan.c. up.c, apply.c, failure.c and status.c call it.
 */
#include <migrate/migrate.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/json.h>
#include <base/stamp.h>
#include <base/text.h>
#include <core/error.h>
#include <store/store.h>

/*
 * The format of both tables. Each row carries the format it was written in, and the
 * tables are made together with their first row, so the highest number found is the
 * tables' own. A new format adds one row of statements to upgrades.
 */
enum { FORMAT = 1 };

static const char *const create_migrations =
    "CREATE TABLE botkeep_migrations ("
    "version BIGINT NOT NULL PRIMARY KEY, name TEXT NOT NULL, checksum TEXT NOT NULL, "
    "state TEXT NOT NULL, down_sql TEXT, applied_at TEXT NOT NULL, duration_ms BIGINT "
    "NOT NULL, "
    "tool_version TEXT NOT NULL, format INTEGER NOT NULL)";

static const char *const create_log =
    "CREATE TABLE botkeep_migration_log ("
    "id INTEGER PRIMARY KEY, version BIGINT NOT NULL, file TEXT NOT NULL, "
    "started_at TEXT NOT NULL, ended_at TEXT, outcome TEXT NOT NULL, error TEXT, line "
    "INTEGER, "
    "statement INTEGER, statement_text TEXT, host TEXT NOT NULL, pid BIGINT NOT NULL, "
    "backup TEXT, tool_version TEXT NOT NULL, format INTEGER NOT NULL)";

/* upgrades[n] holds the statements that bring tables of format n to n + 1, ended by NULL.
 */
static const char *const upgrades[FORMAT][3] = {{create_migrations, create_log, NULL}};

/* Parameters of one statement; a failed append sticks. */
struct parameters {
    struct json_object *list;
    bool failed;
};

static void add_value(struct parameters *p, struct json_object *value, bool may_be_null) {
    p->failed = p->failed || !p->list || (!value && !may_be_null) ||
                !bk__json_append(p->list, value);
}

/* Cleaned, because a text that was cut may end in the middle of a character. */
static void add_text(struct parameters *p, const char *text) {
    char *clean = text ? bk__text_clean(text) : NULL;
    add_value(p, clean ? json_object_new_string(clean) : NULL, !text);
    free(clean);
}

static void add_int(struct parameters *p, int64_t value) {
    add_value(p, json_object_new_int64(value), false);
}

/* NULL where the number says unknown. */
static void add_count(struct parameters *p, int value) {
    add_value(p, value > 0 ? json_object_new_int(value) : NULL, value <= 0);
}

static void add_time(struct parameters *p, int64_t unix_ms) {
    char stamp[BK__STAMP_SIZE];
    if (unix_ms > 0) {
        bk__stamp_iso(unix_ms, stamp);
    }
    add_text(p, unix_ms > 0 ? stamp : NULL);
}

/* One statement with its parameters, which it frees. rows may be NULL. */
static int run(struct bk__store *store, const char *sql, struct parameters *p,
               struct json_object *rows) {
    int rc =
        p->failed ? bk__fail_memory() : store->driver->query(store, sql, p->list, rows);
    json_object_put(p->list);
    return rc;
}

/* The same without parameters. */
static int query(struct bk__store *store, const char *sql, struct json_object *rows) {
    return store->driver->query(store, sql, NULL, rows);
}

/* 0: there are no tables yet. */
static int read_format(struct bk__store *store, int64_t *ret_format) {
    const char *sql =
        "SELECT max(format) AS format FROM (SELECT format FROM botkeep_migrations "
        "UNION ALL SELECT format FROM botkeep_migration_log) AS rows_of_both";
    *ret_format = 0;
    int rc = store->driver->has_table(store, "botkeep_migrations");
    if (rc <= 0) {
        return rc;
    }
    struct json_object *rows = bk__json_list();
    rc = rows ? query(store, sql, rows) : bk__fail_memory();
    if (rc == 0) {
        *ret_format = bk__json_int(json_object_array_get_idx(rows, 0), "format", FORMAT);
    }
    if (rc == 0 && *ret_format > FORMAT) {
        rc = bk__fail(
            BK_EUNSUPPORTED,
            "The migration history was written by a newer botkeep (format %" PRId64
            ", this one knows %d). Nothing was changed. Update botkeep.",
            *ret_format, FORMAT);
    }
    json_object_put(rows);
    return rc;
}

int bk__history_prepare(struct bk__store *store) {
    int64_t format = 0;
    int rc = read_format(store, &format);
    for (; rc == 0 && format < FORMAT; format++) {
        for (const char *const *sql = upgrades[format]; *sql && rc == 0; sql++) {
            rc = query(store, *sql, NULL);
        }
    }
    return rc;
}

/* ---- reading ---- */

void bk__history_free(struct bk__history *history) {
    for (size_t i = 0; i < history->count; i++) {
        free(history->items[i].name);
        free(history->items[i].checksum);
        free(history->items[i].state);
        free(history->items[i].applied_at);
    }
    free(history->items);
    *history = (struct bk__history){0};
}

static char *copy_text(struct json_object *row, const char *name) {
    return strdup(bk__json_text(row, name, ""));
}

static bool read_row(struct bk__applied *ret, struct json_object *row) {
    ret->version = bk__json_int(row, "version", -1);
    ret->duration_ms = bk__json_int(row, "duration_ms", 0);
    ret->name = copy_text(row, "name");
    ret->checksum = copy_text(row, "checksum");
    ret->state = copy_text(row, "state");
    ret->applied_at = copy_text(row, "applied_at");
    return ret->name && ret->checksum && ret->state && ret->applied_at;
}

static int read_rows(struct json_object *rows, struct bk__history *ret) {
    size_t count = json_object_array_length(rows);
    ret->items = calloc(count + 1, sizeof *ret->items);
    bool good = ret->items != NULL;
    for (size_t i = 0; i < count && good; i++) {
        ret->count = i + 1;
        good = read_row(&ret->items[i], json_object_array_get_idx(rows, i));
    }
    return good ? 0 : bk__fail_memory();
}

int bk__history_read(struct bk__store *store, struct bk__history *ret) {
    struct bk__history history = {0};
    struct json_object *rows = NULL;
    int64_t format = 0;
    int rc = read_format(store, &format);
    if (rc < 0) {
        return rc;
    }
    if (format > 0) {
        rows = bk__json_list();
        rc = rows
                 ? query(store,
                         "SELECT version, name, checksum, state, applied_at, duration_ms "
                         "FROM botkeep_migrations ORDER BY version",
                         rows)
                 : bk__fail_memory();
        rc = rc == 0 ? read_rows(rows, &history) : rc;
        json_object_put(rows);
    }
    if (rc < 0) {
        bk__history_free(&history);
        return rc;
    }
    *ret = history;
    return 0;
}

int bk__history_attempts(struct bk__store *store, int limit,
                         struct json_object *ret_list) {
    int64_t format = 0;
    int rc = read_format(store, &format);
    if (rc < 0 || format == 0) {
        return rc;
    }
    struct parameters p = {.list = bk__json_list()};
    add_int(&p, limit);
    return run(
        store,
        "SELECT version, file, started_at AS at, ended_at, outcome, error, line, "
        "statement, statement_text, host, pid, backup FROM botkeep_migration_log "
        "WHERE outcome NOT IN ('applied', 'started', 'created') ORDER BY id DESC LIMIT ?",
        &p, ret_list);
}

void bk__unfinished_free(struct bk__unfinished *unfinished) {
    free(unfinished->backup);
    free(unfinished->outcome);
    free(unfinished->error);
    *unfinished = (struct bk__unfinished){0};
}

/* A copy of a text that may be null; false: out of memory. */
static bool copy_nullable(struct json_object *row, const char *name, char **ret) {
    const char *text = bk__json_text(row, name, NULL);
    *ret = text ? strdup(text) : NULL;
    return *ret || !text;
}

static int take_unfinished(struct json_object *row, struct bk__unfinished *ret) {
    bk__stamp_parse(bk__json_text(row, "started_at", ""), &ret->started_ms);
    bool good = copy_nullable(row, "backup", &ret->backup) &&
                copy_nullable(row, "outcome", &ret->outcome) &&
                copy_nullable(row, "error", &ret->error);
    return good ? 0 : bk__fail_memory();
}

int bk__history_unfinished(struct bk__store *store, int64_t version,
                           struct bk__unfinished *ret) {
    struct json_object *rows = bk__json_list();
    struct parameters p = {.list = bk__json_list()};
    *ret = (struct bk__unfinished){0};
    add_int(&p, version);
    add_int(&p, version);
    p.failed = p.failed || !rows;
    int rc =
        run(store,
            "SELECT began.started_at, began.backup, last.outcome, last.error FROM "
            "botkeep_migration_log AS began, botkeep_migration_log AS last WHERE "
            "began.id = (SELECT max(id) FROM botkeep_migration_log WHERE version = ? "
            "AND outcome = 'started') AND last.id = (SELECT max(id) FROM "
            "botkeep_migration_log WHERE version = ?)",
            &p, rows);
    if (rc == 0 && json_object_array_length(rows) > 0) {
        rc = take_unfinished(json_object_array_get_idx(rows, 0), ret);
    }
    json_object_put(rows);
    return rc;
}

/* ---- writing ---- */

int bk__history_add(struct bk__store *store, const struct bk__migration *m,
                    const char *state, int64_t applied_ms, int64_t duration_ms) {
    struct parameters p = {.list = bk__json_list()};
    add_int(&p, m->version);
    add_text(&p, m->name);
    add_text(&p, m->checksum);
    add_text(&p, state);
    add_text(&p, m->down);
    add_time(&p, applied_ms);
    add_int(&p, duration_ms);
    add_text(&p, BK_VERSION);
    add_int(&p, FORMAT);
    return run(
        store,
        "INSERT INTO botkeep_migrations (version, name, checksum, state, down_sql, "
        "applied_at, duration_ms, tool_version, format) VALUES (?,?,?,?,?,?,?,?,?) "
        "ON CONFLICT (version) DO UPDATE SET name = excluded.name, "
        "checksum = excluded.checksum, state = excluded.state, "
        "down_sql = excluded.down_sql, applied_at = excluded.applied_at, "
        "duration_ms = excluded.duration_ms, tool_version = excluded.tool_version, "
        "format = excluded.format",
        &p, NULL);
}

int bk__history_log(struct bk__store *store, const struct bk__attempt *attempt) {
    struct parameters p = {.list = bk__json_list()};
    char host[256] = "";
    if (gethostname(host, sizeof host - 1) < 0) {
        host[0] = '\0';
    }
    add_int(&p, attempt->version);
    add_text(&p, attempt->file);
    add_time(&p, attempt->started_ms);
    add_time(&p, attempt->ended_ms);
    add_text(&p, attempt->outcome);
    add_text(&p, attempt->error);
    add_count(&p, attempt->line);
    add_count(&p, attempt->statement);
    add_text(&p, attempt->statement_text);
    add_text(&p, host);
    add_int(&p, getpid());
    add_text(&p, attempt->backup);
    add_text(&p, BK_VERSION);
    add_int(&p, FORMAT);
    return run(store,
               "INSERT INTO botkeep_migration_log (version, file, started_at, ended_at, "
               "outcome, error, line, statement, statement_text, host, pid, backup, "
               "tool_version, format) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
               &p, NULL);
}

int bk__history_drop(struct bk__store *store, int64_t version) {
    struct parameters p = {.list = bk__json_list()};
    add_int(&p, version);
    return run(store, "DELETE FROM botkeep_migrations WHERE version = ?", &p, NULL);
}
