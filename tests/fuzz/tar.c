/*
 * The fuzzer of the tar reader: any bytes, in pieces of any size. What it checks beside memory:
 * names that are given out lead nowhere else, and each entry gives as many bytes as it said.
 */
#include <backup/set/tar.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct entry {
    int64_t left;
    bool open;
};

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static int on_begin(void *context, const char *name, int64_t size) {
    struct entry *entry = context;
    need(!entry->open && size >= 0 && size <= BK__TAR_LIMIT);
    need(name[0] != '\0' && name[0] != '/' && strlen(name) < BK__TAR_NAME);
    need(strcmp(name, "..") != 0 && strncmp(name, "../", 3) != 0);
    need(strstr(name, "/../") == NULL && strstr(name, "//") == NULL);
    *entry = (struct entry){size, true};
    return 0;
}

static int on_data(void *context, const unsigned char *bytes, size_t size) {
    struct entry *entry = context;
    (void)bytes;
    need(entry->open && size > 0 && (int64_t)size <= entry->left);
    entry->left -= (int64_t)size;
    return 0;
}

static int on_end(void *context) {
    struct entry *entry = context;
    need(entry->open && entry->left == 0);
    entry->open = false;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct entry entry = {0};
    const struct bk__tar_sink sink = {&entry, on_begin, on_data, on_end};
    struct bk__tar tar;
    size_t step = size > 0 ? (size_t)data[0] * 7 + 1 : 1;
    bk__tar_begin(&tar, &sink);
    for (size_t at = 0; at < size; at += step) {
        bk__tar_push(&tar, data + at, size - at < step ? size - at : step);
    }
    if (bk__tar_finish(&tar) == BK__TAR_FINE) {
        need(!entry.open && tar.at == (int64_t)size);
    }
    need(strlen(bk__tar_why_text(tar.why)) > 0);
    return 0;
}
