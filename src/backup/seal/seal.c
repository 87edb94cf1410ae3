/*
 * Sealing and opening frames: ChaCha20-Poly1305 under a key that belongs to one archive alone.
 * Not key files: key.c; not compression: what a frame holds is any codec's packed block.
 * Called by archive.c, on the pipeline's workers, and by encryption.c.
 */
#include <backup/seal/seal.h>

#include <string.h>

#include <sodium.h>

#include <base/bytes.h>
#include <core/error.h>

#define TAG crypto_aead_chacha20poly1305_ietf_ABYTES
#define NONCE crypto_aead_chacha20poly1305_ietf_NPUBBYTES

/* magic 6, version 1, mode 1, key id 8, salt or public key 32, check 8 */
#define MAGIC "BKSEAL\1"
#define AT_MODE 7
#define AT_ID 8
#define AT_SALT 16
#define AT_CHECK 48
#define ID 8

_Static_assert(TAG + BK__SEAL_BEFORE == BK__SEAL_AROUND, "a frame's size");
_Static_assert(crypto_kx_SESSIONKEYBYTES == BK__KEY_BYTES, "a key's size");

void bk__seal_wipe(struct bk__seal *seal) {
    sodium_memzero(seal, sizeof *seal);
}

/* ---- header --------------------------------------------------------------------------- */

/* So that a damaged header is told from another key without having any. */
static void check_sum(const unsigned char *header, unsigned char out[ID]) {
    unsigned char sum[crypto_generichash_blake2b_BYTES_MIN];
    crypto_generichash_blake2b(sum, sizeof sum, header, AT_CHECK, NULL, 0);
    memcpy(out, sum, ID);
}

static void fill_header(struct bk__seal *seal, const struct bk__key *key) {
    size_t size = 0;
    memcpy(seal->header, MAGIC, AT_MODE);
    seal->header[AT_MODE] = (unsigned char)key->mode;
    sodium_hex2bin(seal->header + AT_ID, ID, key->id, ID * (size_t)2, NULL, &size, NULL);
    check_sum(seal->header, seal->header + AT_CHECK);
}

const char *bk__seal_facts(const unsigned char header[BK__SEAL_HEADER],
                           struct bk__seal_facts *ret) {
    unsigned char sum[ID];
    if (memcmp(header, MAGIC, AT_MODE - 1) != 0) {
        return "its header is not that of an encrypted backup";
    }
    check_sum(header, sum);
    if (memcmp(header + AT_CHECK, sum, ID) != 0) {
        return "its header is damaged";
    }
    if (memcmp(header, MAGIC, AT_MODE) != 0 || header[AT_MODE] < BK__KEY_SHARED ||
        header[AT_MODE] > BK__KEY_RECIPIENT) {
        return "its header is of a later version";
    }
    ret->mode = (enum bk__key_mode)header[AT_MODE];
    sodium_bin2hex(ret->key_id, sizeof ret->key_id, header + AT_ID, ID);
    return NULL;
}

/* ---- an archive's own key ------------------------------------------------------------- */

static void derive_shared(struct bk__seal *seal, const struct bk__key *key) {
    static const unsigned char person[crypto_generichash_blake2b_PERSONALBYTES + 1] =
        "botkeep-file-key";
    crypto_generichash_blake2b_salt_personal(seal->key, sizeof seal->key,
                                             seal->header + AT_SALT, BK__KEY_BYTES,
                                             key->secret, BK__KEY_BYTES, NULL, person);
}

/* A fresh pair for this archive alone; its secret half is gone when this returns, so not even who
   wrote the archive can read it again without the recipient's secret. */
static bool begin_recipient(struct bk__seal *seal, const struct bk__key *key) {
    unsigned char secret[crypto_kx_SECRETKEYBYTES];
    unsigned char other[crypto_kx_SESSIONKEYBYTES];
    bool ok = crypto_kx_keypair(seal->header + AT_SALT, secret) == 0 &&
              crypto_kx_client_session_keys(other, seal->key, seal->header + AT_SALT,
                                            secret, key->shown) == 0;
    sodium_memzero(secret, sizeof secret);
    sodium_memzero(other, sizeof other);
    return ok;
}

