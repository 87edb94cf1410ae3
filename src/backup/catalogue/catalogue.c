/*
 * Scanning backup.dir: which manifests are sound and have their archive.
 * Not proof of the bytes: archive.c reads those. Nothing here writes or deletes.
 * Called by every operation of this room; folder.c reads single manifests with it.
 */
#include <backup/catalogue/catalogue.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/json.h>
#include <base/text.h>
#include <core/error.h>
#include <os/file.h>
#include <backup/catalogue/lineage.h>

#define SUFFIX ".json"
#define INSIDE "/manifest.json" /* of a set that is a folder */
#define ADVICE_NAMES 5

static int no_memory_path(char *path) {
    return path == NULL ? bk__fail_memory() : 0;
}

static bool is_folder(const char *name) {
    struct bk__form form;
    return bk__name_parse(name, NULL, &form) && bk__form_is_folder(&form);
}

char *bk__catalogue_sheet(const char *dir, const char *name) {
    char file[BK__NAME_SIZE + sizeof INSIDE];
    snprintf(file, sizeof file, "%.*s%s", BK__NAME_SIZE - 1, name,
             is_folder(name) ? INSIDE : SUFFIX);
    char *path = bk__file_join(dir, file);
    if (path == NULL) {
        bk__fail_memory();
    }
    return path;
}

char *bk__catalogue_archive(const char *dir, const struct bk__manifest *manifest) {
    char file[2 * BK__NAME_SIZE];
    const char *set = manifest->set;
    snprintf(file, sizeof file, "%s%s%s", set, is_folder(set) ? "/" : "",
             *set == '\0' || is_folder(set) ? manifest->name : "");
    char *path = bk__file_join(dir, file);
    if (path == NULL) {
        bk__fail_memory();
    }
    return path;
}

/* Somebody may have put a pipe there, which would let us wait for ever. */
static int load_sheet(const char *path, char **ret_text, size_t *ret_size) {
    bool odd = bk__file_exists(path) && !bk__file_is_plain(path);
    return odd ? -EINVAL : bk__file_load(path, BK__MANIFEST_LIMIT, ret_text, ret_size);
}

int bk__catalogue_read(const char *dir, const char *name, struct bk__manifest *ret,
                       char *why, size_t why_room) {
    char *text = NULL;
    size_t size = 0;
    char *path = bk__catalogue_sheet(dir, name);
    if (path == NULL) {
        return BK_ENOMEM;
    }
    int rc = load_sheet(path, &text, &size);
    if (rc == -ENOMEM) {
        rc = bk__fail_memory();
    } else if (rc != 0) {
        snprintf(why, why_room, "its manifest cannot be read: %s",
                 rc == -EINVAL ? "it is not a file" : strerror(-rc));
        rc = 1;
    } else if (strlen(text) != size) {
        snprintf(why, why_room, "its manifest holds a NUL");
        rc = 1;
    } else if (!bk__manifest_parse(text, ret, why, why_room)) {
        rc = 1;
    } else if (strcmp(ret->name, name) != 0) {
        snprintf(why, why_room, "its manifest belongs to another backup");
        bk__manifest_clear(ret);
        rc = 1;
    }
    free(text);
    free(path);
    return rc;
}

/* Room for one more element in a list that doubles. */
static int grow(void **list, size_t count, size_t element) {
    if (count != 0 && (count < 8 || (count & (count - 1)) != 0)) {
        return 0;
    }
    size_t room = count < 8 ? 8 : count * 2;
    void *bigger = realloc(*list, room * element);
    if (bigger == NULL) {
        return bk__fail_memory();
    }
    *list = bigger;
    return 0;
}

int bk__catalogue_broken(struct bk__catalogue *to, const char *name, const char *why) {
    int rc = grow((void **)&to->broken, to->broken_count, sizeof *to->broken);
    if (rc == 0) {
        struct bk__broken *broken = &to->broken[to->broken_count++];
        snprintf(broken->name, sizeof broken->name, "%s", name);
        snprintf(broken->why, sizeof broken->why, "%s", why);
    }
    return rc;
}

