/*
 * SHA-256 as lower-case hex, over pieces or a whole buffer, by libcrypto's own code
 * (SHA-NI). Not for secrets or signatures. Backup, migrate and store call it.
 */
/* The EVP interface would fetch providers, read openssl.cnf and register an atexit
   handler; the low-level one, marked deprecated since OpenSSL 3.0, is the bare function.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <base/hash.h>

#include <stdint.h>
#include <stdlib.h>
#include <openssl/sha.h>

#define BLOCK SHA256_CBLOCK
#define BLOCKS_MOST 65536 /* at once: they are counted as an int */

struct bk__hash {
    SHA256_CTX context;
};

/* SHA256_Init, _Update and _Final return 1 always: they allocate nothing and check
 * nothing. */
static void finish(SHA256_CTX *context, char ret_hex[BK__SHA256_HEX]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[SHA256_DIGEST_LENGTH];

    SHA256_Final(sum, context);
    for (size_t i = 0; i < sizeof sum; i++) {
        ret_hex[2 * i] = digits[sum[i] >> 4];
        ret_hex[2 * i + 1] = digits[sum[i] & 15];
    }
    ret_hex[2 * sizeof sum] = '\0';
}

struct bk__hash *bk__hash_new(void) {
    struct bk__hash *hash = malloc(sizeof *hash);

    if (hash) {
        SHA256_Init(&hash->context);
    }
    return hash;
}

void bk__hash_add(struct bk__hash *hash, const void *bytes, size_t size) {
    SHA256_Update(&hash->context, bytes, size);
}

#if defined(__x86_64__)
/*
 * One stream waits for each round of itself; two streams fill the gaps of each other. libcrypto has
 * this for its TLS records, in no header of its own either: four messages, of which two are empty.
 */
struct lanes {
    _Alignas(32) SHA_LONG state[8][8]; /* by word, then by message */
};
struct lane {
    const unsigned char *bytes;
    int blocks;
};
void sha256_multi_block(struct lanes *lanes, const struct lane given[4], int fours);

static void enter(struct lanes *lanes, size_t lane, const SHA256_CTX *context) {
    for (size_t i = 0; i < 8; i++) {
        lanes->state[i][lane] = context->h[i];
    }
}

static void leave(const struct lanes *lanes, size_t lane, size_t blocks,
                  SHA256_CTX *context) {
    uint64_t bits = ((uint64_t)context->Nh << 32 | context->Nl) + 8 * BLOCK * blocks;

    context->Nl = (SHA_LONG)bits;
    context->Nh = (SHA_LONG)(bits >> 32);
    for (size_t i = 0; i < 8; i++) {
        context->h[i] = lanes->state[i][lane];
    }
}

/* So many whole blocks of both, with nothing held back in either. */
static void add_blocks(SHA256_CTX *one, const unsigned char *bytes, SHA256_CTX *other,
                       const unsigned char *other_bytes, size_t blocks) {
    const struct lane given[4] = {{bytes, (int)blocks}, {other_bytes, (int)blocks}};
    struct lanes lanes = {{{0}}};

    enter(&lanes, 0, one);
    enter(&lanes, 1, other);
    sha256_multi_block(&lanes, given, 1);
    leave(&lanes, 0, blocks, one);
    leave(&lanes, 1, blocks, other);
}
#else
static void add_blocks(SHA256_CTX *one, const unsigned char *bytes, SHA256_CTX *other,
                       const unsigned char *other_bytes, size_t blocks) {
    SHA256_Update(one, bytes, blocks * BLOCK);
    SHA256_Update(other, other_bytes, blocks * BLOCK);
}
#endif

static const unsigned char *skip(struct bk__hash_piece *piece, size_t size) {
    const unsigned char *bytes = piece->bytes;

    piece->bytes = bytes + size;
    piece->size -= size;
    return bytes;
}

/* Adds what is missing of the block that is held back. */
static void fill_block(struct bk__hash_piece *piece) {
    SHA256_CTX *context = &piece->hash->context;
    size_t missing = (BLOCK - context->num) % BLOCK;

    missing = missing < piece->size ? missing : piece->size;
    SHA256_Update(context, skip(piece, missing), missing);
}

void bk__hash_add_pair(struct bk__hash_piece one, struct bk__hash_piece other) {
    fill_block(&one);
    fill_block(&other);
    for (;;) {
        size_t blocks = (one.size < other.size ? one.size : other.size) / BLOCK;

        if (blocks == 0) {
            break;
        }
        blocks = blocks < BLOCKS_MOST ? blocks : BLOCKS_MOST;
        add_blocks(&one.hash->context, skip(&one, blocks * BLOCK), &other.hash->context,
                   skip(&other, blocks * BLOCK), blocks);
    }
    bk__hash_add(one.hash, one.bytes, one.size);
    bk__hash_add(other.hash, other.bytes, other.size);
}

void bk__hash_end(struct bk__hash *hash, char ret_hex[BK__SHA256_HEX]) {
    finish(&hash->context, ret_hex);
    free(hash);
}

void bk__hash_drop(struct bk__hash *hash) {
    free(hash);
}

void bk__hash_bytes(const void *bytes, size_t size, char ret_hex[BK__SHA256_HEX]) {
    SHA256_CTX context;

    SHA256_Init(&context);
    SHA256_Update(&context, bytes, size);
    finish(&context, ret_hex);
}
