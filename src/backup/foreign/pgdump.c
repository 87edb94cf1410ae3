/*
 * Walking an archive of pg_dump -Fc, formats 1.10 (PostgreSQL 8.3) to 1.16 (17). It trusts no length.
 * Every entry with data must have its block, every block must end, and zlib's must unpack.
 * Called by examine.c.
 */
#include <backup/foreign/pgdump.h>

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include <core/error.h>

#define ROOM 65536
#define STRING_LIMIT (INT64_C(256) << 20) /* a function's body may be long */
#define ENTRY_LIMIT 10000000
#define NO_DATA 3 /* the offset's flag of an entry without data */
#define VERSION(major, minor) ((major)*100 + (minor))

enum packing { PLAIN = 0, ZLIB = 1, OTHER = 2 };

struct walk {
    const struct bk__pgdump_source *source;
    struct bk__pgdump_facts *facts;
    char *why;
    size_t why_room;
    int rc; /* sticks */
    int version, int_size, offset_size;
    enum packing packing;
    int64_t with_data; /* entries that must have a block */
    int64_t at;        /* bytes taken */
    unsigned char piece[ROOM];
    size_t have, used;
};

static void complain(struct walk *walk, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void complain(struct walk *walk, const char *format, ...) {
    va_list args;
    if (walk->rc == 0) {
        va_start(args, format);
        vsnprintf(walk->why, walk->why_room, format, args);
        va_end(args);
        walk->rc = BK_ECORRUPT;
    }
}

/* ---- bytes ------------------------------------------------------------------------------- */

static bool refill(struct walk *walk) {
    if (walk->rc != 0) {
        return false;
    }
    int64_t got = walk->source->read(walk->source->context, walk->piece, ROOM);
    if (got < 0) {
        walk->rc = (int)got;
        return false;
    }
    walk->have = (size_t)got;
    walk->used = 0;
    return got > 0;
}

/* The next bytes in memory, at most most of them; 0: the end or an error. */
static size_t peek(struct walk *walk, int64_t most, const unsigned char **ret) {
    if (walk->rc != 0 || (walk->used == walk->have && !refill(walk))) {
        return 0;
    }
    size_t size = walk->have - walk->used;
    *ret = walk->piece + walk->used;
    return (int64_t)size > most ? (size_t)most : size;
}

static void advance(struct walk *walk, size_t size) {
    walk->used += size;
    walk->at += (int64_t)size;
}

static int next_byte(struct walk *walk) {
    const unsigned char *byte = NULL;
    if (peek(walk, 1, &byte) == 0) {
        complain(walk, "it ends in the middle, at byte %" PRId64, walk->at);
        return 0;
    }
    int value = *byte;
    advance(walk, 1);
    return value;
}

static int64_t next_int(struct walk *walk) {
    bool negative = next_byte(walk) != 0;
    int64_t value = 0;
    for (int i = 0; i < walk->int_size; i++) {
        int64_t byte = next_byte(walk);
        value |= i < 7 ? byte << (8 * i) : 0;
    }
    return negative ? -value : value;
}

/* A string into out (cut to its room), or over it. False: there is none (NULL). */
static bool next_text(struct walk *walk, char *out, size_t room) {
    int64_t size = next_int(walk);
    size_t kept = 0;
    if (size < 0) {
        return false;
    }
    if (size > STRING_LIMIT) {
        complain(walk, "a text of %" PRId64 " bytes at byte %" PRId64, size, walk->at);
        return false;
    }
    while (size > 0) {
        const unsigned char *bytes = NULL;
        size_t got = peek(walk, size, &bytes);
        if (got == 0) {
            complain(walk, "it ends in the middle of a text, at byte %" PRId64, walk->at);
            return false;
        }
        for (size_t i = 0; i < got && kept + 1 < room; i++) {
            out[kept++] = (char)bytes[i];
        }
        advance(walk, got);
        size -= (int64_t)got;
    }
    if (room > 0) {
        out[kept] = '\0';
    }
    return true;
}

/* ---- header and table of contents --------------------------------------------------------- */

static void read_packing(struct walk *walk) {
    if (walk->version >= VERSION(1, 15)) {
        int algorithm = next_byte(walk);
        walk->packing = algorithm == 0 ? PLAIN : algorithm == 1 ? ZLIB : OTHER;
    } else {
        walk->packing = next_int(walk) == 0 ? PLAIN : ZLIB;
    }
}

static void read_header(struct walk *walk) {
    char magic[6] = "";
    for (int i = 0; i < 5; i++) {
        magic[i] = (char)next_byte(walk);
    }
    walk->facts->major = next_byte(walk);
    walk->facts->minor = next_byte(walk);
    next_byte(walk); /* the revision */
    walk->version = VERSION(walk->facts->major, walk->facts->minor);
    walk->int_size = next_byte(walk);
    walk->offset_size = next_byte(walk);
    int format = next_byte(walk);
    if (walk->rc != 0) {
        return;
    }
    if (memcmp(magic, "PGDMP", 5) != 0 || format != 1) {
        complain(walk, "it does not begin like a dump in pg_dump's custom format");
    } else if (walk->version < VERSION(1, 10) || walk->version > VERSION(1, 16)) {
        snprintf(walk->why, walk->why_room,
                 "its format is %d.%d, and 1.10 to 1.16 are known", walk->facts->major,
                 walk->facts->minor);
        walk->rc = BK_EUNSUPPORTED;
    } else if (walk->int_size < 1 || walk->int_size > 8 || walk->offset_size < 1 ||
               walk->offset_size > 8) {
        complain(walk, "its header names impossible sizes");
    }
}

static void read_head(struct walk *walk) {
    read_header(walk);
    if (walk->rc != 0) {
        return;
    }
    read_packing(walk);
    for (int i = 0; i < 7; i++) {
        next_int(walk); /* when it was made, in the time zone of who made it */
    }
    next_text(walk, walk->facts->database, sizeof walk->facts->database);
    next_text(walk, walk->facts->server, sizeof walk->facts->server);
    next_text(walk, NULL, 0); /* pg_dump's own version */
}

static void skip_texts(struct walk *walk, int count) {
    for (int i = 0; i < count; i++) {
        next_text(walk, NULL, 0);
    }
}

static void read_entry(struct walk *walk) {
    char desc[32] = "";
    int64_t id = next_int(walk);
    next_int(walk);      /* whether it had a dumper */
    skip_texts(walk, 3); /* two object ids and the tag */
    next_text(walk, desc, sizeof desc);
    if (walk->version >= VERSION(1, 11)) {
        next_int(walk); /* the section */
    }
    skip_texts(walk, 5); /* definition, drop, copy, schema, tablespace */
    if (walk->version >= VERSION(1, 14)) {
        next_text(walk, NULL, 0); /* access method */
    }
    if (walk->version >= VERSION(1, 16)) {
        next_int(walk); /* kind of relation */
    }
    skip_texts(walk, 2); /* owner, with oids */
    while (walk->rc == 0 && next_text(walk, NULL, 0)) {
        /* what it depends on, ended by a text that is none */
    }
    int flag = next_byte(walk);
    for (int i = 0; i < walk->offset_size; i++) {
        next_byte(walk);
    }
    if (walk->rc == 0 && (id <= 0 || flag < 1 || flag > NO_DATA)) {
        complain(walk, "its table of contents is damaged before byte %" PRId64, walk->at);
    }
    walk->with_data += flag != NO_DATA;
    walk->facts->tables += flag != NO_DATA && strcmp(desc, "TABLE DATA") == 0;
}

static void read_contents(struct walk *walk) {
    int64_t count = walk->rc == 0 ? next_int(walk) : 0;
    if (count < 0 || count > ENTRY_LIMIT) {
        complain(walk, "its table of contents has %" PRId64 " entries", count);
    }
    for (int64_t i = 0; walk->rc == 0 && i < count; i++) {
        read_entry(walk);
        walk->facts->entries++;
    }
}

/* ---- data --------------------------------------------------------------------------------- */

/* Unpacks a piece; what comes out is only summed. */
static void inflate_piece(struct walk *walk, z_stream *zlib, const unsigned char *bytes,
                          size_t size, bool *ret_ended) {
    unsigned char out[16384];
    zlib->next_in = (unsigned char *)(uintptr_t)bytes;
    zlib->avail_in = (unsigned)size;
    while (walk->rc == 0 && zlib->avail_in > 0) {
        if (*ret_ended) {
            complain(walk, "rows go on behind their end at byte %" PRId64, walk->at);
            return;
        }
        zlib->next_out = out;
        zlib->avail_out = sizeof out;
        int rc = inflate(zlib, Z_NO_FLUSH);
        if (rc == Z_MEM_ERROR) {
            walk->rc = BK_ENOMEM;
        } else if (rc != Z_OK && rc != Z_STREAM_END) {
            complain(walk, "its rows are damaged before byte %" PRId64,
                     walk->at + (int64_t)size);
        }
        *ret_ended = rc == Z_STREAM_END;
    }
}

static void read_chunk(struct walk *walk, int64_t size, z_stream *zlib, bool *ret_ended) {
    while (walk->rc == 0 && size > 0) {
        const unsigned char *bytes = NULL;
        size_t got = peek(walk, size, &bytes);
        if (got == 0) {
            complain(walk, "it ends in the middle of rows, at byte %" PRId64, walk->at);
            return;
        }
        if (walk->packing == ZLIB) {
            inflate_piece(walk, zlib, bytes, got, ret_ended);
        }
        advance(walk, got);
        size -= (int64_t)got;
    }
}

/* The chunks of one block, ended by one of no bytes. */
static void read_chunks(struct walk *walk) {
    z_stream zlib = {0};
    bool ended = walk->packing != ZLIB;
    bool any = false;
    if (walk->packing == ZLIB && inflateInit(&zlib) != Z_OK) {
        walk->rc = BK_ENOMEM;
        return;
    }
    int64_t size = next_int(walk);
    while (walk->rc == 0 && size != 0) {
        if (size < 0 || size > STRING_LIMIT) {
            complain(walk, "a chunk of %" PRId64 " bytes at byte %" PRId64, size,
                     walk->at);
            break;
        }
        any = true;
        read_chunk(walk, size, &zlib, &ended);
        size = next_int(walk);
    }
    if (any && !ended) {
        complain(walk, "rows end too early at byte %" PRId64, walk->at);
    }
    if (walk->packing == ZLIB) {
        inflateEnd(&zlib);
    }
}

/* A block of rows, or of large objects, each with its own chunks. */
static void read_block(struct walk *walk) {
    int kind = next_byte(walk);
    int64_t id = next_int(walk);
    if (walk->rc == 0 && ((kind != 1 && kind != 3) || id <= 0)) {
        complain(walk, "something that is no block of rows stands at byte %" PRId64,
                 walk->at);
    }
    if (kind == 1) {
        read_chunks(walk);
        return;
    }
    while (walk->rc == 0 && next_int(walk) != 0) {
        read_chunks(walk);
    }
}

static void read_data(struct walk *walk) {
    const unsigned char *ahead = NULL;
    int64_t blocks = 0;
    while (walk->rc == 0 && peek(walk, 1, &ahead) > 0) {
        read_block(walk);
        blocks++;
    }
    if (walk->rc == 0 && blocks < walk->with_data) {
        complain(walk,
                 "it ends after the rows of %" PRId64 " of %" PRId64
                 " entries, at byte %" PRId64,
                 blocks, walk->with_data, walk->at);
    }
    walk->facts->inflated = walk->packing != OTHER;
}

int bk__pgdump_walk(const struct bk__pgdump_source *source, struct bk__pgdump_facts *ret,
                    char *why, size_t why_room) {
    struct walk *walk = calloc(1, sizeof *walk);
    if (walk == NULL) {
        return bk__fail_memory();
    }
    memset(ret, 0, sizeof *ret);
    walk->source = source;
    walk->facts = ret;
    walk->why = why;
    walk->why_room = why_room;
    read_head(walk);
    read_contents(walk);
    read_data(walk);
    int rc = walk->rc;
    free(walk);
    return rc == BK_ENOMEM ? bk__fail_memory() : rc;
}
