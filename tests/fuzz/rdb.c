/*
 * The fuzzer of the walk through Redis dumps: any bytes, in pieces of any size. The first byte says
 * how large they are, and whether the sum is put right first, so that the walk gets past it. What is
 * checked beside memory: what is accepted was walked to its end, and told apart from damage.
 */
#include <store/redis/crc64.h>
#include <store/redis/rdb.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct memory {
    const uint8_t *at;
    size_t size;
    size_t piece;
};

static int64_t read_memory(void *context, unsigned char *bytes, size_t room) {
    struct memory *m = context;
    size_t give = m->size < room ? m->size : room;
    give = give < m->piece ? give : m->piece;
    memcpy(bytes, m->at, give);
    m->at += give;
    m->size -= give;
    return (int64_t)give;
}

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static void put_sum(uint8_t *bytes, size_t size) {
    struct bk__crc64 crc;
    if (size < BK__RDB_TAIL) {
        return;
    }
    bk__crc64_begin(&crc);
    bk__crc64_add(&crc, bytes, size - BK__RDB_TAIL);
    for (size_t i = 0; i < BK__RDB_TAIL; i++) {
        bytes[size - BK__RDB_TAIL + i] = (uint8_t)(crc.sum >> (8 * i));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size == 0) {
        return 0;
    }
    uint8_t *bytes = malloc(size);
    need(bytes != NULL);
    memcpy(bytes, data + 1, size - 1);
    if (data[0] & 1) {
        put_sum(bytes, size - 1);
    }
    struct memory m = {bytes, size - 1, (size_t)1 + (data[0] >> 1) * 37u};
    const struct bk__rdb_source source = {&m, read_memory};
    struct bk__rdb_facts facts;
    char why[192] = "";
    int rc = bk__rdb_walk(&source, &facts, why, sizeof why);
    if (rc == 0) {
        need(facts.bytes == (int64_t)(size - 1) && m.size == 0);
        need(facts.counted == (facts.unknown[0] == '\0'));
        need(facts.counted || facts.db_count == 0);
        for (size_t i = 0; i < facts.db_count; i++) {
            need(facts.dbs[i].keys > 0 && facts.dbs[i].expiring <= facts.dbs[i].keys);
        }
        bk__rdb_facts_free(&facts);
    } else {
        need(rc == BK_ECORRUPT && why[0] != '\0');
    }
    free(bytes);
    return 0;
}
