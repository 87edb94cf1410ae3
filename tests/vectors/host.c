/*
 * What a story does besides the keeper: files, and SQL through connections that stay open as a
 * bot's do. Not the keeper's steps: those are in runner.c, which calls it.
 */
#include "host.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *home;

struct json_object *member(struct json_object *object, const char *name) {
    return json_object_object_get(object, name);
}

const char *text_of(struct json_object *object, const char *name) {
    return json_object_get_string(member(object, name));
}

/* The path of a name in the story's folder, or an absolute one as it is. The caller frees it. */
char *path_of(struct story *s, const char *name) {
    char *filled = fill_text(s->saved, name), *path = NULL;

    if (filled[0] == '/')
        return filled;
    if (asprintf(&path, "%s/%s", text_of(s->saved, "dir"), filled) < 0)
        abort();
    free(filled);
    return path;
}

static sqlite3 *connection(struct story *s, const char *name) {
    char *path = path_of(s, name);
    int i = 0;

    while (i < CONNECTIONS - 1 && s->host[i].path && strcmp(s->host[i].path, path) != 0)
        i++;
    if (s->host[i].path) {
        free(path);
        return s->host[i].db;
    }
    s->host[i].path = path;
    if (sqlite3_open(path, &s->host[i].db) == SQLITE_OK)
        sqlite3_busy_timeout(s->host[i].db, 30000);
    return s->host[i].db;
}

void close_connections(struct story *s, const char *path) {
    for (int i = 0; i < CONNECTIONS; i++) {
        if (!s->host[i].path || (path && strcmp(path, s->host[i].path) != 0))
            continue;
        sqlite3_close(s->host[i].db);
        free(s->host[i].path);
        s->host[i].path = NULL;
    }
}

bool run_sql(struct story *s, const char *name, const char *sql) {
    char *filled = fill_text(s->saved, sql), *error = NULL;
    bool good =
        sqlite3_exec(connection(s, name), filled, NULL, NULL, &error) == SQLITE_OK;

    free(filled);
    if (!good)
        go_wrong("SQLite: %s", error ? error : "cannot open it");
    sqlite3_free(error);
    return good;
}

static struct json_object *column(sqlite3_stmt *statement, int i) {
    switch (sqlite3_column_type(statement, i)) {
    case SQLITE_NULL:
        return NULL;
    case SQLITE_INTEGER:
        return json_object_new_int64(sqlite3_column_int64(statement, i));
    case SQLITE_FLOAT:
        return json_object_new_double(sqlite3_column_double(statement, i));
    default:
        return json_object_new_string((const char *)sqlite3_column_text(statement, i));
    }
}

bool compare_rows(struct story *s, struct json_object *step) {
    char *sql = fill_text(s->saved, text_of(step, "query"));
    sqlite3 *db = connection(s, text_of(step, "sql"));
    struct json_object *rows = json_object_new_array();
    sqlite3_stmt *statement = NULL;
    bool good = sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK;

    while (good && sqlite3_step(statement) == SQLITE_ROW) {
        struct json_object *row = json_object_new_array();

        for (int i = 0; i < sqlite3_column_count(statement); i++)
            json_object_array_add(row, column(statement, i));
        json_object_array_add(rows, row);
    }
    if (sqlite3_finalize(statement) != SQLITE_OK || !good)
        good = go_wrong("SQLite: %s", sqlite3_errmsg(db));
    good = good && match(s->saved, member(step, "rows"), rows, "rows");
    json_object_put(rows);
    free(sql);
    return good;
}

/* ---- files -------------------------------------------------------------------------------- */

static char *read_all(const char *path) {
    char *text = NULL;
    size_t size = 0;
    FILE *file = fopen(path, "r");

    if (!file || getdelim(&text, &size, 0, file) < 0)
        go_wrong("cannot read %s", path);
    if (file)
        fclose(file);
    return text;
}

