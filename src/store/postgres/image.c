/*
 * Reading an archive of pg_dump's custom format by ourselves, from its first byte to its last: the
 * table of contents, every block of data where that table says, and how many rows each table has.
 * Not its bytes (bytes.c), nor putting it back: pg_restore does. Intake, prove and restore call it.
 */
#include <store/postgres/bytes.h>
#include <store/postgres/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>

#define OLDEST 12        /* 1.12, pg_dump 9.0 */
#define COLUMNS_SINCE 14 /* 1.14: the table's access method */
#define PACKING_SINCE 15 /* 1.15: one byte names the compression */
#define KIND_SINCE 16    /* 1.16: the kind of relation */
#define CUSTOM 1
#define BLOCK_DATA 1
#define BLOCK_BLOBS 3
#define PLACE_UNSET 1 /* of an entry's data, as the table of contents says */
#define PLACE_SET 2
#define PLACE_NONE 3
#define COPY_END "\\.\n\n\n" /* after a table's last row */
#define COPY_END_SIZE 5

/* One entry of the table of contents. */
struct entry {
    int64_t id;
    int64_t place; /* of its block, where set */
    int state;
    bool seen, rows; /* its block was read; it holds a table's rows */
    char *name;      /* of that table */
};

struct reader {
    struct bk__pg_bytes *in;
    int offset_size;
    bool packed;
    struct entry *entries;
    int64_t count;
    struct bk__pg_image *image;
};

static void take_text(struct reader *r, char *to, size_t room) {
    char *text = bk__pg_bytes_text(r->in);
    snprintf(to, room, "%s", text == NULL ? "" : text);
    free(text);
}

/* ---- header and table of contents -------------------------------------------------------------- */

static int read_header(struct reader *r) {
    unsigned char head[11];
    for (size_t i = 0; i < sizeof head; i++) {
        head[i] = (unsigned char)bk__pg_bytes_byte(r->in);
    }
    if (r->in->rc != 0) {
        return r->in->rc;
    }
    r->in->int_size = head[8];
    r->offset_size = head[9];
    r->image->minor = head[6];
    if (memcmp(head, "PGDMP", 5) != 0 || head[5] != 1 || head[6] < OLDEST ||
        r->in->int_size < 4 || r->in->int_size > 8 || r->offset_size < 4 ||
        r->offset_size > 8 || head[10] != CUSTOM) {
        return bk__pg_bytes_damaged(
            r->in, "it does not begin like one of pg_dump's custom format");
    }
    return 0;
}

static void read_preamble(struct reader *r) {
    r->packed = r->image->minor >= PACKING_SINCE ? bk__pg_bytes_byte(r->in) != 0
                                                 : bk__pg_bytes_int(r->in) != 0;
    for (int i = 0; i < 7; i++) {
        bk__pg_bytes_int(r->in); /* when it was made, in local time */
    }
    bk__pg_bytes_skip_text(r->in); /* the database's name */
    take_text(r, r->image->server, sizeof r->image->server);
    take_text(r, r->image->client, sizeof r->image->client);
    r->count = bk__pg_bytes_int(r->in);
    if (r->in->rc == 0 && (r->count < 0 || r->count > r->in->size / 16)) {
        bk__pg_bytes_damaged(r->in, "its table of contents is impossibly long");
    }
}

/* What an entry says in texts, of which few matter here. */
struct texts {
    char *tag, *kind, *create, *copy, *space, *owner;
};

static void free_texts(struct texts *t) {
    free(t->tag);
    free(t->kind);
    free(t->create);
    free(t->copy);
    free(t->space);
    free(t->owner);
}

static void skip_dependencies(struct reader *r) {
    int64_t size = 0;
    while (r->in->rc == 0 && (size = bk__pg_bytes_size(r->in)) >= 0) {
        bk__pg_bytes_skip(r->in, size);
    }
}

static void read_place(struct reader *r, struct entry *entry) {
    uint64_t place = 0;
    entry->state = bk__pg_bytes_byte(r->in);
    for (int i = 0; i < r->offset_size; i++) {
        place |= (uint64_t)bk__pg_bytes_byte(r->in) << (8 * i);
    }
    entry->place = (int64_t)place;
    if (r->in->rc == 0 && (entry->state < PLACE_UNSET || entry->state > PLACE_NONE)) {
        bk__pg_bytes_damaged(r->in, "an entry of its table of contents is none");
    }
}

