/*
 * The parts of a set into a folder of a caller's: built aside under a lock, named when whole.
 * Not one archive into a file: extract.c. restore.c calls it for "to".
 */
#include <backup/extract.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/folder.h>
#include <backup/catalogue/manifest.h>

#define SLACK (INT64_C(1) << 20)

struct outgoing {
    struct bk__job *job;
    const char *dir;
    const struct bk__manifest *const *parts;
    size_t count;
};

static int check(const struct outgoing *out, const char *path) {
    if (bk__file_size_of(path) != -ENOENT) {
        return bk__fail(
            BK_EINVAL,
            "%s already exists, or cannot be reached, and is not overwritten. "
            "Nothing was restored. Give \"to\" a path that does not exist.",
            path);
    }
    int64_t bytes = SLACK;
    for (size_t i = 0; i < out->count; i++) {
        bytes += out->parts[i]->database_bytes;
    }
    char *above = bk__file_dir(path);
    int rc = above == NULL ? bk__fail_memory()
                           : bk__folder_space(above, bytes, "the restored stores");
    free(above);
    return rc;
}

/* The folder it is built in, empty and locked: what a killed run left in it goes, another process
   at work is not disturbed. The descriptor, or an error. */
static int open_aside(const char *aside) {
    char **names = NULL;
    size_t count = 0;
    int err = bk__file_make_dir(aside);
    int fd = err == 0 ? bk__file_lock_dir(aside) : err;
    if (fd == -EWOULDBLOCK) {
        return bk__fail(BK_EBUSY,
                        "Another process is restoring to the same path. Nothing "
                        "was changed. Wait for it, or choose another path.");
    }
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot make", aside, NULL);
    }
    err = bk__file_list(aside, &names, &count);
    for (size_t i = 0; err == 0 && i < count; i++) {
        char *path = bk__file_join(aside, names[i]);
        err = path == NULL ? -ENOMEM : bk__file_remove(path);
        free(path);
    }
    bk__file_list_free(names, count);
    if (err != 0) {
        bk__file_close(fd);
        return bk__fail_errno(err, "cannot empty", aside, NULL);
    }
    return fd;
}

/* "database_STAMP.db": the part's name without the endings of how it was packed. */
static int fill_one(const struct outgoing *out, const struct bk__manifest *part,
                    const char *aside) {
    char stem[BK__NAME_SIZE];
    char name[BK__NAME_SIZE];
    struct bk__form plain = {.compression = BK__PLAIN};
    memcpy(plain.content, part->form.content, sizeof plain.content);
    bk__name_stem(part->name, stem);
    bk__name_join(name, stem, &plain);
    char *path = bk__file_join(aside, name);
    int rc = path == NULL ? bk__fail_memory()
                          : bk__extract_new(out->job, out->dir, part, path);
    free(path);
    return rc;
}

static int publish(const char *aside, const char *path) {
    int err = bk__file_sync_dir(aside);
    err = err == 0 ? bk__file_rename(aside, path) : err;
    if (err != 0) {
        return bk__fail_errno(err, "cannot give the restored stores their name", path,
                              NULL);
    }
    err = bk__file_sync_parent(path);
    return err == 0 ? 0
                    : bk__fail_errno(err, "cannot flush the folder of", path,
                                     "The files are there and whole, but may be lost if "
                                     "the power fails now.");
}

static int build(const struct outgoing *out, const char *aside, const char *path) {
    int fd = open_aside(aside);
    int rc = fd < 0 ? fd : 0;
    for (size_t i = 0; rc == 0 && i < out->count; i++) {
        rc = fill_one(out, out->parts[i], aside);
    }
    if (rc == 0) {
        rc = publish(aside, path);
    }
    if (rc != 0 && fd >= 0) {
        bk__file_remove_dir(aside);
    }
    if (fd >= 0) {
        bk__file_close(fd);
    }
    return rc;
}

int bk__extract_folder(struct bk__job *job, const char *dir,
                       const struct bk__manifest *const *parts, size_t count,
                       const char *path) {
    const struct outgoing out = {job, dir, parts, count};
    int rc = bk__extract_place(job, path);
    if (rc == 0) {
        rc = check(&out, path);
    }
    char *aside = rc == 0 ? bk__text_printf("%s.botkeep-tmp", path) : NULL;
    if (rc == 0) {
        rc = aside == NULL ? bk__fail_memory() : build(&out, aside, path);
    }
    free(aside);
    return rc;
}
