/*
 * Names of backups: made, taken apart, and judged when they come from outside.
 * Not the list of what exists: a name is only ever looked up in the catalogue.
 * Called by create.c, catalogue.c, folder.c and restore.c.
 */
#include <backup/name.h>

#include <stdio.h>
#include <string.h>

#include <base/stamp.h>
#include <base/text.h>
#include <core/error.h>

const char *const bk__kinds[] = {"manual",      "auto",          "startup", "shutdown",
                                 "pre_restore", "pre_migration", NULL};

void bk__name_make(char out[BK__NAME_SIZE], const char *kind, int64_t unix_ms, int nth,
                   bool gzip) {
    char stamp[BK__STAMP_SIZE];
    char again[16] = "";
    bk__stamp_file(unix_ms, stamp);
    if (nth > 1) {
        snprintf(again, sizeof again, "_%d", nth);
    }
    snprintf(out, BK__NAME_SIZE, "%s_%s%s.db%s", kind, stamp, again, gzip ? ".gz" : "");
}

/* Matches text against a pattern in which 0 stands for any digit; the length matched, or 0. */
static size_t match_digits(const char *text, const char *pattern) {
    size_t i = 0;
    for (; pattern[i] != '\0'; i++) {
        bool digit = text[i] >= '0' && text[i] <= '9';
        if (pattern[i] == '0' ? !digit : text[i] != pattern[i]) {
            return 0;
        }
    }
    return i;
}

/* Skips "_2" to "_999999"; leaves the text where there is no such part. */
static const char *skip_nth(const char *text) {
    if (text[0] != '_' || text[1] < '1' || text[1] > '9') {
        return text;
    }
    const char *at = text + 1;
    while (*at >= '0' && *at <= '9' && at - text < 7) {
        at++;
    }
    return at;
}

/* The kind and stamp a name begins with: what follows them, or NULL. */
static const char *skip_start(const char *name, const char **ret_kind) {
    for (size_t i = 0; bk__kinds[i] != NULL; i++) {
        size_t size = strlen(bk__kinds[i]);
        if (strncmp(name, bk__kinds[i], size) != 0 || name[size] != '_') {
            continue;
        }
        const char *stamp = name + size + 1;
        size_t stamp_size = match_digits(stamp, "0000-00-00T00-00-00");
        if (stamp_size != 0) {
            *ret_kind = bk__kinds[i];
            return stamp + stamp_size;
        }
    }
    return NULL;
}

bool bk__name_parse(const char *name, char ret_kind[BK__KIND_SIZE], bool *ret_gzip) {
    const char *kind = NULL;
    const char *rest = skip_start(name, &kind);
    if (rest == NULL) {
        return false;
    }
    rest = skip_nth(rest);
    bool gzip = strcmp(rest, ".db.gz") == 0;
    if (!gzip && strcmp(rest, ".db") != 0) {
        return false;
    }
    if (ret_kind != NULL) {
        snprintf(ret_kind, BK__KIND_SIZE, "%s", kind);
    }
    if (ret_gzip != NULL) {
        *ret_gzip = gzip;
    }
    return true;
}

bool bk__name_is_temp(const char *name) {
    const char *kind = NULL;
    size_t size = strlen(BK__NAME_TEMP);
    return strncmp(name, BK__NAME_TEMP, size) == 0 &&
           skip_start(name + size, &kind) != NULL;
}

int bk__name_check(const char *name) {
    if (name[0] == '\0') {
        return bk__fail(BK_EINVAL,
                        "The backup's name is empty. Leave it out for the newest one.");
    }
    if (strchr(name, '/') != NULL || strstr(name, "..") != NULL ||
        strlen(name) >= BK__NAME_SIZE) {
        return bk__fail(BK_EINVAL,
                        "A backup is named by its name in the list, not by a path. "
                        "Nothing was touched. See the names with backup.list.");
    }
    return 0;
}
