/*
 * The helper program as seen from the host's process: found, started, spoken to in JSON
 * lines. Not what is said: relay.c knows operations and events. guest.c asks whether
 * there is one.
 */
#ifndef BK_GUEST_HELPER_H
#define BK_GUEST_HELPER_H

#include <stdbool.h>
#include <stddef.h>
#include <base/buf.h>
#include <os/process.h>

struct json_object;

/* Start with {0}. */
struct bk__helper {
    struct bk__process process;
    struct bk__buf heard; /* what came and was not taken yet */
    size_t looked;        /* how far heard is known to hold no line end */
};

/*
 * Finds the program (BOTKEEP_HELPER, else beside the library, else in ../bin of it),
 * starts it and hears its greeting, which proves that it runs and is of our version. 0,
 * or BK_EISOLATION with *ret_why a text the caller frees (NULL when memory ran out).
 */
int bk__helper_start(struct bk__helper *helper, char **ret_why);

/*
 * The same program as a dead man's switch (cli/watch.c), with an empty environment. It is told
 * what to do by one line, and does it when it hears no more of us.
 */
int bk__helper_start_watch(struct bk__helper *helper, char **ret_why);

/* The same program, with an empty environment, to hold a lock for us (hold.h). */
int bk__helper_start_hold(struct bk__helper *helper, char **ret_why);

/* Writes all of text. 0, or -errno: -EPIPE when the helper is gone, -ECANCELED when
 * *cancel. */
int bk__helper_say(struct bk__helper *helper, const char *text, size_t size,
                   const bool *cancel);

/* 1 and the next line as an object the caller releases; 0: none within wait_ms; or
   -errno: -EPIPE when the helper has ended its output, -EPROTO when a line is no JSON
   object. */
int bk__helper_hear(struct bk__helper *helper, int wait_ms, struct json_object **ret);

/* Ends its input, waits for its end (kills it after wait_ms), frees what was heard. The
   exit status as waitpid() gives it, or -errno. */
int bk__helper_end(struct bk__helper *helper, int wait_ms);
/* Lets go of it: it goes on alone. */
void bk__helper_leave(struct bk__helper *helper);

#endif
