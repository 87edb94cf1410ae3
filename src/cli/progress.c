/*
 * One line of progress on standard error while a terminal watches; nothing otherwise. Not
 * the result (render.c). run.c calls it.
 */
#include "cli.h"

#include <unistd.h>

#define BAR 24

static bool shown;

static void draw_bar(double part, char bar[BAR + 1]) {
    int full = (int)(part * BAR);
    for (int i = 0; i < BAR; i++) {
        bar[i] = i < full ? '#' : '.';
    }
    bar[BAR] = '\0';
}

void bk__cli_progress(struct json_object *event) {
    double total = json_object_get_double(bk__cli_member(event, "total"));
    double done = json_object_get_double(bk__cli_member(event, "done"));
    if (!isatty(STDERR_FILENO) || total <= 0) {
        return;
    }
    char bar[BAR + 1];
    double part = done > total ? 1 : done / total;
    draw_bar(part, bar);
    fprintf(stderr, "\r%-10s [%s] %3d%%  ", bk__cli_text(event, "phase"), bar,
            (int)(part * 100));
    fflush(stderr);
    shown = true;
}

void bk__cli_progress_end(void) {
    if (shown) {
        fprintf(stderr, "\r%60s\r", "");
        fflush(stderr);
        shown = false;
    }
}
