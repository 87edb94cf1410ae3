/*
 * A part of an image as an image of its own: one table with its indexes, or the rows of a question.
 * Rows travel between two connections, so that what is asked of the image can reach nothing else.
 * Backup calls it through store.h.
 */
#include <store/sqlite/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/json.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>

#define RESULT "result" /* the table that a question's rows go into */

struct portion {
    struct bk__reading from;
    struct bk__link to;
    struct json_object *columns, *indexes, *left_out;
    char *table;  /* its name, as it is written in the image */
    char *schema; /* its CREATE TABLE */
    int64_t rows;
};

static int write_fail(struct portion *p, int rc) {
    return bk__link_fail_scratch(&p->to, rc, "cannot write");
}

static bool add_text(struct json_object *list, const char *text) {
    char *clean = bk__text_clean(text);
    bool good = clean != NULL && bk__json_append(list, json_object_new_string(clean));

    free(clean);
    return good;
}

/* Notes something that the new file does not have. */
static int leave_out(struct portion *p, const char *format, const char *what,
                     const char *why) {
    char *text = bk__text_printf(format, what, why);
    bool good = text != NULL && add_text(p->left_out, text);

    free(text);
    return good ? 0 : bk__fail_memory();
}

/* Runs a query of our own about the table on the image and hands each row on. */
static int each(struct portion *p, const char *sql,
                int (*take)(struct portion *p, sqlite3_stmt *row)) {
    sqlite3_stmt *row = NULL;
    int code = 0;
    int rc = sqlite3_prepare_v2(p->from.link.db, sql, -1, &row, NULL);

    if (rc == SQLITE_OK) {
        rc = sqlite3_bind_text(row, 1, p->table, -1, SQLITE_STATIC);
    }
    while (rc == SQLITE_OK || rc == SQLITE_ROW) {
        rc = sqlite3_step(row);
        if (rc == SQLITE_ROW) {
            code = take(p, row);
        }
        if (code != 0) {
            break;
        }
    }
    if (code == 0 && rc != SQLITE_DONE) {
        code = bk__reading_fail(&p->from, rc);
    }
    sqlite3_finalize(row);
    return code;
}

static const char *text_of(sqlite3_stmt *row, int column) {
    const unsigned char *text = sqlite3_column_text(row, column);

    return text == NULL ? "" : (const char *)text;
}

/* ---- the table ------------------------------------------------------------------------- */

static int take_table(struct portion *p, sqlite3_stmt *row) {
    free(p->schema);
    p->schema = strdup(text_of(row, 1));
    char *name = strdup(text_of(row, 0));
    if (p->schema == NULL || name == NULL) {
        free(name);
        return bk__fail_memory();
    }
    free(p->table);
    p->table = name;
    return 0;
}

static int find_table(struct portion *p) {
    int code =
        each(p,
             "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND name = ? "
             "COLLATE NOCASE",
             take_table);

    if (code != 0) {
        return code;
    }
    if (p->schema == NULL) {
        return bk__fail(BK_ENOTFOUND,
                        "There is no table %s in the backup. Nothing was written. "
                        "backup.query tells its tables: SELECT name FROM sqlite_schema.",
                        p->table);
    }
    if (sqlite3_strnicmp(p->schema, "CREATE VIRTUAL", 14) == 0 ||
        sqlite3_strnicmp(p->table, "sqlite_", 7) == 0) {
        return bk__fail(BK_EUNSUPPORTED,
                        "%s is a virtual table or one of SQLite's own, whose rows do not "
                        "stand in one table. Nothing was written. Take its rows with "
                        "\"query\".",
                        p->table);
    }
    return 0;
}

/* Generated columns make themselves. */
static int take_column(struct portion *p, sqlite3_stmt *row) {
    return add_text(p->columns, text_of(row, 0)) ? 0 : bk__fail_memory();
}

static int take_index(struct portion *p, sqlite3_stmt *row) {
    int rc = bk__link_exec(&p->to, text_of(row, 1));

    if (rc == SQLITE_OK) {
        return add_text(p->indexes, text_of(row, 0)) ? 0 : bk__fail_memory();
    }
    if ((rc & 0xff) == SQLITE_ERROR) { /* a function or collation that only the bot has */
        return leave_out(p, "index %s: %s", text_of(row, 0), sqlite3_errmsg(p->to.db));
    }
    return write_fail(p, rc);
}

