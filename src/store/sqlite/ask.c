/*
 * One question to an image, and its rows as JSON, bounded in rows, bytes and time. Not the live
 * database's rows: query.c reads those, for migrations. Backup calls it through store.h.
 */
#include <store/sqlite/internal.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>
#include <core/error.h>

#define CELL 8                 /* what a number or a null counts for */
#define VALUE_LIMIT (64 << 20) /* bytes of one text or blob: zeroblob(1e9) is refused */

/* {"hex": "00ff"}: what JSON has no text for. */
static struct json_object *as_hex(const unsigned char *bytes, int size) {
    static const char digits[] = "0123456789abcdef";
    struct json_object *value = bk__json_object();
    char *text = malloc((size_t)size * 2 + 1);

    if (value != NULL && text != NULL) {
        for (int i = 0; i < size; i++) {
            text[2 * i] = digits[bytes[i] >> 4];
            text[2 * i + 1] = digits[bytes[i] & 15];
        }
        text[2 * (size_t)size] = '\0';
        if (!bk__json_add_text(value, "hex", text)) {
            json_object_put(value);
            value = NULL;
        }
    } else {
        json_object_put(value);
        value = NULL;
    }
    free(text);
    return value;
}

static struct json_object *as_text(sqlite3_stmt *statement, int column, bool blob) {
    const unsigned char *text = blob ? sqlite3_column_blob(statement, column)
                                     : sqlite3_column_text(statement, column);
    int size = sqlite3_column_bytes(statement, column);

    if (blob || (text != NULL && strlen((const char *)text) != (size_t)size) ||
        (text != NULL && !bk__text_utf8((const char *)text))) {
        return as_hex(text, text == NULL ? 0 : size);
    }
    return json_object_new_string(text == NULL ? "" : (const char *)text);
}

/* The value, and by how much it fills the answer; *ret_good false: out of memory. */
static struct json_object *value_of(sqlite3_stmt *statement, int column, int64_t *bytes,
                                    bool *ret_good) {
    struct json_object *value = NULL;
    int type = sqlite3_column_type(statement, column);
    double number;

    *bytes += CELL;
    switch (type) {
    case SQLITE_NULL:
        return NULL;
    case SQLITE_INTEGER:
        value = json_object_new_int64(sqlite3_column_int64(statement, column));
        break;
    case SQLITE_FLOAT:
        number = sqlite3_column_double(statement, column);
        value = isfinite(number) ? json_object_new_double(number)
                                 : json_object_new_string(number > 0 ? "inf" : "-inf");
        break;
    default:
        *bytes += sqlite3_column_bytes(statement, column);
        value = as_text(statement, column, type == SQLITE_BLOB);
        break;
    }
    *ret_good = *ret_good && value != NULL;
    return value;
}

static struct json_object *row_of(sqlite3_stmt *statement, int64_t *bytes) {
    struct json_object *row = bk__json_list();
    bool good = row != NULL;

    for (int i = 0; good && i < sqlite3_column_count(statement); i++) {
        struct json_object *value = value_of(statement, i, bytes, &good);
        good = good && json_object_array_add(row, value) == 0;
        if (!good) {
            json_object_put(value);
        }
    }
    if (good) {
        return row;
    }
    json_object_put(row);
    return NULL;
}

/* Rows until the end, or until the answer is full. A SQLite code. */
static int take_rows(sqlite3_stmt *statement, const struct bk__question *question,
                     struct json_object *rows, bool *ret_truncated) {
    int64_t bytes = 0;
    int rc = sqlite3_step(statement);

    while (rc == SQLITE_ROW) {
        struct json_object *row;

        if ((int64_t)json_object_array_length(rows) >= question->rows) {
            *ret_truncated = true;
            return SQLITE_DONE;
        }
        row = row_of(statement, &bytes);
        if (row == NULL) {
            return SQLITE_NOMEM;
        }
        if (bytes > question->bytes) {
            json_object_put(row);
            *ret_truncated = true;
            return SQLITE_DONE;
        }
        if (!bk__json_append(rows, row)) {
            return SQLITE_NOMEM;
        }
        rc = sqlite3_step(statement);
    }
    return rc;
}

static struct json_object *columns_of(sqlite3_stmt *statement) {
    struct json_object *columns = bk__json_list();

    for (int i = 0; columns != NULL && i < sqlite3_column_count(statement); i++) {
        char *name = bk__text_clean(sqlite3_column_name(statement, i));
        bool good =
            name != NULL && bk__json_append(columns, json_object_new_string(name));

        free(name);
        if (!good) {
            json_object_put(columns);
            columns = NULL;
        }
    }
    return columns;
}

static int bind(struct bk__reading *reading, sqlite3_stmt *statement,
                struct json_object *parameters) {
    int rc = bk__sqlite_bind(statement, parameters);

    if (rc == SQLITE_RANGE) {
        return bk__fail(
            BK_EINVAL,
            "The statement has %d parameters, and %zu were given. Nothing was changed. "
            "Give as many as it has.",
            sqlite3_bind_parameter_count(statement),
            parameters == NULL ? 0 : json_object_array_length(parameters));
    }
    if (rc == SQLITE_MISMATCH) {
        return bk__fail(
            BK_EINVAL, "A parameter is none that SQLite has: null, true, false, a number "
                       "(whole ones of 64 bits with a sign), a text, or {\"hex\": "
                       "\"00ff\"} for a BLOB. Nothing was changed. Correct it.");
    }
    return rc == SQLITE_OK ? 0 : bk__reading_fail(reading, rc);
}

static int answer(struct bk__reading *reading, sqlite3_stmt *statement,
                  const struct bk__question *question, struct json_object *ret) {
    struct json_object *columns = columns_of(statement);
    struct json_object *rows = bk__json_list();
    bool truncated = false;
    bool good;
    int rc = columns == NULL || rows == NULL
                 ? SQLITE_NOMEM
                 : take_rows(statement, question, rows, &truncated);

    if (rc != SQLITE_DONE) {
        json_object_put(columns);
        json_object_put(rows);
        return bk__reading_fail(reading, rc);
    }
    good = bk__json_put(ret, "columns", columns);
    good = bk__json_put(ret, "rows", rows) && good;
    good = good && bk__json_add_bool(ret, "truncated", truncated);
    return good ? 0 : bk__fail_memory();
}

int bk__sqlite_ask(struct bk__job *job, const char *image_path,
                   const struct bk__question *question, struct json_object *ret_answer) {
    struct bk__reading reading;
    sqlite3_stmt *statement = NULL;
    int code = bk__reading_open(&reading, job, image_path, question->limit_ms);

    if (code != 0) {
        return code;
    }
    sqlite3_limit(reading.link.db, SQLITE_LIMIT_LENGTH, VALUE_LIMIT);
    code = bk__reading_prepare(&reading, question->sql, &statement);
    if (code == 0) {
        code = bind(&reading, statement, question->parameters);
    }
    if (code == 0) {
        code = answer(&reading, statement, question, ret_answer);
    }
    sqlite3_finalize(statement);
    bk__reading_close(&reading);
    return code;
}
