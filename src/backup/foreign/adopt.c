/*
 * backup.adopt: a foreign SQLite backup becomes one of ours, with a manifest, through the same steps as
 * any other. The original stays, or goes (move) once ours is published and proven.
 * Called as a job.
 */
#include <backup/operations.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <base/json.h>
#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <os/holder.h>
#include <store/store.h>
#include <backup/foreign/alien.h>
#include <backup/catalogue/catalogue.h>
#include <backup/extract.h>
#include <backup/catalogue/folder.h>
#include <backup/make.h>
#include <backup/foreign/memo.h>

/* ---- a store that is nothing but a proven image ------------------------------------------------ */

struct image_store {
    struct bk__store base;
    struct bk__store_driver driver;
    struct bk__job *job;
    const char *dir;
    const struct bk__manifest *image;
};

static int image_probe(struct bk__store *store, struct json_object *ret_report) {
    const struct bk__manifest *image = ((struct image_store *)store)->image;
    bool ok = bk__json_add_int(ret_report, "pages", image->pages) &&
              bk__json_add_int(ret_report, "page_size", image->page_size);
    return ok ? 0 : bk__fail_memory();
}

static int image_snapshot(struct bk__store *store, const char *path,
                          struct bk__image *ret) {
    const struct image_store *from = (struct image_store *)store;
    *ret = (struct bk__image){.bytes = from->image->database_bytes,
                              .pages = from->image->pages,
                              .page_size = from->image->page_size};
    return bk__extract_new(from->job, from->dir, from->image, path);
}

/* ---- one ---------------------------------------------------------------------------------------- */

/* One run of the operation. */
struct adoption {
    struct bk__job *job;
    struct bk__folder folder;
    struct bk__scratch scratch;
    struct bk__catalogue catalogue;
    struct bk__foreigners list;
    struct json_object *adopted, *skipped;
    const char *kind; /* NULL: by the name */
    bool move, all;
};

static bool add_skipped(struct adoption *a, const struct bk__foreign *foreign,
                        const char *reason) {
    struct json_object *entry = bk__json_object();
    bool ok = entry != NULL && bk__json_add_text(entry, "name", foreign->name) &&
              bk__json_add_text(entry, "reason", reason);
    if (!ok) {
        json_object_put(entry);
        return false;
    }
    return bk__json_append(a->skipped, entry);
}

/* Alone it is an error; among all of them it is one that was left out. */
static int skip(struct adoption *a, const struct bk__foreign *foreign, int rc) {
    bool own = rc == BK_ECORRUPT || rc == BK_EUNSUPPORTED || rc == BK_EBUSY ||
               rc == BK_EDENIED || rc == BK_ENOTFOUND || rc == BK_EIO;
    if (!a->all || !own) {
        return rc;
    }
    return add_skipped(a, foreign, bk__error_text()) ? 0 : bk__fail_memory();
}

/* Our backup of the same state of the same file; NULL: there is none. */
static const struct bk__manifest *find_adopted(const struct adoption *a,
                                               const struct bk__foreign *foreign,
                                               const struct bk__manifest *image) {
    for (size_t i = 0; i < a->catalogue.count; i++) {
        const struct bk__manifest *ours = &a->catalogue.items[i];
        if (ours->verified && ours->adopted != NULL &&
            strcmp(ours->adopted, foreign->name) == 0 &&
            strcmp(ours->sha256, image->sha256) == 0) {
            return ours;
        }
    }
    return NULL;
}

/* Only the file that was adopted, unchanged, and that nobody works with. */
static int check_removable(const struct bk__foreign *foreign) {
    struct stat info;
    pid_t holder = 0;
    if (foreign->guess.content == BK__SET || foreign->guess.content == BK__TAR) {
        return bk__fail(BK_EUNSUPPORTED,
                        "%s holds more than the database that was adopted, and stays.",
                        foreign->path);
    }
    if (lstat(foreign->path, &info) != 0 || info.st_dev != foreign->dev ||
        info.st_ino != foreign->ino) {
        return bk__fail(BK_EBUSY, "%s is another file by now and stays.", foreign->path);
    }
    if (bk__holder_find(info.st_dev, info.st_ino, &holder)) {
        return bk__fail(
            BK_EBUSY, "%s is open in process %d and stays: it may be a database in use.",
            foreign->path, (int)holder);
    }
    return 0;
}

