/*
 * Sets: a folder, or a tar of one, with the dumps of several stores and Area51's manifest.json. Each
 * member must be whole, and what the manifest names must be there.
 * Not a single file: examine.c, which calls this.
 */
#include <backup/foreign/examine_inside.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/catalogue/scratch.h>
#include <backup/foreign/scan.h>
#include <backup/foreign/unpack.h>
#include <backup/set/tar.h>

#define MANIFEST "manifest.json"
#define MANIFEST_LIMIT (1 << 20)
#define MEMBERS_MOST 64
#define PIECE 65536

/* ---- members in a folder ------------------------------------------------------------------- */

static int examine_member(struct bk__look_at *set, const struct bk__foreign *member) {
    char *name = bk__text_printf("%s/%s", set->name, member->name);
    struct bk__look_at at = *set;
    struct bk__foreign own = *member;
    if (name == NULL) {
        return bk__fail_memory();
    }
    own.time_ms = set->foreign->time_ms;
    own.guess.kind = set->foreign->guess.kind;
    at.foreign = &own;
    at.name = name;
    at.in_set = true;
    enum bk__content outer = set->ret->content;
    int rc = bk__examine_file(&at);
    set->ret->content = outer;
    bk__file_remove(at.raw); /* what became an image has its own name */
    free(name);
    return rc;
}

static const char *base_of(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash == NULL ? path : slash + 1;
}

/* What the manifest names must be among the members; it names them by a path of the day it was made. */
static int check_named(struct bk__look_at *at, struct json_object *manifest,
                       const char *dir, const char *member) {
    char why[320];
    const char *path = bk__json_text(manifest, member, NULL);
    if (path == NULL) {
        return 0;
    }
    char *file = bk__file_join(dir, base_of(path));
    if (file == NULL) {
        return bk__fail_memory();
    }
    bool there = bk__file_size_of(file) >= 0;
    free(file);
    if (there) {
        return 0;
    }
    snprintf(why, sizeof why, "its manifest names %.200s, which is not in it",
             base_of(path));
    return bk__examine_torn(at, why);
}

/* Somebody's own tar of some files needs none; what Area51 names so does. */
static int miss_manifest(struct bk__look_at *at) {
    if (strcmp(at->foreign->guess.tool, "Area51") == 0) {
        return bk__examine_torn(at, "it has no " MANIFEST ": the tool did not finish it");
    }
    return bk__examine_note(at, "it has no " MANIFEST
                                ", so nothing tells whether a file is missing in it");
}

static bool is_pg_dump(const char *dir) {
    char *path = bk__file_join(dir, "toc.dat");
    bool is = path != NULL && bk__file_exists(path);
    free(path);
    return is;
}

static int refuse_pg_dump(const struct bk__look_at *at) {
    return bk__fail(BK_EUNSUPPORTED,
                    "%s is a tar of pg_dump's own (-Ft), which is not read here. Nothing "
                    "was changed. Restore it with pg_restore --single-transaction "
                    "--exit-on-error -d NEW FILE.",
                    at->name);
}

static int check_manifest(struct bk__look_at *at, const char *dir) {
    char *text = NULL;
    const char *why = "";
    char *path = bk__file_join(dir, MANIFEST);
    if (path == NULL) {
        return bk__fail_memory();
    }
    int err = bk__file_load(path, MANIFEST_LIMIT, &text, NULL);
    struct json_object *manifest = err == 0 ? bk__json_parse(text, &why) : NULL;
    free(path);
    free(text);
    if (err == -ENOENT) {
        return is_pg_dump(dir) ? refuse_pg_dump(at) : miss_manifest(at);
    }
    if (manifest == NULL) {
        return bk__examine_torn(at, err == 0 ? "its " MANIFEST " is no JSON"
                                             : "its " MANIFEST " cannot be read");
    }
    int rc = check_named(at, manifest, dir, "database");
    if (rc == 0) {
        rc = check_named(at, manifest, dir, "redis");
    }
    json_object_put(manifest);
    return rc;
}

/* All members of dir, each on its own. */
static int examine_members(struct bk__look_at *at, const char *dir) {
    char **names = NULL;
    size_t count = 0;
    int found = 0;
    int err = bk__file_list(dir, &names, &count);
    if (err != 0) {
        return bk__fail_errno(err, "cannot list", dir, NULL);
    }
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < count; i++) {
        struct bk__foreign member = {0};
        if (bk__foreign_member(dir, names[i], &member)) {
            found++;
            rc = found > MEMBERS_MOST ? bk__examine_torn(at, "it has too many members")
                                      : examine_member(at, &member);
            bk__foreign_clear(&member);
        }
    }
    bk__file_list_free(names, count);
    return rc != 0 ? rc : found == 0 ? bk__examine_torn(at, "there is no dump in it") : 0;
}

