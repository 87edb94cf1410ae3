/*
 * Names of backups: made, taken apart, and judged when they come from outside.
 * Not the list of what exists: a name is only ever looked up in the catalogue.
 * Called by create.c, catalogue.c, folder.c and restore.c.
 */
#include <backup/catalogue/name.h>

#include <stdio.h>
#include <string.h>

#include <base/stamp.h>
#include <base/text.h>
#include <core/error.h>

const char *const bk__kinds[] = {"manual",      "auto",          "startup", "shutdown",
                                 "pre_restore", "pre_migration", NULL};

const char *const bk__compressions[] = {
    [BK__PLAIN] = "none", [BK__GZIP] = "gzip", [BK__ZSTD] = "zstd", NULL};

static const char *const packed_endings[] = {
    [BK__PLAIN] = "", [BK__GZIP] = ".gz", [BK__ZSTD] = ".zst", NULL};

static const char *const contents[] = {"db", "dump", "rdb", "delta", NULL};

bool bk__compression_parse(const char *text, enum bk__compression *ret) {
    for (int i = 0; bk__compressions[i] != NULL; i++) {
        if (strcmp(text, bk__compressions[i]) == 0) {
            *ret = (enum bk__compression)i;
            return true;
        }
    }
    return false;
}

bool bk__form_same(const struct bk__form *one, const struct bk__form *other) {
    return strcmp(one->content, other->content) == 0 &&
           one->compression == other->compression && one->encrypted == other->encrypted;
}

void bk__name_make(char out[BK__NAME_SIZE], const char *kind, int64_t unix_ms, int nth,
                   const struct bk__form *form) {
    char stamp[BK__STAMP_SIZE];
    char stem[BK__NAME_SIZE];
    char again[16] = "";
    bk__stamp_file(unix_ms, stamp);
    if (nth > 1) {
        snprintf(again, sizeof again, "_%d", nth);
    }
    snprintf(stem, sizeof stem, "%s_%s%s", kind, stamp, again);
    bk__name_join(out, stem, form);
}

