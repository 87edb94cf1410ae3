/*
 * SHA-256 as lower-case hex, over pieces or a whole buffer. libcrypto does the work (SHA-NI where
 * the processor has it). Backup, migrate and store call it.
 */
#ifndef BK_BASE_HASH_H
#define BK_BASE_HASH_H

#include <stddef.h>

#define BK__SHA256_HEX 65 /* 64 digits and the NUL */

struct bk__hash; /* one running SHA-256 */

struct bk__hash *bk__hash_new(void); /* NULL: out of memory */
void bk__hash_add(struct bk__hash *hash, const void *bytes, size_t size);
void bk__hash_end(struct bk__hash *hash, char ret_hex[BK__SHA256_HEX]); /* frees hash */
void bk__hash_drop(struct bk__hash *hash); /* frees it; NULL is fine */
void bk__hash_bytes(const void *bytes, size_t size, char ret_hex[BK__SHA256_HEX]);

#endif
