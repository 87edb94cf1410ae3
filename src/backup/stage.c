/*
 * The files of a staged restore in state.dir: restore.json, the intent, and restore-*.db, images.
 * Not the restore itself: apply.c does that. The intent is the truth: an image it does not name
 * is a leftover. Called by restore.c, apply.c and status.c.
 */
#include <backup/stage.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/backup.h>
#include <backup/extract.h>
#include <backup/catalogue/manifest.h>

#define FORMAT 1
#define INTENT_LIMIT 65536
#define IMAGE_START "restore-"
#define IMAGE_END ".db"

static const char *state_dir(struct bk__job *job) {
    return bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR);
}

static char *state_file(struct bk__job *job, const char *name) {
    char *path = bk__file_join(state_dir(job), name);
    if (path == NULL) {
        bk__fail_memory();
    }
    return path;
}

int bk__stage_lock(struct bk__job *job) {
    int64_t wait_ms = bk__config_int(bk__job_config(job), BK__OPT_BACKUP_LOCK_WAIT);
    char *path = state_file(job, "restore.lock");
    if (path == NULL) {
        return BK_ENOMEM;
    }
    int fd = bk__file_lock(path, (int)wait_ms, bk__job_cancel_flag(job));
    if (fd < 0 && bk__job_check(job) != 0) {
        fd = BK_ECANCELLED;
    } else if (fd == -EWOULDBLOCK) {
        fd = bk__fail(BK_EBUSY,
                      "Another process is staging or applying a restore in %s. Nothing "
                      "was changed. Try again when it has ended.",
                      state_dir(job));
    } else if (fd < 0) {
        fd = bk__fail_errno(fd, "cannot lock", path, NULL);
    }
    free(path);
    return fd;
}

/* ---- reading -------------------------------------------------------------------------- */

static bool is_image(const char *name) {
    size_t size = strlen(name);
    size_t start = strlen(IMAGE_START);
    size_t end = strlen(IMAGE_END);
    return size > start + end && bk__text_starts(name, IMAGE_START) &&
           bk__text_ends(name, IMAGE_END) &&
           strspn(name + start, "0123456789") == size - start - end;
}

static bool parse_one(struct json_object *entry, struct bk__staged *ret) {
    const char *store = bk__json_text(entry, "store", "");
    const char *image = bk__json_text(entry, "image", "");
    const char *sha256 = bk__json_text(entry, "sha256", "");
    ret->bytes = bk__json_int(entry, "bytes", -1);
    if (*store == '\0' || strlen(store) >= sizeof ret->store || !is_image(image) ||
        strlen(image) >= sizeof ret->image || strlen(sha256) != BK__SHA256_HEX - 1 ||
        ret->bytes <= 0) {
        return false;
    }
    snprintf(ret->store, sizeof ret->store, "%s", store);
    snprintf(ret->image, sizeof ret->image, "%s", image);
    snprintf(ret->sha256, sizeof ret->sha256, "%s", sha256);
    return true;
}

static bool parse(struct json_object *intent, struct bk__stage *ret) {
    const char *name = bk__json_text(intent, "name", "");
    struct json_object *list = bk__json_member(intent, "stores");
    bool is_list = json_object_is_type(list, json_type_array);
    size_t count = is_list ? json_object_array_length(list) : 0;
    if (bk__json_int(intent, "format", -1) != FORMAT || name[0] == '\0' ||
        strlen(name) >= sizeof ret->name || count == 0 || count > BK__STORES) {
        return false;
    }
    snprintf(ret->name, sizeof ret->name, "%s", name);
    ret->count = count;
    for (size_t i = 0; i < count; i++) {
        if (!parse_one(json_object_array_get_idx(list, i), &ret->stores[i])) {
            return false;
        }
    }
    return true;
}

int bk__stage_load(struct bk__job *job, struct bk__stage *ret) {
    char *text = NULL;
    char *path = state_file(job, BK__BACKUP_INTENT);
    if (path == NULL) {
        return BK_ENOMEM;
    }
    int rc = bk__file_load(path, INTENT_LIMIT, &text, NULL);
    if (rc == -ENOENT) {
        rc = 0;
    } else if (rc != 0 && rc != -EFBIG) {
        rc = bk__fail_errno(rc, "cannot read", path, NULL);
    } else {
        struct json_object *intent = rc == 0 ? bk__json_parse(text, NULL) : NULL;
        rc = 1;
        if (intent == NULL || !parse(intent, ret)) {
            rc = bk__fail(BK_ECORRUPT,
                          "The staged restore in %s cannot be understood. The "
                          "database was not touched. Ask for the restore again.",
                          path);
        }
        json_object_put(intent);
    }
    free(text);
    free(path);
    return rc;
}

char *bk__stage_image(struct bk__job *job, const struct bk__staged *staged) {
    return state_file(job, staged->image);
}

/* ---- writing -------------------------------------------------------------------------- */

static bool is_named(const struct bk__stage *stage, const char *image) {
    for (size_t i = 0; i < stage->count; i++) {
        if (strcmp(stage->stores[i].image, image) == 0) {
            return true;
        }
    }
    return false;
}

/* Removes images that are not keep's. What stays is found again later. */
static void sweep(struct bk__job *job, const struct bk__stage *keep) {
    char **names = NULL;
    size_t count = 0;
    if (bk__file_list(state_dir(job), &names, &count) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (is_image(names[i]) && !is_named(keep, names[i])) {
            char *path = bk__file_join(state_dir(job), names[i]);
            if (path != NULL) {
                bk__file_remove(path);
            }
            free(path);
        }
    }
    bk__file_list_free(names, count);
}

static void sweep_all(struct bk__job *job) {
    const struct bk__stage none = {0};
    sweep(job, &none);
}

