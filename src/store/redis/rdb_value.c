/*
 * How the values of a dump are laid out, for every type up to version 11: over them, without
 * reading them. Not the order of keys: rdb.c, the only caller.
 */
#include <store/redis/rdb_inside.h>

#include <inttypes.h>
#include <stdio.h>

#include <base/bytes.h>

/* ---- lengths and strings -------------------------------------------------------------- */

enum { SIX_BITS, FOURTEEN_BITS, WIDE, ENCODED }; /* the top two bits */
enum { WIDE_32 = 0x80, WIDE_64 = 0x81 };         /* whole bytes */
enum { TEXT_INT8 = 0, TEXT_INT16 = 1, TEXT_INT32 = 2, TEXT_PACKED = 3 }; /* encodings */

static int take_wide(struct bk__rdb *rdb, unsigned first, uint64_t *ret) {
    unsigned char bytes[8];
    size_t count = first == WIDE_32 ? 4 : 8;
    int rc;

    if (first != WIDE_32 && first != WIDE_64) {
        return bk__rdb_wrong(rdb, "an impossible length");
    }
    rc = bk__rdb_take(rdb, bytes, count);
    *ret = rc == 0 ? bk__get_be(bytes, count) : 0;
    return rc;
}

/* A length, or where one stands for something else, how that is encoded. */
static int take_length(struct bk__rdb *rdb, uint64_t *ret, bool *ret_encoded) {
    unsigned char first = 0;
    unsigned char second = 0;
    int rc = bk__rdb_take(rdb, &first, 1);

    *ret = first & 63;
    *ret_encoded = first >> 6 == ENCODED;
    if (rc == 0 && first >> 6 == FOURTEEN_BITS) {
        rc = bk__rdb_take(rdb, &second, 1);
        *ret = *ret << 8 | second;
    }
    return rc == 0 && first >> 6 == WIDE ? take_wide(rdb, first, ret) : rc;
}

int bk__rdb_length(struct bk__rdb *rdb, uint64_t *ret) {
    bool encoded = false;
    int rc = take_length(rdb, ret, &encoded);

    return rc == 0 && encoded ? bk__rdb_wrong(rdb, "a text where a length must be") : rc;
}

/* A signed number of 1, 2 or 4 bytes; as text into ret where room is enough. */
static int take_number(struct bk__rdb *rdb, uint64_t encoding, char *ret, size_t room) {
    unsigned char bytes[4];
    size_t size = (size_t)1 << encoding;
    int rc = bk__rdb_take(rdb, bytes, size);
    int64_t value;

    if (rc != 0 || ret == NULL) {
        return rc;
    }
    value = (int64_t)bk__get_le(bytes, size);
    if (bytes[size - 1] > 127) {
        value -= INT64_C(1) << 8 * size;
    }
    snprintf(ret, room, "%" PRId64, value);
    return 0;
}

static int take_packed(struct bk__rdb *rdb) {
    uint64_t packed = 0;
    uint64_t whole = 0;
    int rc = bk__rdb_length(rdb, &packed);

    if (rc == 0) {
        rc = bk__rdb_length(rdb, &whole);
    }
    if (rc == 0 && packed == 0) {
        rc = bk__rdb_wrong(rdb, "a packed text of no bytes");
    }
    return rc != 0 ? rc : bk__rdb_take(rdb, NULL, packed);
}

int bk__rdb_string(struct bk__rdb *rdb, char *ret, size_t room) {
    uint64_t size = 0;
    bool encoded = false;
    int rc = take_length(rdb, &size, &encoded);

    if (ret != NULL) {
        ret[0] = '\0';
    }
    if (rc != 0) {
        return rc;
    }
    if (encoded && size <= TEXT_INT32) {
        return take_number(rdb, size, ret, room);
    }
    if (encoded) {
        return size == TEXT_PACKED
                   ? take_packed(rdb)
                   : bk__rdb_wrong(rdb, "an impossible encoding of a text");
    }
    if (ret != NULL && size < room) {
        ret[size] = '\0';
        return bk__rdb_take(rdb, (unsigned char *)ret, size);
    }
    return bk__rdb_take(rdb, NULL, size);
}

