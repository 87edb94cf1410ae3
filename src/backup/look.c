/*
 * From a backup's name to its image in a scratch file. Not what is then done with it.
 * Called by query.c.
 */
#include <backup/look.h>

#include <stdlib.h>
#include <string.h>

#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <store/store.h>
#include <backup/catalogue/catalogue.h>
#include <backup/extract.h>
#include <backup/set/set.h>

/* A store's images that can be asked: SQLite's. */
static int find_driver(struct bk__look *look, const char *content) {
    look->driver = bk__store_driver_of(content);
    if (look->driver != NULL && look->driver->ask != NULL) {
        return 0;
    }
    return bk__fail(
        BK_EUNSUPPORTED,
        "Backup %s does not hold a SQLite database, and nothing else can be "
        "looked into without its server. Nothing was changed. Restore it to a "
        "path or into a database of its own.",
        look->name);
}

static int from_ours(struct bk__job *job, const char *dir,
                     const struct bk__manifest *manifest, struct bk__look *look) {
    look->name = strdup(manifest->name);
    if (look->name == NULL) {
        return bk__fail_memory();
    }
    if (manifest->part_count > 0) { /* of a set: what was saved first, the database */
        manifest = bk__manifest_part(manifest, NULL);
    }
    bool delta = strcmp(manifest->form.content, "delta") == 0;
    int rc = find_driver(look, delta ? "db" : manifest->form.content);
    return rc != 0 ? rc : bk__extract_new(job, dir, manifest, look->image);
}

static int from_theirs(struct bk__look *look) {
    const struct bk__manifest *image = &look->alien.examined.images[BK__IMAGE_DATABASE];
    look->name = strdup(look->alien.name);
    if (look->name == NULL) {
        return bk__fail_memory();
    }
    int rc = find_driver(look, image->form.content);
    if (rc == 0) {
        look->image = bk__scratch_file(&look->alien.scratch, image->name);
        rc = look->image == NULL ? BK_ENOMEM : 0;
    }
    return rc;
}

static int pick_ours(struct bk__job *job, const struct bk__catalogue *catalogue,
                     const char *name, struct bk__look *look) {
    struct bk__manifest *manifest = name == NULL ? bk__set_newest(job, catalogue) : NULL;
    const char *dir = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR);
    int rc = manifest != NULL ? 0 : bk__catalogue_pick(catalogue, dir, name, &manifest);
    if (rc == 0) {
        rc = bk__scratch_open(job, BK__SCRATCH_LOOK, &look->scratch);
    }
    if (rc == 0) {
        look->image = bk__scratch_file(&look->scratch, "image.db");
        rc = look->image == NULL ? BK_ENOMEM : from_ours(job, dir, manifest, look);
    }
    return rc;
}

int bk__look_open(struct bk__job *job, const char *name, struct bk__look *ret) {
    struct bk__catalogue catalogue = {0};
    const char *dir = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR);
    int rc = bk__catalogue_load(dir, &catalogue);
    if (rc == 0) {
        rc = bk__alien_open(job, &catalogue, name, &ret->alien);
    }
    if (rc == 0) {
        rc = ret->alien.name != NULL ? from_theirs(ret)
                                     : pick_ours(job, &catalogue, name, ret);
    }
    bk__catalogue_free(&catalogue);
    return rc;
}

void bk__look_close(struct bk__look *look) {
    bk__scratch_close(&look->scratch);
    bk__alien_close(&look->alien);
    free(look->image);
    free(look->name);
    *look = (struct bk__look){0};
}
