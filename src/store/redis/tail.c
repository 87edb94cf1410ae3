/*
 * Holding back the last bytes of a stream. Not what they mean: its callers know.
 */
#include <store/redis/tail.h>

#include <string.h>

int bk__tail_add(struct bk__tail *tail, const unsigned char *bytes, size_t size) {
    size_t all = tail->size + size;
    size_t go = all > tail->most ? all - tail->most : 0;
    size_t old = go < tail->size ? go : tail->size; /* of those that are held */
    int rc = tail->let_go(tail->context, tail->bytes, old);

    if (rc == 0) {
        rc = tail->let_go(tail->context, bytes, go - old);
    }
    memmove(tail->bytes, tail->bytes + old, tail->size - old);
    tail->size -= old;
    memcpy(tail->bytes + tail->size, bytes + (go - old), size - (go - old));
    tail->size += size - (go - old);
    return rc;
}
