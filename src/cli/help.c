/*
 * Help, printed from the tables: the overview, or one operation with its arguments, and
 * every option. Not the parsing of flags. main.c calls it.
 */
#include "cli.h"

#include <string.h>

static void print_flag(FILE *out, const char *name, const char *value, const char *doc) {
    char flag[96] = "--";
    size_t end = strlen(name) < 60 ? strlen(name) : 60;
    for (size_t i = 0; i < end; i++) {
        flag[i + 2] = name[i] == '.' || name[i] == '_' ? '-' : name[i];
    }
    flag[end + 2] = '\0';
    if (*value) {
        strcat(flag, " ");
        strncat(flag, value, 28);
    }
    fprintf(out, "  %-34s %s\n", flag, doc);
}

static const char *value_word(const char *type) {
    static const char *const words[][2] = {{"bool", ""},     {"int", "N"},
                                           {"number", "N"},  {"path", "PATH"},
                                           {"text", "TEXT"}, {"choice", "WORD"}};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strncmp(type, words[i][0], strlen(words[i][0])) == 0) {
            return words[i][1];
        }
    }
    return "VALUE";
}

static void print_arguments(FILE *out, struct json_object *operation) {
    struct json_object *arguments = bk__cli_member(operation, "arguments");
    if (!arguments || json_object_array_length(arguments) == 0) {
        return;
    }
    fprintf(out, "\nArguments:\n");
    for (size_t i = 0; i < json_object_array_length(arguments); i++) {
        struct json_object *row = json_object_array_get_idx(arguments, i);
        const char *values = bk__cli_text(row, "values");
        print_flag(out, bk__cli_text(row, "name"),
                   *values ? values : value_word(bk__cli_text(row, "type")),
                   bk__cli_text(row, "doc"));
    }
}

static void print_options(FILE *out, struct json_object *tables) {
    fprintf(out, "\nOptions (also from the environment and from .env):\n");
    struct json_object *options = bk__cli_member(tables, "options");
    for (size_t i = 0; i < json_object_array_length(options); i++) {
        struct json_object *row = json_object_array_get_idx(options, i);
        const char *type = bk__cli_text(row, "type");
        print_flag(out, bk__cli_text(row, "name"),
                   strcmp(type, "bool") == 0 ? "true|false" : value_word(type),
                   bk__cli_text(row, "doc"));
    }
    print_flag(out, "json", "", "Prints the result as JSON.");
    print_flag(out, "help", "", "Prints this help.");
    print_flag(out, "version", "", "Prints the version.");
}

/* "backup.create" as the words typed in a shell. */
static void print_command(FILE *out, struct json_object *operation) {
    char words[96];
    snprintf(words, sizeof words, "%s", bk__cli_text(operation, "name"));
    char *dot = strchr(words, '.');
    if (dot) {
        *dot = ' ';
    }
    const char *alone = strcmp(words, "health snapshot") == 0 ? "health"
                        : strcmp(words, "doctor run") == 0    ? "doctor"
                                                              : words;
    fprintf(out, "  %-20s %s\n", alone, bk__cli_text(operation, "doc"));
}

/* With a first word that names a group, only that group. */
static void print_commands(const struct bk__cli *cli, FILE *out) {
    struct json_object *operations = bk__cli_member(cli->tables, "operations");
    size_t length = strlen(cli->command);
    bool known = false;
    for (int pass = 0; pass < 2 && !known; pass++) {
        for (size_t i = 0; i < json_object_array_length(operations); i++) {
            struct json_object *row = json_object_array_get_idx(operations, i);
            const char *name = bk__cli_text(row, "name");
            bool in_group =
                strncmp(name, cli->command, length) == 0 && name[length] == '.';
            if ((in_group || pass == 1) && !bk__cli_needs_data(row)) {
                print_command(out, row);
                known = true;
            }
        }
    }
}

void bk__cli_help(const struct bk__cli *cli, FILE *out) {
    if (cli->operation) {
        fprintf(out, "Usage: botkeep");
        fprintf(out, " COMMAND [ARGUMENTS] [OPTIONS]\n\n");
        print_command(out, cli->operation);
        print_arguments(out, cli->operation);
        print_options(out, cli->tables);
        return;
    }
    fprintf(out, "botkeep keeps a chat bot's data safe: backups, migrations, health.\n\n"
                 "Usage: botkeep COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n");
    print_commands(cli, out);
    fprintf(out, "  %-20s %s\n", "describe",
            "Prints every option, operation, error and event.");
    print_options(out, cli->tables);
    fprintf(
        out,
        "\nExit codes: health 0 healthy, 1 degraded, 2 unhealthy or unknown; all else 0 "
        "done,\n1 failed; 64 wrong usage.\n");
}