static int take_trigger(struct portion *p, sqlite3_stmt *row) {
    return leave_out(p, "trigger %s%s", text_of(row, 0), "");
}

static int take_key(struct portion *p, sqlite3_stmt *row) {
    return leave_out(p, "foreign key to %s: its clause stays, the table is not here%s",
                     text_of(row, 0), "");
}

/* The next number of AUTOINCREMENT goes on where the bot's table stood. */
static int take_sequence(struct portion *p, sqlite3_stmt *row) {
    char *sql =
        sqlite3_mprintf("DELETE FROM sqlite_sequence WHERE name = %Q; INSERT INTO "
                        "sqlite_sequence(name, seq) VALUES(%Q, %lld)",
                        p->table, p->table, sqlite3_column_int64(row, 0));
    int rc = sql == NULL ? SQLITE_NOMEM : bk__link_exec(&p->to, sql);

    sqlite3_free(sql);
    return rc == SQLITE_OK ? 0 : write_fail(p, rc);
}

static int copy_sequence(struct portion *p) {
    int64_t has = 0;
    int rc = bk__link_int(&p->to,
                          "SELECT count(*) FROM sqlite_schema WHERE name = "
                          "'sqlite_sequence'",
                          &has);

    if (rc != SQLITE_OK) {
        return write_fail(p, rc);
    }
    return has == 0
               ? 0
               : each(p, "SELECT seq FROM sqlite_sequence WHERE name = ?", take_sequence);
}

/* ---- rows ------------------------------------------------------------------------------- */

/* SELECT or INSERT over the columns, and the row id first where there is a hidden one. */
static char *statement_of(struct portion *p, bool insert, bool rowid) {
    struct bk__buf sql = {0};
    size_t count = json_object_array_length(p->columns);
    char *table = sqlite3_mprintf(insert ? "INSERT INTO \"%w\"(" : "SELECT ", p->table);

    bk__buf_text(&sql, table == NULL ? "" : table);
    sql.failed = sql.failed || table == NULL;
    sqlite3_free(table);
    bk__buf_text(&sql, rowid ? "rowid" : "");
    for (size_t i = 0; i < count; i++) {
        struct json_object *column = json_object_array_get_idx(p->columns, i);
        char *name = sqlite3_mprintf("%s\"%w\"", i > 0 || rowid ? ", " : "",
                                     json_object_get_string(column));
        bk__buf_text(&sql, name == NULL ? "" : name);
        sql.failed = sql.failed || name == NULL;
        sqlite3_free(name);
    }
    if (insert) {
        bk__buf_text(&sql, ") VALUES(?");
        for (size_t i = 1; i < count + rowid; i++) {
            bk__buf_text(&sql, ", ?");
        }
        bk__buf_text(&sql, ")");
    } else {
        table = sqlite3_mprintf(" FROM \"%w\"", p->table);
        bk__buf_text(&sql, table == NULL ? "" : table);
        sql.failed = sql.failed || table == NULL;
        sqlite3_free(table);
    }
    return bk__buf_take(&sql);
}

static int copy_row(sqlite3_stmt *from, sqlite3_stmt *to, int count) {
    int rc = SQLITE_OK;

    for (int i = 0; i < count && rc == SQLITE_OK; i++) {
        rc = sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(to);
    }
    return rc == SQLITE_DONE || rc == SQLITE_OK ? sqlite3_reset(to) : rc;
}

/* All rows of one statement into the other, both prepared. */
static int copy_rows(struct portion *p, sqlite3_stmt *from, sqlite3_stmt *to) {
    int count = sqlite3_column_count(from);
    int rc = sqlite3_step(from);

    while (rc == SQLITE_ROW) {
        int written = copy_row(from, to, count);
        if (written != SQLITE_OK) {
            return write_fail(p, written);
        }
        bk__job_progress(p->to.job, "extract", ++p->rows, 0);
        rc = sqlite3_step(from);
    }
    return rc == SQLITE_DONE ? 0 : bk__reading_fail(&p->from, rc);
}

