/*
 * Words and flags of the command line, read by getopt_long() with a table made from
 * bk_describe(): every option as --dotted-name-with-dashes, every operation's arguments
 * as --name. Not help.
 */
#include "cli.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

#include <botkeep.h>

#define MOST_FLAGS 256
#define NAME_SIZE 64

enum { FLAG_HELP = 1, FLAG_VERSION, FLAG_JSON, FLAG_OPTION, FLAG_ARGUMENT };

/* What getopt_long() needs, and what each flag stands for. */
struct flags {
    struct option rows[MOST_FLAGS + 1];
    char names[MOST_FLAGS][NAME_SIZE];
    const char *meaning[MOST_FLAGS]; /* the option's or argument's own name */
    int kind[MOST_FLAGS];
    int count;
};

static void add_flag(struct flags *flags, int kind, const char *name, bool has_value) {
    if (flags->count == MOST_FLAGS || strlen(name) >= NAME_SIZE) {
        return;
    }
    int at = flags->count;
    char *flag = flags->names[at];
    for (size_t i = 0; i <= strlen(name); i++) {
        flag[i] = name[i] == '.' || name[i] == '_' ? '-' : name[i];
    }
    for (int i = 0; i < at; i++) {
        if (strcmp(flags->names[i], flag) == 0) {
            return; /* the same argument of several operations */
        }
    }
    flags->meaning[at] = name;
    flags->kind[at] = kind;
    flags->rows[at] =
        (struct option){flag, has_value ? required_argument : no_argument, NULL, 0};
    flags->count++;
}

static bool is_bool(struct json_object *field) {
    return strncmp(bk__cli_text(field, "type"), "bool", 4) == 0;
}

static void collect_flags(struct flags *flags, struct json_object *tables) {
    add_flag(flags, FLAG_HELP, "help", false);
    add_flag(flags, FLAG_VERSION, "version", false);
    add_flag(flags, FLAG_JSON, "json", false);
    struct json_object *options = bk__cli_member(tables, "options");
    for (size_t i = 0; i < json_object_array_length(options); i++) {
        struct json_object *row = json_object_array_get_idx(options, i);
        add_flag(flags, FLAG_OPTION, bk__cli_text(row, "name"), true);
    }
    struct json_object *operations = bk__cli_member(tables, "operations");
    for (size_t i = 0; i < json_object_array_length(operations); i++) {
        struct json_object *row = json_object_array_get_idx(operations, i);
        struct json_object *arguments = bk__cli_member(row, "arguments");
        for (size_t j = 0; arguments && j < json_object_array_length(arguments); j++) {
            struct json_object *field = json_object_array_get_idx(arguments, j);
            add_flag(flags, FLAG_ARGUMENT, bk__cli_text(field, "name"), !is_bool(field));
        }
    }
}

/* Arguments are typed only when the operation is known, so they wait as text. */
static int take_flag(struct bk__cli *cli, const struct flags *flags, int at,
                     struct json_object *given) {
    const char *value = optarg ? optarg : "true";
    switch (flags->kind[at]) {
    case FLAG_HELP:
        cli->help = true;
        return 0;
    case FLAG_VERSION:
        cli->version = true;
        return 0;
    case FLAG_JSON:
        cli->json = true;
        return 0;
    default: {
        struct json_object *to = flags->kind[at] == FLAG_OPTION ? cli->options : given;
        struct json_object *text = json_object_new_string(value);
        if (!text || json_object_object_add(to, flags->meaning[at], text) != 0) {
            json_object_put(text);
            fprintf(stderr, "botkeep: out of memory; nothing was done\n");
            return 1;
        }
        return 0;
    }
    }
}

/* Bytes out of a program's memory cannot be typed in a shell. */
bool bk__cli_needs_data(struct json_object *operation) {
    struct json_object *arguments = bk__cli_member(operation, "arguments");
    for (size_t i = 0; arguments && i < json_object_array_length(arguments); i++) {
        struct json_object *field = json_object_array_get_idx(arguments, i);
        if (strcmp(bk__cli_text(field, "type"), "data") == 0) {
            return true;
        }
    }
    return false;
}

static struct json_object *find_operation(struct json_object *tables, const char *name) {
    struct json_object *operations = bk__cli_member(tables, "operations");
    for (size_t i = 0; i < json_object_array_length(operations); i++) {
        struct json_object *row = json_object_array_get_idx(operations, i);
        if (strcmp(bk__cli_text(row, "name"), name) == 0 && !bk__cli_needs_data(row)) {
            return row;
        }
    }
    return NULL;
}

/* How many words name the command. `health` and `doctor` have one operation each: their verb may
   be left out. */
static int take_words(struct bk__cli *cli, char **words, int count) {
    static const char *const alone[][2] = {{"health", "health.snapshot"},
                                           {"doctor", "doctor.run"}};
    cli->command = count > 0 ? words[0] : "";
    if (count > 1) {
        char name[2 * NAME_SIZE];
        snprintf(name, sizeof name, "%s.%s", words[0], words[1]);
        cli->operation = find_operation(cli->tables, name);
    }
    if (cli->operation) {
        return 2;
    }
    for (size_t i = 0; i < sizeof alone / sizeof *alone; i++) {
        if (strcmp(cli->command, alone[i][0]) == 0) {
            cli->operation = find_operation(cli->tables, alone[i][1]);
        }
    }
    return count > 0 ? 1 : 0;
}

