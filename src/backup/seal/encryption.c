/*
 * From options to keys: which key writes, which one opens an archive, and whether the settings
 * are safe. Not key files (key.c) and not frames (seal.c). Keys are read anew each time and wiped
 * at once, so that none lies in memory between two backups. Called by make.c and archive.c.
 */
#include <backup/seal/encryption.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/operations.h>

static const char *key_file(const struct bk__config *config) {
    return bk__config_text(config, BK__OPT_BACKUP_KEY_FILE);
}

static const char *recipient(const struct bk__config *config) {
    return bk__config_text(config, BK__OPT_BACKUP_RECIPIENT);
}

bool bk__encryption_wanted(const struct bk__config *config) {
    return key_file(config)[0] != '\0' || recipient(config)[0] != '\0';
}

/* ---- safe settings -------------------------------------------------------------------- */

/* Up from the place to the root, by device and inode, so that no other spelling helps. */
static bool is_below(char *place, const struct stat *folder) {
    struct stat info;
    for (;;) {
        if (stat(place, &info) == 0 && info.st_dev == folder->st_dev &&
            info.st_ino == folder->st_ino) {
            return true;
        }
        char *slash = strrchr(place, '/');
        if (slash == NULL || strcmp(place, "/") == 0) {
            return false;
        }
        slash[slash == place ? 1 : 0] = '\0';
    }
}

bool bk__encryption_inside(const char *file, const char *folder) {
    struct stat info;
    if (stat(folder, &info) != 0) {
        return false;
    }
    char *place = realpath(file, NULL);
    if (place == NULL) { /* not made yet: its folder decides */
        char *dir = bk__file_dir(file);
        place = dir == NULL ? NULL : realpath(dir, NULL);
        free(dir);
    }
    bool inside = place != NULL && is_below(place, &info);
    free(place);
    return inside;
}

static int check_places(const struct bk__config *config) {
    const char *dir = bk__config_text(config, BK__OPT_BACKUP_DIR);
    const char *state = bk__config_text(config, BK__OPT_STATE_DIR);
    const char *file = key_file(config);
    if (file[0] != '\0' && bk__encryption_inside(file, dir)) {
        return bk__fail(BK_EINVAL,
                        "The key file %s is in the backup folder, where whoever gets the "
                        "backups gets the key. No backup was made or read. Move it out "
                        "of %s and set backup.key.file.",
                        file, dir);
    }
    if (bk__encryption_inside(state, dir)) {
        return bk__fail(BK_EINVAL,
                        "state.dir %s is in the backup folder, and encrypted backups are "
                        "made from an unencrypted copy in state.dir. No backup was made. "
                        "Set state.dir to a folder outside of %s.",
                        state, dir);
    }
    return 0;
}

/* ---- writing -------------------------------------------------------------------------- */

static int begin_for_recipient(const struct bk__config *config, struct bk__seal *ret) {
    struct bk__key key;
    const char *why = bk__key_read_public(recipient(config), &key);
    if (why == NULL) {
        return bk__seal_begin(&key, ret);
    }
    /* Without the text: it may be a secret in the wrong place. */
    return bk__fail(BK_EINVAL,
                    "The option backup.recipient (%s) is not a public key: %s. No backup "
                    "was made. Set it to what backup.key gave as public.",
                    bk__config_source(config, BK__OPT_BACKUP_RECIPIENT), why);
}

/* Loads the key file; in recipient mode it is for reading alone, and must be sound all the same. */
static int begin(const struct bk__config *config, struct bk__key_ring *ring,
                 struct bk__seal *ret) {
    int rc = check_places(config);
    if (rc == 0 && key_file(config)[0] != '\0') {
        rc = bk__key_load(key_file(config), ring);
    }
    if (rc != 0) {
        return rc;
    }
    return recipient(config)[0] != '\0' ? begin_for_recipient(config, ret)
                                        : bk__seal_begin(&ring->keys[0], ret);
}

int bk__encryption_begin(struct bk__job *job, struct bk__seal *ret) {
    struct bk__key_ring *ring = bk__key_ring_new();
    if (ring == NULL) {
        return BK_ENOMEM;
    }
    int rc = begin(bk__job_config(job), ring, ret);
    bk__key_ring_free(ring);
    return rc;
}

int bk__backup_keys(struct bk__job *job) {
    struct bk__seal seal = {0};
    int rc = bk__encryption_begin(job, &seal);
    bk__seal_wipe(&seal);
    return rc;
}

/* ---- reading -------------------------------------------------------------------------- */

static int no_key(const char *what, const char *id, const char *path,
                  const struct bk__key_ring *ring) {
    if (path[0] == '\0') {
        bk__fail(BK_EDENIED,
                 "Backup %s is encrypted with key %s, and backup.key.file names no key "
                 "file. Nothing was changed. Set it to the file that holds this key.",
                 what, id);
    } else {
        bk__fail(BK_EDENIED,
                 "Backup %s is encrypted with key %s, and the key file %s holds %s%s. "
                 "Nothing was changed. Set backup.key.file to the file of key %s.",
                 what, id, path, ring->count > 1 ? "others, first " : "key ",
                 ring->keys[0].id, id);
    }
    return 1;
}

static int open_with(struct bk__key_ring *ring, const struct bk__config *config,
                     const char *what, const unsigned char header[BK__SEAL_HEADER],
                     struct bk__seal *ret) {
    struct bk__seal_facts facts;
    const char *path = key_file(config);
    const char *why = bk__seal_facts(header, &facts);
    if (why != NULL) {
        return bk__fail(BK_ECORRUPT, "Backup %s cannot be read: %s.", what, why);
    }
    int rc = path[0] == '\0' ? 0 : bk__key_load(path, ring);
    if (rc != 0) {
        return rc;
    }
    const struct bk__key *key = bk__key_find(ring, facts.key_id);
    if (key == NULL || !bk__seal_open(header, key, ret)) {
        return no_key(what, facts.key_id, path, ring);
    }
    return 0;
}

bool bk__encryption_reads(struct bk__job *job, const char *key_id) {
    const char *path = key_file(bk__job_config(job));
    struct bk__key_ring *ring = path[0] == '\0' ? NULL : bk__key_ring_new();
    if (ring == NULL) {
        return path[0] != '\0';
    }
    bool reads = bk__key_load(path, ring) != 0 || bk__key_find(ring, key_id) != NULL;
    bk__key_ring_free(ring);
    return reads;
}

int bk__encryption_open(struct bk__job *job, const char *what,
                        const unsigned char header[BK__SEAL_HEADER],
                        struct bk__seal *ret) {
    struct bk__key_ring *ring = bk__key_ring_new();
    if (ring == NULL) {
        return BK_ENOMEM;
    }
    int rc = open_with(ring, bk__job_config(job), what, header, ret);
    bk__key_ring_free(ring);
    return rc;
}
