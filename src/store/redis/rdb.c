/*
 * The walk through a dump: header, opcodes, one value after another, the sum at the end. Not what
 * values look like inside: rdb_value.c. prove.c and restore.c call it.
 */
#include <store/redis/rdb_inside.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>
#include <core/error.h>
#include <store/redis/tail.h>

#define DBS_MOST 65536 /* no server has as many */
#define MAGIC 9        /* "REDIS" and four digits */

enum opcode {
    OP_FUNCTION2 = 245,
    OP_MODULE_AUX = 247,
    OP_IDLE = 248,
    OP_FREQ = 249,
    OP_AUX = 250,
    OP_RESIZEDB = 251,
    OP_EXPIRE_MS = 252,
    OP_EXPIRE = 253,
    OP_SELECTDB = 254,
    OP_EOF = 255,
    OP_FIRST =
        OP_FUNCTION2 - 1, /* what is below is the type of a value, or of a later Redis */
};

void bk__rdb_facts_free(struct bk__rdb_facts *facts) {
    free(facts->dbs);
    facts->dbs = NULL;
    facts->db_count = 0;
}

/* ---- bytes ---------------------------------------------------------------------------- */

int bk__rdb_wrong(struct bk__rdb *rdb, const char *format, ...) {
    va_list arguments;
    int size;

    va_start(arguments, format);
    size = vsnprintf(rdb->why, rdb->why_room, format, arguments);
    va_end(arguments);
    if (size >= 0 && (size_t)size < rdb->why_room) {
        snprintf(rdb->why + size, rdb->why_room - (size_t)size, " at byte %lld",
                 (long long)bk__rdb_at(rdb));
    }
    return BK_ECORRUPT;
}

int64_t bk__rdb_at(const struct bk__rdb *rdb) {
    return rdb->before + (int64_t)rdb->at;
}

/* What was walked over is summed when the buffer is filled again, so that the sum never runs ahead
   of the walk. */
static void sum_walked(struct bk__rdb *rdb) {
    if (!rdb->past) {
        bk__crc64_add(&rdb->crc, rdb->bytes + rdb->summed, rdb->at - rdb->summed);
    }
    rdb->summed = rdb->at;
}

static int refill(struct bk__rdb *rdb) {
    int64_t got;

    sum_walked(rdb);
    rdb->before += (int64_t)rdb->at;
    rdb->at = rdb->summed = rdb->size = 0;
    got = rdb->source->read(rdb->source->context, rdb->bytes, BK__RDB_BUFFER);
    if (got < 0) {
        return (int)got;
    }
    rdb->size = (size_t)got;
    return got > 0 ? 0 : bk__rdb_wrong(rdb, "it ends in the middle,");
}

int bk__rdb_take(struct bk__rdb *rdb, unsigned char *ret, uint64_t size) {
    while (size > 0) {
        size_t here = rdb->size - rdb->at;
        int rc = here == 0 ? refill(rdb) : 0;

        if (rc != 0) {
            return rc;
        }
        here = rdb->size - rdb->at;
        here = here < size ? here : (size_t)size;
        if (ret != NULL) {
            memcpy(ret, rdb->bytes + rdb->at, here);
            ret += here;
        }
        rdb->at += here;
        size -= here;
    }
    return 0;
}

/* ---- keys and databases --------------------------------------------------------------- */

static int select_db(struct bk__rdb *rdb) {
    struct bk__rdb_facts *facts = rdb->facts;
    struct bk__rdb_db *more;
    uint64_t number;
    int rc = bk__rdb_length(rdb, &number);

    if (rc != 0) {
        return rc;
    }
    if (number > INT32_MAX || facts->db_count >= DBS_MOST ||
        (facts->db_count > 0 &&
         (int64_t)number <= facts->dbs[facts->db_count - 1].number)) {
        return bk__rdb_wrong(rdb, "an impossible database number");
    }
    more = realloc(facts->dbs, (facts->db_count + 1) * sizeof *more);
    if (more == NULL) {
        return BK_ENOMEM;
    }
    facts->dbs = more;
    facts->last_db = (int64_t)number;
    more[facts->db_count++] = (struct bk__rdb_db){.number = (int64_t)number};
    return 0;
}