/* The main file first: what is left beside it then means nothing to anybody. */
static int remove_original(const struct bk__foreign *foreign) {
    static const char *const beside[] = {"", "-wal", "-shm", "-journal"};
    int rc = check_removable(foreign);
    for (size_t i = 0; rc == 0 && i < sizeof beside / sizeof *beside; i++) {
        char *path = bk__text_printf("%s%s", foreign->path, beside[i]);
        int err = path == NULL ? 0 : bk__file_remove(path);
        rc = path == NULL ? bk__fail_memory()
             : err != 0   ? bk__fail_errno(err, "cannot remove", path, NULL)
                          : 0;
        free(path);
    }
    int err = rc == 0 ? bk__file_sync_parent(foreign->path) : 0;
    return err == 0
               ? rc
               : bk__fail_errno(err, "cannot flush the folder of", foreign->path, NULL);
}

static int note_adopted(struct adoption *a, const struct bk__foreign *foreign,
                        const struct bk__manifest *ours, const char *note) {
    bool moved = false;
    if (a->move) {
        moved = remove_original(foreign) == 0;
        if (!moved) {
            bk__job_log(a->job, "warning", "%s", bk__error_text());
        }
    }
    struct json_object *entry = bk__json_object();
    bool ok = entry != NULL && bk__json_add_text(entry, "original", foreign->name) &&
              bk__json_add_text(entry, "name", ours->name) &&
              bk__json_add_int(entry, "bytes", ours->bytes) &&
              bk__json_add_bool(entry, "moved", moved) &&
              (note == NULL || bk__json_add_text(entry, "note", note));
    if (!ok) {
        json_object_put(entry);
        return bk__fail_memory();
    }
    bk__job_log(a->job, "info", "Adopted %s as %s", foreign->name, ours->name);
    return bk__json_append(a->adopted, entry) ? 0 : bk__fail_memory();
}

static int make_ours(struct adoption *a, struct bk__foreign *foreign,
                     const struct bk__examined *examined, struct bk__manifest *ret) {
    const struct bk__manifest *image = &examined->images[BK__IMAGE_DATABASE];
    struct image_store store = {.job = a->job, .dir = a->scratch.path, .image = image};
    store.driver = *bk__store_driver_of("db");
    store.driver.probe = image_probe;
    store.driver.snapshot = image_snapshot;
    store.base.driver = &store.driver;
    const struct bk__make request = {
        .kind = a->kind != NULL ? a->kind : foreign->guess.kind,
        .note = examined->note,
        .compress = bk__config_text(bk__job_config(a->job), BK__OPT_BACKUP_COMPRESS),
        .adopted = foreign->name,
        .created_ms = foreign->time_ms > 0 ? foreign->time_ms : 1};
    return bk__make_backup(a->job, &a->folder, &store.base, &request, ret);
}

static int check_sqlite(const struct bk__foreign *foreign,
                        const struct bk__examined *examined) {
    const struct bk__manifest *image = &examined->images[BK__IMAGE_DATABASE];
    if (strcmp(image->form.content, "db") == 0) {
        return 0;
    }
    return bk__fail(
        BK_EUNSUPPORTED,
        "%s holds no SQLite database, and only those are adopted. Nothing was "
        "changed. It stays where it is, and can be verified and restored.",
        foreign->name);
}

