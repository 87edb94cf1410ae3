/*
 * Running driver->prove on a thread of its own while the same image is compressed.
 * Not what proving means: that is the driver's.
 * Called by create.c, on the lane's thread, so that both share one descriptor table.
 */
#include <backup/proof.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/thread.h>
#include <store/store.h>

static void *prove(void *arg) {
    struct bk__proof *proof = arg;
    proof->rc = proof->driver->prove(proof->job, proof->image, proof->report);
    if (proof->rc != 0) {
        proof->text = strdup(bk__error_text());
    }
    return NULL;
}

/* On a thread of its own the proof gives way: the database is not held while it runs. */
static void *prove_aside(void *arg) {
    bk__thread_give_way();
    return prove(arg);
}

int bk__proof_begin(struct bk__proof *proof, struct bk__job *job,
                    const struct bk__store_driver *driver, const char *image) {
    *proof = (struct bk__proof){.job = job, .driver = driver, .image = image};
    proof->report = bk__json_object();
    if (proof->report == NULL) {
        return bk__fail_memory();
    }
    proof->threaded =
        bk__thread_start(&proof->thread, "bk-prove", prove_aside, proof) == 0;
    return 0;
}

int bk__proof_end(struct bk__proof *proof) {
    if (proof->threaded) {
        pthread_join(proof->thread, NULL);
    } else {
        prove(proof);
    }
    if (proof->rc != 0) {
        return bk__fail(proof->rc, "%s",
                        proof->text != NULL ? proof->text : "out of memory");
    }
    return 0;
}

void bk__proof_free(struct bk__proof *proof) {
    json_object_put(proof->report);
    free(proof->text);
}
