/*
 * Sums of pages, kept between backups: SipHash with 128 bits and a random key of the file's own, so
 * that no content, however it was chosen, makes two pages look alike to who cannot read state.dir.
 * Not a proof: a whole image's SHA-256 is. Called by changes.c and differ.c under the folder's lock.
 *
 * The file: a header of 64 bytes ("BKPAGES1", u32 page size, key), 16 bytes for each page, and an
 * end that names the backup, its SHA-256 and the SHA-256 of all before. This machine's own numbers.
 */
#include <backup/delta/pages.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sodium.h>

#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

#define FILE_NAME "backup.pages"
#define MAGIC "BKPAGES1"
#define SUM crypto_shorthash_siphashx24_BYTES
#define KEY crypto_shorthash_siphashx24_KEYBYTES
#define HELD ((size_t)SUM * 4096)

struct header {
    char magic[8];
    uint32_t page_size;
    unsigned char key[KEY];
    unsigned char zero[64 - 8 - 4 - KEY];
};
_Static_assert(sizeof(struct header) == 64, "the header of backup.pages");

struct end {
    char stem[BK__NAME_SIZE];
    char sha256[BK__SHA256_HEX - 1];
    char sum[BK__SHA256_HEX - 1]; /* of all bytes before it */
};

/* One side: a file that is read or written from front to back through a piece of memory. */
struct side {
    int fd;
    int64_t pages; /* read: how many there are; written: so far */
    int64_t done;  /* read: how many were handed out */
    struct bk__hash *hash;
    unsigned char *held;
    size_t size, at; /* bytes in held; read: how many of them were handed out */
};

struct bk__pages {
    struct bk__job *job;
    char *path, *aside;
    struct header header; /* of the new file, and of the old one where there is one */
    struct bk__pages_of of;
    bool has_old, broken; /* broken: the old file could not be read to its end */
    int error;            /* of writing the new one */
    struct side old, new;
};

/* ---- the old one ---------------------------------------------------------------------- */

static bool read_at(int fd, void *to, size_t size, int64_t at) {
    return bk__file_pread(fd, to, size, at) == (int64_t)size;
}

/* Header and end must fit each other; whether what lies between is whole is known at the end. */
static bool understand(struct bk__pages *p, int page_size) {
    struct end end;
    struct header header;
    int64_t size = bk__file_size(p->old.fd);
    int64_t sums = size - (int64_t)sizeof header - (int64_t)sizeof end;
    if (sums < SUM || sums % SUM != 0 || !read_at(p->old.fd, &header, sizeof header, 0) ||
        !read_at(p->old.fd, &end, sizeof end, size - (int64_t)sizeof end) ||
        memcmp(header.magic, MAGIC, sizeof header.magic) != 0 ||
        header.page_size != (uint32_t)page_size ||
        memchr(end.stem, '\0', sizeof end.stem) == NULL) {
        return false;
    }
    p->header = header;
    memcpy(p->of.stem, end.stem, sizeof end.stem);
    memcpy(p->of.sha256, end.sha256, sizeof end.sha256);
    p->of.sha256[sizeof end.sha256] = '\0';
    p->of.pages = p->old.pages = sums / SUM;
    bk__hash_add(p->old.hash, &header, sizeof header);
    return true;
}

static void open_old(struct bk__pages *p, int page_size) {
    p->old.fd = bk__file_open_read(p->path);
    p->has_old = p->old.fd >= 0 && understand(p, page_size);
}

/* The next piece of sums into held; what is short is broken. */
static void read_more(struct bk__pages *p) {
    struct side *old = &p->old;
    int64_t left = (old->pages - old->done) * SUM;
    size_t size = left < (int64_t)HELD ? (size_t)left : HELD;
    int64_t place = (int64_t)sizeof p->header + old->done * SUM;
    old->at = old->size = 0;
    if (!read_at(old->fd, old->held, size, place)) {
        p->broken = true;
        return;
    }
    bk__hash_add(old->hash, old->held, size);
    old->size = size;
}

/* The next old sum; NULL: there was no such page. */
static const unsigned char *next_old(struct bk__pages *p) {
    struct side *old = &p->old;
    if (!p->has_old || p->broken || old->done >= old->pages) {
        return NULL;
    }
    if (old->at == old->size) {
        read_more(p);
    }
    if (p->broken) {
        return NULL;
    }
    old->at += SUM;
    old->done++;
    return old->held + old->at - SUM;
}

/* Reads what is left, for the sum over all. */
static bool is_whole(struct bk__pages *p) {
    struct end end;
    char sum[BK__SHA256_HEX];
    while (next_old(p) != NULL) {
    }
    if (!p->has_old || p->broken ||
        !read_at(p->old.fd, &end, sizeof end,
                 (int64_t)sizeof p->header + p->old.pages * SUM)) {
        return false;
    }
    bk__hash_add(p->old.hash, &end, offsetof(struct end, sum));
    bk__hash_end(p->old.hash, sum);
    p->old.hash = NULL;
    return memcmp(end.sum, sum, sizeof end.sum) == 0;
}

