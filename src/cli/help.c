/*
 * Help, printed from the tables: the overview, or one operation with its arguments, and
 * every option. Not the parsing of flags. main.c calls it.
 */
#include "cli.h"

#include <string.h>

enum { INDENT = 26, WIDTH = 80 };

/* Words in lines of WIDTH; the first line has its indentation already. */
static void print_words(FILE *out, const char *text, int indent) {
    int at = indent;
    while (*text) {
        int length = (int)strcspn(text, " ");
        if (at > indent && at + 1 + length > WIDTH) {
            fprintf(out, "\n%*s", indent, "");
            at = indent;
        }
        at += fprintf(out, "%s%.*s", at > indent ? " " : "", length, text);
        text += length;
        text += strspn(text, " ");
    }
    fprintf(out, "\n");
}

/* A name and what it is, beside it or below it. */
static void print_entry(FILE *out, const char *name, const char *doc) {
    int at = fprintf(out, "  %s", name);
    if (at >= INDENT) {
        fprintf(out, "\n");
        at = 0;
    }
    fprintf(out, "%*s", INDENT - at, "");
    print_words(out, doc, INDENT);
}

static void print_flag(FILE *out, const char *name, const char *value, const char *doc) {
    char flag[256];
    snprintf(flag, sizeof flag, "--%s%s%s", name, *value ? " " : "", value);
    for (size_t i = 2; i < 2 + strlen(name); i++) {
        flag[i] = flag[i] == '.' || flag[i] == '_' ? '-' : flag[i];
    }
    print_entry(out, flag, doc);
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

/* What an option takes: its choices, the unit it is counted in, or its type. */
static const char *option_value(struct json_object *row) {
    const char *type = bk__cli_text(row, "type");
    const char *choices = bk__cli_text(row, "choices");
    const char *unit = bk__cli_text(row, "unit");
    return strcmp(type, "bool") == 0 ? "true|false"
           : *choices                ? choices
           : *unit                   ? unit
                                     : value_word(type);
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
        print_flag(out, bk__cli_text(row, "name"), option_value(row),
                   bk__cli_text(row, "doc"));
    }
    print_flag(out, "json", "", "Prints the result as JSON.");
    print_flag(out, "help", "", "Prints this help.");
    print_flag(out, "version", "", "Prints the version.");
}

/* "backup.create" as the words typed in a shell. */
static void words_of(struct json_object *operation, char *words, size_t size) {
    const char *name = bk__cli_text(operation, "name");
    const char *alone = strcmp(name, "health.snapshot") == 0 ? "health"
                        : strcmp(name, "doctor.run") == 0    ? "doctor"
                                                             : name;
    snprintf(words, size, "%s", alone);
    char *dot = strchr(words, '.');
    if (dot) {
        *dot = ' ';
    }
}

/* All of them, or those whose first word is `group`; how many. */
static int print_commands(const struct bk__cli *cli, const char *group, FILE *out) {
    struct json_object *operations = bk__cli_member(cli->tables, "operations");
    size_t length = strlen(group);
    int count = 0;
    for (size_t i = 0; i < json_object_array_length(operations); i++) {
        struct json_object *row = json_object_array_get_idx(operations, i);
        const char *name = bk__cli_text(row, "name");
        bool asked =
            length == 0 || (strncmp(name, group, length) == 0 && name[length] == '.');
        if (asked && !bk__cli_needs_data(row)) {
            char words[96];
            words_of(row, words, sizeof words);
            print_entry(out, words, bk__cli_text(row, "doc"));
            count++;
        }
    }
    return count;
}

static void print_command_help(const struct bk__cli *cli, FILE *out) {
    char words[96];
    struct json_object *arguments = bk__cli_member(cli->operation, "arguments");
    words_of(cli->operation, words, sizeof words);
    fprintf(out, "Usage: botkeep %s%s [OPTIONS]\n\n", words,
            arguments && json_object_array_length(arguments) > 0 ? " [ARGUMENTS]" : "");
    print_words(out, bk__cli_text(cli->operation, "doc"), 0);
    print_arguments(out, cli->operation);
    fprintf(out, "\n");
    print_words(
        out,
        "The options, such as --database PATH and --backup-dir PATH, are those of "
        "every command: botkeep --help lists them.",
        0);
}

void bk__cli_unknown(const struct bk__cli *cli, const char *word) {
    fprintf(stderr, "botkeep: there is no command '%s%s%s'. There are:\n\n", cli->command,
            *word ? " " : "", word);
    if (print_commands(cli, cli->command, stderr) == 0) {
        print_commands(cli, "", stderr);
    }
}

void bk__cli_help(const struct bk__cli *cli, FILE *out) {
    if (cli->operation) {
        print_command_help(cli, out);
        return;
    }
    fprintf(out, "botkeep keeps a chat bot's data safe: backups, migrations, health.\n\n"
                 "Usage: botkeep COMMAND [ARGUMENTS] [OPTIONS]\n\nCommands:\n");
    if (print_commands(cli, cli->command, out) == 0) {
        print_commands(cli, "", out);
    }
    print_entry(out, "describe", "Prints every option, operation, error and event.");
    print_options(out, cli->tables);
    fprintf(
        out,
        "\nExit codes: health 0 healthy, 1 degraded, 2 unhealthy or unknown; all else 0 "
        "done,\n1 failed; 64 wrong usage.\n");
}
