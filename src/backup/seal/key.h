/*
 * Keys of encrypted backups, and the small text files they live in. Not what is encrypted with
 * them (seal.h), nor which the options name (encryption.h). Both of these and newkey.c call it.
 */
#ifndef BK_BACKUP_SEAL_KEY_H
#define BK_BACKUP_SEAL_KEY_H

#include <stdbool.h>
#include <stddef.h>

#define BK__KEY_BYTES 32
#define BK__KEY_ID 17           /* 16 hex digits and the NUL */
#define BK__KEY_PUBLIC_SIZE 88  /* "bkpub-", 64 hex digits, "-", the id, the NUL */
#define BK__KEY_RING 16         /* keys in one file, at most */
#define BK__KEY_FILE_LIMIT 8192 /* bytes of a key file, at most */

/* How an archive is encrypted, and hence what kind of key it takes. */
enum bk__key_mode {
    BK__KEY_NONE,
    BK__KEY_SHARED,    /* one secret writes and reads */
    BK__KEY_RECIPIENT, /* the public half writes, the secret half reads */
};
extern const char
    *const bk__encryptions[]; /* "none" "key" "recipient", by mode; NULL ends */

/* One key. Where is_public, the secret is not there: such a key writes and cannot read. */
struct bk__key {
    enum bk__key_mode mode;
    bool is_public;
    unsigned char secret[BK__KEY_BYTES];
    unsigned char shown[BK__KEY_BYTES]; /* the public half; recipient alone */
    char id[BK__KEY_ID];                /* names the key, tells nothing about it */
};

/* The keys of one file. The first one writes; the others read what was written earlier. */
struct bk__key_ring {
    size_t count;
    struct bk__key keys[BK__KEY_RING];
};

/* Memory that is locked, not dumped, and wiped when freed. NULL: out of memory, text set. */
struct bk__key_ring *bk__key_ring_new(void);
void bk__key_ring_free(struct bk__key_ring *ring); /* NULL is fine */

/* A new random key. ret is to lie in a ring, or to be wiped. */
int bk__key_generate(enum bk__key_mode mode, struct bk__key *ret);

/* The public half as the option backup.recipient takes it. */
void bk__key_show(const struct bk__key *key, char ret_text[BK__KEY_PUBLIC_SIZE]);

/* The same back into a key. NULL when it is one, else why not: a constant that repeats nothing of
   the text, which may be a secret in the wrong place. */
const char *bk__key_read_public(const char *text, struct bk__key *ret);

/* The text of a key file into a ring. NULL when all is well, else why not; *ret_line is where. The
   text is not changed; its parts are nowhere else afterwards but in the ring. */
const char *bk__key_parse(const char *text, size_t size, struct bk__key_ring *ring,
                          int *ret_line);

/* Reads a key file: plain, nobody else's to read, undamaged. BK_ENOTFOUND,
   BK_EDENIED (others can read it), BK_EINVAL (no key file). */
int bk__key_load(const char *path, struct bk__key_ring *ring);

/* Writes a new key file (0600, never over another file) and flushes it. */
int bk__key_save(const char *path, const struct bk__key *key);

/* The ring's key of that id, or NULL. */
const struct bk__key *bk__key_find(const struct bk__key_ring *ring, const char *id);

#endif