static int fill_table(struct portion *p, sqlite3_stmt *from, bool rowid) {
    sqlite3_stmt *to = NULL;
    char *insert = statement_of(p, true, rowid);
    int rc = insert == NULL ? SQLITE_NOMEM
                            : sqlite3_prepare_v2(p->to.db, insert, -1, &to, NULL);
    int code = rc == SQLITE_OK ? copy_rows(p, from, to) : write_fail(p, rc);

    sqlite3_finalize(to);
    free(insert);
    return code;
}

/* Tables without a row id, or with a column of that name, have no hidden one to keep. */
static bool has_rowid(struct portion *p) {
    char *sql = sqlite3_mprintf("SELECT rowid FROM \"%w\"", p->table);
    sqlite3_stmt *test = NULL;
    bool has = sql != NULL &&
               sqlite3_prepare_v2(p->from.link.db, sql, -1, &test, NULL) == SQLITE_OK;

    for (size_t i = 0; has && i < json_object_array_length(p->columns); i++) {
        struct json_object *column = json_object_array_get_idx(p->columns, i);
        has = sqlite3_stricmp(json_object_get_string(column), "rowid") != 0;
    }
    sqlite3_finalize(test);
    sqlite3_free(sql);
    return has;
}

static int copy_table_rows(struct portion *p) {
    sqlite3_stmt *from = NULL;
    bool rowid = has_rowid(p);
    char *select = statement_of(p, false, rowid);
    int code =
        select == NULL ? bk__fail_memory() : bk__reading_prepare(&p->from, select, &from);

    if (code == 0) {
        code = fill_table(p, from, rowid);
    }
    sqlite3_finalize(from);
    free(select);
    return code;
}

static int copy_table(struct portion *p) {
    int rc;
    int code = find_table(p);

    if (code == 0) {
        code = each(p, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0",
                    take_column);
    }
    if (code == 0) {
        rc = bk__link_exec(&p->to, p->schema);
        code = rc == SQLITE_OK ? copy_table_rows(p) : write_fail(p, rc);
    }
    if (code == 0) {
        code = copy_sequence(p);
    }
    if (code == 0) {
        code =
            each(p,
                 "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name "
                 "= ? AND sql IS NOT NULL",
                 take_index);
    }
    if (code == 0) {
        code = each(p,
                    "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name "
                    "= ?",
                    take_trigger);
    }
    if (code == 0) {
        code = each(p,
                    "SELECT DISTINCT \"table\" FROM pragma_foreign_key_list(?1) WHERE "
                    "\"table\" <> ?1 COLLATE NOCASE",
                    take_key);
    }
    return code;
}

/* ---- a question's rows -------------------------------------------------------------------- */

static bool has_column(struct portion *p, const char *name) {
    for (size_t i = 0; i < json_object_array_length(p->columns); i++) {
        struct json_object *column = json_object_array_get_idx(p->columns, i);
        if (sqlite3_stricmp(json_object_get_string(column), name) == 0) {
            return true;
        }
    }
    return false;
}

/* Two columns of one name become name and name_2. */
static bool name_column(struct portion *p, const char *name) {
    char *free_name = strdup(name);

    for (int nth = 2; free_name != NULL && has_column(p, free_name); nth++) {
        free(free_name);
        free_name = bk__text_printf("%s_%d", name, nth);
    }
    bool good = free_name != NULL && add_text(p->columns, free_name);
    free(free_name);
    return good;
}

static int create_result(struct portion *p, sqlite3_stmt *from) {
    struct bk__buf sql = {0};
    int rc;

    bk__buf_text(&sql, "CREATE TABLE " RESULT "(");
    for (int i = 0; i < sqlite3_column_count(from); i++) {
        const char *type = sqlite3_column_decltype(from, i);
        if (!name_column(p, sqlite3_column_name(from, i))) {
            bk__buf_free(&sql);
            return bk__fail_memory();
        }
        struct json_object *name = json_object_array_get_idx(p->columns, (size_t)i);
        char *column = sqlite3_mprintf("%s\"%w\"%s%s", i > 0 ? ", " : "",
                                       json_object_get_string(name),
                                       type == NULL ? "" : " ", type == NULL ? "" : type);
        bk__buf_text(&sql, column == NULL ? "" : column);
        sql.failed = sql.failed || column == NULL;
        sqlite3_free(column);
    }
    bk__buf_text(&sql, ")");
    rc = sql.failed ? SQLITE_NOMEM : bk__link_exec(&p->to, sql.data);
    bk__buf_free(&sql);
    return rc == SQLITE_OK ? 0 : write_fail(p, rc);
}