static int take_key(struct bk__rdb *rdb, unsigned type) {
    struct bk__rdb_facts *facts = rdb->facts;
    int rc = bk__rdb_string(rdb, NULL, 0);

    if (facts->db_count == 0) {
        return bk__rdb_wrong(rdb, "a key before any database is named");
    }
    if (rc == 0) {
        rc = bk__rdb_value(rdb, type);
    }
    if (rc == 0) {
        facts->dbs[facts->db_count - 1].keys++;
        facts->dbs[facts->db_count - 1].expiring += rdb->expires;
        rdb->expires = false;
    }
    return rc;
}

static int take_aux(struct bk__rdb *rdb) {
    struct bk__rdb_facts *facts = rdb->facts;
    char name[16];
    char value[sizeof facts->server];
    int rc = bk__rdb_string(rdb, name, sizeof name);

    if (rc == 0) {
        rc = bk__rdb_string(rdb, value, sizeof value);
    }
    if (rc != 0) {
        return rc;
    }
    if (strcmp(name, "redis-ver") == 0 || strcmp(name, "valkey-ver") == 0) {
        memcpy(facts->server, value, sizeof value);
        facts->valkey = *name == 'v';
    } else if (strcmp(name, "used-mem") == 0 &&
               (!bk__text_int(value, &facts->memory) || facts->memory < 0)) {
        facts->memory = 0;
    }
    return 0;
}

static int take_lengths(struct bk__rdb *rdb, int count) {
    uint64_t ignored;
    int rc = 0;

    while (rc == 0 && count-- > 0) {
        rc = bk__rdb_length(rdb, &ignored);
    }
    return rc;
}

/* ---- opcodes -------------------------------------------------------------------------- */

/* What stands before a key must stand before a key. */
static int take_before_key(struct bk__rdb *rdb, unsigned op) {
    switch (op) {
    case OP_EXPIRE_MS:
        rdb->expires = true;
        return bk__rdb_take(rdb, NULL, 8);
    case OP_EXPIRE:
        rdb->expires = true;
        return bk__rdb_take(rdb, NULL, 4);
    case OP_IDLE:
        return take_lengths(rdb, 1);
    default: /* OP_FREQ */
        return bk__rdb_take(rdb, NULL, 1);
    }
}

static int take_module_aux(struct bk__rdb *rdb) {
    int rc = take_lengths(rdb, 3); /* the module, and when it is to be loaded */
    return rc != 0 ? rc : bk__rdb_module(rdb);
}

static int take_op(struct bk__rdb *rdb, unsigned op) {
    switch (op) {
    case OP_FUNCTION2:
        return bk__rdb_string(rdb, NULL, 0);
    case OP_MODULE_AUX:
        return take_module_aux(rdb);
    case OP_AUX:
        return take_aux(rdb);
    case OP_RESIZEDB:
        return take_lengths(rdb, 2);
    case OP_SELECTDB:
        return select_db(rdb);
    case OP_IDLE:
    case OP_FREQ:
    case OP_EXPIRE_MS:
    case OP_EXPIRE:
        return take_before_key(rdb, op);
    default:
        return op <= OP_FIRST && bk__rdb_knows(op) ? take_key(rdb, op)
                                                   : bk__rdb_unknown(rdb, "opcode", op);
    }
}

int bk__rdb_unknown(struct bk__rdb *rdb, const char *what, unsigned number) {
    snprintf(rdb->facts->unknown, sizeof rdb->facts->unknown, "%s %u at byte %lld", what,
             number, (long long)bk__rdb_at(rdb));
    return BK__RDB_UNKNOWN;
}

/* Up to the opcode that ends it. */
static int walk(struct bk__rdb *rdb) {
    unsigned char op = 0;
    int rc = bk__rdb_take(rdb, &op, 1);

    while (rc == 0 && op != OP_EOF) {
        rc = take_op(rdb, op);
        if (rc == 0) {
            rc = bk__rdb_take(rdb, &op, 1);
        }
    }
    if (rc == 0 && rdb->expires) {
        rc = bk__rdb_wrong(rdb, "a time to live without a key");
    }
    return rc;
}

/* ---- beginning and end ---------------------------------------------------------------- */

static int take_header(struct bk__rdb *rdb) {
    unsigned char magic[MAGIC];
    int version = 0;
    int rc = bk__rdb_take(rdb, magic, sizeof magic);

    if (rc == BK_ECORRUPT || (rc == 0 && memcmp(magic, "REDIS", 5) != 0)) {
        return bk__rdb_wrong(rdb, "it does not begin like a Redis dump,");
    }
    for (int i = 5; rc == 0 && i < MAGIC; i++) {
        if (magic[i] < '0' || magic[i] > '9') {
            return bk__rdb_wrong(rdb, "its version is no number,");
        }
        version = version * 10 + (magic[i] - '0');
    }
    if (rc == 0 && version == 0) {
        return bk__rdb_wrong(rdb, "its version is 0,");
    }
    rdb->facts->version = version;
    return rc;
}

