/*
 * Key files: made, read, refused. One line for each key: its kind, 64 hex digits, its id.
 * Not encryption: seal.c. No text here ever repeats what stands in such a file.
 * Called by encryption.c and newkey.c.
 */
#include <backup/seal/key.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include <core/error.h>
#include <os/file.h>

#define ID_BYTES 8
#define HEX ((size_t)BK__KEY_BYTES * 2)
#define ID_HEX ((size_t)ID_BYTES * 2)
#define PUBLIC_START "bkpub-"

const char *const bk__encryptions[] = {[BK__KEY_NONE] = "none",
                                       [BK__KEY_SHARED] = "key",
                                       [BK__KEY_RECIPIENT] = "recipient",
                                       NULL};

static const char *const words[] = {
    [BK__KEY_SHARED] = "shared", [BK__KEY_RECIPIENT] = "recipient"};

struct bk__key_ring *bk__key_ring_new(void) {
    struct bk__key_ring *ring = sodium_init() < 0 ? NULL : sodium_malloc(sizeof *ring);
    if (ring == NULL) {
        bk__fail_memory();
        return NULL;
    }
    sodium_memzero(ring, sizeof *ring);
    return ring;
}

void bk__key_ring_free(struct bk__key_ring *ring) {
    sodium_free(ring);
}

/* ---- one key -------------------------------------------------------------------------- */

/* The id is a hash: of the public half, or of a shared secret of 32 random bytes. */
static void name(struct bk__key *key) {
    static const unsigned char person[crypto_generichash_blake2b_PERSONALBYTES + 1] =
        "botkeep-key-name";
    unsigned char id[crypto_generichash_blake2b_BYTES_MIN];
    const unsigned char *of = key->mode == BK__KEY_SHARED ? key->secret : key->shown;
    crypto_generichash_blake2b_salt_personal(id, sizeof id, of, BK__KEY_BYTES, NULL, 0,
                                             NULL, person);
    sodium_bin2hex(key->id, sizeof key->id, id, ID_BYTES);
}

/* Bits of the secret that X25519 does not look at; with one value alone, damage to them shows. */
static void clamp(unsigned char secret[BK__KEY_BYTES]) {
    secret[0] &= 248;
    secret[BK__KEY_BYTES - 1] = (unsigned char)((secret[BK__KEY_BYTES - 1] & 127) | 64);
}

static bool is_clamped(const unsigned char secret[BK__KEY_BYTES]) {
    return (secret[0] & 7) == 0 && (secret[BK__KEY_BYTES - 1] & 192) == 64;
}

/* What follows from the secret. false: it is no secret of that kind. */
static bool complete(struct bk__key *key) {
    if (key->mode == BK__KEY_RECIPIENT &&
        (!is_clamped(key->secret) ||
         crypto_scalarmult_base(key->shown, key->secret) != 0)) {
        return false;
    }
    name(key);
    return true;
}

int bk__key_generate(enum bk__key_mode mode, struct bk__key *ret) {
    if (sodium_init() < 0) {
        return bk__fail(BK_EIO,
                        "The system gives no random numbers, so no key was made.");
    }
    sodium_memzero(ret, sizeof *ret);
    ret->mode = mode;
    randombytes_buf(ret->secret, sizeof ret->secret);
    if (mode == BK__KEY_RECIPIENT) {
        clamp(ret->secret);
    }
    return complete(ret) ? 0 : bk__fail(BK_EINTERNAL, "A new key is no key.");
}

/* Exactly size bytes out of twice as many digits; nothing else may stand there. */
static bool from_hex(const char *text, unsigned char *out, size_t size) {
    const char *end = NULL;
    size_t got = 0;
    return sodium_hex2bin(out, size, text, size * 2, NULL, &got, &end) == 0 &&
           got == size && end == text + size * 2;
}

void bk__key_show(const struct bk__key *key, char ret_text[BK__KEY_PUBLIC_SIZE]) {
    char hex[HEX + 1];
    sodium_bin2hex(hex, sizeof hex, key->shown, sizeof key->shown);
    snprintf(ret_text, BK__KEY_PUBLIC_SIZE, PUBLIC_START "%s-%s", hex, key->id);
}

