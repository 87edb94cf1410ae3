/*
 * Writing an archive under a temporary name and reading it back before it is believed.
 * Not the bytes of archives: archive.c and pack.c. Not publishing: make.c.
 * Called by make.c and consolidate.c.
 */
#include <backup/packed.h>

#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/codec.h>
#include <backup/folder.h>
#include <backup/name.h>
#include <backup/sealed.h>

/* Not BK_ECORRUPT: the database is not to blame, and must not be replaced because of it. */
int bk__packed_mismatch(const struct bk__folder *folder, const char *what) {
    return bk__fail(BK_EIO,
                    "The new backup did not read back as it was written: %s. It was "
                    "thrown away; the database and earlier backups are untouched. "
                    "Look at the disk of %s.",
                    what, folder->path);
}

/* Flushes the image, which becomes the archive as it is. */
static int flush_image(const char *path) {
    int fd = bk__file_open_read(path);
    if (fd < 0) {
        return bk__fail_errno(fd, "cannot open", path, NULL);
    }
    int rc = bk__file_sync(fd);
    int closed = bk__file_close(fd);
    rc = rc == 0 ? closed : rc;
    return rc == 0 ? 0 : bk__fail_errno(rc, "cannot flush to the disk", path, NULL);
}

/* Writes the archive's bytes to the disk and keeps what they should be. */
static int write_archive(struct bk__packed *p) {
    if (p->in_place && p->form->compression == BK__PLAIN && !p->form->encrypted) {
        p->packed = strdup(p->source);
        return p->packed == NULL ? bk__fail_memory() : flush_image(p->source);
    }
    p->in_place = false;
    p->packed = bk__folder_temp(p->folder, p->name, "");
    if (p->packed == NULL) {
        return BK_ENOMEM;
    }
    struct bk__coding coding = {.codec = bk__codec_for(p->form)};
    if (p->form->encrypted) {
        p->sealing->inner = coding.codec;
        bk__sealed_coding(p->sealing, &coding);
    }
    return bk__archive_pack(p->job, p->source, p->packed, &coding, &p->facts);
}

/* A plain archive: what it holds is known only now. */
static int read_plain(struct bk__packed *p) {
    const struct bk__archive_sink sink = {.phase = "verify",
                                          .what = p->name,
                                          .out_fd = -1,
                                          .database_bytes = p->source_bytes};
    return bk__archive_read(p->job, p->packed, p->form, &sink, &p->facts);
}

/* Reads the archive from its file. Of a packed one it is known already that its blocks hold the
   source, so that only its bytes are compared with those that were written. */
static int read_back(struct bk__packed *p) {
    int64_t differs = -1;
    int rc = p->in_place ? read_plain(p)
                         : bk__archive_reread(p->job, p->packed, &p->facts, &differs);
    if (rc != 0 && rc != BK_ECORRUPT) {
        return rc;
    }
    if (differs >= 0) {
        return bk__packed_mismatch(p->folder, "its bytes changed");
    }
    if (rc != 0 || p->facts.database_bytes != p->source_bytes) {
        return bk__packed_mismatch(p->folder, "its size changed");
    }
    return 0;
}

int bk__packed_make(struct bk__packed *p) {
    int rc = write_archive(p);
    return rc != 0 ? rc : read_back(p);
}

void bk__packed_drop(struct bk__packed *p) {
    if (p->packed != NULL) {
        bk__file_remove(p->packed);
    }
    free(p->packed);
    p->packed = NULL;
}