static int check_sum(struct bk__rdb *rdb, const unsigned char tail[BK__RDB_TAIL]) {
    uint64_t stored = bk__crc64_read(tail);

    rdb->facts->summed = stored != 0;
    rdb->facts->sum = rdb->crc.sum;
    if (stored != 0 && stored != rdb->crc.sum) {
        return bk__rdb_wrong(rdb, "its CRC-64 is not that of its bytes,");
    }
    return 0;
}

/* Nothing may follow the sum. Versions before 5 have none. */
static int take_end(struct bk__rdb *rdb) {
    unsigned char tail[BK__RDB_TAIL] = {0};
    int rc = 0;

    sum_walked(rdb);
    rdb->past = true;
    if (rdb->facts->version >= 5) {
        rc = bk__rdb_take(rdb, tail, sizeof tail);
    }
    if (rc == 0) {
        rc = check_sum(rdb, tail);
    }
    if (rc != 0) {
        return rc;
    }
    rdb->facts->bytes = bk__rdb_at(rdb);
    if (rdb->at == rdb->size) {
        rc = refill(rdb);
        if (rc != 0) {
            return rc == BK_ECORRUPT ? 0 : rc; /* the end is what is wanted here */
        }
    }
    return bk__rdb_wrong(rdb, "bytes follow its end");
}

static int sum_piece(void *context, const unsigned char *bytes, size_t size) {
    bk__crc64_add(context, bytes, size);
    return 0;
}

/* A dump of a later Redis: read to its end without understanding, for the sum alone. What may be the
   end is held back: the opcode and the sum. */
static int take_rest(struct bk__rdb *rdb) {
    struct bk__tail end = {
        .most = 1 + BK__RDB_TAIL, .let_go = sum_piece, .context = &rdb->crc};
    int rc = 0;

    sum_walked(rdb);
    rdb->past = true;
    while (rc == 0) {
        bk__tail_add(&end, rdb->bytes + rdb->at, rdb->size - rdb->at);
        rdb->at = rdb->size;
        rc = refill(rdb);
    }
    if (rc != BK_ECORRUPT) { /* the source's end is wanted here, nothing else */
        return rc;
    }
    rdb->facts->bytes = bk__rdb_at(rdb);
    if (end.size < end.most || end.bytes[0] != OP_EOF) {
        return bk__rdb_wrong(rdb, "it does not end like a dump,");
    }
    bk__crc64_add(&rdb->crc, end.bytes, 1);
    rc = check_sum(rdb, end.bytes + 1);
    if (rc == 0 && !rdb->facts->summed && rdb->facts->version <= BK__RDB_VERSION_KNOWN) {
        rc = bk__rdb_wrong(rdb, "%s is not of its version, and it has no checksum,",
                           rdb->facts->unknown);
    }
    return rc;
}

/* A database with no keys is one that the server does not list either. */
static void drop_empty(struct bk__rdb_facts *facts) {
    size_t kept = 0;

    for (size_t i = 0; i < facts->db_count; i++) {
        if (facts->dbs[i].keys > 0) {
            facts->dbs[kept++] = facts->dbs[i];
        }
    }
    facts->db_count = facts->counted ? kept : 0;
}

int bk__rdb_walk(const struct bk__rdb_source *source, struct bk__rdb_facts *ret,
                 char *why, size_t why_room) {
    struct bk__rdb *rdb = calloc(1, sizeof *rdb);
    int rc;

    if (rdb == NULL) {
        return BK_ENOMEM;
    }
    *ret = (struct bk__rdb_facts){0};
    rdb->source = source;
    rdb->facts = ret;
    rdb->why = why;
    rdb->why_room = why_room;
    bk__crc64_begin(&rdb->crc);
    rc = take_header(rdb);
    if (rc == 0) {
        rc = walk(rdb);
        ret->counted = rc == 0;
        rc = rc == 0 ? take_end(rdb) : rc == BK__RDB_UNKNOWN ? take_rest(rdb) : rc;
    }
    drop_empty(ret);
    if (rc != 0) {
        bk__rdb_facts_free(ret);
    }
    free(rdb);
    return rc;
}
