/*
 * From the name of a foreign backup to its image, and remembering what was found on the way.
 * Called by restore.c, verify.c, adopt.c and look.c.
 */
#include <backup/foreign/alien.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <backup/catalogue/catalogue.h>
#include <backup/foreign/memo.h>

int bk__alien_examine(struct bk__job *job, const struct bk__scratch *scratch,
                      struct bk__foreign *foreign, struct bk__examined *ret) {
    struct bk__examined examined = {0};
    int rc = bk__examine(job, scratch, foreign, &examined);
    if (rc != 0 && rc != BK_ECORRUPT && rc != BK_EUNSUPPORTED) {
        return rc;
    }
    free(foreign->error);
    foreign->error = rc == 0 ? NULL : strdup(bk__error_text());
    foreign->state = rc == 0 ? BK__WHOLE : rc == BK_ECORRUPT ? BK__TORN : BK__UNSUPPORTED;
    foreign->checked_ms = bk__job_wall(job);
    if (rc == 0 && foreign->guess.content != BK__SET) {
        foreign->guess.content = examined.content;
    }
    if (rc == 0) {
        *ret = examined;
    }
    return rc;
}

int bk__alien_open(struct bk__job *job, const struct bk__catalogue *catalogue,
                   const char *name, struct bk__alien *ret) {
    struct bk__alien alien = {0};
    if (name == NULL || bk__catalogue_has(catalogue, name)) {
        return 0;
    }
    int rc = bk__foreign_list(job, catalogue, &alien.list);
    if (rc == 0) {
        alien.foreign = bk__foreign_find(&alien.list, name);
    }
    if (rc != 0 || alien.foreign == NULL) {
        bk__foreign_free(&alien.list);
        return rc;
    }
    alien.name = alien.foreign->name;
    rc = bk__scratch_open(job, BK__SCRATCH_LOOK, &alien.scratch);
    if (rc == 0) {
        rc = bk__alien_examine(job, &alien.scratch, alien.foreign, &alien.examined);
        bk__memo_save(job, &alien.list);
    }
    if (rc != 0) {
        bk__alien_close(&alien);
        return rc;
    }
    *ret = alien;
    return 0;
}

void bk__alien_close(struct bk__alien *alien) {
    bk__examined_free(&alien->examined);
    bk__foreign_free(&alien->list);
    bk__scratch_close(&alien->scratch);
    memset(alien, 0, sizeof *alien);
}
