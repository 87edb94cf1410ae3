/*
 * Structure: each block's head tells where the next one begins, and the last one ends with the file.
 * Sample: parts of the file in random order, each against its CRC-32 in the manifest, until a time.
 * Not a proof of the whole: archive.c. Called by verify.c.
 */
#include <backup/archive/sample.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <libdeflate.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/archive/codec.h>
#include <backup/catalogue/manifest.h>
#include <backup/archive/places.h>
#include <backup/seal/sealed.h>

#define PIECE ((size_t)1 << 16)

struct look {
    struct bk__job *job;
    const char *path;
    const struct bk__manifest *manifest;
    struct bk__sample *sample;
    int fd;
};

static int damaged(const struct look *look, int64_t from, int64_t to, const char *why) {
    look->sample->damage = (struct bk__damage){from, to};
    return bk__fail(BK_ECORRUPT,
                    "Backup %s is damaged between bytes %" PRId64 " and %" PRId64
                    ": %s. The database was not touched. Use another backup, and look at "
                    "the disk.",
                    look->manifest->name, from, to, why);
}

/* ---- structure -------------------------------------------------------------------------- */

/* Where the block at this place ends; the place itself: no block of ours is there. */
static int64_t block_end(const struct look *look, const struct bk__codec *codec,
                         int64_t at) {
    unsigned char head[BK__CODEC_HEAD];
    int64_t got = bk__file_pread(look->fd, head, codec->head, at);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", look->path, NULL);
    }
    size_t size = (size_t)got < codec->head ? 0 : codec->size(head);
    return size < codec->head || size > codec->room ? at : at + (int64_t)size;
}

static int walk(const struct look *look, const struct bk__codec *codec, int64_t at) {
    int64_t bytes = look->manifest->bytes;
    int rc = 0;
    while (rc == 0 && at < bytes) {
        int64_t end = block_end(look, codec, at);
        if (end < 0) {
            return (int)end;
        }
        if (end == at || end > bytes) {
            return damaged(look, at, bytes, "no whole block begins there");
        }
        at = end;
        rc = bk__job_check(look->job);
    }
    return rc;
}

/* Frames are walked without opening them; a plain archive has no heads, only a size, which the
   catalogue compares. A stream that another program packed again has blocks of its own. */
static int check_structure(const struct look *look) {
    const struct bk__form *form = &look->manifest->form;
    const struct bk__codec *codec =
        form->encrypted ? &bk__codec_shut : bk__codec_for(form);
    if (codec == NULL) {
        return bk__fail(BK_EUNSUPPORTED,
                        "Backup %s is packed in a way this version cannot read. Nothing "
                        "was touched. Use a newer botkeep.",
                        look->manifest->name);
    }
    bool ours = look->manifest->places.bytes > 0;
    if (codec->head == 0 || !ours) {
        return 0;
    }
    return walk(look, codec, form->encrypted ? BK__SEAL_HEADER : 0);
}

/* ---- a sample of parts ------------------------------------------------------------------ */

static int check_part(const struct look *look, size_t number, int64_t *ret_bytes) {
    const struct bk__places *known = &look->manifest->places;
    int64_t from = (int64_t)number * known->part;
    int64_t to = from + known->part < known->bytes ? from + known->part : known->bytes;
    uint32_t sum = 0;
    unsigned char piece[PIECE];
    int64_t at = from;
    int rc = 0;
    while (rc == 0 && at < to) {
        size_t want = (size_t)(to - at) < PIECE ? (size_t)(to - at) : PIECE;
        int64_t got = bk__file_pread(look->fd, piece, want, at);
        if (got < 0) {
            return bk__fail_errno((int)got, "cannot read", look->path, NULL);
        }
        if (got == 0) {
            return damaged(look, at, to, "it ends too early");
        }
        sum = libdeflate_crc32(sum, piece, (size_t)got);
        at += got;
        rc = bk__job_check(look->job);
    }
    *ret_bytes = to - from;
    if (rc == 0 && sum != known->sums[number]) {
        rc = damaged(look, from, to, "its checksum is not the one in its manifest");
    }
    return rc;
}

/* A random order, so that samples taken again and again see all of it in the end. */
static void shuffle(size_t *order, size_t count) {
    uint64_t state = 0;
    if (getrandom(&state, sizeof state, GRND_NONBLOCK) != (ssize_t)sizeof state) {
        state = (uint64_t)(uintptr_t)order;
    }
    for (size_t i = 0; i < count; i++) {
        state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        size_t other = (size_t)(state >> 33) % (i + 1);
        order[i] = order[other];
        order[other] = i;
    }
}

static int check_parts(const struct look *look) {
    struct bk__sample *sample = look->sample;
    size_t order[BK__PLACES_MOST] = {0};
    size_t count = bk__places_count(&look->manifest->places);
    int rc = 0;
    shuffle(order, count);
    for (size_t i = 0; rc == 0 && i < count; i++) {
        int64_t bytes = 0;
        if (i > 0 && bk__job_mono(look->job) >= sample->until_mono) {
            break; /* one part is always looked at */
        }
        rc = check_part(look, order[i], &bytes);
        sample->checked += bytes;
        bk__job_progress(look->job, "sample", sample->checked, look->manifest->bytes);
    }
    return rc;
}

int bk__sample_check(struct bk__job *job, const char *path,
                     const struct bk__manifest *manifest, struct bk__sample *sample) {
    struct look look = {.job = job, .path = path, .manifest = manifest, .sample = sample};
    look.fd = bk__file_open_read(path);
    if (look.fd < 0) {
        return bk__fail_errno(look.fd, "cannot open", path, NULL);
    }
    int rc = check_structure(&look);
    if (rc == 0 && sample->parts) {
        rc = check_parts(&look);
    }
    bk__file_close(look.fd);
    return rc;
}
