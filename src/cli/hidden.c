/*
 * What the hidden commands share: the host's library starts them, and its end alone decides when
 * they stop. Not what they are for: helper.c, hold.c and watch.c say that.
 * Called by these three.
 */
#include "cli.h"

#include <signal.h>
#include <stdio.h>

#include <botkeep.h>

/* A service manager's stop goes to all of a service, and the host may be waiting for its last
   backup from us; a host that is gone must leave us the time to clean up. */
bool bk__cli_ignore_signals(void) {
    static const int ignored[] = {SIGPIPE, SIGINT, SIGTERM, SIGHUP};
    bool all = true;
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++) {
        all = signal(ignored[i], SIG_IGN) != SIG_ERR && all;
    }
    return all;
}

bool bk__cli_say(const char *event) {
    return printf("{\"event\":\"%s\",\"version\":\"%s\"}\n", event, bk_version()) > 0 &&
           fflush(stdout) == 0;
}