static int adopt_examined(struct adoption *a, struct bk__foreign *foreign,
                          const struct bk__examined *examined) {
    struct bk__manifest ours = {0};
    int rc = check_sqlite(foreign, examined);
    if (rc != 0) {
        return skip(a, foreign, rc);
    }
    const struct bk__manifest *before =
        find_adopted(a, foreign, &examined->images[BK__IMAGE_DATABASE]);
    if (before != NULL && !a->move) {
        bk__fail(BK_EINVAL, "It was adopted before, as %s.", before->name);
        return add_skipped(a, foreign, bk__error_text()) ? 0 : bk__fail_memory();
    }
    if (before != NULL) {
        return note_adopted(a, foreign, before, NULL);
    }
    rc = make_ours(a, foreign, examined, &ours);
    if (rc == 0) {
        rc = note_adopted(a, foreign, &ours, examined->note);
    }
    bk__manifest_clear(&ours);
    return rc;
}

static int adopt_one(struct adoption *a, struct bk__foreign *foreign) {
    struct bk__examined examined = {0};
    int rc = bk__job_check(a->job);
    bk__scratch_empty(&a->scratch);
    if (rc == 0) {
        rc = bk__alien_examine(a->job, &a->scratch, foreign, &examined);
    }
    if (rc != 0) {
        return skip(a, foreign, rc);
    }
    rc = adopt_examined(a, foreign, &examined);
    bk__examined_free(&examined);
    return rc;
}

/* ---- the operation ------------------------------------------------------------------------------ */

static int not_found(const char *name) {
    return bk__fail(BK_ENOTFOUND,
                    "There is no backup of another tool called %s. Nothing was changed. "
                    "See their names with backup.list and \"foreign\".",
                    name);
}

static int adopt_chosen(struct adoption *a) {
    const char *name = bk__job_text(a->job, "name");
    int rc = 0;
    if (!a->all) {
        struct bk__foreign *foreign = bk__foreign_find(&a->list, name);
        return foreign == NULL ? not_found(name) : adopt_one(a, foreign);
    }
    for (size_t i = 0; rc == 0 && i < a->list.count; i++) {
        bk__job_progress(a->job, "adopt", (int64_t)i, (int64_t)a->list.count);
        rc = adopt_one(a, &a->list.items[i]);
    }
    return rc;
}

static int run(struct adoption *a) {
    const char *dir = bk__config_text(bk__job_config(a->job), BK__OPT_BACKUP_DIR);
    int rc = bk__scratch_open(a->job, BK__SCRATCH_LOOK, &a->scratch);
    if (rc == 0) {
        rc = bk__folder_open(a->job, &a->folder);
    }
    if (rc == 0) {
        rc = bk__catalogue_load(dir, &a->catalogue);
    }
    if (rc == 0) {
        rc = bk__foreign_list(a->job, &a->catalogue, &a->list);
    }
    if (rc == 0) {
        rc = adopt_chosen(a);
        bk__memo_save(a->job, &a->list);
    }
    return rc;
}

static int fill_result(struct adoption *a) {
    struct json_object *result = bk__job_result(a->job);
    int64_t count = (int64_t)json_object_array_length(a->adopted);
    bool ok = bk__json_put(result, "adopted", json_object_get(a->adopted)) &&
              bk__json_put(result, "skipped", json_object_get(a->skipped)) &&
              bk__json_add_int(result, "count", count);
    return ok ? 0 : bk__fail_memory();
}

int bk__backup_adopt(struct bk__job *job) {
    struct adoption a = {.job = job, .folder = {.lock_fd = -1}};
    a.all = bk__job_bool(job, "all", false);
    a.move = bk__job_bool(job, "move", false);
    a.kind = bk__job_text(job, "kind");
    if (a.all == (bk__job_text(job, "name") != NULL)) {
        return bk__fail(BK_EINVAL,
                        "backup.adopt needs either \"name\" or \"all\". Nothing "
                        "was changed. See the names with backup.list and "
                        "\"foreign\".");
    }
    a.adopted = bk__json_list();
    a.skipped = bk__json_list();
    int rc = a.adopted == NULL || a.skipped == NULL ? bk__fail_memory() : run(&a);
    if (rc == 0) {
        rc = fill_result(&a);
    }
    bk__folder_close(&a.folder);
    bk__scratch_close(&a.scratch);
    bk__foreign_free(&a.list);
    bk__catalogue_free(&a.catalogue);
    json_object_put(a.adopted);
    json_object_put(a.skipped);
    return rc;
}