static void read_texts(struct reader *r, struct texts *t) {
    t->tag = bk__pg_bytes_text(r->in);
    t->kind = bk__pg_bytes_text(r->in);
    bk__pg_bytes_int(r->in); /* section */
    t->create = bk__pg_bytes_text(r->in);
    bk__pg_bytes_skip_text(r->in); /* how to drop it */
    t->copy = bk__pg_bytes_text(r->in);
    t->space = bk__pg_bytes_text(r->in);
    bk__pg_bytes_skip_text(r->in); /* tablespace */
    if (r->image->minor >= COLUMNS_SINCE) {
        bk__pg_bytes_skip_text(r->in);
    }
    if (r->image->minor >= KIND_SINCE) {
        bk__pg_bytes_int(r->in);
    }
    t->owner = bk__pg_bytes_text(r->in);
    bk__pg_bytes_skip_text(r->in); /* "false": without row numbers */
    skip_dependencies(r);
}

static bool is_kind(const struct texts *t, const char *kind) {
    return t->kind != NULL && strcmp(t->kind, kind) == 0;
}

static bool add_part(struct bk__buf *name, const char *part) {
    char *quoted = strpbrk(part, ".\"") == NULL ? strdup(part) : bk__pg_name(part);
    bk__buf_text(name, quoted == NULL ? "" : quoted);
    free(quoted);
    return quoted != NULL;
}

/* "users", or "other.users" where the schema is not public: BK__PG_SHOWN. */
static char *shown_name(const struct texts *t) {
    const char *space = t->space == NULL ? "" : t->space;
    struct bk__buf name = {0};
    bool good = true;
    if (*space != '\0' && strcmp(space, "public") != 0) {
        good = add_part(&name, space);
        bk__buf_text(&name, ".");
    }
    good = good && add_part(&name, t->tag == NULL ? "" : t->tag);
    char *text = good ? bk__buf_take(&name) : NULL;
    bk__buf_free(&name);
    return text;
}

static void keep_entry(struct reader *r, struct entry *entry, struct texts *t) {
    if (is_kind(t, "DATABASE") && r->image->create == NULL) {
        r->image->create = t->create;
        r->image->owner = t->owner;
        t->create = t->owner = NULL;
    }
    if (is_kind(t, "TABLE DATA")) {
        entry->rows = t->copy != NULL && *t->copy != '\0';
        entry->name = shown_name(t);
        r->in->rc = entry->name == NULL ? bk__fail_memory() : r->in->rc;
        r->image->counted = r->image->counted && entry->rows;
    }
}

static int read_entries(struct reader *r) {
    r->entries = calloc((size_t)r->count + 1, sizeof *r->entries);
    if (r->entries == NULL) {
        return bk__fail_memory();
    }
    for (int64_t i = 0; i < r->count && r->in->rc == 0; i++) {
        struct entry *entry = &r->entries[i];
        struct texts texts = {0};
        entry->id = bk__pg_bytes_int(r->in);
        bk__pg_bytes_int(r->in);       /* whether it had something to dump */
        bk__pg_bytes_skip_text(r->in); /* its numbers in the old database */
        bk__pg_bytes_skip_text(r->in);
        read_texts(r, &texts);
        read_place(r, entry);
        if (r->in->rc == 0) {
            keep_entry(r, entry, &texts);
        }
        free_texts(&texts);
    }
    return r->in->rc;
}

/* ---- data ------------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b) {
    int64_t one = ((const struct entry *)a)->id;
    int64_t other = ((const struct entry *)b)->id;
    return one < other ? -1 : one > other;
}

/* The rows of a block: its line ends, and how it ends. */
struct rows {
    int64_t lines;
    char last[COPY_END_SIZE];
};

static void count_lines(struct rows *rows, const unsigned char *run, size_t size) {
    const unsigned char *end = run + size;
    for (const unsigned char *at = run; (at = memchr(at, '\n', (size_t)(end - at)));) {
        rows->lines++;
        at++;
    }
    size_t fresh = size < COPY_END_SIZE ? size : COPY_END_SIZE;
    memmove(rows->last, rows->last + fresh, COPY_END_SIZE - fresh);
    memcpy(rows->last + COPY_END_SIZE - fresh, end - fresh, fresh);
}

/* Pieces, each after its size, up to one of size 0. */
static void read_pieces(struct reader *r, struct rows *rows) {
    int64_t left = 1;
    while (r->in->rc == 0 && (left = bk__pg_bytes_int(r->in)) != 0) {
        if (left < 0 || left > r->in->size - r->in->done) {
            bk__pg_bytes_damaged(r->in,
                                 "a piece of data is longer than the rest of the file");
        }
        while (left > 0 && r->in->rc == 0) {
            size_t got = 0;
            const unsigned char *run = bk__pg_bytes_run(r->in, left, &got);
            if (run != NULL) {
                count_lines(rows, run, got);
                left -= (int64_t)got;
            }
        }
    }
}

