/*
 * From a plain file in the scratch folder to an image that restore.c and others take for an archive, with
 * the driver's proof; and the texts of what is wrong with it. Not whose format it is: examine.c.
 * Called by examine.c and members.c.
 */
#include <backup/foreign/examine_inside.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/catalogue/scratch.h>

#define PIECE 65536

/* ---- what is wrong, and what should be known ---------------------------------------------- */

int bk__examine_torn(const struct bk__look_at *at, const char *why) {
    return bk__fail(BK_ECORRUPT,
                    "%s is torn: %s. Nothing was changed. Use another backup.", at->name,
                    why);
}

int bk__examine_unsupported(const struct bk__look_at *at, const char *why) {
    return bk__fail(
        BK_EUNSUPPORTED,
        "%s can neither be checked nor restored here: %s. Nothing was changed. "
        "It stays where it is, for the program that made it.",
        at->name, why);
}

int bk__examine_tear(struct bk__look_at *at, const char *mark) {
    const char *from = strstr(bk__error_text(), mark);
    char *text = strdup(from == NULL ? bk__error_text() : from);
    if (text == NULL) {
        return bk__fail_memory();
    }
    text[strcspn(text, "\n")] = '\0';
    char *end = strstr(text, ". ");
    if (end != NULL) {
        *end = '\0';
    }
    int rc = bk__examine_torn(at, strncmp(text, ": ", 2) == 0 ? text + 2 : text);
    free(text);
    return rc;
}

int bk__examine_note(struct bk__look_at *at, const char *text) {
    if (at->ret->note == NULL) {
        at->ret->note = strdup(text);
    }
    return at->ret->note == NULL ? bk__fail_memory() : 0;
}

/* ---- reading a plain file ---------------------------------------------------------------- */

int64_t bk__plain_read(void *context, unsigned char *bytes, size_t room) {
    struct bk__plain *plain = context;
    int rc = bk__job_check(plain->job);
    if (rc != 0) {
        return rc;
    }
    int64_t got = bk__file_read(plain->fd, bytes, room);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", plain->path, NULL);
    }
    plain->done += got;
    bk__job_progress(plain->job, "verify", plain->done, plain->total);
    return got;
}

int bk__plain_open(struct bk__job *job, const char *path, struct bk__plain *ret) {
    *ret = (struct bk__plain){.job = job, .path = path};
    ret->fd = bk__file_open_read(path);
    if (ret->fd < 0) {
        return bk__fail_errno(ret->fd, "cannot open", path, NULL);
    }
    ret->total = bk__file_size(ret->fd);
    return 0;
}

/* ---- an image ------------------------------------------------------------------------------ */

static int hash_image(struct bk__job *job, const char *path, struct bk__manifest *image) {
    struct bk__plain plain;
    unsigned char piece[PIECE];
    int64_t got = 0;
    struct bk__hash *hash = bk__hash_new();
    int rc = hash == NULL ? bk__fail_memory() : bk__plain_open(job, path, &plain);
    if (rc != 0) {
        bk__hash_drop(hash);
        return rc;
    }
    while ((got = bk__plain_read(&plain, piece, sizeof piece)) > 0) {
        bk__hash_add(hash, piece, (size_t)got);
        image->bytes += got;
    }
    bk__file_close(plain.fd);
    bk__hash_end(hash, image->sha256);
    memcpy(image->archive_sha256, image->sha256, sizeof image->sha256);
    image->database_bytes = image->bytes;
    return (int)got;
}

int bk__image_describe(struct bk__look_at *at, const char *store, const char *content,
                       struct json_object *report, struct bk__manifest *image) {
    const char *slash = strrchr(at->name, '/');
    snprintf(image->name, sizeof image->name, "%s", slash == NULL ? at->name : slash + 1);
    snprintf(image->kind, sizeof image->kind, "%s", at->foreign->guess.kind);
    snprintf(image->store, sizeof image->store, "%s", store);
    snprintf(image->form.content, sizeof image->form.content, "%s", content);
    image->created_ms = at->foreign->time_ms;
    image->verified = true;
    image->pages = bk__json_int(report, "pages", 0);
    image->page_size = (int)bk__json_int(report, "page_size", 0);
    image->tables = json_object_get(bk__json_member(report, "tables"));
    char *path = bk__scratch_file(at->scratch, image->name);
    int err = path == NULL ? 0 : bk__file_rename(at->raw, path);
    int rc = path == NULL ? BK_ENOMEM
             : err != 0   ? bk__fail_errno(err, "cannot rename", at->raw, NULL)
                          : hash_image(at->job, path, image);
    free(path);
    return rc;
}

int bk__image_keep(struct bk__look_at *at, const struct bk__store_driver *driver,
                   struct json_object *report) {
    int which = strcmp(driver->content, "rdb") == 0 && at->in_set ? BK__IMAGE_REDIS
                                                                  : BK__IMAGE_DATABASE;
    struct bk__manifest *image = &at->ret->images[which];
    if (image->name[0] != '\0') {
        return bk__examine_note(
            at, "it holds more than one database; the first one is meant");
    }
    int rc = bk__image_describe(at, driver->name, driver->content, report, image);
    if (rc == 0 && which == BK__IMAGE_DATABASE && at->ret->tables == NULL) {
        at->ret->tables = json_object_get(image->tables);
    }
    return rc;
}

int bk__image_prove(struct bk__look_at *at, const struct bk__store_driver *driver,
                    struct json_object *report) {
    int rc = driver->prove(at->job, at->raw, report);
    return rc == BK_ECORRUPT ? bk__examine_tear(at, ": ") : rc;
}