static struct json_object *find_argument(const struct bk__cli *cli, const char *name) {
    struct json_object *arguments = bk__cli_member(cli->operation, "arguments");
    for (size_t i = 0; arguments && i < json_object_array_length(arguments); i++) {
        struct json_object *field = json_object_array_get_idx(arguments, i);
        if (strcmp(bk__cli_text(field, "name"), name) == 0) {
            return field;
        }
    }
    return NULL;
}

static bool fits(const char *type, enum json_type got) {
    switch (type[0]) {
    case 'b':
        return got == json_type_boolean;
    case 'i':
        return got == json_type_int;
    case 'n':
        return got == json_type_int || got == json_type_double;
    case 'l':
        return got == json_type_array;
    default:
        return got == json_type_object;
    }
}

/* The text as the JSON value the table asks for; NULL: it is not one. */
static struct json_object *typed(struct json_object *field, const char *text) {
    const char *type = bk__cli_text(field, "type");
    if (strncmp(type, "text", 4) == 0) {
        return json_object_new_string(text);
    }
    struct json_object *value = json_tokener_parse(text);
    if (!fits(type, json_object_get_type(value))) {
        json_object_put(value);
        return NULL;
    }
    return value;
}

static int add_argument(struct bk__cli *cli, const char *name, const char *text) {
    struct json_object *field = find_argument(cli, name);
    if (!field) {
        fprintf(stderr, "botkeep: '%s' takes no --%s; see --help\n",
                bk__cli_text(cli->operation, "name"), name);
        return CLI_USAGE;
    }
    struct json_object *value = typed(field, text);
    if (!value) {
        fprintf(stderr, "botkeep: --%s must be a value of type %s, not '%s'\n", name,
                bk__cli_text(field, "type"), text);
        return CLI_USAGE;
    }
    return json_object_object_add(cli->arguments, name, value) == 0 ? 0 : 1;
}

static int take_arguments(struct bk__cli *cli, struct json_object *given, char **words,
                          int count) {
    if (count > 1 || (count == 1 && !find_argument(cli, "name"))) {
        fprintf(stderr, "botkeep: '%s' is one word too many; see --help\n",
                words[count - 1]);
        return CLI_USAGE;
    }
    int code = count == 1 ? add_argument(cli, "name", words[0]) : 0;
    json_object_object_foreach(given, name, value) {
        code = code ? code : add_argument(cli, name, json_object_get_string(value));
    }
    return code;
}

/* A flag that getopt_long() does not know: the library knows which option comes near. */
static int refuse_flag(const char *word, bool known) {
    char name[NAME_SIZE];
    if (known) {
        fprintf(stderr, "botkeep: %s needs a value; see --help\n", word);
        return CLI_USAGE;
    }
    bk_keeper *k = bk_new();
    snprintf(name, sizeof name, "%.*s", (int)strcspn(word, "="), word);
    bool option =
        k && bk_set(k, name + strspn(name, "-"), "") == BK_ENOTFOUND && *bk_last_error();
    fprintf(stderr, "botkeep: %s\n",
            option ? bk_last_error() : "wrong option; see --help");
    bk_close(k);
    return CLI_USAGE;
}

static int check_command(const struct bk__cli *cli, const char *word) {
    static const char *const plain[] = {"", "help", "describe"};
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
        if (strcmp(cli->command, plain[i]) == 0) {
            return 0;
        }
    }
    if (cli->operation || cli->help || cli->version) {
        return 0;
    }
    bk__cli_unknown(cli, word);
    return CLI_USAGE;
}

int bk__cli_parse(struct bk__cli *cli, int argc, char **argv) {
    struct flags *flags = calloc(1, sizeof *flags);
    struct json_object *given = json_object_new_object();
    int code = flags && given ? 0 : 1;
    if (code == 0) {
        collect_flags(flags, cli->tables);
    }
    int at = 0;
    int short_flag;
    opterr = 0; /* We say it ourselves. */
    while (code == 0 &&
           (short_flag = getopt_long(argc, argv, ":h", flags->rows, &at)) != -1) {
        if (short_flag == 'h') {
            cli->help = true;
        } else {
            bool good = short_flag != '?' && short_flag != ':';
            code = good ? take_flag(cli, flags, at, given)
                        : refuse_flag(argv[optind - 1], short_flag == ':');
        }
    }
    if (code == 0) {
        int used = take_words(cli, argv + optind, argc - optind);
        code = check_command(cli, argc > optind + 1 ? argv[optind + 1] : "");
        if (code == 0 && cli->operation) {
            code = take_arguments(cli, given, argv + optind + used, argc - optind - used);
        }
    }
    json_object_put(given);
    free(flags);
    return code;
}
