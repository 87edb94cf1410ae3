/*
 * Which known name a mistyped one stands for. It compares letters, not meanings.
 * Options, operations and their arguments ask it for their error texts.
 */
#ifndef BK_BASE_NEAR_H
#define BK_BASE_NEAR_H

#include <stddef.h>

/* The best guess so far; {0} to begin with. */
struct bk__near {
    const char *name; /* NULL: nothing comes near */
    size_t distance;
};

/*
 * Keeps `name` as the guess when `candidate` (the name, or another word for it) is near to what
 * was typed, and nearer than the guess so far. Case, dots, dashes and underscores do not count.
 */
void bk__near_try(struct bk__near *best, const char *typed, const char *candidate,
                  const char *name);

#endif
