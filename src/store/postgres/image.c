/*
 * Reading an archive of pg_dump's custom format by ourselves, from its first byte to its last: the
 * table of contents, every block of data where that table says, and how many rows each table has.
 * Not putting it back: pg_restore does. Intake, prove and restore call it.
 */
#include <store/postgres/internal.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/growth.h>

#define PIECE ((size_t)1 << 20)
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
#define TEXT_LIMIT (INT64_C(1) << 30)

/* One entry of the table of contents. */
struct entry {
    int64_t id;
    int64_t place; /* of its block, where set */
    int state;
    bool seen, rows; /* its block was read; it holds a table's rows */
    char *name;      /* of that table */
};

struct reader {
    struct bk__job *job;
    const char *path;
    int fd;
    const struct bk__pg_stream *stream; /* fd is a pipe; NULL: a file */
    int64_t got;                        /* out of it */
    int64_t size, done;                 /* of the file; read by whoever asked */
    unsigned char *piece;
    size_t at, filled;
    int int_size, offset_size;
    bool packed;
    struct entry *entries;
    int64_t count;
    struct bk__pg_image *image;
    int rc; /* sticks: what reads on after an error gets nothing */
};

static int damaged(struct reader *r, const char *why) {
    if (r->rc == 0) {
        r->rc = bk__fail(BK_ECORRUPT,
                         "The PostgreSQL dump %s is damaged at byte %" PRId64
                         " of %" PRId64 ": %s. Nothing was restored from it. Use another "
                         "backup.",
                         r->path, r->done, r->stream == NULL ? r->size : r->got, why);
    }
    return r->rc;
}

/* ---- bytes ---------------------------------------------------------------------------------- */

/* What came out of a pipe, into its file. */
static int keep_piece(struct reader *r, size_t size) {
    const struct bk__pg_stream *stream = r->stream;
    int rc = bk__file_write(stream->to_fd, r->piece, size);
    if (rc != 0) {
        return bk__fail_errno(rc, "cannot write", stream->path, NULL);
    }
    r->got += (int64_t)size;
    bk__growth_tell(stream->growth, r->got);
    return 0;
}

static bool refill(struct reader *r) {
    int64_t got = r->rc == 0 ? bk__file_read(r->fd, r->piece, PIECE) : 0;
    if (r->rc == 0 && got < 0) {
        r->rc = bk__fail_errno((int)got, "cannot read", r->path, NULL);
    }
    if (r->rc == 0) {
        r->rc = bk__job_check(r->job);
    }
    if (r->rc == 0 && got > 0 && r->stream != NULL) {
        r->rc = keep_piece(r, (size_t)got);
    }
    r->at = 0;
    r->filled = got > 0 && r->rc == 0 ? (size_t)got : 0;
    return r->filled > 0;
}

static bool at_end(struct reader *r) {
    return r->rc != 0 || (r->at == r->filled && !refill(r));
}

static int next_byte(struct reader *r) {
    if (at_end(r)) {
        damaged(r, "it ends in the middle");
        return 0;
    }
    r->done++;
    return r->piece[r->at++];
}

/* As many bytes as lie together, at most size. NULL at the end. */
static const unsigned char *next_run(struct reader *r, int64_t size, size_t *ret) {
    if (at_end(r)) {
        damaged(r, "it ends in the middle");
        return NULL;
    }
    size_t there = r->filled - r->at;
    *ret = (int64_t)there < size ? there : (size_t)size;
    const unsigned char *run = r->piece + r->at;
    r->at += *ret;
    r->done += (int64_t)*ret;
    return run;
}

/* A sign, then the size's bytes, the lowest first. */
static int64_t next_int(struct reader *r) {
    bool negative = next_byte(r) != 0;
    uint64_t value = 0;
    for (int i = 0; i < r->int_size; i++) {
        value |= (uint64_t)next_byte(r) << (8 * i);
    }
    if (value > INT32_MAX) {
        damaged(r, "a number is out of range");
        return 0;
    }
    return negative ? -(int64_t)value : (int64_t)value;
}

static void skip(struct reader *r, int64_t size) {
    while (size > 0 && r->rc == 0) {
        size_t got = 0;
        if (next_run(r, size, &got) != NULL) {
            size -= (int64_t)got;
        }
    }
}

/* A text's size; -1: there is none. */
static int64_t next_size(struct reader *r) {
    int64_t size = next_int(r);
    if (size > r->size - r->done || size > TEXT_LIMIT) {
        damaged(r, "a text is longer than the rest of the file");
        return -1;
    }
    return size;
}

static void skip_text(struct reader *r) {
    skip(r, next_size(r));
}

