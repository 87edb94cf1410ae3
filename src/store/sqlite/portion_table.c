/*
 * One table of an image with what belongs to it: its schema, rows, indexes, the next number of
 * AUTOINCREMENT. What cannot come along is named. Rows of a question: portion.c, which calls it.
 */
#include <store/sqlite/portion.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>
#include <core/error.h>

/* Notes something that the new file does not have. */
static int leave_out(struct portion *p, const char *format, const char *what,
                     const char *why) {
    char *text = bk__text_printf(format, what, why);
    bool good = text != NULL && bk__portion_name(p->left_out, text);

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

static int refuse_kind(const struct portion *p, const char *what) {
    return bk__fail(
        BK_EUNSUPPORTED,
        "%s is %s, whose rows do not stand in one table. Nothing was written. "
        "Take its rows with \"query\".",
        p->table, what);
}

static int find_table(struct portion *p) {
    int code =
        each(p,
             "SELECT name, sql FROM sqlite_schema WHERE type IN ('table', 'view') AND "
             "name = ? COLLATE NOCASE",
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
    if (sqlite3_strnicmp(p->schema, "CREATE VIEW", 11) == 0) {
        return refuse_kind(p, "a view");
    }
    if (sqlite3_strnicmp(p->schema, "CREATE VIRTUAL", 14) == 0) {
        return refuse_kind(p, "a virtual table");
    }
    return sqlite3_strnicmp(p->table, "sqlite_", 7) == 0
               ? refuse_kind(p, "one of SQLite's own tables")
               : 0;
}

/* Generated columns make themselves. */
static int take_column(struct portion *p, sqlite3_stmt *row) {
    return bk__portion_name(p->columns, text_of(row, 0)) ? 0 : bk__fail_memory();
}

static int take_index(struct portion *p, sqlite3_stmt *row) {
    int rc = bk__link_exec(&p->to, text_of(row, 1));

    if (rc == SQLITE_OK) {
        return bk__portion_name(p->indexes, text_of(row, 0)) ? 0 : bk__fail_memory();
    }
    if ((rc & 0xff) == SQLITE_ERROR) { /* a function or collation that only the bot has */
        return leave_out(p, "index %s: %s", text_of(row, 0), sqlite3_errmsg(p->to.db));
    }
    return bk__portion_fail(p, rc);
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
    return rc == SQLITE_OK ? 0 : bk__portion_fail(p, rc);
}

static int copy_sequence(struct portion *p) {
    int64_t has = 0;
    int rc = bk__link_int(&p->to,
                          "SELECT count(*) FROM sqlite_schema WHERE name = "
                          "'sqlite_sequence'",
                          &has);

    if (rc != SQLITE_OK) {
        return bk__portion_fail(p, rc);
    }
    return has == 0
               ? 0
               : each(p, "SELECT seq FROM sqlite_sequence WHERE name = ?", take_sequence);
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

/* Whether rows can be written as well: an unknown collation is only found then. */
static int create_own(struct portion *p, bool rowid) {
    sqlite3_stmt *test = NULL;
    char *insert = bk__portion_statement(p, true, rowid);
    int rc = insert == NULL ? SQLITE_NOMEM : bk__link_exec(&p->to, p->schema);

    if (rc == SQLITE_OK) {
        rc = sqlite3_prepare_v2(p->to.db, insert, -1, &test, NULL);
    }
    sqlite3_finalize(test);
    sqlite3_free(insert);
    return rc;
}

/* Instead of a schema that needs a function or a collation which only the bot has. */
static int create_instead(struct portion *p, sqlite3_stmt *from) {
    char *drop = sqlite3_mprintf("DROP TABLE IF EXISTS \"%w\"", p->table);
    int code = leave_out(p, "the schema of %s: %s; its columns are plain ones", p->table,
                         sqlite3_errmsg(p->to.db));
    int rc = drop == NULL ? SQLITE_NOMEM : bk__link_exec(&p->to, drop);

    sqlite3_free(drop);
    if (code == 0 && rc != SQLITE_OK) {
        code = bk__portion_fail(p, rc);
    }
    json_object_put(p->columns);
    p->columns = bk__json_list();
    if (code == 0 && p->columns == NULL) {
        code = bk__fail_memory();
    }
    return code != 0 ? code : bk__portion_plain(p, from);
}

static int copy_table_rows(struct portion *p) {
    sqlite3_stmt *from = NULL;
    bool rowid = has_rowid(p);
    int rc = create_own(p, rowid);
    bool own = (rc & 0xff) != SQLITE_ERROR;
    char *select = bk__portion_statement(p, false, rowid && own);
    int code = own && rc != SQLITE_OK ? bk__portion_fail(p, rc)
               : select == NULL       ? bk__fail_memory()
                                      : bk__reading_prepare(&p->from, select, &from);

    if (code == 0 && !own) {
        code = create_instead(p, from);
    }
    if (code == 0) {
        code = bk__portion_fill(p, from, rowid && own);
    }
    sqlite3_finalize(from);
    sqlite3_free(select);
    return code;
}

int bk__portion_table(struct portion *p) {
    int code = find_table(p);

    if (code == 0) {
        code = each(p, "SELECT name FROM pragma_table_xinfo(?) WHERE hidden = 0",
                    take_column);
    }
    if (code == 0) {
        code = copy_table_rows(p);
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