static int take_strings(struct bk__rdb *rdb, uint64_t count) {
    int rc = 0;

    while (rc == 0 && count-- > 0) {
        rc = bk__rdb_string(rdb, NULL, 0);
    }
    return rc;
}

/* ---- what is more than texts ---------------------------------------------------------- */

/* The score of a sorted set as text, of old: its size, or one of three marks. */
static int take_score(struct bk__rdb *rdb) {
    unsigned char size = 0;
    int rc = bk__rdb_take(rdb, &size, 1);

    return rc != 0 || size >= 253 ? rc : bk__rdb_take(rdb, NULL, size);
}

static int take_scored(struct bk__rdb *rdb, uint64_t count, bool binary) {
    int rc = 0;

    while (rc == 0 && count-- > 0) {
        rc = bk__rdb_string(rdb, NULL, 0);
        if (rc == 0) {
            rc = binary ? bk__rdb_take(rdb, NULL, 8) : take_score(rdb);
        }
    }
    return rc;
}

/* A list of nodes: each says what it is, and is a text. */
static int take_quicklist2(struct bk__rdb *rdb, uint64_t count) {
    uint64_t container = 0;
    int rc = 0;

    while (rc == 0 && count-- > 0) {
        rc = bk__rdb_length(rdb, &container);
        if (rc == 0 && container != 1 && container != 2) {
            rc = bk__rdb_wrong(rdb, "an impossible node of a list");
        }
        if (rc == 0) {
            rc = bk__rdb_string(rdb, NULL, 0);
        }
    }
    return rc;
}

enum { PART_END, PART_SIGNED, PART_UNSIGNED, PART_FLOAT, PART_DOUBLE, PART_TEXT };

int bk__rdb_module(struct bk__rdb *rdb) {
    uint64_t part = 0;
    uint64_t ignored;
    int rc = bk__rdb_length(rdb, &part);

    rdb->facts->modules = true;
    while (rc == 0 && part != PART_END) {
        if (part == PART_SIGNED || part == PART_UNSIGNED) {
            rc = bk__rdb_length(rdb, &ignored);
        } else if (part == PART_FLOAT || part == PART_DOUBLE) {
            rc = bk__rdb_take(rdb, NULL, part == PART_FLOAT ? 4 : 8);
        } else if (part == PART_TEXT) {
            rc = bk__rdb_string(rdb, NULL, 0);
        } else {
            rc = bk__rdb_wrong(rdb, "an impossible part of a module's value");
        }
        if (rc == 0) {
            rc = bk__rdb_length(rdb, &part);
        }
    }
    return rc;
}

/* ---- streams -------------------------------------------------------------------------- */

#define ID 16     /* milliseconds and sequence number of an entry */
#define INSTANT 8 /* milliseconds */

static int take_lengths(struct bk__rdb *rdb, int count) {
    uint64_t ignored;
    int rc = 0;

    while (rc == 0 && count-- > 0) {
        rc = bk__rdb_length(rdb, &ignored);
    }
    return rc;
}

/* A counted list of things of so many bytes, each perhaps with a length after it. */
static int take_pending(struct bk__rdb *rdb, uint64_t bytes, bool delivered) {
    uint64_t count = 0;
    int rc = bk__rdb_length(rdb, &count);

    while (rc == 0 && count-- > 0) {
        rc = bk__rdb_take(rdb, NULL, bytes);
        if (rc == 0 && delivered) {
            rc = take_lengths(rdb, 1);
        }
    }
    return rc;
}

static int take_consumers(struct bk__rdb *rdb, int form) {
    uint64_t count = 0;
    int rc = bk__rdb_length(rdb, &count);

    while (rc == 0 && count-- > 0) {
        rc = bk__rdb_string(rdb, NULL, 0);
        if (rc == 0) {
            rc = bk__rdb_take(rdb, NULL, form >= 3 ? 2 * INSTANT : INSTANT);
        }
        if (rc == 0) {
            rc = take_pending(rdb, ID, false);
        }
    }
    return rc;
}

