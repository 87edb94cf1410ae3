/*
 * A set's folder read as a tar: header, bytes and zeros of one entry after the other.
 * Not tar's bytes (tar.c), nor reading one back (set_tar.c). Called by set_tar.c and set_read.c.
 */
#include <backup/set/set_stream.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/file.h>
#include <backup/catalogue/manifest.h>

#define MANIFEST "manifest.json"

static void close_entry(struct bk__set_stream *s) {
    if (s->fd >= 0) {
        bk__file_close(s->fd);
    }
    free(s->path);
    s->fd = -1;
    s->path = NULL;
}

static int begin_entry(struct bk__set_stream *s, const char *file, int64_t size) {
    char name[2 * BK__NAME_SIZE];
    snprintf(name, sizeof name, "%s/%s", s->stem, file);
    s->said = 0;
    s->left = size;
    s->zeros = bk__tar_padding(size);
    return bk__tar_header(s->header, name, size, s->set->created_ms / 1000)
               ? 1
               : bk__fail(BK_EINTERNAL,
                          "The part %s of a set has no place in a tar. No backup was "
                          "made; the database is untouched. Please report it.",
                          file);
}

static int begin_file(struct bk__set_stream *s, const char *file) {
    s->path = bk__file_join(s->folder, file);
    if (s->path == NULL) {
        return bk__fail_memory();
    }
    s->fd = bk__file_open_read(s->path);
    int64_t size = s->fd < 0 ? s->fd : bk__file_size(s->fd);
    return size < 0 ? bk__fail_errno((int)size, "cannot open", s->path, NULL)
                    : begin_entry(s, file, size);
}

/* The manifest last: whoever reads the tar as a stream has then seen what it speaks of. 0: that was
   all. */
static int begin_next(struct bk__set_stream *s) {
    const struct bk__manifest *parts = s->set->parts;
    size_t manifest = s->set->part_count + 1;
    close_entry(s);
    while (s->next > 0 && s->next < manifest && parts[s->next - 1].name[0] == '\0') {
        s->next++;
    }
    size_t at = s->next++;
    if (at <= manifest) {
        return at == 0 ? begin_entry(s, "", 0)
                       : begin_file(s, at < manifest ? parts[at - 1].name : MANIFEST);
    }
    s->zeros = at == manifest + 1 ? BK__TAR_END : 0;
    return s->zeros > 0;
}

static int64_t read_file(struct bk__set_stream *s, unsigned char *bytes, size_t room) {
    size_t want = s->left < (int64_t)room ? (size_t)s->left : room;
    int64_t got = bk__file_read(s->fd, bytes, want);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read", s->path, NULL);
    }
    if ((size_t)got < want) {
        return bk__fail(BK_EIO,
                        "%s changed its size while it was packed. No backup was made. "
                        "Look at the disk.",
                        s->path);
    }
    s->left -= got;
    return got;
}

static int64_t read_some(struct bk__set_stream *s, unsigned char *bytes, size_t room) {
    size_t head = BK__TAR_BLOCK - s->said;
    if (head > 0) {
        head = head < room ? head : room;
        memcpy(bytes, s->header + s->said, head);
        s->said += head;
        return (int64_t)head;
    }
    if (s->left > 0) {
        return read_file(s, bytes, room);
    }
    size_t zeros = s->zeros < room ? s->zeros : room;
    memset(bytes, 0, zeros);
    s->zeros -= zeros;
    return (int64_t)zeros;
}

int64_t bk__set_stream_read(void *context, unsigned char *bytes, size_t room) {
    struct bk__set_stream *s = context;
    size_t done = 0;
    while (done < room) {
        int64_t got = read_some(s, bytes + done, room - done);
        if (got == 0) {
            int more = begin_next(s);
            if (more <= 0) {
                return more < 0 ? more : (int64_t)done;
            }
        }
        if (got < 0) {
            return got;
        }
        done += (size_t)got;
    }
    return (int64_t)done;
}

void bk__set_stream_begin(struct bk__set_stream *s, const char *folder,
                          const struct bk__manifest *set) {
    *s = (struct bk__set_stream){
        .folder = folder, .set = set, .said = BK__TAR_BLOCK, .fd = -1};
    bk__name_stem(set->name, s->stem);
}

void bk__set_stream_end(struct bk__set_stream *s) {
    close_entry(s);
}

int64_t bk__set_stream_at(const struct bk__manifest *set, const char *store) {
    int64_t at = BK__TAR_BLOCK; /* the folder's */
    for (size_t i = 0; i < set->part_count; i++) {
        const struct bk__manifest *part = &set->parts[i];
        if (part->name[0] == '\0') {
            continue;
        }
        at += BK__TAR_BLOCK;
        if (strcmp(part->part, store) == 0) {
            return at;
        }
        at += part->bytes + (int64_t)bk__tar_padding(part->bytes);
    }
    return -1;
}