/* malloc'd; NULL: there is none, or r->rc. */
static char *next_text(struct reader *r) {
    int64_t size = next_size(r);
    char *text = size < 0 || r->rc != 0 ? NULL : malloc((size_t)size + 1);
    char *to = text;
    if (text == NULL) {
        r->rc = r->rc == 0 && size >= 0 ? bk__fail_memory() : r->rc;
        return NULL;
    }
    while (size > 0 && r->rc == 0) {
        size_t got = 0;
        const unsigned char *run = next_run(r, size, &got);
        if (run != NULL) {
            memcpy(to, run, got);
            to += got;
            size -= (int64_t)got;
        }
    }
    *to = '\0';
    return text;
}

static void take_text(struct reader *r, char *to, size_t room) {
    char *text = next_text(r);
    snprintf(to, room, "%s", text == NULL ? "" : text);
    free(text);
}

/* ---- header and table of contents -------------------------------------------------------------- */

static int read_header(struct reader *r) {
    unsigned char head[11];
    for (size_t i = 0; i < sizeof head; i++) {
        head[i] = (unsigned char)next_byte(r);
    }
    if (r->rc != 0) {
        return r->rc;
    }
    r->int_size = head[8];
    r->offset_size = head[9];
    r->image->minor = head[6];
    if (memcmp(head, "PGDMP", 5) != 0 || head[5] != 1 || head[6] < OLDEST ||
        r->int_size < 4 || r->int_size > 8 || r->offset_size < 4 || r->offset_size > 8 ||
        head[10] != CUSTOM) {
        return damaged(r, "it does not begin like one of pg_dump's custom format");
    }
    return 0;
}

static void read_preamble(struct reader *r) {
    r->packed = r->image->minor >= PACKING_SINCE ? next_byte(r) != 0 : next_int(r) != 0;
    for (int i = 0; i < 7; i++) {
        next_int(r); /* when it was made, in local time */
    }
    skip_text(r); /* the database's name */
    take_text(r, r->image->server, sizeof r->image->server);
    take_text(r, r->image->client, sizeof r->image->client);
    r->count = next_int(r);
    if (r->rc == 0 && (r->count < 0 || r->count > r->size / 16)) {
        damaged(r, "its table of contents is impossibly long");
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
    while (r->rc == 0 && (size = next_size(r)) >= 0) {
        skip(r, size);
    }
}

static void read_place(struct reader *r, struct entry *entry) {
    uint64_t place = 0;
    entry->state = next_byte(r);
    for (int i = 0; i < r->offset_size; i++) {
        place |= (uint64_t)next_byte(r) << (8 * i);
    }
    entry->place = (int64_t)place;
    if (r->rc == 0 && (entry->state < PLACE_UNSET || entry->state > PLACE_NONE)) {
        damaged(r, "an entry of its table of contents is none");
    }
}

static void read_texts(struct reader *r, struct texts *t) {
    t->tag = next_text(r);
    t->kind = next_text(r);
    next_int(r); /* section */
    t->create = next_text(r);
    skip_text(r); /* how to drop it */
    t->copy = next_text(r);
    t->space = next_text(r);
    skip_text(r); /* tablespace */
    if (r->image->minor >= COLUMNS_SINCE) {
        skip_text(r);
    }
    if (r->image->minor >= KIND_SINCE) {
        next_int(r);
    }
    t->owner = next_text(r);
    skip_text(r); /* "false": without row numbers */
    skip_dependencies(r);
}

static bool is_kind(const struct texts *t, const char *kind) {
    return t->kind != NULL && strcmp(t->kind, kind) == 0;
}

/* "users", or "other.users" where the schema is not public. */
static char *shown_name(const struct texts *t) {
    const char *space = t->space == NULL ? "" : t->space;
    const char *tag = t->tag == NULL ? "" : t->tag;
    struct bk__buf name = {0};
    if (*space != '\0' && strcmp(space, "public") != 0) {
        bk__buf_printf(&name, "%s.", space);
    }
    bk__buf_text(&name, tag);
    char *text = bk__buf_take(&name);
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
        r->rc = entry->name == NULL ? bk__fail_memory() : r->rc;
        r->image->counted = r->image->counted && entry->rows;
    }
}

