/*
 * One statement with parameters and rows as JSON, for the few tables that botkeep keeps in the bot's
 * database. Not for scripts: script.c. Migrate calls it through store.h.
 */
#include <store/sqlite/internal.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>
#include <core/error.h>

#define DOING "cannot query"

/* {"hex": "00ff"}, as blobs come out (ask.c). A SQLite code; SQLITE_MISMATCH: it is no such object. */
static int bind_hex(sqlite3_stmt *statement, int place, struct json_object *value) {
    const char *hex = bk__json_text(value, "hex", NULL);
    size_t size = hex == NULL ? 1 : strlen(hex);
    unsigned char *bytes = size % 2 == 0 ? malloc(size / 2 + 1) : NULL;
    int rc;

    if (size % 2 != 0 || strspn(hex, "0123456789abcdefABCDEF") != size) {
        free(bytes);
        return SQLITE_MISMATCH;
    }
    for (size_t i = 0; bytes != NULL && i < size / 2; i++) {
        char digits[3] = {hex[2 * i], hex[2 * i + 1], '\0'};
        bytes[i] = (unsigned char)strtoul(digits, NULL, 16);
    }
    rc = bytes == NULL
             ? SQLITE_NOMEM
             : sqlite3_bind_blob64(statement, place, bytes, size / 2, SQLITE_TRANSIENT);
    free(bytes);
    return rc;
}

static int bind_one(sqlite3_stmt *statement, int place, struct json_object *value) {
    switch (json_object_get_type(value)) {
    case json_type_null:
        return sqlite3_bind_null(statement, place);
    case json_type_boolean:
        return sqlite3_bind_int(statement, place, json_object_get_boolean(value));
    case json_type_int:
        if (json_object_get_uint64(value) > INT64_MAX &&
            json_object_get_int64(value) == INT64_MAX) {
            return SQLITE_MISMATCH;
        }
        return sqlite3_bind_int64(statement, place, json_object_get_int64(value));
    case json_type_double:
        return sqlite3_bind_double(statement, place, json_object_get_double(value));
    case json_type_string:
        return sqlite3_bind_text(statement, place, json_object_get_string(value), -1,
                                 SQLITE_TRANSIENT);
    case json_type_object:
        return bind_hex(statement, place, value);
    default:
        return SQLITE_MISMATCH;
    }
}

int bk__sqlite_bind(sqlite3_stmt *statement, struct json_object *parameters) {
    size_t count = parameters == NULL ? 0 : json_object_array_length(parameters);
    size_t i;
    int rc = count == (size_t)sqlite3_bind_parameter_count(statement) ? SQLITE_OK
                                                                      : SQLITE_RANGE;

    for (i = 0; i < count && rc == SQLITE_OK; i++) {
        rc = bind_one(statement, (int)i + 1, json_object_array_get_idx(parameters, i));
    }
    return rc;
}

static bool add_column(sqlite3_stmt *statement, int column, struct json_object *row) {
    const char *name = sqlite3_column_name(statement, column);

    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        return bk__json_add_int(row, name, sqlite3_column_int64(statement, column));
    case SQLITE_FLOAT:
        return bk__json_add_number(row, name, sqlite3_column_double(statement, column));
    case SQLITE_NULL:
        return bk__json_add_text(row, name, NULL);
    default:
        return bk__json_add_text(row, name,
                                 (const char *)sqlite3_column_text(statement, column));
    }
}

static bool add_row(sqlite3_stmt *statement, struct json_object *rows) {
    struct json_object *row = bk__json_object();
    int columns = sqlite3_column_count(statement);
    int i;

    if (row == NULL) {
        return false;
    }
    for (i = 0; i < columns; i++) {
        if (!add_column(statement, i, row)) {
            json_object_put(row);
            return false;
        }
    }
    return bk__json_append(rows, row);
}

int bk__sqlite_query(struct bk__store *store, const char *sql,
                     struct json_object *parameters, struct json_object *ret_rows) {
    struct bk__link *link = &((struct bk__sqlite *)store)->link;
    sqlite3_stmt *statement = NULL;
    int code;
    int rc = sqlite3_prepare_v2(link->db, sql, -1, &statement, NULL);

    if (rc == SQLITE_OK) {
        rc = bk__sqlite_bind(statement, parameters);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_step(statement);
    }
    while (rc == SQLITE_ROW) {
        if (ret_rows != NULL && !add_row(statement, ret_rows)) {
            rc = SQLITE_NOMEM;
            break;
        }
        rc = sqlite3_step(statement);
    }
    code = rc == SQLITE_DONE ? 0 : bk__link_fail(link, rc, DOING);
    sqlite3_finalize(statement);
    return code;
}

int bk__sqlite_has_table(struct bk__store *store, const char *table) {
    struct bk__link *link = &((struct bk__sqlite *)store)->link;
    int64_t count = 0;
    char *sql = sqlite3_mprintf("SELECT count(*) FROM sqlite_schema WHERE type = 'table' "
                                "AND name = %Q COLLATE NOCASE",
                                table);
    int rc = sql == NULL ? SQLITE_NOMEM : bk__link_int(link, sql, &count);

    sqlite3_free(sql);
    return rc == SQLITE_OK ? count > 0 : bk__link_fail(link, rc, DOING);
}