/* Large objects, each after its number, up to number 0. */
static void read_blobs(struct reader *r) {
    struct rows ignored = {0};
    while (r->in->rc == 0 && bk__pg_bytes_int(r->in) != 0) {
        read_pieces(r, &ignored);
    }
}

static void keep_rows(struct reader *r, const struct entry *entry,
                      const struct rows *rows) {
    int64_t known = bk__json_int(r->image->tables, entry->name, 0);
    if (memcmp(rows->last, COPY_END, COPY_END_SIZE) != 0 || rows->lines < 3) {
        bk__pg_bytes_damaged(r->in, "a table's rows have no end");
    } else if (!bk__json_add_int(r->image->tables, entry->name,
                                 known + rows->lines - 3)) {
        r->in->rc = bk__fail_memory();
    }
}

static void read_block(struct reader *r) {
    int64_t start = r->in->done;
    int type = bk__pg_bytes_byte(r->in);
    struct entry wanted = {.id = bk__pg_bytes_int(r->in)};
    struct entry *entry = r->in->rc != 0 ? NULL
                                         : bsearch(&wanted, r->entries, (size_t)r->count,
                                                   sizeof wanted, by_id);
    struct rows rows = {0};
    if (r->in->rc == 0 && (entry == NULL || entry->seen || entry->state == PLACE_NONE ||
                           (entry->state == PLACE_SET && entry->place != start))) {
        bk__pg_bytes_damaged(r->in,
                             "a block of data is not where the table of contents has it");
    }
    if (r->in->rc == 0 && type == BLOCK_DATA) {
        read_pieces(r, &rows);
    } else if (r->in->rc == 0 && type == BLOCK_BLOBS) {
        read_blobs(r);
    } else {
        bk__pg_bytes_damaged(r->in, "a block of data is of no known kind");
    }
    if (r->in->rc == 0) {
        entry->seen = true;
        if (entry->rows && r->image->counted) {
            keep_rows(r, entry, &rows);
        }
    }
}

static int read_data(struct reader *r) {
    qsort(r->entries, (size_t)r->count, sizeof *r->entries, by_id);
    while (!bk__pg_bytes_at_end(r->in)) {
        read_block(r);
    }
    for (int64_t i = 0; r->in->rc == 0 && i < r->count; i++) {
        if (r->entries[i].state != PLACE_NONE && !r->entries[i].seen) {
            bk__pg_bytes_damaged(r->in,
                                 "data that its table of contents names is missing");
        }
    }
    return r->in->rc;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static int read_all(struct reader *r) {
    r->image->counted = true;
    r->image->tables = bk__json_object();
    if (r->image->tables == NULL) {
        return bk__fail_memory();
    }
    int rc = read_header(r);
    if (rc != 0 || r->image->minor > BK__PG_FORMAT_KNOWN) {
        r->image->counted = false; /* pg_restore alone can tell */
        return rc != 0 ? rc : bk__pg_bytes_rest(r->in);
    }
    read_preamble(r);
    r->image->counted = !r->packed;
    rc = r->in->rc == 0 ? read_entries(r) : r->in->rc;
    return rc == 0 ? read_data(r) : rc;
}

static int read_image(struct bk__pg_bytes *in, struct bk__pg_image *ret) {
    struct bk__pg_image image = {0};
    struct reader r = {.in = in, .image = &image};
    int rc = read_all(&r);
    for (int64_t i = 0; r.entries != NULL && i < r.count; i++) {
        free(r.entries[i].name);
    }
    free(r.entries);
    if (rc != 0) {
        bk__pg_image_free(&image);
        return rc;
    }
    image.bytes = in->done;
    *ret = image;
    return 0;
}

int bk__pg_image_read(struct bk__job *job, const char *path, struct bk__pg_image *ret) {
    struct bk__pg_bytes in = {.job = job};
    int rc = bk__pg_bytes_open(&in, path);
    if (rc == 0) {
        rc = read_image(&in, ret);
    }
    bk__pg_bytes_close(&in);
    return rc;
}

int bk__pg_image_take(struct bk__job *job, const struct bk__pg_stream *stream,
                      struct bk__pg_image *ret) {
    struct bk__pg_bytes in = {.job = job};
    int rc = bk__pg_bytes_follow(&in, stream);
    if (rc == 0) {
        rc = read_image(&in, ret);
    }
    bk__pg_bytes_close(&in);
    return rc;
}

void bk__pg_image_free(struct bk__pg_image *image) {
    free(image->create);
    free(image->owner);
    json_object_put(image->tables);
    memset(image, 0, sizeof *image);
}