static int read_entries(struct reader *r) {
    r->entries = calloc((size_t)r->count + 1, sizeof *r->entries);
    if (r->entries == NULL) {
        return bk__fail_memory();
    }
    for (int64_t i = 0; i < r->count && r->rc == 0; i++) {
        struct entry *entry = &r->entries[i];
        struct texts texts = {0};
        entry->id = next_int(r);
        next_int(r);  /* whether it had something to dump */
        skip_text(r); /* its numbers in the old database */
        skip_text(r);
        read_texts(r, &texts);
        read_place(r, entry);
        if (r->rc == 0) {
            keep_entry(r, entry, &texts);
        }
        free_texts(&texts);
    }
    return r->rc;
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
    while (r->rc == 0 && (left = next_int(r)) != 0) {
        if (left < 0 || left > r->size - r->done) {
            damaged(r, "a piece of data is longer than the rest of the file");
        }
        while (left > 0 && r->rc == 0) {
            size_t got = 0;
            const unsigned char *run = next_run(r, left, &got);
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
    while (r->rc == 0 && next_int(r) != 0) {
        read_pieces(r, &ignored);
    }
}

static void keep_rows(struct reader *r, const struct entry *entry,
                      const struct rows *rows) {
    int64_t known = bk__json_int(r->image->tables, entry->name, 0);
    if (memcmp(rows->last, COPY_END, COPY_END_SIZE) != 0 || rows->lines < 3) {
        damaged(r, "a table's rows have no end");
    } else if (!bk__json_add_int(r->image->tables, entry->name,
                                 known + rows->lines - 3)) {
        r->rc = bk__fail_memory();
    }
}

static void read_block(struct reader *r) {
    int64_t start = r->done;
    int type = next_byte(r);
    struct entry wanted = {.id = next_int(r)};
    struct entry *entry =
        r->rc != 0 ? NULL
                   : bsearch(&wanted, r->entries, (size_t)r->count, sizeof wanted, by_id);
    struct rows rows = {0};
    if (r->rc == 0 && (entry == NULL || entry->seen || entry->state == PLACE_NONE ||
                       (entry->state == PLACE_SET && entry->place != start))) {
        damaged(r, "a block of data is not where the table of contents has it");
    }
    if (r->rc == 0 && type == BLOCK_DATA) {
        read_pieces(r, &rows);
    } else if (r->rc == 0 && type == BLOCK_BLOBS) {
        read_blobs(r);
    } else {
        damaged(r, "a block of data is of no known kind");
    }
    if (r->rc == 0) {
        entry->seen = true;
        if (entry->rows && r->image->counted) {
            keep_rows(r, entry, &rows);
        }
    }
}

static int read_data(struct reader *r) {
    qsort(r->entries, (size_t)r->count, sizeof *r->entries, by_id);
    while (!at_end(r)) {
        read_block(r);
    }
    for (int64_t i = 0; r->rc == 0 && i < r->count; i++) {
        if (r->entries[i].state != PLACE_NONE && !r->entries[i].seen) {
            damaged(r, "data that its table of contents names is missing");
        }
    }
    return r->rc;
}

/* ---- the whole --------------------------------------------------------------------------------- */

static int read_rest(struct reader *r) {
    while (!at_end(r)) {
        r->done += (int64_t)(r->filled - r->at);
        r->at = r->filled;
    }
    return r->rc;
}

static int read_all(struct reader *r) {
    r->piece = malloc(PIECE);
    r->image->counted = true;
    r->image->tables = bk__json_object();
    if (r->piece == NULL || r->image->tables == NULL) {
        return bk__fail_memory();
    }
    int rc = read_header(r);
    if (rc != 0 || r->image->minor > BK__PG_FORMAT_KNOWN) {
        r->image->counted = false; /* pg_restore alone can tell */
        return rc != 0 || r->stream == NULL ? rc : read_rest(r);
    }
    read_preamble(r);
    r->image->counted = !r->packed;
    rc = r->rc == 0 ? read_entries(r) : r->rc;
    return rc == 0 ? read_data(r) : rc;
}

static int open_file(struct reader *r) {
    r->fd = bk__file_open_read(r->path);
    if (r->fd < 0) {
        return bk__fail_errno(r->fd, "cannot open", r->path, NULL);
    }
    r->size = bk__file_size(r->fd);
    return r->size < 0 ? bk__fail_errno((int)r->size, "cannot read", r->path, NULL) : 0;
}

static int read_image(struct reader *r, struct bk__pg_image *ret) {
    struct bk__pg_image image = {0};
    r->image = &image;
    int rc = read_all(r);
    for (int64_t i = 0; r->entries != NULL && i < r->count; i++) {
        free(r->entries[i].name);
    }
    free(r->entries);
    free(r->piece);
    if (rc != 0) {
        bk__pg_image_free(&image);
        return rc;
    }
    image.bytes = r->stream == NULL ? r->size : r->got;
    *ret = image;
    return 0;
}

int bk__pg_image_read(struct bk__job *job, const char *path, struct bk__pg_image *ret) {
    struct reader r = {.job = job, .path = path, .fd = -1};
    int rc = open_file(&r);
    if (rc == 0) {
        rc = read_image(&r, ret);
    }
    if (r.fd >= 0) {
        bk__file_close(r.fd);
    }
    return rc;
}

int bk__pg_image_take(struct bk__job *job, const struct bk__pg_stream *stream,
                      struct bk__pg_image *ret) {
    struct reader r = {.job = job,
                       .path = stream->path,
                       .fd = stream->from_fd,
                       .stream = stream,
                       .size = INT64_MAX};
    return read_image(&r, ret);
}

void bk__pg_image_free(struct bk__pg_image *image) {
    free(image->create);
    free(image->owner);
    json_object_put(image->tables);
    memset(image, 0, sizeof *image);
}
