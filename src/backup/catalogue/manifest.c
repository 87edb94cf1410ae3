/*
 * Manifests: printing, and reading back text that anybody may have tampered with.
 * Not file access: catalogue.c loads the text, archive.c compares the facts with the archive.
 * Called by create.c, catalogue.c, verify.c and status.c.
 */
#include <backup/catalogue/manifest.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <botkeep.h>
#include <base/json.h>
#include <base/stamp.h>
#include <base/text.h>
#include <backup/catalogue/manifest_set.h>

#define FORMAT 1
#define BYTES_LIMIT (INT64_C(1) << 52)

void bk__manifest_clear(struct bk__manifest *manifest) {
    free(manifest->note);
    free(manifest->adopted);
    free(manifest->remark);
    free(manifest->error);
    json_object_put(manifest->tables);
    json_object_put(manifest->about);
    for (size_t i = 0; i < manifest->part_count; i++) {
        bk__manifest_clear(&manifest->parts[i]);
    }
    free(manifest->parts);
    memset(manifest, 0, sizeof *manifest);
}

/* ---- printing ------------------------------------------------------------------------- */

static bool add_stamp(struct json_object *object, const char *name, int64_t unix_ms) {
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(unix_ms, stamp);
    return bk__json_add_text(object, name, stamp);
}

static bool show_brief(struct json_object *to, const struct bk__manifest *m) {
    bool ok =
        bk__json_add_text(to, "name", m->name) &&
        bk__json_add_text(to, "kind", m->kind) &&
        add_stamp(to, "created_at", m->created_ms) &&
        bk__json_add_int(to, "bytes", m->bytes) &&
        bk__json_add_int(to, "database_bytes", m->database_bytes) &&
        bk__json_add_text(to, "compression", bk__compressions[m->form.compression]) &&
        bk__json_add_text(to, "encryption", bk__encryptions[m->encryption]) &&
        bk__json_add_text(to, "sha256", m->sha256) &&
        bk__json_add_bool(to, "verified", m->verified) &&
        add_stamp(to, "verified_at", m->verified_ms) &&
        bk__json_add_int(to, "sequence", m->sequence);
    if (ok && m->payload_bytes > 0) {
        ok = bk__json_add_text(to, "parent", m->parent);
    }
    if (ok && m->encryption != BK__KEY_NONE) {
        ok = bk__json_add_text(to, "key_id", m->key_id);
    }
    if (ok && m->adopted != NULL) {
        ok = bk__json_add_text(to, "adopted_from", m->adopted);
    }
    if (ok && m->remark != NULL) {
        ok = bk__json_add_text(to, "remark", m->remark);
    }
    if (ok && m->note != NULL) {
        ok = bk__json_add_text(to, "note", m->note);
    }
    if (ok && m->error != NULL) {
        ok = bk__json_add_text(to, "error", m->error);
    }
    return ok;
}

static bool add_version(struct json_object *to, const char *name, const char *version) {
    return version[0] == '\0' || bk__json_add_text(to, name, version);
}

/* Of one that holds only changes. */
static bool add_changes(struct json_object *to, const struct bk__manifest *m) {
    return m->payload_bytes == 0 ||
           (bk__json_add_text(to, "parent_sha256", m->parent_sha256) &&
            bk__json_add_int(to, "payload_bytes", m->payload_bytes));
}

static bool show_rest(struct json_object *to, const struct bk__manifest *m) {
    return add_changes(to, m) && add_version(to, "server_version", m->server_version) &&
           add_version(to, "client_version", m->client_version) &&
           bk__json_add_text(to, "archive_sha256", m->archive_sha256) &&
           bk__json_add_int(to, "page_size", m->page_size) &&
           bk__json_add_int(to, "pages", m->pages) &&
           bk__json_add_int(to, "snapshot_ms", m->snapshot_ms) &&
           bk__json_add_int(to, "verify_ms", m->verify_ms) &&
           bk__json_add_int(to, "total_ms", m->total_ms) &&
           bk__json_put(to, "tables", json_object_get(m->tables));
}

/* Where damage is, for archives that can tell: of the file, not of what an operation shows. */
static bool add_places(struct json_object *to, const struct bk__places *places) {
    char sums[BK__PLACES_MOST * 8 + 1];
    if (places->part == 0) {
        return true;
    }
    struct json_object *object = bk__json_object();
    bk__places_print(places, sums);
    if (object == NULL || !bk__json_add_int(object, "part", places->part) ||
        !bk__json_add_text(object, "crc32", sums)) {
        json_object_put(object);
        return false;
    }
    return bk__json_put(to, "places", object);
}

