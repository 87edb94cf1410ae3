/*
 * SHA-256 as lower-case hex, over pieces or a whole buffer, by libcrypto's own code
 * (SHA-NI). Not for secrets or signatures. Backup, migrate and store call it.
 */
/* The EVP interface would fetch providers, read openssl.cnf and register an atexit
   handler; the low-level one, marked deprecated since OpenSSL 3.0, is the bare function.
 */
#define OPENSSL_SUPPRESS_DEPRECATED
#include <base/hash.h>

#include <stdlib.h>
#include <openssl/sha.h>

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