static int add_missing(struct bk__catalogue *to, const char *name) {
    int rc = grow((void **)&to->missing, to->missing_count, sizeof *to->missing);
    if (rc == 0) {
        snprintf(to->missing[to->missing_count++], BK__NAME_SIZE, "%s", name);
    }
    return rc;
}

int bk__catalogue_leftover(struct bk__catalogue *to, const char *name) {
    int rc = grow((void **)&to->leftovers, to->leftover_count, sizeof *to->leftovers);
    if (rc == 0) {
        snprintf(to->leftovers[to->leftover_count++], BK__NAME_SIZE, "%s", name);
    }
    return rc;
}

#define NO_FILE (-2) /* a size: something else than a file is there */

static int64_t archive_size(const char *path) {
    int64_t size = bk__file_size_of(path);
    return size >= 0 && !bk__file_is_plain(path) ? NO_FILE : size < 0 ? -1 : size;
}

/* Takes the manifest: into the list when its archive (or folder) is there, else away. */
static int add_item(struct bk__catalogue *to, struct bk__manifest *manifest,
                    int64_t size) {
    char why[160];
    int rc = 0;
    if (manifest->sequence > to->last_sequence) {
        to->last_sequence = manifest->sequence;
    }
    if (size == manifest->bytes) {
        rc = grow((void **)&to->items, to->count, sizeof *to->items);
        if (rc == 0) {
            to->items[to->count++] = *manifest;
            return 0;
        }
    } else if (size == NO_FILE) {
        rc = bk__catalogue_broken(to, manifest->name, "it is not a file");
    } else if (size >= 0) {
        snprintf(why, sizeof why,
                 "it has %" PRId64 " bytes, but its manifest says %" PRId64, size,
                 manifest->bytes);
        rc = bk__catalogue_broken(to, manifest->name, why);
    } else {
        rc = add_missing(to, manifest->name);
    }
    bk__manifest_clear(manifest);
    return rc;
}

/* The archives of a set's folder: 0 and their size together, 1 and what is wrong with them. */
static int measure_parts(const char *dir, const struct bk__manifest *set,
                         int64_t *ret_bytes, char *why, size_t why_room) {
    *ret_bytes = 0;
    for (size_t i = 0; i < set->part_count; i++) {
        const struct bk__manifest *part = &set->parts[i];
        if (part->name[0] == '\0') {
            continue;
        }
        char *path = bk__catalogue_archive(dir, part);
        int64_t bytes = path == NULL ? -1 : archive_size(path);
        int rc = path == NULL ? BK_ENOMEM : 0;
        free(path);
        if (rc == 0 && bytes != part->bytes) {
            snprintf(why, why_room,
                     bytes == NO_FILE ? "its %s is not a file"
                     : bytes < 0      ? "its %s is missing"
                                      : "its %s has another size than the manifest says",
                     part->name);
            rc = 1;
        }
        if (rc != 0) {
            return rc;
        }
        *ret_bytes += bytes;
    }
    return 0;
}

/* A folder with such a name and a manifest of another program, or none, is not ours. */
static bool is_foreign(const char *dir, const char *name) {
    char *text = NULL;
    char *path = bk__catalogue_sheet(dir, name);
    int rc = path == NULL ? -ENOMEM : load_sheet(path, &text, NULL);
    struct json_object *object = rc == 0 ? bk__json_parse(text, NULL) : NULL;
    bool foreign = rc == -ENOENT || rc == -ENOTDIR ||
                   (object != NULL && bk__json_member(object, "format") == NULL);
    json_object_put(object);
    free(text);
    free(path);
    return foreign;
}

