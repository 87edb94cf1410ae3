/*
 * The fuzzer of the reader of changed pages: any bytes as a payload, fed in pieces of which the first
 * byte tells the size. What it checks beside memory: no byte belongs outside of the image that the
 * header told, none twice, and pieces make no difference. tests/fuzz/run runs it.
 */
#include <backup/delta/delta.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct seen {
    struct bk__delta_reader reader;
    int64_t end; /* where the last bytes ended */
    int64_t bytes;
};

static void need(int good) {
    if (!good) {
        abort();
    }
}

static int put(void *context, const unsigned char *bytes, size_t size, int64_t at) {
    struct seen *seen = context;
    const struct bk__delta *found = &seen->reader.found;
    (void)bytes;
    need(at >= seen->end && size > 0);
    seen->end = at + (int64_t)size;
    seen->bytes += (int64_t)size;
    need(seen->end <= found->pages * found->page_size);
    return 0;
}

static int read_all(struct seen *seen, const uint8_t *data, size_t size, size_t piece) {
    const char *why = NULL;
    memset(seen, 0, sizeof *seen);
    seen->reader.put = put;
    seen->reader.context = seen;
    for (size_t at = 0; why == NULL && at < size; at += piece) {
        why = bk__delta_feed(&seen->reader, data + at,
                             size - at < piece ? size - at : piece);
    }
    return why == NULL && bk__delta_ended(&seen->reader) == NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct seen whole, pieces;
    if (size < 1) {
        return 0;
    }
    int good = read_all(&whole, data + 1, size - 1, size);
    need(good == read_all(&pieces, data + 1, size - 1, (size_t)data[0] + 1));
    need(!good || (whole.bytes == pieces.bytes &&
                   strcmp(whole.reader.found.sha256, pieces.reader.found.sha256) == 0));
    return 0;
}
