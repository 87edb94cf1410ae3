/*
 * See ahead.h: one thread around bk__archive_pack(). Not what is packed or how.
 * Called by make.c, on the lane's thread, so that both share one descriptor table.
 */
#include <backup/archive/ahead.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/thread.h>

static void *pack(void *arg) {
    struct bk__ahead *ahead = arg;
    bk__thread_give_way();
    ahead->rc = bk__archive_pack(ahead->job, &ahead->what, &ahead->facts);
    if (ahead->rc != 0) {
        ahead->text = strdup(bk__error_text());
    }
    return NULL;
}

void bk__ahead_begin(struct bk__ahead *ahead, struct bk__job *job, const char *image,
                     const char *archive, const struct bk__coding *coding) {
    *ahead = (struct bk__ahead){.job = job, .coding = *coding};
    ahead->what = (struct bk__packing){.image = image,
                                       .growth = &ahead->growth,
                                       .archive = archive,
                                       .coding = &ahead->coding};
    bk__growth_begin(&ahead->growth);
    ahead->begun = bk__thread_start(&ahead->thread, "bk-ahead", pack, ahead) == 0;
    if (!ahead->begun) {
        bk__growth_free(&ahead->growth);
    }
}

int bk__ahead_end(struct bk__ahead *ahead, struct bk__archive_facts *ret) {
    if (!ahead->begun) {
        return 0;
    }
    pthread_join(ahead->thread, NULL);
    bool given_up = ahead->growth.state == BK__GIVEN_UP;
    bk__growth_free(&ahead->growth);
    ahead->begun = false;
    int rc = given_up ? 0 : 1;
    if (rc == 1 && ahead->rc == 0) {
        *ret = ahead->facts;
    } else if (rc == 1) {
        rc = bk__fail(ahead->rc, "%s",
                      ahead->text != NULL ? ahead->text : "out of memory");
    }
    free(ahead->text);
    ahead->text = NULL;
    return rc;
}

void bk__ahead_drop(struct bk__ahead *ahead) {
    struct bk__archive_facts facts;
    if (ahead->begun) {
        bk__growth_end(&ahead->growth, false);
        (void)bk__ahead_end(ahead, &facts);
    }
}
