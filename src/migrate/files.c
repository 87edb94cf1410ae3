/*
 * The folder of migrations: which files count, their numbers and names, their order. Not
 * their inside (section.c) and not what of them is applied (plan.c). up.c and status.c
 * call it.
 */
#include <migrate/migrate.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include <base/text.h>
#include <core/error.h>
#include <os/file.h>

static void migration_free(struct bk__migration *m) {
    free(m->name);
    free(m->file);
    free(m->up);
    free(m->down);
}

void bk__files_free(struct bk__migrations *files) {
    for (size_t i = 0; i < files->count; i++) {
        migration_free(&files->items[i]);
    }
    free(files->items);
    *files = (struct bk__migrations){0};
}

static bool has_control(const char *text) {
    for (; *text; text++) {
        if ((unsigned char)*text < 0x20 || *text == 0x7f) {
            return true;
        }
    }
    return false;
}

/* The digits at the start; NULL when there are none, or the number is too large. */
static const char *read_version(const char *file, int64_t *ret_version) {
    const char *at = file;
    int64_t version = 0;
    for (; *at >= '0' && *at <= '9'; at++) {
        version = version * 10 + (*at - '0');
        if (version > BK__VERSION_MAX) {
            return NULL;
        }
    }
    *ret_version = version;
    return at == file ? NULL : at;
}

const char *bk__files_name(const char *file, int64_t *ret_version, char **ret_name) {
    if (!bk__text_utf8(file) || has_control(file)) {
        return "its name is not plain text";
    }
    const char *rest = read_version(file, ret_version);
    size_t length = strlen(file);
    if (!rest) {
        return "its name does not begin with a number of at most 15 digits";
    }
    if (length < 4 || strcmp(file + length - 4, ".sql") != 0) {
        return "its name does not end in .sql in small letters";
    }
    if (*rest != '_' || rest + 5 >= file + length) {
        return "there is no _name after the number";
    }
    if (memchr(rest, '.', length - (size_t)(rest - file) - 4)) {
        return "there is a dot in the middle of its name";
    }
    *ret_name = strndup(rest + 1, length - (size_t)(rest - file) - 5);
    return NULL;
}

/* Files of editors and systems are passed over; what ends in .sql must be a migration,
   because one that is passed over in silence is one that never runs. */
static bool is_candidate(const char *file) {
    size_t length = strlen(file);
    return file[0] != '.' && length >= 4 && strcasecmp(file + length - 4, ".sql") == 0;
}

static int check_file(const char *path, const char *file) {
    struct stat st;
    if (stat(path, &st) < 0) {
        return bk__fail_errno(errno, "cannot read the migration", path, NULL);
    }
    if (!S_ISREG(st.st_mode)) {
        return bk__fail(
            BK_EMIGRATION,
            "%s is not a file. Nothing was changed. Take %s out of the folder of "
            "migrations, then run: botkeep migrate plan",
            path, file);
    }
    if (st.st_size > (off_t)BK__MIGRATION_LIMIT) {
        return bk__fail(
            BK_EMIGRATION,
            "Migration %s is larger than 16 MiB. Nothing was changed. Load large data "
            "by a program, or split the file, then run: botkeep migrate plan",
            path);
    }
    return 0;
}

static int load_file(struct bk__migration *m, const char *path) {
    char *text = NULL;
    size_t size = 0;
    int rc = check_file(path, m->file);
    if (rc < 0) {
        return rc;
    }
    rc = bk__file_load(path, BK__MIGRATION_LIMIT, &text, &size);
    if (rc < 0) {
        return bk__fail_errno(rc, "cannot read the migration", path, NULL);
    }
    rc = bk__section_parse(m, text, size);
    free(text);
    return rc;
}

static int bad_name(const char *dir, const char *file, const char *why) {
    char *clean = bk__text_clean(file);
    int rc = bk__fail(
        BK_EMIGRATION,
        "%s in %s is not a migration: %s. Nothing was changed. Name it "
        "NNNN_name.sql, such as 0001_create_users.sql (up and down parts go into "
        "one file), then run: botkeep migrate plan",
        clean ? clean : "?", dir, why);
    free(clean);
    return rc;
}

static int read_migration(struct bk__migration *m, const char *dir, const char *file) {
    const char *why = bk__files_name(file, &m->version, &m->name);
    if (why) {
        return bad_name(dir, file, why);
    }
    m->file = strdup(file);
    char *path = bk__file_join(dir, file);
    int rc = m->name && m->file && path ? load_file(m, path) : bk__fail_memory();
    free(path);
    return rc;
}

static int compare(const void *left, const void *right) {
    const struct bk__migration *a = left;
    const struct bk__migration *b = right;
    if (a->version != b->version) {
        return a->version < b->version ? -1 : 1;
    }
    return strcmp(a->file, b->file);
}

static int list_dir(const char *dir, char ***ret_names, size_t *ret_count) {
    int rc = bk__file_list(dir, ret_names, ret_count);
    if (rc == -ENOENT || rc == -ENOTDIR) {
        return bk__fail(
            BK_ENOTFOUND,
            "There is no folder of migrations at %s. Nothing was changed. Make it, "
            "with files such as 0001_create_users.sql, or set migrate.dir.",
            dir);
    }
    return rc < 0 ? bk__fail_errno(rc, "cannot read the folder of migrations", dir, NULL)
                  : 0;
}

int bk__files_scan(const char *dir, struct bk__migrations *ret) {
    struct bk__migrations files = {0};
    char **names = NULL;
    size_t count = 0;
    int rc = list_dir(dir, &names, &count);
    if (rc < 0) {
        return rc;
    }
    files.items = calloc(count + 1, sizeof *files.items);
    if (!files.items) {
        rc = bk__fail_memory();
    }
    for (size_t i = 0; i < count && rc == 0; i++) {
        if (is_candidate(names[i])) {
            rc = read_migration(&files.items[files.count], dir, names[i]);
            files.count++;
        }
    }
    bk__file_list_free(names, count);
    if (rc < 0) {
        bk__files_free(&files);
        return rc;
    }
    qsort(files.items, files.count, sizeof *files.items, compare);
    *ret = files;
    return 0;
}