int bk__seal_begin(const struct bk__key *key, struct bk__seal *ret) {
    bool ok = sodium_init() >= 0;
    if (ok && key->mode == BK__KEY_RECIPIENT) {
        ok = begin_recipient(ret, key);
    } else if (ok) {
        randombytes_buf(ret->header + AT_SALT, BK__KEY_BYTES);
        derive_shared(ret, key);
    }
    if (!ok) {
        bk__seal_wipe(ret);
        return bk__fail(
            BK_EINVAL,
            "Nothing can be encrypted with key %s: it is not a public key. "
            "No backup was made. Set backup.recipient to what backup.key gave "
            "as public.",
            key->id);
    }
    fill_header(ret, key);
    return 0;
}

bool bk__seal_open(const unsigned char header[BK__SEAL_HEADER], const struct bk__key *key,
                   struct bk__seal *ret) {
    struct bk__seal_facts facts;
    unsigned char other[crypto_kx_SESSIONKEYBYTES];
    bool ok = sodium_init() >= 0 && bk__seal_facts(header, &facts) == NULL &&
              facts.mode == key->mode && strcmp(facts.key_id, key->id) == 0 &&
              !key->is_public;
    memcpy(ret->header, header, BK__SEAL_HEADER);
    if (ok && key->mode == BK__KEY_RECIPIENT) {
        ok = crypto_kx_server_session_keys(ret->key, other, key->shown, key->secret,
                                           header + AT_SALT) == 0;
        sodium_memzero(other, sizeof other);
    } else if (ok) {
        derive_shared(ret, key);
    }
    if (!ok) {
        bk__seal_wipe(ret);
    }
    return ok;
}

/* ---- frames --------------------------------------------------------------------------- */

/* What a frame is bound to beside its place: its archive's header, and whether it is the last. */
struct bound {
    unsigned char header[BK__SEAL_HEADER];
    unsigned char last;
};
_Static_assert(sizeof(struct bound) == BK__SEAL_HEADER + 1, "no padding is sealed");

static void bind(struct bound *to, unsigned char nonce[NONCE],
                 const struct bk__seal *seal, uint64_t index, bool last) {
    memcpy(to->header, seal->header, sizeof to->header);
    to->last = last ? 1 : 0;
    memset(nonce, 0, NONCE);
    bk__put_le(nonce, 8, index);
}

size_t bk__seal_close_frame(const struct bk__seal *seal, uint64_t index,
                            unsigned char *frame, size_t size) {
    struct bound bound;
    unsigned char nonce[NONCE];
    unsigned char *bytes = frame + BK__SEAL_BEFORE;
    bind(&bound, nonce, seal, index, size == 0);
    crypto_aead_chacha20poly1305_ietf_encrypt(bytes, NULL, bytes, size,
                                              (const unsigned char *)&bound, sizeof bound,
                                              NULL, nonce, seal->key);
    size_t length = size + TAG;
    bk__put_le(frame, BK__SEAL_BEFORE, length);
    return BK__SEAL_BEFORE + length;
}

size_t bk__seal_frame_size(const unsigned char head[BK__SEAL_BEFORE]) {
    size_t length = bk__get_le(head, BK__SEAL_BEFORE);
    bool possible = length >= TAG && length <= BK__SEAL_LIMIT + TAG;
    return possible ? BK__SEAL_BEFORE + length : 0;
}

bool bk__seal_open_frame(const struct bk__seal *seal, uint64_t index,
                         unsigned char *frame, size_t frame_size) {
    struct bound bound;
    unsigned char nonce[NONCE];
    unsigned char *bytes = frame + BK__SEAL_BEFORE;
    if (frame_size < BK__SEAL_AROUND || bk__seal_frame_size(frame) != frame_size) {
        return false;
    }
    bind(&bound, nonce, seal, index, frame_size == BK__SEAL_AROUND);
    return crypto_aead_chacha20poly1305_ietf_decrypt(
               bytes, NULL, NULL, bytes, frame_size - BK__SEAL_BEFORE,
               (const unsigned char *)&bound, sizeof bound, nonce, seal->key) == 0;
}
