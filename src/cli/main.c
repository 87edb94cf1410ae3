/*
 * The program `botkeep`: backups, migrations, health and doctor from a shell. It knows
 * the public header alone. Exit codes: health 0, 1, 2; all else 0 or 1; wrong usage 64.
 */
#include "cli.h"

#include <stdlib.h>
#include <string.h>

#include <botkeep.h>

struct json_object *bk__cli_member(struct json_object *object, const char *name) {
    struct json_object *value = NULL;
    json_object_object_get_ex(object, name, &value);
    return value;
}

const char *bk__cli_text(struct json_object *object, const char *name) {
    const char *text = json_object_get_string(bk__cli_member(object, name));
    return text ? text : "";
}

static int print_description(void) {
    char *text = bk_describe();
    if (!text) {
        fprintf(stderr, "botkeep: %s\n", bk_last_error());
        return 1;
    }
    int code = puts(text) < 0 || fflush(stdout) != 0;
    bk_free(text);
    return code;
}

static int dispatch(const struct bk__cli *cli) {
    if (cli->version) {
        printf("botkeep %s (ABI %d)\n", bk_version(), bk_abi());
        return 0;
    }
    if (cli->help || strcmp(cli->command, "help") == 0) {
        bk__cli_help(cli, stdout);
        return 0;
    }
    if (strcmp(cli->command, "describe") == 0) {
        return print_description();
    }
    if (!cli->operation) {
        bk__cli_help(cli, stderr);
        return CLI_USAGE;
    }
    return bk__cli_run(cli);
}

static void release(struct bk__cli *cli) {
    json_object_put(cli->tables);
    json_object_put(cli->options);
    json_object_put(cli->arguments);
}

int main(int argc, char **argv) {
    /* The helper speaks to a keeper, not to a person: no flags, no tables. */
    if (argc == 2 && strcmp(argv[1], "helper") == 0) {
        return bk__cli_helper();
    }
    if (argc == 2 && strcmp(argv[1], "watch") == 0) {
        return bk__cli_watch();
    }
    if (argc == 2 && strcmp(argv[1], "hold") == 0) {
        return bk__cli_hold();
    }
    struct bk__cli cli = {.command = "",
                          .options = json_object_new_object(),
                          .arguments = json_object_new_object()};
    char *tables = bk_describe();
    cli.tables = tables ? json_tokener_parse(tables) : NULL;
    bk_free(tables);
    if (!cli.tables || !cli.options || !cli.arguments) {
        fprintf(stderr, "botkeep: out of memory; nothing was done\n");
        release(&cli);
        return 1;
    }
    int code = bk__cli_parse(&cli, argc, argv);
    if (code == 0) {
        code = dispatch(&cli);
    }
    release(&cli);
    return code;
}
