/*
 * Finding what other tools made, by names and stat(). Nothing here opens, writes or deletes a file.
 * Not what the names mean (pattern.c), not what was found out before (memo.c).
 * Called by foreign.c; members.c asks for one file.
 */
#include <backup/foreign/scan.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <base/text.h>
#include <core/error.h>
#include <os/file.h>
#include <backup/catalogue/catalogue.h>

/* One look at a folder and those in it. */
struct scan {
    struct bk__foreigners *list;
    const struct bk__catalogue *ours;
    char **links; /* paths of symbolic links, looked at last */
    size_t link_count;
    struct stat database; /* of the bot's own, which is no backup of itself */
    bool has_database;
};

/* ---- one file ---------------------------------------------------------------------------- */

static int64_t changed_of(const struct stat *info) {
    return (int64_t)info->st_mtim.tv_sec * 1000 + info->st_mtim.tv_nsec / 1000000;
}

/* Adds what stands beside a database that was copied whole. */
static bool add_beside(struct bk__foreign *foreign, const char *ending) {
    struct stat info;
    char *path = bk__text_printf("%s%s", foreign->path, ending);
    bool there = path != NULL && lstat(path, &info) == 0 && S_ISREG(info.st_mode);
    free(path);
    if (there) {
        foreign->bytes += info.st_size;
        if (changed_of(&info) > foreign->changed_ms) {
            foreign->changed_ms = changed_of(&info);
        }
    }
    return there;
}

static void measure(struct bk__foreign *foreign, const struct stat *info) {
    foreign->bytes = info->st_size;
    foreign->changed_ms = changed_of(info);
    foreign->dev = info->st_dev;
    foreign->ino = info->st_ino;
    bool may_have = foreign->guess.content == BK__SQLITE ||
                    foreign->guess.content == BK__STRANGE; /* bot.bak */
    if (may_have && foreign->guess.compression == BK__PLAIN) {
        foreign->has_wal = add_beside(foreign, "-wal");
        foreign->has_journal = add_beside(foreign, "-journal");
        add_beside(foreign, "-shm");
    }
    if (info->st_size == 0) {
        foreign->state = BK__TORN;
    }
}

bool bk__foreign_member(const char *dir, const char *name, struct bk__foreign *ret) {
    struct bk__foreign foreign = {0};
    struct stat info;
    foreign.path = bk__file_join(dir, name);
    foreign.name = strdup(name);
    if (foreign.path == NULL || foreign.name == NULL ||
        !bk__pattern_match(name, false, &foreign.guess) ||
        lstat(foreign.path, &info) != 0 || !S_ISREG(info.st_mode)) {
        bk__foreign_clear(&foreign);
        return false;
    }
    measure(&foreign, &info);
    *ret = foreign;
    return true;
}

/* ---- the list ---------------------------------------------------------------------------- */

/* Takes what the foreign one holds, also when it fails. */
static int add(struct scan *scan, struct bk__foreign *foreign) {
    struct bk__foreigners *list = scan->list;
    if (list->count % 64 == 0) {
        void *bigger = realloc(list->items, (list->count + 64) * sizeof *list->items);
        if (bigger == NULL) {
            bk__foreign_clear(foreign);
            return bk__fail_memory();
        }
        list->items = bigger;
    }
    list->bytes += foreign->bytes;
    list->items[list->count++] = *foreign;
    return 0;
}

static bool is_database(const struct scan *scan, const struct stat *info) {
    return scan->has_database && info->st_dev == scan->database.st_dev &&
           info->st_ino == scan->database.st_ino;
}

/* Ours: the form of our names, and a manifest beside it. Whether that is sound is the catalogue's. */
static bool is_ours(const char *path, const char *file) {
    if (!bk__name_parse(file, NULL, NULL)) {
        return false;
    }
    char *manifest = bk__text_printf("%s.json", path);
    bool ours = manifest != NULL && bk__file_exists(manifest);
    free(manifest);
    return ours;
}

/* The name is shown and asked for as text: what in it is no UTF-8 is replaced; the path is not. */
static bool name_it(struct bk__foreign *foreign, const char *name, const char *path) {
    foreign->name = bk__text_clean(name);
    foreign->path = strdup(path);
    bool good = foreign->name != NULL && foreign->path != NULL;
    if (!good) {
        bk__foreign_clear(foreign);
    }
    return good;
}

static int add_file(struct scan *scan, const char *path, const char *name,
                    const struct stat *info) {
    const char *file = strrchr(name, '/') != NULL ? strrchr(name, '/') + 1 : name;
    struct bk__foreign foreign = {0};
    if (!bk__pattern_match(file, false, &foreign.guess) || is_database(scan, info) ||
        is_ours(path, file)) {
        return 0;
    }
    if (!name_it(&foreign, name, path)) {
        return bk__fail_memory();
    }
    measure(&foreign, info);
    return add(scan, &foreign);
}

static int add_link(struct scan *scan, const char *path) {
    void *bigger = realloc(scan->links, (scan->link_count + 1) * sizeof *scan->links);
    char *copy = strdup(path);
    if (bigger != NULL) {
        scan->links = bigger;
    }
    if (bigger == NULL || copy == NULL) {
        free(copy);
        return bk__fail_memory();
    }
    scan->links[scan->link_count++] = copy;
    return 0;
}

/* The sizes of a set's members together; -1: it has no manifest, so the tool did not finish it, and
   each of its files is a backup of its own. */
