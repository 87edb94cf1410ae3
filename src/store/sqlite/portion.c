/*
 * A part of an image as an image of its own: one table with its indexes, or the rows of a question.
 * Rows travel between two connections, so that what is asked of the image can reach nothing else.
 * Backup calls it through store.h.
 */
#include <store/sqlite/portion.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>

#define RESULT "result" /* the table that a question's rows go into */

int bk__portion_fail(struct portion *p, int rc) {
    return bk__link_fail_scratch(&p->to, rc, "cannot write");
}

bool bk__portion_name(struct json_object *list, const char *text) {
    char *clean = bk__text_clean(text);
    bool good = clean != NULL && bk__json_append(list, json_object_new_string(clean));

    free(clean);
    return good;
}

/* ---- rows ------------------------------------------------------------------------------- */

char *bk__portion_statement(struct portion *p, bool insert, bool rowid) {
    sqlite3_str *sql = sqlite3_str_new(p->to.db);
    size_t count = json_object_array_length(p->columns);

    if (insert) {
        sqlite3_str_appendf(sql, "INSERT INTO \"%w\"(", p->table);
    } else {
        sqlite3_str_appendall(sql, "SELECT ");
    }
    sqlite3_str_appendall(sql, rowid ? "rowid" : "");
    for (size_t i = 0; i < count; i++) {
        struct json_object *column = json_object_array_get_idx(p->columns, i);
        sqlite3_str_appendf(sql, "%s\"%w\"", i > 0 || rowid ? ", " : "",
                            json_object_get_string(column));
    }
    if (insert) {
        sqlite3_str_appendall(sql, ") VALUES(?");
        for (size_t i = 1; i < count + rowid; i++) {
            sqlite3_str_appendall(sql, ", ?");
        }
        sqlite3_str_appendall(sql, ")");
    } else {
        sqlite3_str_appendf(sql, " FROM \"%w\"", p->table);
    }
    return sqlite3_str_finish(sql);
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
            return bk__portion_fail(p, written);
        }
        bk__job_progress(p->to.job, "extract", ++p->rows, 0);
        rc = sqlite3_step(from);
    }
    return rc == SQLITE_DONE ? 0 : bk__reading_fail(&p->from, rc);
}

int bk__portion_fill(struct portion *p, sqlite3_stmt *from, bool rowid) {
    sqlite3_stmt *to = NULL;
    char *insert = bk__portion_statement(p, true, rowid);
    int rc = insert == NULL ? SQLITE_NOMEM
                            : sqlite3_prepare_v2(p->to.db, insert, -1, &to, NULL);
    int code = rc == SQLITE_OK ? copy_rows(p, from, to) : bk__portion_fail(p, rc);

    sqlite3_finalize(to);
    sqlite3_free(insert);
    return code;
}

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
    bool good = free_name != NULL && bk__portion_name(p->columns, free_name);
    free(free_name);
    return good;
}

int bk__portion_plain(struct portion *p, sqlite3_stmt *from) {
    sqlite3_str *sql = sqlite3_str_new(p->to.db);
    bool good = true;

    sqlite3_str_appendf(sql, "CREATE TABLE \"%w\"(", p->table);
    for (int i = 0; good && i < sqlite3_column_count(from); i++) {
        const char *type = sqlite3_column_decltype(from, i);
        good = name_column(p, sqlite3_column_name(from, i));
        struct json_object *name = json_object_array_get_idx(p->columns, (size_t)i);
        sqlite3_str_appendf(sql, "%s\"%w\"%s%s", i > 0 ? ", " : "",
                            json_object_get_string(name), type == NULL ? "" : " ",
                            type == NULL ? "" : type);
    }
    sqlite3_str_appendall(sql, ")");
    char *text = sqlite3_str_finish(sql);
    int rc = !good || text == NULL ? SQLITE_NOMEM : bk__link_exec(&p->to, text);
    sqlite3_free(text);
    return rc == SQLITE_OK ? 0 : bk__portion_fail(p, rc);
}

static int copy_query(struct portion *p, const char *query) {
    sqlite3_stmt *from = NULL;
    int code = bk__reading_prepare(&p->from, query, &from);

    if (code == 0 && sqlite3_bind_parameter_count(from) > 0) {
        code = bk__fail(BK_EINVAL, "The statement has parameters, which cannot be given "
                                   "here. Nothing was written. Put the values into it.");
    }
    if (code == 0) {
        code = bk__portion_plain(p, from);
    }
    if (code == 0) {
        code = bk__portion_fill(p, from, false);
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
    return rc == SQLITE_OK ? 0 : bk__portion_fail(p, rc);
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
        code = what->table != NULL ? bk__portion_table(p) : copy_query(p, what->query);
    }
    if (code == 0) {
        rc = bk__link_exec(&p->to, "COMMIT");
        code = rc == SQLITE_OK ? 0 : bk__portion_fail(p, rc);
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