const char *bk__key_read_public(const char *text, struct bk__key *ret) {
    const size_t start = strlen(PUBLIC_START);
    memset(ret, 0, sizeof *ret);
    ret->mode = BK__KEY_RECIPIENT;
    ret->is_public = true;
    if (sodium_init() < 0 || strncmp(text, PUBLIC_START, start) != 0) {
        return "it does not begin with bkpub-";
    }
    if (strlen(text) != BK__KEY_PUBLIC_SIZE - 1 || text[start + HEX] != '-' ||
        !from_hex(text + start, ret->shown, sizeof ret->shown)) {
        return "it is not bkpub-, 64 hex digits, a dash and 16 hex digits";
    }
    name(ret);
    if (strcmp(ret->id, text + start + HEX + 1) != 0) {
        return "its last 16 digits do not fit the others, so something was mistyped";
    }
    return NULL;
}

const struct bk__key *bk__key_find(const struct bk__key_ring *ring, const char *id) {
    for (size_t i = 0; i < ring->count; i++) {
        if (strcmp(ring->keys[i].id, id) == 0) {
            return &ring->keys[i];
        }
    }
    return NULL;
}

/* ---- reading a file ------------------------------------------------------------------- */

/* "shared HEX ID", "recipient HEX ID". */
static const char *parse_line(const char *line, size_t size, struct bk__key *key) {
    size_t word = 0;
    for (int mode = BK__KEY_SHARED; mode <= BK__KEY_RECIPIENT; mode++) {
        word = strlen(words[mode]);
        if (size > word && strncmp(line, words[mode], word) == 0 && line[word] == ' ') {
            key->mode = (enum bk__key_mode)mode;
            break;
        }
    }
    if (key->mode == BK__KEY_NONE) {
        return "the line begins with none of #, shared and recipient";
    }
    const char *hex = line + word + 1;
    if (size != word + 1 + HEX + 1 + ID_HEX || hex[HEX] != ' ' ||
        !from_hex(hex, key->secret, sizeof key->secret)) {
        return "the line is not a kind, 64 hex digits and the key's id";
    }
    if (!complete(key) || strncmp(key->id, hex + HEX + 1, ID_HEX) != 0) {
        return "the key does not fit its id, so one of them is damaged";
    }
    return NULL;
}

static const char *add_line(const char *line, size_t size, struct bk__key_ring *ring) {
    while (size > 0 && (line[size - 1] == '\r' || line[size - 1] == ' ')) {
        size--;
    }
    if (size == 0 || line[0] == '#') {
        return NULL;
    }
    if (ring->count == BK__KEY_RING) {
        return "it holds more than 16 keys";
    }
    return parse_line(line, size, &ring->keys[ring->count++]);
}

const char *bk__key_parse(const char *text, size_t size, struct bk__key_ring *ring,
                          int *ret_line) {
    const char *why = NULL;
    const char *end = text + size;
    sodium_memzero(ring, sizeof *ring);
    *ret_line = 0;
    for (const char *at = text; why == NULL && at < end;) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        stop = stop == NULL ? end : stop;
        ++*ret_line;
        why = add_line(at, (size_t)(stop - at), ring);
        at = stop + 1;
    }
    if (why == NULL && ring->count == 0) {
        why = "it holds no key";
    }
    if (why != NULL) {
        sodium_memzero(ring, sizeof *ring);
    }
    return why;
}

/* Not by bk__file_open_read(): a pipe of that name must not block, and what was opened is judged,
   not what stood there before. */
static int open_key(const char *path) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd >= 0) {
        return fd;
    }
    return bk__fail_errno(errno, "cannot read the key file", path,
                          "No backup was made or read. Set backup.key.file to the "
                          "key file, or make one with backup.key.");
}

static int check_file(int fd, const char *path) {
    struct stat info;
    if (fstat(fd, &info) != 0) {
        return bk__fail_errno(errno, "cannot look at the key file", path, NULL);
    }
    if (!S_ISREG(info.st_mode)) {
        return bk__fail(BK_EINVAL,
                        "The key file %s is no plain file. No backup was made or read. "
                        "Set backup.key.file to a key file.",
                        path);
    }
    if ((info.st_mode & 077) != 0) { /* a foreign owner's 0600 is root's alone to open */
        return bk__fail(BK_EDENIED,
                        "The key file %s can be used by others (mode %03o), so it is no "
                        "secret. No backup was made or read. Make it yours alone with: "
                        "chmod 600 %s",
                        path, (unsigned)info.st_mode & 0777, path);
    }
    return 0;
}

