/*
 * See ahead.h: one thread around bk__archive_pack(). Not what is packed or how.
 * Called by making.c.
 */
#include <backup/archive/ahead.h>

static int pack(void *context) {
    struct bk__ahead *ahead = context;
    return bk__archive_pack(ahead->job, &ahead->what, &ahead->facts);
}

void bk__ahead_begin(struct bk__ahead *ahead, struct bk__job *job,
                     const struct bk__packing *what) {
    *ahead = (struct bk__ahead){.job = job, .what = *what, .coding = *what->coding};
    ahead->what.coding = &ahead->coding;
    bk__aside_begin(&ahead->aside, "bk-pack", pack, ahead);
}

int bk__ahead_end(struct bk__ahead *ahead, struct bk__archive_facts *ret) {
    int rc = bk__aside_end(&ahead->aside);
    if (rc == 0) {
        *ret = ahead->facts;
    }
    return rc;
}