bool bk__manifest_add(struct json_object *to, const struct bk__manifest *m, int depth) {
    return show_brief(to, m) && (depth < 1 || show_rest(to, m)) &&
           (depth < 2 || add_places(to, &m->places)) &&
           (m->part_count == 0 || bk__manifest_add_set(to, m, depth));
}

struct json_object *bk__manifest_show(const struct bk__manifest *manifest, bool brief) {
    struct json_object *to = bk__json_object();
    if (to != NULL && bk__manifest_add(to, manifest, brief ? 0 : 1) &&
        bk__json_add_int(to, "chain", manifest->chain)) {
        return to;
    }
    json_object_put(to);
    return NULL;
}

char *bk__manifest_print(const struct bk__manifest *manifest) {
    char *text = NULL;
    char tool[64];
    snprintf(tool, sizeof tool, "botkeep %s", bk_version());
    struct json_object *to = bk__json_object();
    if (to != NULL && bk__json_add_int(to, "format", FORMAT) &&
        bk__json_add_text(to, "tool", tool) &&
        bk__json_add_text(to, "store", manifest->store) &&
        bk__manifest_add(to, manifest, 2)) {
        text = bk__json_print(to);
    }
    json_object_put(to);
    return text;
}

/* ---- reading -------------------------------------------------------------------------- */

/* One reading: the object, and the first complaint. */
struct reader {
    struct json_object *object;
    char *why;
    size_t room;
    bool bad;
};

static void complain(struct reader *reader, const char *member, const char *what) {
    if (!reader->bad) {
        snprintf(reader->why, reader->room, "\"%s\" %s", member, what);
        reader->bad = true;
    }
}

static int64_t read_int(struct reader *reader, const char *name, int64_t min,
                        int64_t max) {
    struct json_object *member = bk__json_member(reader->object, name);
    if (!json_object_is_type(member, json_type_int)) {
        complain(reader, name, "is not a whole number");
        return min;
    }
    int64_t value = json_object_get_int64(member);
    if (value < min || value > max) {
        complain(reader, name, "is out of range");
        return min;
    }
    return value;
}

/* The text, or "" with a complaint; limit counts bytes, and no NUL may hide inside. */
static const char *read_text(struct reader *reader, const char *name, size_t limit) {
    struct json_object *member = bk__json_member(reader->object, name);
    if (!json_object_is_type(member, json_type_string)) {
        complain(reader, name, "is not a text");
        return "";
    }
    const char *text = json_object_get_string(member);
    size_t size = (size_t)json_object_get_string_len(member);
    if (size > limit || strlen(text) != size) {
        complain(reader, name, "is too long or holds a NUL");
        return "";
    }
    return text;
}

static void read_sum(struct reader *reader, const char *name, char out[BK__SHA256_HEX]) {
    const char *text = read_text(reader, name, BK__SHA256_HEX - 1);
    if (strlen(text) != BK__SHA256_HEX - 1 ||
        strspn(text, "0123456789abcdef") != BK__SHA256_HEX - 1) {
        complain(reader, name, "is not a SHA-256 in hex");
        text = "";
    }
    snprintf(out, BK__SHA256_HEX, "%s", text);
}

static int64_t read_stamp(struct reader *reader, const char *name) {
    int64_t unix_ms = 0;
    if (!bk__stamp_parse(read_text(reader, name, BK__STAMP_SIZE), &unix_ms)) {
        complain(reader, name, "is not a time");
    }
    return unix_ms;
}

/* A text that may be missing or null. NULL then, and when memory is out (with a complaint). */
static char *read_optional(struct reader *reader, const char *name, size_t limit) {
    if (bk__json_member(reader->object, name) == NULL) {
        return NULL;
    }
    char *copy = strdup(read_text(reader, name, limit));
    if (copy == NULL) {
        complain(reader, name, "does not fit in memory");
    }
    return copy;
}

/* A name and what it says: of a backup, or of a set's part. */
static bool parse_name(const struct bk__manifest *m, const struct bk__manifest *set,
                       struct bk__form *ret) {
    char kind[BK__KIND_SIZE];
    if (set != NULL) {
        return bk__name_parse_part(m->name, set->name, m->part, ret);
    }
    return bk__name_parse(m->name, kind, ret) &&
           (bk__form_is_set(ret) || strcmp(kind, m->kind) == 0);
}

