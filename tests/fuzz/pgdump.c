/*
 * Fuzzes the walk over pg_dump's custom format and the reader of SQL dumps: no input crashes them, and
 * pieces of any size give the same answer. tests/fuzz/run runs it.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <backup/foreign/pgdump.h>
#include <backup/foreign/sqltext.h>

struct input {
    const uint8_t *data;
    size_t size, at, most;
};

static int64_t give(void *context, unsigned char *bytes, size_t room) {
    struct input *input = context;
    size_t size = input->size - input->at;
    size = size < room ? size : room;
    size = size < input->most ? size : input->most;
    if (size > 0) {
        memcpy(bytes, input->data + input->at, size);
    }
    input->at += size;
    return (int64_t)size;
}

static int walk(const uint8_t *data, size_t size, size_t most) {
    struct input input = {data, size, 0, most};
    const struct bk__pgdump_source source = {&input, give};
    struct bk__pgdump_facts facts;
    char why[160] = "";
    int rc = bk__pgdump_walk(&source, &facts, why, sizeof why);
    if (rc != 0 && why[0] == '\0') {
        abort();
    }
    return rc;
}

static int read_text(const uint8_t *data, size_t size, size_t most) {
    struct bk__sqltext sql = {0};
    char why[128];
    for (size_t at = 0; at < size; at += most) {
        bk__sqltext_add(&sql, (const char *)data + at,
                        size - at < most ? size - at : most);
    }
    return bk__sqltext_end(&sql, why, sizeof why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (walk(data, size, 65536) != walk(data, size, 1) ||
        read_text(data, size, size + 1) != read_text(data, size, 3)) {
        abort();
    }
    return 0;
}