static int copy_query(struct portion *p, const char *query) {
    sqlite3_stmt *from = NULL;
    int code = bk__reading_prepare(&p->from, query, &from);

    if (code == 0) {
        code = create_result(p, from);
    }
    if (code == 0) {
        code = fill_table(p, from, false);
    }
    sqlite3_finalize(from);
    return code;
}

/* ---- both ---------------------------------------------------------------------------------- */

/* A new file of the image's page size and encoding, in one transaction without a journal: when
   anything fails the whole file goes. */
static int open_target(struct portion *p, struct bk__job *job, const char *path) {
    char encoding[32] = "";
    char sql[256];
    int64_t page_size = 0;
    int code = bk__link_open(&p->to, job, path, BK__LINK_CREATE);
    int rc;

    if (code != 0) {
        return code;
    }
    rc = bk__link_text(&p->from.link, "PRAGMA encoding", encoding, sizeof(encoding));
    if (rc == SQLITE_OK) {
        rc = bk__link_int(&p->from.link, "PRAGMA page_size", &page_size);
    }
    if (rc != SQLITE_OK) {
        return bk__reading_fail(&p->from, rc);
    }
    snprintf(
        sql, sizeof(sql),
        "PRAGMA page_size = %lld; PRAGMA encoding = '%s'; PRAGMA journal_mode = OFF; "
        "PRAGMA synchronous = OFF; PRAGMA ignore_check_constraints = ON; "
        "PRAGMA foreign_keys = OFF; " BK__SMALL_CACHE "; BEGIN",
        (long long)page_size, encoding);
    rc = bk__link_exec(&p->to, sql);
    return rc == SQLITE_OK ? 0 : write_fail(p, rc);
}

static int report(struct portion *p, struct json_object *ret) {
    bool good = bk__json_add_text(ret, "table", p->table) &&
                bk__json_add_int(ret, "rows", p->rows) &&
                bk__json_put(ret, "columns", json_object_get(p->columns)) &&
                bk__json_put(ret, "indexes", json_object_get(p->indexes)) &&
                bk__json_put(ret, "left_out", json_object_get(p->left_out));

    return good ? 0 : bk__fail_memory();
}

static int copy(struct portion *p, struct bk__job *job, const struct bk__portion *what,
                const char *path) {
    int rc;
    int code = open_target(p, job, path);

    if (code == 0) {
        code = what->table != NULL ? copy_table(p) : copy_query(p, what->query);
    }
    if (code == 0) {
        rc = bk__link_exec(&p->to, "COMMIT");
        code = rc == SQLITE_OK ? 0 : write_fail(p, rc);
    }
    return code;
}

int bk__sqlite_portion(struct bk__job *job, const char *image_path,
                       const struct bk__portion *portion, const char *path,
                       struct json_object *ret_report) {
    struct portion p = {0};
    int code = bk__reading_open(&p.from, job, image_path, portion->limit_ms);

    if (code != 0) {
        return code;
    }
    p.columns = bk__json_list();
    p.indexes = bk__json_list();
    p.left_out = bk__json_list();
    p.table = strdup(portion->table != NULL ? portion->table : RESULT);
    code = p.columns == NULL || p.indexes == NULL || p.left_out == NULL || p.table == NULL
               ? bk__fail_memory()
               : copy(&p, job, portion, path);
    if (code == 0) {
        code = report(&p, ret_report);
    }
    bk__link_close(&p.to);
    bk__reading_close(&p.from);
    json_object_put(p.columns);
    json_object_put(p.indexes);
    json_object_put(p.left_out);
    free(p.table);
    free(p.schema);
    return code;
}