static bool is_kind(const char *kind) {
    for (size_t i = 0; bk__kinds[i] != NULL; i++) {
        if (strcmp(kind, bk__kinds[i]) == 0) {
            return true;
        }
    }
    return false;
}

/* set: the part's set, or NULL. */
static void read_identity(struct reader *reader, const struct bk__manifest *set,
                          struct bk__manifest *m) {
    struct bk__form form = {0};
    enum bk__compression compression = BK__PLAIN;
    if (set == NULL) {
        read_int(reader, "format", FORMAT, FORMAT);
    }
    snprintf(m->name, sizeof m->name, "%s", read_text(reader, "name", BK__NAME_SIZE - 1));
    snprintf(m->kind, sizeof m->kind, "%s", read_text(reader, "kind", BK__KIND_SIZE - 1));
    snprintf(m->store, sizeof m->store, "%s",
             read_text(reader, set == NULL ? "store" : "driver", sizeof m->store - 1));
    const char *packed = read_text(reader, "compression", 8);
    if (!bk__compression_parse(packed, &compression)) {
        complain(reader, "compression", "is none of none, gzip and zstd");
    }
    if (!is_kind(m->kind)) {
        complain(reader, "kind", "is no kind of backup");
    } else if (!parse_name(m, set, &form)) {
        complain(reader, "name", "is no backup's name, or does not fit the kind");
    } else if (form.compression != compression) {
        complain(reader, "name", "does not fit the compression");
    }
    m->form = form;
}

/* Manifests of plain backups may leave both members out. A set's tell about its parts. */
static void read_encryption(struct reader *reader, struct bk__manifest *m) {
    const char *how = bk__json_member(reader->object, "encryption") == NULL
                          ? bk__encryptions[BK__KEY_NONE]
                          : read_text(reader, "encryption", 16);
    int mode = BK__KEY_NONE;
    while (bk__encryptions[mode] != NULL && strcmp(how, bk__encryptions[mode]) != 0) {
        mode++;
    }
    if (bk__encryptions[mode] == NULL) {
        complain(reader, "encryption", "is none of none, key and recipient");
        return;
    }
    m->encryption = (enum bk__key_mode)mode;
    if (!bk__form_is_set(&m->form) && m->form.encrypted != (mode != BK__KEY_NONE)) {
        complain(reader, "encryption", "does not fit the name");
    }
    if (mode != BK__KEY_NONE) {
        const char *id = read_text(reader, "key_id", BK__KEY_ID - 1);
        if (strlen(id) != BK__KEY_ID - 1 ||
            strspn(id, "0123456789abcdef") != BK__KEY_ID - 1) {
            complain(reader, "key_id", "is not 16 hex digits");
            id = "";
        }
        snprintf(m->key_id, sizeof m->key_id, "%s", id);
    }
}

static void read_sizes(struct reader *reader, struct bk__manifest *m) {
    m->sequence = read_int(reader, "sequence", 0, BK__SEQUENCE_LIMIT);
    m->bytes = read_int(reader, "bytes", 1, BYTES_LIMIT);
    m->database_bytes = read_int(reader, "database_bytes", 1, BYTES_LIMIT);
    bool paged =
        strcmp(m->form.content, "db") == 0 || strcmp(m->form.content, "delta") == 0;
    m->pages = read_int(reader, "pages", paged ? 1 : 0, BYTES_LIMIT);
    m->page_size = (int)read_int(reader, "page_size", paged ? 1 : 0, 1 << 30);
    m->snapshot_ms = read_int(reader, "snapshot_ms", 0, BYTES_LIMIT);
    m->verify_ms = read_int(reader, "verify_ms", 0, BYTES_LIMIT);
    m->total_ms = read_int(reader, "total_ms", 0, BYTES_LIMIT);
    read_sum(reader, "sha256", m->sha256);
    read_sum(reader, "archive_sha256", m->archive_sha256);
    if (paged && (m->pages > BYTES_LIMIT / m->page_size ||
                  m->pages * m->page_size != m->database_bytes)) {
        complain(reader, "pages", "times page_size is not database_bytes");
    }
    if (m->form.compression == BK__PLAIN && !m->form.encrypted &&
        strcmp(m->form.content, "delta") != 0 && !bk__form_is_folder(&m->form) &&
        (m->bytes != m->database_bytes || strcmp(m->sha256, m->archive_sha256) != 0)) {
        complain(reader, "archive_sha256", "differs though nothing is compressed");
    }
}

