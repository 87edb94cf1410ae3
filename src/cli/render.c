/*
 * A result for people: aligned names and values, lists as tables, sizes and durations in
 * units. Driven by the names of the members (_ms, bytes), so that a new operation needs
 * nothing here.
 */
#include "cli.h"

#include <string.h>

#define NAME_WIDTH 18
#define CELL_SIZE 1024

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text);
    size_t tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

void bk__cli_bytes(double bytes, char *text, size_t size) {
    static const char *const units[] = {"B", "KB", "MB", "GB", "TB"};
    size_t unit = 0;
    while (bytes >= 1024 && unit + 1 < sizeof units / sizeof *units) {
        bytes /= 1024;
        unit++;
    }
    snprintf(text, size, unit == 0 ? "%.0f %s" : "%.1f %s", bytes, units[unit]);
}

/* Characters, not bytes: what UTF-8 text takes on a terminal, nearly. */
static size_t letters(const char *text) {
    size_t count = 0;
    for (; *text; text++) {
        count += ((unsigned char)*text & 0xC0) != 0x80;
    }
    return count;
}

/* What a user typed into a bot must not steer the owner's terminal, nor break a table. */
static void tame(char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < ' ' || *text == 0x7f) {
            *text = ' ';
        }
    }
}

/* The three largest units: "2d 5h 30m". */
static void duration(double ms, char *text, size_t size) {
    if (ms < 1000) {
        snprintf(text, size, "%.0f ms", ms);
        return;
    }
    if (ms < 60000) {
        snprintf(text, size, "%.1f s", ms / 1000);
        return;
    }
    long long minutes = (long long)(ms / 60000);
    if (minutes < 60) {
        snprintf(text, size, "%lldm %llds", minutes, (long long)(ms / 1000) % 60);
    } else if (minutes < 1440) {
        snprintf(text, size, "%lldh %lldm", minutes / 60, minutes % 60);
    } else {
        snprintf(text, size, "%lldd %lldh %lldm", minutes / 1440, minutes / 60 % 24,
                 minutes % 60);
    }
}

static void scalar(const char *name, struct json_object *value, char *text, size_t size) {
    enum json_type type = json_object_get_type(value);
    bool number = type == json_type_int || type == json_type_double;
    if (number && ends_with(name, "_ms")) {
        duration(json_object_get_double(value), text, size);
    } else if (number && ends_with(name, "bytes")) {
        bk__cli_bytes(json_object_get_double(value), text, size);
    } else if (type == json_type_double) {
        snprintf(text, size, "%.1f", json_object_get_double(value));
    } else if (type == json_type_boolean) {
        snprintf(text, size, "%s", json_object_get_boolean(value) ? "yes" : "no");
    } else if (type == json_type_null) {
        snprintf(text, size, "-");
    } else {
        snprintf(text, size, "%s", json_object_get_string(value));
        tame(text);
    }
}

static bool is_scalar(struct json_object *value) {
    enum json_type type = json_object_get_type(value);
    return type != json_type_object && type != json_type_array;
}

/* Columns a terminal has no room for: they stand in --json. */
static bool hidden_column(const char *name) {
    static const char *const hidden[] = {"sha256", "archive_sha256", "checksum", "path",
                                         "sequence"};
    for (size_t i = 0; i < sizeof hidden / sizeof *hidden; i++) {
        if (strcmp(name, hidden[i]) == 0) {
            return true;
        }
    }
    return false;
}

static size_t column_width(struct json_object *rows, const char *name) {
    size_t width = letters(name);
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        char cell[CELL_SIZE];
        struct json_object *row = json_object_array_get_idx(rows, i);
        scalar(name, bk__cli_member(row, name), cell, sizeof cell);
        width = letters(cell) > width ? letters(cell) : width;
    }
    return width;
}

/* One line of a table; the last column is not padded. row NULL: the names. */
static void print_row(struct json_object *rows, struct json_object *columns,
                      struct json_object *row) {
    size_t pad = 2;
    json_object_object_foreach(columns, name, example) {
        char cell[CELL_SIZE];
        if (hidden_column(name) || !is_scalar(example)) {
            continue;
        }
        if (row) {
            scalar(name, bk__cli_member(row, name), cell, sizeof cell);
        } else {
            snprintf(cell, sizeof cell, "%s", name);
        }
        printf("%*s%s", (int)pad, "", cell);
        pad = column_width(rows, name) - letters(cell) + 2;
    }
    printf("\n");
}

static void print_table(const char *name, struct json_object *rows) {
    size_t count = json_object_array_length(rows);
    printf("%s:%s\n", name, count == 0 ? " none" : "");
    if (count == 0) {
        return;
    }
    struct json_object *first = json_object_array_get_idx(rows, 0);
    if (!json_object_is_type(first, json_type_object)) {
        for (size_t i = 0; i < count; i++) {
            printf("  %s\n", json_object_get_string(json_object_array_get_idx(rows, i)));
        }
        return;
    }
    print_row(rows, first, NULL);
    for (size_t i = 0; i < count; i++) {
        print_row(rows, first, json_object_array_get_idx(rows, i));
    }
}

static void print_object(struct json_object *object, int indent);