/* ---- the new one ---------------------------------------------------------------------- */

static void put(struct bk__pages *p, const void *bytes, size_t size) {
    bk__hash_add(p->new.hash, bytes, size);
    int err = p->error != 0 ? p->error : bk__file_write(p->new.fd, bytes, size);
    p->error = err;
}

static void flush(struct bk__pages *p) {
    put(p, p->new.held, p->new.size);
    p->new.size = 0;
}

bool bk__pages_changed(struct bk__pages *p, const unsigned char *page) {
    const unsigned char *before = next_old(p);
    if (p->new.size == HELD) {
        flush(p);
    }
    unsigned char *sum = p->new.held + p->new.size;
    crypto_shorthash_siphashx24(sum, page, p->header.page_size, p->header.key);
    p->new.size += SUM;
    return before == NULL || memcmp(before, sum, SUM) != 0;
}

bool bk__pages_end(struct bk__pages *p) {
    flush(p);
    return is_whole(p);
}

/* Without a flush to the disk: a file that a power cut tore is found by its sum. */
void bk__pages_keep(struct bk__pages *p, const struct bk__pages_of *of) {
    struct end end = {0};
    char sum[BK__SHA256_HEX];
    memcpy(end.stem, of->stem, strlen(of->stem));
    memcpy(end.sha256, of->sha256, sizeof end.sha256);
    bk__hash_add(p->new.hash, &end, offsetof(struct end, sum));
    bk__hash_end(p->new.hash, sum);
    p->new.hash = NULL;
    memcpy(end.sum, sum, sizeof end.sum);
    int err = p->error != 0 ? p->error : bk__file_write(p->new.fd, &end, sizeof end);
    err = err == 0 ? bk__file_rename(p->aside, p->path) : err;
    if (err != 0) {
        bk__job_log(p->job, "warning",
                    "Cannot note the pages of the new backup in %s, so that the next "
                    "one may be larger than it need be: %s",
                    p->path, strerror(-err));
    }
}

/* ---- both ----------------------------------------------------------------------------- */

static int begin(struct bk__pages *p, int page_size) {
    p->old.hash = bk__hash_new();
    p->new.hash = bk__hash_new();
    p->old.held = malloc(HELD);
    p->new.held = malloc(HELD);
    if (p->path == NULL || p->aside == NULL || p->old.hash == NULL ||
        p->new.hash == NULL || p->old.held == NULL || p->new.held == NULL ||
        sodium_init() < 0) {
        return bk__fail_memory();
    }
    open_old(p, page_size);
    if (!p->has_old) {
        memcpy(p->header.magic, MAGIC, sizeof p->header.magic);
        p->header.page_size = (uint32_t)page_size;
        randombytes_buf(p->header.key, sizeof p->header.key);
    }
    bk__file_remove(p->aside);
    p->new.fd = bk__file_create(p->aside);
    if (p->new.fd < 0) {
        return bk__fail_errno(p->new.fd, "cannot create", p->aside, NULL);
    }
    put(p, &p->header, sizeof p->header);
    return 0;
}

bool bk__pages_exist(struct bk__job *job) {
    const char *dir = bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR);
    char *path = bk__file_join(dir, FILE_NAME);
    bool exists = path != NULL && bk__file_exists(path);
    free(path);
    return exists;
}

int bk__pages_open(struct bk__job *job, int page_size, struct bk__pages **ret) {
    const char *dir = bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR);
    struct bk__pages *p = calloc(1, sizeof *p);
    if (p == NULL) {
        return bk__fail_memory();
    }
    p->job = job;
    p->old.fd = p->new.fd = -1;
    p->path = bk__file_join(dir, FILE_NAME);
    p->aside = bk__file_join(dir, FILE_NAME ".tmp");
    int rc = begin(p, page_size);
    if (rc != 0) {
        bk__pages_free(p);
        return rc;
    }
    *ret = p;
    return 0;
}

const struct bk__pages_of *bk__pages_old(const struct bk__pages *p) {
    return p->has_old ? &p->of : NULL;
}

static void side_free(struct side *side) {
    if (side->fd >= 0) {
        bk__file_close(side->fd);
    }
    bk__hash_drop(side->hash);
    free(side->held);
}

void bk__pages_free(struct bk__pages *p) {
    if (p == NULL) {
        return;
    }
    if (p->new.fd >= 0) {
        bk__file_remove(p->aside); /* there is none any more when it was kept */
    }
    side_free(&p->old);
    side_free(&p->new);
    sodium_memzero(&p->header, sizeof p->header);
    free(p->path);
    free(p->aside);
    free(p);
}