static int take_groups(struct bk__rdb *rdb, int form) {
    uint64_t count = 0;
    int rc = bk__rdb_length(rdb, &count);

    while (rc == 0 && count-- > 0) {
        rc = bk__rdb_string(rdb, NULL, 0);
        if (rc == 0) {
            rc = take_lengths(rdb, form >= 2 ? 3 : 2); /* last id, entries read */
        }
        if (rc == 0) {
            rc = take_pending(rdb, ID + INSTANT, true);
        }
        if (rc == 0) {
            rc = take_consumers(rdb, form);
        }
    }
    return rc;
}

/* form: 1 since Redis 5, 2 since 7.0, 3 since 7.2. */
static int take_stream(struct bk__rdb *rdb, uint64_t nodes, int form) {
    int rc = 0;

    while (rc == 0 && nodes-- > 0) {
        rc = take_strings(rdb, 2);
    }
    if (rc == 0) { /* length, last id; first id, last deleted one, entries added */
        rc = take_lengths(rdb, form >= 2 ? 8 : 3);
    }
    return rc == 0 ? take_groups(rdb, form) : rc;
}

/* ---- types ---------------------------------------------------------------------------- */

enum type {
    TYPE_STRING,
    TYPE_LIST,
    TYPE_SET,
    TYPE_ZSET,
    TYPE_HASH,
    TYPE_ZSET_2,
    TYPE_MODULE_2 = 7,
    TYPE_HASH_ZIPMAP = 9,
    TYPE_LIST_ZIPLIST,
    TYPE_SET_INTSET,
    TYPE_ZSET_ZIPLIST,
    TYPE_HASH_ZIPLIST,
    TYPE_LIST_QUICKLIST,
    TYPE_STREAM,
    TYPE_HASH_LISTPACK,
    TYPE_ZSET_LISTPACK,
    TYPE_LIST_QUICKLIST_2,
    TYPE_STREAM_2,
    TYPE_SET_LISTPACK,
    TYPE_STREAM_3,
    TYPE_END,
};

bool bk__rdb_knows(unsigned type) {
    return type < TYPE_END && type != 6 && type != 8;
}

/* Those that begin with how many there are. */
static int take_counted(struct bk__rdb *rdb, unsigned type) {
    uint64_t count = 0;
    int rc = bk__rdb_length(rdb, &count);

    if (rc != 0) {
        return rc;
    }
    switch (type) {
    case TYPE_HASH:
        rc = take_strings(rdb, count);
        return rc == 0 ? take_strings(rdb, count) : rc;
    case TYPE_ZSET:
    case TYPE_ZSET_2:
        return take_scored(rdb, count, type == TYPE_ZSET_2);
    case TYPE_LIST_QUICKLIST_2:
        return take_quicklist2(rdb, count);
    case TYPE_STREAM:
        return take_stream(rdb, count, 1);
    case TYPE_STREAM_2:
        return take_stream(rdb, count, 2);
    case TYPE_STREAM_3:
        return take_stream(rdb, count, 3);
    case TYPE_MODULE_2: /* not a count but the module's number */
        return bk__rdb_module(rdb);
    default:
        return take_strings(rdb, count);
    }
}

int bk__rdb_value(struct bk__rdb *rdb, unsigned type) {
    switch (type) {
    case TYPE_STRING:
    case TYPE_HASH_ZIPMAP:
    case TYPE_LIST_ZIPLIST:
    case TYPE_SET_INTSET:
    case TYPE_ZSET_ZIPLIST:
    case TYPE_HASH_ZIPLIST:
    case TYPE_HASH_LISTPACK:
    case TYPE_ZSET_LISTPACK:
    case TYPE_SET_LISTPACK:
        return bk__rdb_string(rdb, NULL, 0);
    default:
        return take_counted(rdb, type);
    }
}
