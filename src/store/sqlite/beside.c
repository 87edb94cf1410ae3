/*
 * The structure of rollback journals and of -wal files, as SQLite's file format describes it: only what
 * tells that something is missing. Not their playback, which is SQLite's. settle.c calls it.
 */
#include <store/sqlite/beside.h>

#include <stdlib.h>
#include <string.h>

#include <os/file.h>

#define CUT "its -journal is cut off"
#define PAGE_MOST 65536
#define TO_THE_END                                                                       \
    0xffffffffu /* a journal that was never flushed does not count its records */

static const unsigned char magic[8] = {0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7};

static uint32_t big32(const unsigned char *bytes) {
    return (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 |
           bytes[3];
}

/* ---- the journal ------------------------------------------------------------------------- */

/* Some records behind one header. */
struct segment {
    int64_t at; /* of the first record */
    uint32_t records, nonce, page_size;
};

/* The journal of a transaction over several databases ends with the path of a file that SQLite would
   look into, and delete: a path of the day and the place the copy was made. */
static bool names_another(int fd, int64_t size) {
    unsigned char end[sizeof(magic)];
    /* A small journal is nothing but its header, which begins with the same bytes. */
    return size > 512 &&
           bk__file_pread(fd, end, sizeof(end), size - (int64_t)sizeof(end)) ==
               (int64_t)sizeof(end) &&
           memcmp(end, magic, sizeof(magic)) == 0;
}

/* Each record: page number, page, sum of every 200th byte from its end. */
static const char *check_records(int fd, const struct segment *segment) {
    const int64_t size = (int64_t)segment->page_size + 8;
    unsigned char *record = malloc((size_t)size);
    const char *why = record == NULL ? "there is no memory to read its -journal" : NULL;

    for (uint32_t i = 0; why == NULL && i < segment->records; i++) {
        uint32_t sum = segment->nonce;
        if (bk__file_pread(fd, record, (size_t)size, segment->at + i * size) != size) {
            why = CUT;
            break;
        }
        for (int64_t at = (int64_t)segment->page_size - 200; at > 0; at -= 200) {
            sum += record[4 + at];
        }
        why = sum == big32(record + size - 4) ? NULL : "its -journal is damaged";
    }
    free(record);
    return why;
}

/* From one header to the next; what follows the last is of an earlier transaction, or nothing. */
static const char *check_segments(int fd, int64_t size) {
    unsigned char head[28];
    bool begins = bk__file_pread(fd, head, 1, 0) == 1 && head[0] == magic[0];
    const char *why = begins && size < (int64_t)sizeof(head) ? CUT : NULL;
    int64_t at = 0;
    uint32_t sector = 0;
    uint32_t page_size = 0;

    while (why == NULL &&
           bk__file_pread(fd, head, sizeof(head), at) == (int64_t)sizeof(head) &&
           memcmp(head, magic, sizeof(magic)) == 0) {
        if (at == 0) { /* those of the first header hold for all */
            sector = big32(head + 20);
            page_size = big32(head + 24);
        }
        if (sector < 32 || sector > PAGE_MOST || page_size < 512 ||
            page_size > PAGE_MOST) {
            return "its -journal has no sound header";
        }
        const int64_t each = (int64_t)page_size + 8;
        struct segment segment = {at + sector, big32(head + 8), big32(head + 12),
                                  page_size};
        int64_t end = segment.at + segment.records * each;
        if (segment.records == TO_THE_END) {
            segment.records =
                size < segment.at ? 0 : (uint32_t)((size - segment.at) / each);
            end = (size - segment.at) % each == 0 ? size : size + 1;
        }
        why = end > size ? CUT : check_records(fd, &segment);
        at = (end + sector - 1) / sector * sector;
    }
    return why;
}

const char *bk__beside_journal(const char *path) {
    int fd = bk__file_open_read(path);
    if (fd < 0) {
        return NULL;
    }
    int64_t size = bk__file_size(fd);
    const char *why =
        names_another(fd, size)
            ? "it was copied in the middle of a transaction over several databases"
            : check_segments(fd, size);
    bk__file_close(fd);
    return why;
}

/* ---- the -wal ---------------------------------------------------------------------------- */

bool bk__beside_wal(const char *path, int64_t frames) {
    unsigned char head[32];
    unsigned char salts[8];
    int fd = bk__file_open_read(path);
    if (fd < 0) {
        return false;
    }
    bool more = bk__file_size(fd) > 0;
    if (bk__file_pread(fd, head, sizeof(head), 0) == (int64_t)sizeof(head) &&
        (big32(head) | 1) == 0x377f0683) {
        int64_t frame = 32 + frames * (24 + (int64_t)big32(head + 8));
        more = bk__file_pread(fd, salts, sizeof(salts), frame + 8) ==
                   (int64_t)sizeof(salts) &&
               memcmp(salts, head + 16, sizeof(salts)) == 0;
    }
    bk__file_close(fd);
    return more;
}
