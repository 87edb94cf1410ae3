/*
 * ustar headers written, and a state machine that reads them: each size, sum and name is judged
 * before anything is believed. Not a general tar: what is not a plain file or folder is refused.
 * Called by set.c, and for foreign archives. No memory is taken and no file touched.
 */
#include <backup/set/tar.h>

#include <stdio.h>
#include <string.h>

#include <base/text.h>

#define NAME_AT 0
#define NAME_SIZE 100
#define MODE_AT 100
#define OWNER_AT 108
#define GROUP_AT 116
#define SIZE_AT 124
#define SIZE_SIZE 12
#define TIME_AT 136
#define SUM_AT 148
#define SUM_SIZE 8
#define KIND_AT 156
#define MAGIC_AT 257
#define PREFIX_AT 345
#define PREFIX_SIZE 155
#define OCTAL_LIMIT (INT64_C(1) << 33) /* eleven octal digits */

const char *bk__tar_why_text(enum bk__tar_why why) {
    static const char *const texts[] = {
        [BK__TAR_FINE] = "nothing is wrong",
        [BK__TAR_HEADER] = "no tar header is where one should be",
        [BK__TAR_KIND] = "an entry is neither a plain file nor a folder",
        [BK__TAR_PATH] = "an entry's name is no plain name inside the archive",
        [BK__TAR_SIZE] = "an entry's size cannot be",
        [BK__TAR_MANY] = "it has too many entries",
        [BK__TAR_SHORT] = "it ends in the middle",
        [BK__TAR_JUNK] = "something follows its end",
        [BK__TAR_STOPPED] = "reading was stopped",
    };
    return texts[why];
}

/* A relative path of plain parts: "a", "a/b", "a/"; no "", ".", "..", control characters. */
static bool is_plain(const char *name) {
    if (name[0] == '\0' || !bk__text_utf8(name)) {
        return false;
    }
    for (const char *part = name; *part != '\0';) {
        size_t size = strcspn(part, "/");
        if (size == 0 || (size == 1 && part[0] == '.') ||
            (size == 2 && part[0] == '.' && part[1] == '.')) {
            return false;
        }
        for (size_t i = 0; i < size; i++) {
            if ((unsigned char)part[i] < ' ' || part[i] == 0x7f || part[i] == '\\') {
                return false;
            }
        }
        part += size + (part[size] == '/');
    }
    return true;
}

static unsigned sum_of(const unsigned char block[BK__TAR_BLOCK]) {
    unsigned sum = 0;
    for (size_t i = 0; i < BK__TAR_BLOCK; i++) {
        bool inside = i >= SUM_AT && i < SUM_AT + SUM_SIZE;
        sum += inside ? (unsigned)' ' : block[i];
    }
    return sum;
}

/* ---- writing -------------------------------------------------------------------------- */

/* digits octal digits and a NUL. */
static void put_octal(unsigned char *at, int digits, uint64_t value) {
    at[digits] = '\0';
    while (digits-- > 0) {
        at[digits] = (unsigned char)('0' + (value & 7));
        value >>= 3;
    }
}

/* What octal has no room for is written as bytes after 0x80: GNU's way, which all tars read. */
static void put_size(unsigned char *at, int64_t size) {
    if (size < OCTAL_LIMIT) {
        put_octal(at, SIZE_SIZE - 1, (uint64_t)size);
        return;
    }
    memset(at, 0, SIZE_SIZE);
    at[0] = 0x80;
    for (int i = SIZE_SIZE - 1; size > 0; i--) {
        at[i] = (unsigned char)(size & 0xff);
        size >>= 8;
    }
}

size_t bk__tar_padding(int64_t size) {
    return (size_t)((BK__TAR_BLOCK - size % BK__TAR_BLOCK) % BK__TAR_BLOCK);
}

bool bk__tar_header(unsigned char out[BK__TAR_BLOCK], const char *name, int64_t size,
                    int64_t unix_seconds) {
    bool folder = bk__text_ends(name, "/");
    if (strlen(name) > NAME_SIZE || !is_plain(name) || size < 0 || size > BK__TAR_LIMIT ||
        (folder && size != 0)) {
        return false;
    }
    memset(out, 0, BK__TAR_BLOCK);
    memcpy(out + NAME_AT, name, strlen(name));
    put_octal(out + MODE_AT, 7, folder ? 0700 : 0600);
    put_octal(out + OWNER_AT, 7, 0);
    put_octal(out + GROUP_AT, 7, 0);
    put_size(out + SIZE_AT, size);
    put_octal(out + TIME_AT, 11, unix_seconds > 0 ? (uint64_t)unix_seconds : 0);
    out[KIND_AT] = folder ? '5' : '0';
    memcpy(out + MAGIC_AT,
           "ustar\0"
           "00",
           8);
    put_octal(out + SUM_AT, 6, sum_of(out));
    out[SUM_AT + 7] = ' ';
    return true;
}