void bk__name_join(char out[BK__NAME_SIZE], const char *stem,
                   const struct bk__form *form) {
    snprintf(out, BK__NAME_SIZE, "%.*s.%s%s%s", BK__NAME_SIZE - 20, stem, form->content,
             packed_endings[form->compression], form->encrypted ? ".enc" : "");
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

/* Takes one of the list's words from the text, the longest first where one begins another. */
static bool take_word(const char **text, const char *const *words, int *ret_which) {
    size_t best = 0;
    bool found = false;
    for (int i = 0; words[i] != NULL; i++) {
        size_t size = strlen(words[i]);
        if (strncmp(*text, words[i], size) == 0 && (!found || size > best)) {
            best = size;
            found = true;
            *ret_which = i;
        }
    }
    *text += best;
    return found;
}

static bool parse_endings(const char *text, const char *const *words,
                          struct bk__form *ret) {
    int content = 0;
    int packed = 0;
    if (*text != '.') {
        return false;
    }
    text++;
    if (!take_word(&text, words, &content) ||
        !take_word(&text, packed_endings, &packed)) {
        return false;
    }
    bool encrypted = strcmp(text, ".enc") == 0;
    snprintf(ret->content, sizeof ret->content, "%s", words[content]);
    ret->compression = (enum bk__compression)packed;
    ret->encrypted = encrypted;
    return encrypted || *text == '\0';
}

/* ---- sets ------------------------------------------------------------------------------- */

#define SET_START "backup_"
static const char *const set_contents[] = {"tar", NULL};

bool bk__form_is_folder(const struct bk__form *form) {
    return strcmp(form->content, "set") == 0;
}

bool bk__form_is_set(const struct bk__form *form) {
    return bk__form_is_folder(form) || strcmp(form->content, "tar") == 0;
}

bool bk__form_is_delta(const struct bk__form *form) {
    return strcmp(form->content, "delta") == 0;
}

/* The time to the millisecond, without the signs that some file systems refuse. */
static void set_stamp(int64_t unix_ms, char out[BK__STAMP_SIZE]) {
    bk__stamp_iso(unix_ms, out);
    for (char *at = out; *at != '\0'; at++) {
        *at = *at == ':' || *at == '.' ? '-' : *at;
    }
}

void bk__name_set(char out[BK__NAME_SIZE], int64_t unix_ms, const struct bk__form *form) {
    char stamp[BK__STAMP_SIZE];
    char stem[BK__NAME_SIZE];
    set_stamp(unix_ms, stamp);
    snprintf(stem, sizeof stem, SET_START "%s", stamp);
    if (bk__form_is_folder(form)) {
        memcpy(out, stem, sizeof stem);
    } else {
        bk__name_join(out, stem, form);
    }
}

/* What follows "backup_STAMP", or NULL. */
static const char *skip_set(const char *name) {
    if (!bk__text_starts(name, SET_START)) {
        return NULL;
    }
    const char *stamp = name + strlen(SET_START);
    size_t size = match_digits(stamp, "0000-00-00T00-00-00-000Z");
    return size == 0 ? NULL : stamp + size;
}

static bool parse_set(const char *rest, struct bk__form *ret) {
    if (*rest == '\0') {
        *ret = (struct bk__form){.content = "set"};
        return true;
    }
    return parse_endings(rest, set_contents, ret);
}

void bk__name_part(char out[BK__NAME_SIZE], const char *set, const char *store) {
    char stem[BK__NAME_SIZE];
    bk__name_stem(set, stem);
    snprintf(out, BK__NAME_SIZE, "%.16s_%.64s", store, stem + strlen(SET_START));
}

bool bk__name_parse_part(const char *name, const char *set, const char *store,
                         struct bk__form *ret_form) {
    char start[BK__NAME_SIZE];
    bk__name_part(start, set, store);
    return strlen(name) < BK__NAME_SIZE && bk__text_starts(name, start) &&
           parse_endings(name + strlen(start), contents, ret_form);
}

bool bk__name_parse(const char *name, char ret_kind[BK__KIND_SIZE],
                    struct bk__form *ret_form) {
    struct bk__form form;
    const char *kind = "";
    const char *rest = skip_start(name, &kind);
    const char *set = skip_set(name);
    if (rest == NULL && set == NULL) {
        return false;
    }
    bool good = set != NULL ? parse_set(set, &form)
                            : parse_endings(skip_nth(rest), contents, &form);
    if (!good) {
        return false;
    }
    if (ret_kind != NULL) {
        snprintf(ret_kind, BK__KIND_SIZE, "%s", kind);
    }
    if (ret_form != NULL) {
        *ret_form = form;
    }
    return true;
}

void bk__name_stem(const char *name, char out[BK__NAME_SIZE]) {
    snprintf(out, BK__NAME_SIZE, "%.*s", (int)strcspn(name, "."), name);
}

/* A set's name, or that of a store's part of one: a word, then the set's stamp. */
static bool is_of_set(const char *name) {
    size_t word = strspn(name, "abcdefghijklmnopqrstuvwxyz");
    return word > 0 && name[word] == '_' &&
           match_digits(name + word + 1, "0000-00-00T00-00-00-000Z") != 0;
}

bool bk__name_is_taken(const char *stem, char *const *names, size_t count) {
    size_t size = strlen(stem);
    for (size_t i = 0; i < count; i++) {
        if (strncmp(names[i], stem, size) == 0 &&
            (names[i][size] == '\0' || names[i][size] == '.')) {
            return true;
        }
    }
    return false;
}

bool bk__name_is_temp(const char *name) {
    const char *kind = NULL;
    size_t size = strlen(BK__NAME_TEMP);
    return strncmp(name, BK__NAME_TEMP, size) == 0 &&
           (skip_start(name + size, &kind) != NULL || is_of_set(name + size));
}

int bk__name_check(const char *name) {
    if (name[0] == '\0') {
        return bk__fail(BK_EINVAL,
                        "The backup's name is empty. Leave it out for the newest one.");
    }
    if (strchr(name, '/') != NULL || strstr(name, "..") != NULL ||
        strlen(name) >= BK__NAME_SIZE) {
        return bk__fail(BK_EINVAL,
                        "A backup is named as in the list, not by a path. Nothing was "
                        "touched. See the names with backup.list.");
    }
    return 0;
}

bool bk__name_same_stem(const char *one, const char *other) {
    char first[BK__NAME_SIZE];
    char second[BK__NAME_SIZE];
    bk__name_stem(one, first);
    bk__name_stem(other, second);
    return first[0] != '\0' && strcmp(first, second) == 0;
}