static int read_ring(int fd, const char *path, struct bk__key_ring *ring) {
    int line = 0;
    char *text = sodium_malloc(BK__KEY_FILE_LIMIT + 1);
    if (text == NULL) {
        return bk__fail_memory();
    }
    int64_t got = bk__file_read(fd, text, BK__KEY_FILE_LIMIT + 1);
    int rc =
        got < 0 ? bk__fail_errno((int)got, "cannot read the key file", path, NULL) : 0;
    if (rc == 0) {
        const char *why = got > BK__KEY_FILE_LIMIT
                              ? "it is too long"
                              : bk__key_parse(text, (size_t)got, ring, &line);
        if (why != NULL) {
            rc = bk__fail(BK_EINVAL,
                          "The key file %s cannot be used: %s (line %d). No backup was "
                          "made or read. Bring your copy of it back; no other key opens "
                          "what was encrypted with it.",
                          path, why, line);
        }
    }
    sodium_free(text);
    return rc;
}

int bk__key_load(const char *path, struct bk__key_ring *ring) {
    int fd = open_key(path);
    if (fd < 0) {
        return fd;
    }
    int rc = check_file(fd, path);
    if (rc == 0) {
        rc = read_ring(fd, path, ring);
    }
    bk__file_close(fd);
    return rc;
}

/* ---- writing one ---------------------------------------------------------------------- */

static const char shared_head[] =
    "# A secret key of botkeep. It encrypts backups and reads them again.\n"
    "# Keep a copy of this file on another machine, never beside the backups:\n"
    "# without it nobody can read them, and whoever has it can.\n";
static const char recipient_head[] =
    "# A secret key of botkeep. It reads backups made with the public key\n"
    "# %s\n"
    "# which the bot gets as backup.recipient. The bot does not need this file to make\n"
    "# backups. Keep two copies away from its machine: without it nobody can read "
    "them.\n";

/* At most 600 bytes. */
static void print(const struct bk__key *key, char *out, size_t room) {
    char shown[BK__KEY_PUBLIC_SIZE];
    int at = 0;
    if (key->mode == BK__KEY_RECIPIENT) {
        bk__key_show(key, shown);
        at = snprintf(out, room, recipient_head, shown);
    } else {
        at = snprintf(out, room, shared_head);
    }
    at += snprintf(out + at, room - (size_t)at, "%s ", words[key->mode]);
    sodium_bin2hex(out + at, room - (size_t)at, key->secret, sizeof key->secret);
    at += (int)HEX;
    snprintf(out + at, room - (size_t)at, " %s\n", key->id);
}

static int write_text(int fd, const char *path, const char *text) {
    int err = bk__file_write(fd, text, strlen(text));
    err = err == 0 ? bk__file_sync(fd) : err;
    err = err == 0 ? bk__file_sync_parent(path) : err;
    return err == 0 ? 0
                    : bk__fail_errno(err, "cannot write the key file", path,
                                     "There is no new key; nothing else changed.");
}

int bk__key_save(const char *path, const struct bk__key *key) {
    const size_t room = 1024;
    char *text = sodium_init() < 0 ? NULL : sodium_malloc(room);
    if (text == NULL) {
        return bk__fail_memory();
    }
    int fd = bk__file_create(path);
    int rc = 0;
    if (fd == -EEXIST) {
        rc = bk__fail(BK_EINVAL,
                      "%s already exists and is not overwritten: a key that is lost "
                      "takes its backups with it. Choose another path.",
                      path);
    } else if (fd < 0) {
        rc = bk__fail_errno(fd, "cannot create the key file", path, NULL);
    } else {
        print(key, text, room);
        rc = write_text(fd, path, text);
        bk__file_close(fd);
        if (rc != 0) {
            bk__file_remove(path);
        }
    }
    sodium_free(text);
    return rc;
}