/* ---- judging a header ------------------------------------------------------------------- */

/* Octal digits, blanks before and a NUL or blank after them. */
static bool read_octal(const unsigned char *at, size_t size, int64_t *ret) {
    int64_t value = 0;
    size_t i = 0;
    while (i < size && at[i] == ' ') {
        i++;
    }
    size_t first = i;
    for (; i < size && at[i] >= '0' && at[i] <= '7'; i++) {
        value = value * 8 + (at[i] - '0');
    }
    bool digits = i > first;
    for (; i < size; i++) {
        if (at[i] != ' ' && at[i] != '\0') {
            return false;
        }
    }
    *ret = value;
    return digits;
}

static bool read_size(const unsigned char *at, int64_t *ret) {
    int64_t value = 0;
    if (at[0] != 0x80) {
        return read_octal(at, SIZE_SIZE, ret);
    }
    for (size_t i = 1; i < SIZE_SIZE; i++) {
        if (value > BK__TAR_LIMIT) {
            return false;
        }
        value = value * 256 + at[i];
    }
    *ret = value;
    return value <= BK__TAR_LIMIT;
}

/* Copies a field that ends at a NUL or its last byte; how many bytes it has. */
static size_t copy_field(char *out, const unsigned char *at, size_t size) {
    size_t used = strnlen((const char *)at, size);
    memcpy(out, at, used);
    out[used] = '\0';
    return used;
}

static bool read_name(struct bk__tar *tar) {
    char name[BK__TAR_NAME];
    size_t size = 0;
    bool ustar = memcmp(tar->block + MAGIC_AT, "ustar\0", 6) == 0;
    if (ustar && tar->block[PREFIX_AT] != '\0') {
        size = copy_field(name, tar->block + PREFIX_AT, PREFIX_SIZE);
        name[size++] = '/';
    }
    copy_field(name + size, tar->block + NAME_AT, NAME_SIZE);
    const char *plain = name;
    while (plain[0] == '.' && plain[1] == '/') {
        plain += 2;
    }
    snprintf(tar->name, sizeof tar->name, "%s", plain);
    /* "./" itself, the folder that was packed, has nothing left of its name. */
    return (plain != name && plain[0] == '\0') || is_plain(plain);
}

static bool is_zero(const unsigned char *block) {
    for (size_t i = 0; i < BK__TAR_BLOCK; i++) {
        if (block[i] != 0) {
            return false;
        }
    }
    return true;
}

/* What kind of entry the header begins: a file, a folder, or an extended header (pax) that is
   looked at and otherwise ignored. */
static enum bk__tar_why judge_kind(struct bk__tar *tar) {
    unsigned char kind = tar->block[KIND_AT];
    size_t size = strlen(tar->name);
    bool slash = size > 0 && tar->name[size - 1] == '/';
    tar->extension = kind == 'x' || kind == 'g';
    if (tar->extension) {
        return BK__TAR_FINE;
    }
    if (kind == '5') {
        if (size > 0 && !slash && size + 1 < sizeof tar->name) {
            memcpy(tar->name + size, "/", 2);
        }
        return tar->left == 0 ? BK__TAR_FINE : BK__TAR_SIZE;
    }
    bool file = kind == '0' || kind == '\0';
    return !file ? BK__TAR_KIND : slash || size == 0 ? BK__TAR_PATH : BK__TAR_FINE;
}

static enum bk__tar_why judge(struct bk__tar *tar) {
    int64_t sum = 0;
    if (!read_octal(tar->block + SUM_AT, SUM_SIZE, &sum) ||
        sum != (int64_t)sum_of(tar->block)) {
        return BK__TAR_HEADER;
    }
    if (!read_size(tar->block + SIZE_AT, &tar->left)) {
        return BK__TAR_SIZE;
    }
    tar->padding = (int64_t)bk__tar_padding(tar->left);
    if (!read_name(tar)) {
        return BK__TAR_PATH;
    }
    return ++tar->entries > BK__TAR_ENTRIES ? BK__TAR_MANY : judge_kind(tar);
}

/* ---- the machine ------------------------------------------------------------------------ */

void bk__tar_begin(struct bk__tar *tar, const struct bk__tar_sink *sink) {
    memset(tar, 0, sizeof *tar);
    tar->sink = sink;
}

static enum bk__tar_why end_entry(struct bk__tar *tar) {
    if (!tar->open || tar->left > 0) {
        return BK__TAR_FINE;
    }
    tar->open = false;
    return tar->sink->end(tar->sink->context) == 0 ? BK__TAR_FINE : BK__TAR_STOPPED;
}