static int64_t measure_set(const char *path) {
    char **names = NULL;
    size_t count = 0;
    int64_t bytes = 0;
    bool finished = false;
    if (bk__file_list(path, &names, &count) != 0) {
        return -1;
    }
    for (size_t i = 0; i < count; i++) {
        struct bk__foreign member = {0};
        if (bk__foreign_member(path, names[i], &member)) {
            bytes += member.bytes;
            bk__foreign_clear(&member);
        }
        finished = finished || strcmp(names[i], "manifest.json") == 0;
    }
    bk__file_list_free(names, count);
    return finished ? bytes : -1;
}

static int scan_folder(struct scan *scan, const char *dir, const char *prefix);

/* A set is one backup; another folder is looked into, but only into those of backup.dir itself. */
static int add_folder(struct scan *scan, const char *path, const char *name,
                      const struct stat *info) {
    struct bk__foreign foreign = {0};
    if (bk__catalogue_has(scan->ours, name)) {
        return 0;
    }
    int64_t bytes =
        bk__pattern_match(name, true, &foreign.guess) ? measure_set(path) : -1;
    if (bytes < 0) {
        return scan_folder(scan, path, name);
    }
    if (!name_it(&foreign, name, path)) {
        return bk__fail_memory();
    }
    measure(&foreign, info);
    foreign.bytes = bytes;
    foreign.state = BK__UNKNOWN;
    return add(scan, &foreign);
}

static int add_name(struct scan *scan, const char *dir, const char *prefix,
                    const char *file) {
    struct stat info;
    int rc = 0;
    char *path = bk__file_join(dir, file);
    char *name = prefix == NULL ? strdup(file) : bk__text_printf("%s/%s", prefix, file);
    if (path == NULL || name == NULL) {
        rc = bk__fail_memory();
    } else if (file[0] == '.' || lstat(path, &info) != 0) {
        rc = 0; /* hidden, or gone meanwhile */
    } else if (S_ISREG(info.st_mode)) {
        rc = add_file(scan, path, name, &info);
    } else if (S_ISLNK(info.st_mode)) {
        rc = add_link(scan, path);
    } else if (S_ISDIR(info.st_mode) && prefix == NULL) {
        rc = add_folder(scan, path, name, &info);
    }
    free(path);
    free(name);
    return rc;
}

/* prefix NULL: backup.dir itself. A folder in it that may not be read holds nothing for us. */
static int scan_folder(struct scan *scan, const char *dir, const char *prefix) {
    char **files = NULL;
    size_t count = 0;
    int rc = bk__file_list(dir, &files, &count);
    if (rc != 0) {
        return rc == -ENOENT || prefix != NULL
                   ? 0
                   : bk__fail_errno(rc, "cannot list the folder of the backups", dir,
                                    NULL);
    }
    for (size_t i = 0; rc == 0 && i < count; i++) {
        rc = add_name(scan, dir, prefix, files[i]);
    }
    bk__file_list_free(files, count);
    return rc;
}

/* bot.db.pre_restore, or (Python's with_suffix) bot.pre_restore. */
static int scan_beside(struct scan *scan, const char *database) {
    const char *file =
        strrchr(database, '/') != NULL ? strrchr(database, '/') + 1 : database;
    const char *dot = strrchr(file, '.');
    int stem = (int)(dot == NULL || dot == file ? strlen(file) : (size_t)(dot - file));
    for (int which = 0; which < 2; which++) {
        struct stat info;
        int size = which == 0 ? (int)strlen(file) : stem;
        char *path = bk__text_printf("%.*s%.*s.pre_restore", (int)(file - database),
                                     database, size, file);
        if (path == NULL) {
            return bk__fail_memory();
        }
        const char *name = path + (file - database);
        int rc = 0;
        if ((which == 0 || stem != (int)strlen(file)) && lstat(path, &info) == 0 &&
            S_ISREG(info.st_mode) && bk__foreign_find(scan->list, name) == NULL) {
            rc = add_file(scan, path, name, &info);
        }
        free(path);
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* A link is another name of a backup in the list; where else it leads to is not looked at. */
static int name_links(struct scan *scan, const char *dir) {
    for (size_t i = 0; i < scan->link_count; i++) {
        struct stat info;
        if (stat(scan->links[i], &info) != 0) {
            continue;
        }
        for (size_t j = 0; j < scan->list->count; j++) {
            struct bk__foreign *item = &scan->list->items[j];
            if (item->ino != info.st_ino || item->dev != info.st_dev ||
                item->link != NULL) {
                continue;
            }
            item->link = strdup(scan->links[i] + strlen(dir) + 1);
            if (item->link == NULL) {
                return bk__fail_memory();
            }
        }
    }
    return 0;
}

int bk__foreign_scan(const char *dir, const char *database,
                     const struct bk__catalogue *ours, struct bk__foreigners *list) {
    struct scan scan = {.list = list, .ours = ours};
    scan.has_database = database != NULL && stat(database, &scan.database) == 0;
    int rc = scan_folder(&scan, dir, NULL);
    if (rc == 0 && database != NULL) {
        rc = scan_beside(&scan, database);
    }
    if (rc == 0) {
        rc = name_links(&scan, dir);
    }
    for (size_t i = 0; i < scan.link_count; i++) {
        free(scan.links[i]);
    }
    free(scan.links);
    return rc;
}