static bool write_all(const char *path, struct json_object *content) {
    struct json_object *text = member(content, "text");
    const char *hex = text_of(content, "hex");
    FILE *file = fopen(path, "w");
    unsigned byte;

    if (!file)
        return go_wrong("cannot write %s: %s", path, strerror(errno));
    if (text)
        fwrite(json_object_get_string(text), 1, (size_t)json_object_get_string_len(text),
               file);
    for (; !text && hex && sscanf(hex, "%2x", &byte) == 1; hex += 2)
        fputc((int)byte, file);
    return fclose(file) == 0 || go_wrong("cannot write %s", path);
}

bool make_file(struct story *s, const char *name, struct json_object *content) {
    const char *sql = text_of(content, "sql");
    char *path = path_of(s, name), *from = NULL, *statements = NULL;
    bool good;

    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = 0;
        mkdir(path, 0777);
        *slash = '/';
    }
    if (!sql) {
        good = write_all(path, content);
    } else if (strlen(sql) > 4 && strcmp(sql + strlen(sql) - 4, ".sql") == 0) {
        good = asprintf(&from, "%s/%s", home, sql) > 0 && (statements = read_all(from)) &&
               run_sql(s, name, statements);
    } else {
        good = run_sql(s, name, sql);
    }
    free(statements);
    free(from);
    free(path);
    return good;
}

static bool flip_byte(const char *path, int at) {
    FILE *file = fopen(path, "r+");
    int whence = at < 0 ? SEEK_END : SEEK_SET, byte;

    if (!file)
        return go_wrong("cannot open %s", path);
    fseek(file, at, whence);
    byte = fgetc(file);
    fseek(file, at, whence);
    fputc(byte ^ 0xFF, file);
    return fclose(file) == 0 && byte != EOF;
}

static int by_text(const void *a, const void *b) {
    return strcmp(json_object_get_string(*(struct json_object *const *)a),
                  json_object_get_string(*(struct json_object *const *)b));
}

static bool compare_names(struct story *s, const char *path,
                          struct json_object *expected) {
    struct json_object *names = json_object_new_array();
    DIR *folder = opendir(path);
    bool good;

    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            json_object_array_add(names, json_object_new_string(entry->d_name));
    }
    if (folder)
        closedir(folder);
    json_object_array_sort(names, by_text);
    good = match(s->saved, expected, names, "names");
    json_object_put(names);
    return good;
}

static bool compare_mode(struct story *s, const char *path,
                         struct json_object *expected) {
    struct json_object *mode;
    struct stat info;
    char text[8];
    bool good;

    if (stat(path, &info) != 0)
        return go_wrong("cannot look at %s", path);
    snprintf(text, sizeof(text), "%04o", info.st_mode & 07777u);
    mode = json_object_new_string(text);
    good = match(s->saved, expected, mode, "mode");
    json_object_put(mode);
    return good;
}

static bool remove_all(const char *path) {
    char *command = NULL;
    bool good = asprintf(&command, "rm -rf -- '%s'", path) > 0 && system(command) == 0;

    free(command);
    return good || go_wrong("cannot remove %s", path);
}

bool file_step(struct story *s, const char *kind, struct json_object *step) {
    char *path = path_of(s, text_of(step, kind));
    bool good = false;

    if (strcmp(kind, "write_file") == 0)
        good = make_file(s, text_of(step, kind), step);
    else if (strcmp(kind, "truncate") == 0)
        good = truncate(path, json_object_get_int(member(step, "size"))) == 0;
    else if (strcmp(kind, "flip_byte") == 0)
        good = flip_byte(path, json_object_get_int(member(step, "at")));
    else if (strcmp(kind, "mkdir") == 0)
        good = mkdir(path, 0777) == 0;
    else if (strcmp(kind, "remove") == 0)
        good = remove_all(path);
    else if (strcmp(kind, "chmod") == 0)
        good = chmod(path, (mode_t)strtol(text_of(step, "mode"), NULL, 8)) == 0;
    else if (strcmp(kind, "list") == 0)
        good = compare_names(s, path, member(step, "names"));
    else if (strcmp(kind, "mode_of") == 0)
        good = compare_mode(s, path, member(step, "is"));
    else
        go_wrong("no step is called %s", kind);
    if (!good && !wrong[0])
        go_wrong("%s", strerror(errno));
    free(path);
    return good;
}