static enum bk__tar_why begin_entry(struct bk__tar *tar) {
    enum bk__tar_why why = judge(tar);
    tar->have = 0;
    if (why != BK__TAR_FINE || tar->extension || tar->name[0] == '\0') {
        return why;
    }
    tar->open = true;
    if (tar->sink->begin(tar->sink->context, tar->name, tar->left) != 0) {
        return BK__TAR_STOPPED;
    }
    return end_entry(tar);
}

/* A whole header's block, or one of the zeros at the end. */
static enum bk__tar_why take_block(struct bk__tar *tar) {
    tar->header_at = tar->at - BK__TAR_BLOCK;
    if (is_zero(tar->block)) {
        tar->zeros += tar->zeros < 2;
        tar->have = 0;
        return BK__TAR_FINE;
    }
    return tar->zeros > 0 ? BK__TAR_JUNK : begin_entry(tar);
}

/* An extended header may say anything that does not change what the next entry is: its records
   are "LENGTH KEY=VALUE". Whether the key is harmless is seen by its beginning. */
static bool is_harmless(const char *key) {
    static const char *const harmless[] = {
        "mtime=", "atime=",   "ctime=",  "uid=",        "gid=", "uname=",
        "gname=", "comment=", "SCHILY.", "LIBARCHIVE.", NULL};
    for (size_t i = 0; harmless[i] != NULL; i++) {
        if (bk__text_starts(key, harmless[i])) {
            return true;
        }
    }
    return false;
}

/* All of an extension stands in tar->block, NUL-ended. */
static bool is_extension_harmless(const struct bk__tar *tar) {
    const char *text = (const char *)tar->block;
    size_t left = tar->have;
    while (left > 0) {
        size_t length = 0;
        size_t digits = 0;
        for (; digits < left && digits < 4 && text[digits] >= '0' && text[digits] <= '9';
             digits++) {
            length = length * 10 + (size_t)(text[digits] - '0');
        }
        if (digits == 0 || length > left || length < digits + 3 || text[digits] != ' ' ||
            text[length - 1] != '\n' || !is_harmless(text + digits + 1)) {
            return false;
        }
        text += length;
        left -= length;
    }
    return true;
}

static enum bk__tar_why take_extension(struct bk__tar *tar, const unsigned char *bytes,
                                       size_t size) {
    if (size >= sizeof tar->block - tar->have) {
        return BK__TAR_KIND; /* longer than any harmless one */
    }
    memcpy(tar->block + tar->have, bytes, size);
    tar->have += size;
    tar->block[tar->have] = '\0';
    if (tar->left > (int64_t)size) {
        return BK__TAR_FINE;
    }
    bool harmless = is_extension_harmless(tar);
    tar->have = 0;
    return harmless ? BK__TAR_FINE : BK__TAR_KIND;
}

/* Bytes of the entry that is read. */
static enum bk__tar_why take_data(struct bk__tar *tar, const unsigned char *bytes,
                                  size_t size) {
    enum bk__tar_why why = BK__TAR_FINE;
    if (tar->extension) {
        why = take_extension(tar, bytes, size);
    } else if (tar->sink->data(tar->sink->context, bytes, size) != 0) {
        why = BK__TAR_STOPPED;
    }
    tar->left -= (int64_t)size;
    return why != BK__TAR_FINE ? why : end_entry(tar);
}

/* How many of the bytes the state at hand takes: data, padding, or a part of a block. */
static size_t wanted(const struct bk__tar *tar, size_t size) {
    int64_t want = (int64_t)(BK__TAR_BLOCK - tar->have);
    if (tar->left > 0) {
        want = tar->left;
    } else if (tar->padding > 0) {
        want = tar->padding;
    }
    return want < (int64_t)size ? (size_t)want : size;
}

static size_t take(struct bk__tar *tar, const unsigned char *bytes, size_t size) {
    size_t part = wanted(tar, size);
    tar->at += (int64_t)part;
    if (tar->left > 0) {
        tar->why = take_data(tar, bytes, part);
    } else if (tar->padding > 0) {
        tar->padding -= (int64_t)part;
    } else {
        memcpy(tar->block + tar->have, bytes, part);
        tar->have += part;
        if (tar->have == BK__TAR_BLOCK) {
            tar->why = take_block(tar);
        }
    }
    return part;
}

enum bk__tar_why bk__tar_push(struct bk__tar *tar, const unsigned char *bytes,
                              size_t size) {
    while (size > 0 && tar->why == BK__TAR_FINE) {
        size_t part = take(tar, bytes, size);
        bytes += part;
        size -= part;
    }
    return tar->why;
}

enum bk__tar_why bk__tar_finish(struct bk__tar *tar) {
    bool whole = tar->zeros == 2 && tar->have == 0;
    if (tar->why == BK__TAR_FINE && !whole) {
        tar->why = BK__TAR_SHORT;
    }
    return tar->why;
}