int bk__examine_set(struct bk__look_at *at) {
    int rc = check_manifest(at, at->foreign->path);
    return rc != 0 ? rc : examine_members(at, at->foreign->path);
}

/* ---- the same in a tar -------------------------------------------------------------------------- */

/* Members are written into a folder of their own, by their last names alone. */
struct untar {
    struct bk__look_at *at;
    const char *dir;
    char *path;
    int fd; /* of the member that is written; -1: none */
    int rc;
};

static int begin_entry(void *context, const char *name, int64_t size) {
    struct untar *untar = context;
    (void)size;
    if (bk__text_ends(name, "/")) {
        return 0;
    }
    free(untar->path);
    untar->path = bk__file_join(untar->dir, base_of(name));
    if (untar->path == NULL) {
        untar->rc = bk__fail_memory();
        return 1;
    }
    untar->fd = bk__file_create(untar->path);
    if (untar->fd == -EEXIST) {
        untar->rc =
            bk__examine_unsupported(untar->at, "two of its files have the same name");
    } else if (untar->fd < 0) {
        untar->rc = bk__fail_errno(untar->fd, "cannot create", untar->path, NULL);
    }
    return untar->rc != 0;
}

static int entry_data(void *context, const unsigned char *bytes, size_t size) {
    struct untar *untar = context;
    int err = untar->fd < 0 ? 0 : bk__file_write(untar->fd, bytes, size);
    if (err != 0) {
        untar->rc = bk__fail_errno(err, "cannot write", untar->path, NULL);
    }
    return untar->rc != 0;
}

static int end_entry(void *context) {
    struct untar *untar = context;
    int err = untar->fd < 0 ? 0 : bk__file_close(untar->fd);
    untar->fd = -1;
    if (err != 0) {
        untar->rc = bk__fail_errno(err, "cannot finish writing", untar->path, NULL);
    }
    return untar->rc != 0;
}

static int push_all(struct untar *untar, struct bk__tar *tar, int fd) {
    unsigned char piece[PIECE];
    enum bk__tar_why why = BK__TAR_FINE;
    int64_t got = 0;
    while (why == BK__TAR_FINE && (got = bk__file_read(fd, piece, sizeof piece)) > 0) {
        int rc = bk__job_check(untar->at->job);
        if (rc != 0) {
            return rc;
        }
        why = bk__tar_push(tar, piece, (size_t)got);
    }
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", untar->at->raw, NULL);
    }
    why = why == BK__TAR_FINE ? bk__tar_finish(tar) : why;
    if (why == BK__TAR_FINE || untar->rc != 0) {
        return untar->rc;
    }
    char text[160];
    snprintf(text, sizeof text, "%s, at byte %" PRId64 " of the tar",
             bk__tar_why_text(why), tar->at);
    return bk__examine_torn(untar->at, text);
}

static int untar_into(struct bk__look_at *at, const char *dir) {
    struct bk__tar tar;
    struct untar untar = {.at = at, .dir = dir, .fd = -1};
    const struct bk__tar_sink sink = {&untar, begin_entry, entry_data, end_entry};
    int fd = bk__file_open_read(at->raw);
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot open", at->raw, NULL);
    }
    bk__tar_begin(&tar, &sink);
    int rc = push_all(&untar, &tar, fd);
    if (untar.fd >= 0) {
        bk__file_close(untar.fd);
    }
    bk__file_close(fd);
    free(untar.path);
    bk__file_remove(at->raw);
    return rc;
}

/* pg_dump -F t is a tar as well, of files that only pg_restore understands. */
static int check_contents(struct bk__look_at *at, const char *dir) {
    char *path = bk__file_join(dir, "toc.dat");
    if (path == NULL) {
        return bk__fail_memory();
    }
    bool dump = bk__file_exists(path);
    free(path);
    return dump ? bk__examine_unsupported(
                      at, "it is a dump in pg_dump's tar format, which pg_restore reads")
                : 0;
}

int bk__examine_tar(struct bk__look_at *at) {
    char *dir = bk__scratch_file(at->scratch, "members");
    int err = dir == NULL ? 0 : bk__file_make_dir(dir);
    int rc = dir == NULL ? BK_ENOMEM
             : err != 0  ? bk__fail_errno(err, "cannot make the folder", dir, NULL)
                         : untar_into(at, dir);
    if (rc == 0) {
        rc = check_contents(at, dir);
    }
    if (rc == 0) {
        rc = check_manifest(at, dir);
    }
    if (rc == 0) {
        rc = examine_members(at, dir);
    }
    free(dir);
    return rc;
}