static void print_member(const char *name, struct json_object *value, int indent) {
    if (json_object_is_type(value, json_type_array)) {
        print_table(name, value);
        return;
    }
    if (json_object_is_type(value, json_type_object)) {
        printf("%*s%s:\n", indent, "", name);
        print_object(value, indent + 2);
        return;
    }
    char text[4096];
    scalar(name, value, text, sizeof text);
    printf("%*s%-*s %s\n", indent, "", NAME_WIDTH - indent, name, text);
}

/* Single values first, then what needs lines of its own. */
static void print_object(struct json_object *object, int indent) {
    for (int pass = 0; pass < 2; pass++) {
        json_object_object_foreach(object, name, value) {
            if (is_scalar(value) == (pass == 0)) {
                print_member(name, value, indent);
            }
        }
    }
}

static void print_checks(struct json_object *result) {
    static const char *const marks[][2] = {
        {"healthy", "🟢"}, {"degraded", "🟡"}, {"unhealthy", "🔴"}, {"unknown", "⚪"}};
    const char *status = bk__cli_text(result, "status");
    for (size_t i = 0; i < sizeof marks / sizeof *marks; i++) {
        if (strcmp(marks[i][0], status) == 0) {
            printf("%s System Health: %s\n\n", marks[i][1], status);
        }
    }
    json_object_object_foreach(bk__cli_member(result, "checks"), name, check) {
        printf("  %-*s %-10s %s\n", NAME_WIDTH, name, bk__cli_text(check, "status"),
               bk__cli_text(check, "message"));
    }
    printf("\n");
}

static void print_health(struct json_object *result) {
    print_checks(result);
    json_object_object_foreach(result, name, value) {
        if (strcmp(name, "checks") != 0 && strcmp(name, "status") != 0) {
            print_member(name, value, 0);
        }
    }
}

static void print_findings(struct json_object *result) {
    struct json_object *findings = bk__cli_member(result, "findings");
    for (size_t i = 0; findings && i < json_object_array_length(findings); i++) {
        struct json_object *row = json_object_array_get_idx(findings, i);
        const char *advice = bk__cli_text(row, "advice");
        printf("%-8s %s\n", bk__cli_text(row, "level"), bk__cli_text(row, "message"));
        if (*advice) {
            printf("%-8s %s\n", "", advice);
        }
    }
}

/* What is wrong with those that are not good stands in the error, on the other stream. */
static void print_verified(struct json_object *result) {
    struct json_object *backups = bk__cli_member(result, "backups");
    for (size_t i = 0; backups && i < json_object_array_length(backups); i++) {
        struct json_object *row = json_object_array_get_idx(backups, i);
        bool sealed = strcmp(bk__cli_text(row, "depth"), "sealed") == 0;
        printf("%-10s %s%s\n", bk__cli_text(row, "state"), bk__cli_text(row, "name"),
               sealed ? " (without its key: only SHA-256 and frames)" : "");
    }
    printf("%d good, %d not\n", json_object_get_int(bk__cli_member(result, "verified")),
           json_object_get_int(bk__cli_member(result, "failed")));
}

static void cell_of(struct json_object *row, size_t column, char *text, size_t size) {
    struct json_object *value = json_object_array_get_idx(row, column);
    scalar("", value, text, size);
}

#define WIDTHS 64

/* The rows of a query under the names of its columns. row: the names, or one row. */
static void print_answer_row(struct json_object *row, const size_t widths[WIDTHS]) {
    size_t pad = 2;
    for (size_t i = 0; i < json_object_array_length(row); i++) {
        char cell[CELL_SIZE];
        cell_of(row, i, cell, sizeof cell);
        printf("%*s%s", (int)pad, "", cell);
        pad = i < WIDTHS && widths[i] > letters(cell) ? widths[i] - letters(cell) + 2 : 2;
    }
    printf("\n");
}

static void widen(struct json_object *row, size_t widths[WIDTHS]) {
    for (size_t i = 0; i < json_object_array_length(row) && i < WIDTHS; i++) {
        char cell[CELL_SIZE];
        cell_of(row, i, cell, sizeof cell);
        widths[i] = letters(cell) > widths[i] ? letters(cell) : widths[i];
    }
}

static void print_answer(struct json_object *result) {
    struct json_object *columns = bk__cli_member(result, "columns");
    struct json_object *rows = bk__cli_member(result, "rows");
    size_t count = json_object_array_length(rows);
    size_t widths[WIDTHS] = {0};
    widen(columns, widths);
    for (size_t i = 0; i < count; i++) {
        widen(json_object_array_get_idx(rows, i), widths);
    }
    print_answer_row(columns, widths);
    for (size_t i = 0; i < count; i++) {
        print_answer_row(json_object_array_get_idx(rows, i), widths);
    }
    printf("%zu row%s%s\n", count, count == 1 ? "" : "s",
           json_object_get_boolean(bk__cli_member(result, "truncated"))
               ? ", and there are more: raise --limit"
               : "");
}

int bk__cli_render(const char *operation, struct json_object *result) {
    if (strcmp(operation, "health.snapshot") == 0) {
        print_health(result);
    } else if (strcmp(operation, "doctor.run") == 0) {
        print_findings(result);
    } else if (strcmp(operation, "backup.verify") == 0) {
        print_verified(result);
    } else if (strcmp(operation, "backup.query") == 0) {
        print_answer(result);
    } else {
        print_object(result, 0);
    }
    return strcmp(bk__cli_text(result, "worst"), "problem") == 0 ? 1 : 0;
}