static int add_set(struct bk__catalogue *to, const char *dir, const char *name) {
    char why[160] = "";
    struct bk__manifest set;
    int64_t bytes = 0;
    if (is_foreign(dir, name)) {
        return 0;
    }
    int rc = bk__catalogue_read(dir, name, &set, why, sizeof why);
    if (rc != 0) {
        return rc == 1 ? bk__catalogue_broken(to, name, why) : rc;
    }
    rc = measure_parts(dir, &set, &bytes, why, sizeof why);
    if (rc == 0) {
        return add_item(to, &set, bytes);
    }
    if (set.sequence > to->last_sequence) {
        to->last_sequence = set.sequence;
    }
    bk__manifest_clear(&set);
    return rc == 1 ? bk__catalogue_broken(to, name, why) : rc;
}

/* One file of the folder; anything but a manifest or a set of ours is left alone. */
static int add_file(struct bk__catalogue *to, const char *dir, const char *file) {
    char name[BK__NAME_SIZE];
    char why[160] = "";
    struct bk__manifest manifest;
    size_t size = strlen(file);
    if (is_folder(file)) {
        return add_set(to, dir, file);
    }
    if (!bk__text_ends(file, SUFFIX) || size - strlen(SUFFIX) >= sizeof name) {
        return 0;
    }
    snprintf(name, sizeof name, "%.*s", (int)(size - strlen(SUFFIX)), file);
    if (!bk__name_parse(name, NULL, NULL) || is_folder(name)) {
        return 0;
    }
    char *archive = bk__file_join(dir, name);
    int rc = no_memory_path(archive);
    if (rc != 0) {
        return rc;
    }
    int64_t bytes = archive_size(archive);
    free(archive);
    rc = bk__catalogue_read(dir, name, &manifest, why, sizeof why);
    if (rc == 0) {
        return add_item(to, &manifest, bytes);
    }
    return rc == 1 ? (bytes != -1 ? bk__catalogue_broken(to, name, why) : 0) : rc;
}

static int by_age(const void *left, const void *right) {
    const struct bk__manifest *a = left;
    const struct bk__manifest *b = right;
    if (a->sequence != b->sequence) {
        return a->sequence > b->sequence ? -1 : 1;
    }
    if (a->created_ms != b->created_ms) {
        return a->created_ms > b->created_ms ? -1 : 1;
    }
    return strcmp(b->name, a->name);
}

int bk__catalogue_load(const char *dir, struct bk__catalogue *ret) {
    char **files = NULL;
    size_t count = 0;
    struct bk__catalogue catalogue = {0};
    int rc = bk__file_list(dir, &files, &count);
    if (rc == -ENOENT) {
        *ret = catalogue;
        return 0;
    }
    if (rc != 0) {
        return bk__fail_errno(rc, "cannot list the folder of the backups", dir, NULL);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = add_file(&catalogue, dir, files[i]);
    }
    bk__file_list_free(files, count);
    if (rc != 0) {
        bk__catalogue_free(&catalogue);
        return rc;
    }
    if (catalogue.count > 0) {
        qsort(catalogue.items, catalogue.count, sizeof *catalogue.items, by_age);
    }
    rc = bk__lineage_link(&catalogue);
    if (rc != 0) {
        bk__catalogue_free(&catalogue);
        return rc;
    }
    *ret = catalogue;
    return 0;
}

void bk__catalogue_free(struct bk__catalogue *catalogue) {
    for (size_t i = 0; i < catalogue->count; i++) {
        bk__manifest_clear(&catalogue->items[i]);
    }
    free(catalogue->items);
    free(catalogue->broken);
    free(catalogue->leftovers);
    free(catalogue->missing);
    memset(catalogue, 0, sizeof *catalogue);
}

int bk__catalogue_next(const char *dir, int64_t *ret_sequence) {
    struct bk__catalogue catalogue = {0};
    int rc = bk__catalogue_load(dir, &catalogue);
    if (rc == 0) {
        int64_t last = catalogue.last_sequence;
        *ret_sequence = last < BK__SEQUENCE_LIMIT ? last + 1 : BK__SEQUENCE_LIMIT;
        bk__catalogue_free(&catalogue);
    }
    return rc;
}

