/*
 * The fuzzer of key files and public keys: any text where one should be. What it checks beside
 * memory: what is accepted is found by its id and can seal; what is refused leaves no key behind.
 * tests/fuzz/run runs it.
 */
#include <backup/seal/key.h>
#include <backup/seal/seal.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool good) {
    if (!good) {
        abort();
    }
}

static void check_key(const struct bk__key_ring *ring, const struct bk__key *key) {
    struct bk__seal seal;
    struct bk__seal again;
    const struct bk__key *found = bk__key_find(ring, key->id);
    need(strlen(key->id) == BK__KEY_ID - 1 && found != NULL && !key->is_public);
    need(memcmp(found->secret, key->secret, BK__KEY_BYTES) == 0);
    if (bk__seal_begin(key, &seal) == 0) {
        need(bk__seal_open(seal.header, key, &again));
        need(memcmp(again.key, seal.key, BK__KEY_BYTES) == 0);
    }
}

/* Nothing stays of what was read before the bad line. */
static void check_refused(const struct bk__key_ring *ring, int line) {
    static const struct bk__key_ring none;
    need(memcmp(ring, &none, sizeof none) == 0);
    need(line >= 0);
}

static void check_public(const char *text) {
    struct bk__key key;
    char shown[BK__KEY_PUBLIC_SIZE];
    if (bk__key_read_public(text, &key) == NULL) {
        need(key.is_public && key.mode == BK__KEY_RECIPIENT);
        bk__key_show(&key, shown);
        need(strlen(shown) == strlen(text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static struct bk__key_ring *ring;
    int line = 0;
    ring = ring == NULL ? bk__key_ring_new() : ring;
    char *text = malloc(size + 1);
    need(ring != NULL && text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    if (bk__key_parse(text, size, ring, &line) == NULL) {
        need(ring->count > 0 && ring->count <= BK__KEY_RING);
        for (size_t i = 0; i < ring->count; i++) {
            check_key(ring, &ring->keys[i]);
        }
    } else {
        check_refused(ring, line);
    }
    check_public(text);
    free(text);
    return 0;
}
