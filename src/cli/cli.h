/*
 * What the files of the program share. The program knows include/botkeep.h and
 * bk_describe() alone: commands, flags and help come from the tables it prints.
 */
#ifndef BK_CLI_CLI_H
#define BK_CLI_CLI_H

#include <stdbool.h>
#include <stdio.h>

#include <json-c/json.h>

#define CLI_USAGE 64 /* EX_USAGE of sysexits.h */

/* One call of the program, parsed. */
struct bk__cli {
    struct json_object *tables; /* bk_describe() */
    struct json_object
        *operation;              /* the row in tables, or NULL: help, version, describe */
    struct json_object *options; /* {"backup.dir": "x"} as given by flags */
    struct json_object *arguments; /* of the operation, typed */
    const char *command; /* "describe", "helper", "help" where there is no operation */
    bool json;           /* --json */
    bool help;           /* --help */
    bool version;        /* --version */
};

/* flags.c: 0, or CLI_USAGE after saying on stderr what is wrong. */
int bk__cli_parse(struct bk__cli *cli, int argc, char **argv);

/* help.c */
/* Whether the operation takes bytes that a shell cannot give. */
bool bk__cli_needs_data(struct json_object *operation);
void bk__cli_help(const struct bk__cli *cli, FILE *out);
/* Says that the command `cli->command word` is none, and which there are. */
void bk__cli_unknown(const struct bk__cli *cli, const char *word);

/* run.c: opens a keeper, runs the operation, shows progress, prints the result. An exit
 * code. */
int bk__cli_run(const struct bk__cli *cli);

/* progress.c: one line on stderr when that is a terminal. */
void bk__cli_progress(struct json_object *event);
void bk__cli_progress_end(void);

/* render.c: a result for people; returns the exit code it stands for. */
int bk__cli_render(const char *operation, struct json_object *result);
void bk__cli_bytes(double bytes, char *text, size_t size); /* "12.5 MB" */

/* The hidden commands, which the host's library starts: exit codes. */
int bk__cli_helper(void); /* helper.c: the helper process of a keeper in process mode */
int bk__cli_watch(void);  /* watch.c: a dead man's switch */
int bk__cli_hold(void);   /* hold.c: a lock's holder */

/* hidden.c: what these three share. */
bool bk__cli_ignore_signals(void);
bool bk__cli_say(
    const char *event); /* a line {"event", "version"}; false: nobody reads */

/* A member of a JSON object as text, "" where there is none. */
const char *bk__cli_text(struct json_object *object, const char *name);
struct json_object *bk__cli_member(struct json_object *object, const char *name);

#endif