/* A stem is what a name begins with: with an ending it is a name. */
static void read_parent(struct reader *reader, struct bk__manifest *m) {
    char name[BK__NAME_SIZE + 8];
    char stem[BK__NAME_SIZE];
    if (strcmp(m->form.content, "delta") != 0) {
        return;
    }
    const char *parent = read_text(reader, "parent", BK__NAME_SIZE - 1);
    snprintf(name, sizeof name, "%s.db", parent);
    bk__name_stem(name, stem);
    if (!bk__name_parse(name, NULL, NULL) || strcmp(stem, parent) != 0) {
        complain(reader, "parent", "is no backup's stem");
    }
    snprintf(m->parent, sizeof m->parent, "%s", parent);
    read_sum(reader, "parent_sha256", m->parent_sha256);
    m->payload_bytes = read_int(reader, "payload_bytes", 1, BYTES_LIMIT);
}

static void read_places(struct reader *reader, struct bk__manifest *m) {
    struct json_object *object = bk__json_member(reader->object, "places");
    struct json_object *part = bk__json_member(object, "part");
    struct json_object *sums = bk__json_member(object, "crc32");
    if (object == NULL) {
        return;
    }
    if (!json_object_is_type(part, json_type_int) ||
        !json_object_is_type(sums, json_type_string) ||
        !bk__places_parse(json_object_get_string(sums), json_object_get_int64(part),
                          m->bytes, &m->places)) {
        complain(reader, "places", "is no list of checksums for so many bytes");
    }
}

static void read_tables(struct reader *reader, struct bk__manifest *m) {
    struct json_object *tables = bk__json_member(reader->object, "tables");
    if (!json_object_is_type(tables, json_type_object)) {
        complain(reader, "tables", "is not an object");
        return;
    }
    json_object_object_foreach(tables, table, rows) {
        (void)table;
        if (!json_object_is_type(rows, json_type_int) ||
            json_object_get_int64(rows) < 0) {
            complain(reader, "tables", "holds something that is no count of rows");
            return;
        }
    }
    m->tables = json_object_get(tables);
}

static void read_version(struct reader *reader, const char *name, char out[64]) {
    if (bk__json_member(reader->object, name) != NULL) {
        snprintf(out, 64, "%s", read_text(reader, name, 63));
    }
}

static void read_proof(struct reader *reader, struct bk__manifest *m) {
    struct json_object *verified = bk__json_member(reader->object, "verified");
    if (!json_object_is_type(verified, json_type_boolean)) {
        complain(reader, "verified", "is neither true nor false");
    }
    m->verified = json_object_get_boolean(verified);
    m->created_ms = read_stamp(reader, "created_at");
    m->verified_ms = read_stamp(reader, "verified_at");
    m->note = read_optional(reader, "note", 65536);
    m->adopted = read_optional(reader, "adopted_from", 1024);
    if (m->sequence == 0 && m->adopted == NULL) {
        complain(reader, "sequence", "is 0, which only adopted backups have");
    }
    m->error = read_optional(reader, "error", 65536);
    m->remark = read_optional(reader, "remark", 1024);
    read_version(reader, "server_version", m->server_version);
    read_version(reader, "client_version", m->client_version);
}

/* Everything that a backup and a part of a set have alike. */
static void read_facts(struct reader *reader, const struct bk__manifest *set,
                       struct bk__manifest *m) {
    read_identity(reader, set, m);
    read_encryption(reader, m);
    read_sizes(reader, m);
    read_parent(reader, m);
    read_tables(reader, m);
    read_places(reader, m);
    read_proof(reader, m);
}

bool bk__manifest_read(struct json_object *object, const struct bk__manifest *set,
                       struct bk__manifest *m, char *why, size_t why_room) {
    struct reader reader = {.object = object, .why = why, .room = why_room};
    read_facts(&reader, set, m);
    return !reader.bad;
}

bool bk__manifest_parse(const char *text, struct bk__manifest *ret, char *why,
                        size_t why_room) {
    const char *syntax = "";
    struct bk__manifest manifest = {0};
    struct json_object *object = bk__json_parse(text, &syntax);
    if (object == NULL) {
        snprintf(why, why_room, "it is not JSON: %s", syntax);
        return false;
    }
    bool good = bk__manifest_read(object, NULL, &manifest, why, why_room) &&
                (!bk__form_is_set(&manifest.form) ||
                 bk__manifest_read_set(object, &manifest, why, why_room));
    json_object_put(object);
    if (!good) {
        bk__manifest_clear(&manifest);
        return false;
    }
    *ret = manifest;
    return true;
}
