/*
 * See aside.h: a thread that gives way to the host's, and an error text carried over. Not the work.
 * Called on the lane's thread, so that both share one descriptor table.
 */
#include <backup/aside.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/thread.h>

static void *work_on(void *arg) {
    struct bk__aside *aside = arg;
    bk__thread_give_way();
    aside->rc = aside->work(aside->context);
    if (aside->rc < 0) {
        aside->text = strdup(bk__error_text());
    }
    return NULL;
}

void bk__aside_begin(struct bk__aside *aside, const char *name, int (*work)(void *),
                     void *context) {
    *aside = (struct bk__aside){.begun = true, .work = work, .context = context};
    aside->threaded = bk__thread_start(&aside->thread, name, work_on, aside) == 0;
}

/* Was there a thread? Not any more. */
static bool join(struct bk__aside *aside) {
    bool threaded = aside->begun && aside->threaded;
    aside->begun = false;
    if (threaded) {
        pthread_join(aside->thread, NULL);
    }
    return threaded;
}

int bk__aside_end(struct bk__aside *aside) {
    bool begun = aside->begun;
    if (!join(aside)) {
        return begun ? aside->work(aside->context) : 0;
    }
    int rc = aside->rc;
    if (rc < 0) {
        rc = bk__fail(rc, "%s", aside->text != NULL ? aside->text : "out of memory");
    }
    free(aside->text);
    return rc;
}

void bk__aside_drop(struct bk__aside *aside) {
    if (join(aside)) {
        free(aside->text);
    }
}