/* Removes leftovers, but not the images that a sound intent names. */
static int sweep_leftovers(struct bk__job *job, struct bk__stage *ret_current) {
    int rc = bk__stage_load(job, ret_current);
    if (rc < 0 && rc != BK_ECORRUPT) {
        return rc;
    }
    if (rc != 1) {
        *ret_current = (struct bk__stage){0};
    }
    sweep(job, ret_current);
    return 0;
}

static struct json_object *list_stores(const struct bk__stage *stage) {
    struct json_object *list = bk__json_list();
    bool ok = list != NULL;
    for (size_t i = 0; ok && i < stage->count; i++) {
        const struct bk__staged *one = &stage->stores[i];
        struct json_object *entry = bk__json_object();
        ok = entry != NULL && bk__json_add_text(entry, "store", one->store) &&
             bk__json_add_text(entry, "image", one->image) &&
             bk__json_add_int(entry, "bytes", one->bytes) &&
             bk__json_add_text(entry, "sha256", one->sha256);
        ok = bk__json_append(list, entry) && ok;
    }
    if (ok) {
        return list;
    }
    json_object_put(list);
    return NULL;
}

static int save_intent(struct bk__job *job, const struct bk__stage *stage) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(bk__job_wall(job), stamp);
    struct json_object *intent = bk__json_object();
    struct json_object *stores = list_stores(stage);
    bool ok = intent != NULL && stores != NULL &&
              bk__json_add_int(intent, "format", FORMAT) &&
              bk__json_add_text(intent, "name", stage->name) &&
              bk__json_add_text(intent, "staged_at", stamp) &&
              bk__json_put(intent, "stores", json_object_get(stores));
    char *text = ok ? bk__json_print(intent) : NULL;
    char *path = state_file(job, BK__BACKUP_INTENT);
    int rc = text == NULL || path == NULL ? bk__fail_memory() : 0;
    if (rc == 0) {
        int err = bk__file_save(path, text, strlen(text));
        rc = err == 0 ? 0 : bk__fail_errno(err, "cannot save", path, NULL);
    }
    free(text);
    free(path);
    json_object_put(stores);
    json_object_put(intent);
    return rc;
}

/* Names that differ from those in use and from each other: by the time, or more. */
static void name_images(struct bk__job *job, const struct bk__stage *current,
                        struct bk__stage *stage) {
    int64_t number = bk__job_wall(job);
    number = number > 0 ? number : 1;
    for (size_t i = 0; i < stage->count; i++) {
        do {
            snprintf(stage->stores[i].image, sizeof stage->stores[i].image,
                     IMAGE_START "%" PRId64 IMAGE_END, number++);
        } while (is_named(current, stage->stores[i].image));
    }
}

static void drop_images(struct bk__job *job, const struct bk__stage *stage) {
    for (size_t i = 0; i < stage->count; i++) {
        char *image = bk__stage_image(job, &stage->stores[i]);
        if (image != NULL) {
            bk__file_remove(image);
        }
        free(image);
    }
}

/* The intent could not be saved for certain: it must not name images that are then removed. */
static void take_back(struct bk__job *job, const struct bk__stage *stage) {
    struct bk__stage saved;
    char *why = strdup(bk__error_text());
    char *path = state_file(job, BK__BACKUP_INTENT);
    bool named = bk__stage_load(job, &saved) == 1 &&
                 strcmp(saved.stores[0].image, stage->stores[0].image) == 0;
    if (path != NULL && (!named || bk__file_remove(path) == 0)) {
        drop_images(job, stage);
    }
    bk__fail(BK_EIO, "%s", why != NULL ? why : "out of memory");
    free(path);
    free(why);
}

static int make_images(struct bk__job *job, const char *dir, struct bk__stage *stage,
                       const struct bk__manifest *const *sources) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < stage->count; i++) {
        struct bk__staged *one = &stage->stores[i];
        char *image = bk__stage_image(job, one);
        one->bytes = sources[i]->database_bytes;
        memcpy(one->sha256, sources[i]->sha256, sizeof one->sha256);
        rc = image == NULL ? BK_ENOMEM : bk__extract_new(job, dir, sources[i], image);
        free(image);
    }
    return rc;
}

int bk__stage_make(struct bk__job *job, const char *dir, struct bk__stage *stage,
                   const struct bk__manifest *const *sources) {
    struct bk__stage current = {0};
    int rc = sweep_leftovers(job, &current);
    if (rc != 0) {
        return rc;
    }
    name_images(job, &current, stage);
    rc = make_images(job, dir, stage, sources);
    if (rc != 0) {
        drop_images(job, stage);
        return rc;
    }
    rc = save_intent(job, stage);
    if (rc != 0) {
        take_back(job, stage);
    } else {
        sweep(job, stage);
    }
    return rc;
}

int bk__stage_done(struct bk__job *job) {
    char *path = state_file(job, BK__BACKUP_INTENT);
    if (path == NULL) {
        return BK_ENOMEM;
    }
    int err = bk__file_remove(path);
    err = err == 0 ? bk__file_sync_parent(path) : err;
    int rc =
        err == 0
            ? 0
            : bk__fail_errno(err, "cannot remove", path,
                             "The restore itself is done; remove the file yourself, or "
                             "the next start restores again.");
    free(path);
    if (rc == 0) {
        sweep_all(job);
    }
    return rc;
}

void bk__stage_reject(struct bk__job *job) {
    char *path = state_file(job, BK__BACKUP_INTENT);
    char *aside = path == NULL ? NULL : bk__text_printf("%s.rejected", path);
    if (aside != NULL && bk__file_rename(path, aside) == 0) {
        bk__job_log(job, "error", "The staged restore was set aside as %s", aside);
        sweep_all(job);
    }
    free(aside);
    free(path);
}