bool bk__catalogue_has(const struct bk__catalogue *catalogue, const char *name) {
    for (size_t i = 0; i < catalogue->count; i++) {
        if (strcmp(catalogue->items[i].name, name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < catalogue->broken_count; i++) {
        if (strcmp(catalogue->broken[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

/* The new archive is renamed after its manifest, so what a kill left has a temporary name yet. */
static int has_temp(const char *dir, const char *name) {
    char stem[BK__NAME_SIZE];
    char begin[BK__NAME_SIZE + sizeof BK__NAME_TEMP];
    char **files = NULL;
    size_t count = 0;
    bool found = false;
    bk__name_stem(name, stem);
    snprintf(begin, sizeof begin, BK__NAME_TEMP "%s.", stem);
    if (bk__file_list(dir, &files, &count) != 0) {
        return true;
    }
    for (size_t i = 0; i < count; i++) {
        found = found || bk__text_starts(files[i], begin);
    }
    bk__file_list_free(files, count);
    return found;
}

int bk__catalogue_lost(const char *dir, const char *name) {
    char *archive = bk__file_join(dir, name);
    char *sheet = bk__catalogue_sheet(dir, name);
    int rc = archive == NULL || sheet == NULL                      ? bk__fail_memory()
             : bk__file_exists(archive) || !bk__file_exists(sheet) ? 0
                                                                   : !has_temp(dir, name);
    free(archive);
    free(sheet);
    return rc;
}

/* ---- picking one ---------------------------------------------------------------------- */

static int not_found(const struct bk__catalogue *catalogue, const char *dir,
                     const char *name) {
    struct bk__buf names = {0};
    if (catalogue->count == 0) {
        return bk__fail(BK_ENOTFOUND,
                        "There is no backup %s in %s. Nothing was touched. Make one with "
                        "backup.create, or list those of other tools with backup.list "
                        "and \"foreign\".",
                        name, dir);
    }
    for (size_t i = 0; i < catalogue->count && i < ADVICE_NAMES; i++) {
        bk__buf_printf(&names, "%s%s", i == 0 ? "" : ", ", catalogue->items[i].name);
    }
    char *list = bk__buf_take(&names);
    int rc = list == NULL ? bk__fail_memory()
                          : bk__fail(BK_ENOTFOUND,
                                     "There is no backup %s in %s. Nothing was "
                                     "touched. The newest are: %s.",
                                     name, dir, list);
    free(list);
    return rc;
}

static int broken_pick(const struct bk__broken *broken) {
    return bk__fail(BK_ECORRUPT,
                    "Backup %s cannot be used: %s. Nothing was touched. Use another one "
                    "from backup.list.",
                    broken->name, broken->why);
}

/* One of changes that was made whole since somebody noted its name. */
static struct bk__manifest *made_whole(const struct bk__catalogue *catalogue,
                                       const char *name) {
    struct bk__form form;
    bool delta = bk__name_parse(name, NULL, &form) && strcmp(form.content, "delta") == 0;
    for (size_t i = 0; delta && i < catalogue->count; i++) {
        if (bk__name_same_stem(catalogue->items[i].name, name)) {
            return &catalogue->items[i];
        }
    }
    return NULL;
}

int bk__catalogue_pick(const struct bk__catalogue *catalogue, const char *dir,
                       const char *name, struct bk__manifest **ret) {
    int rc = name != NULL ? bk__name_check(name) : 0;
    if (rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < catalogue->count; i++) {
        struct bk__manifest *item = &catalogue->items[i];
        if (name != NULL ? strcmp(item->name, name) == 0 : item->verified) {
            *ret = item;
            return 0;
        }
    }
    for (size_t i = 0; name != NULL && i < catalogue->broken_count; i++) {
        if (strcmp(catalogue->broken[i].name, name) == 0) {
            return broken_pick(&catalogue->broken[i]);
        }
    }
    *ret = name == NULL ? NULL : made_whole(catalogue, name);
    return *ret != NULL
               ? 0
               : not_found(catalogue, dir, name != NULL ? name : "that is verified");
}
