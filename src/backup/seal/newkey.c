/*
 * backup.key: a new key file, outside of the folder of the backups. What is secret in it is in no
 * result, log or error. Not the file's form: key.c. Called as a job.
 */
#include <backup/operations.h>

#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/seal/encryption.h>
#include <backup/seal/key.h>

static const char shared_advice[] =
    "Set backup.key.file to this file, and keep a copy of it on another machine: without "
    "it nobody can read the backups.";
static const char recipient_advice[] =
    "Set backup.recipient to the public key, and take this file away from the bot's "
    "machine, in two copies: only it reads the backups (backup.key.file).";

static int check_place(struct bk__job *job, const char *path) {
    const char *dir = bk__config_text(bk__job_config(job), BK__OPT_BACKUP_DIR);
    const char *state = bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR);
    if (bk__encryption_inside(path, state)) {
        return bk__fail(BK_EINVAL,
                        "%s lies in botkeep's own folder, parts of which are emptied now "
                        "and then. No key was made. Choose a path outside of %s.",
                        path, state);
    }
    if (!bk__encryption_inside(path, dir)) {
        return 0;
    }
    return bk__fail(
        BK_EINVAL,
        "%s lies in the folder of the backups, where whoever gets the backups "
        "gets the key. No key was made. Choose a path outside of %s.",
        path, dir);
}

static int fill_result(struct bk__job *job, const char *path, const struct bk__key *key) {
    struct json_object *result = bk__job_result(job);
    char shown[BK__KEY_PUBLIC_SIZE];
    bool shared = key->mode == BK__KEY_SHARED;
    bk__key_show(key, shown);
    bool ok =
        bk__json_add_text(result, "path", path) &&
        bk__json_add_text(result, "kind", shared ? "shared" : "recipient") &&
        bk__json_add_text(result, "public", shared ? NULL : shown) &&
        bk__json_add_text(result, "key_id", key->id) &&
        bk__json_add_text(result, "message", shared ? shared_advice : recipient_advice);
    return ok ? 0 : bk__fail_memory();
}

static int make(struct bk__job *job, const char *path, struct bk__key_ring *ring) {
    bool shared = strcmp(bk__job_text(job, "kind"), "shared") == 0;
    struct bk__key *key = &ring->keys[0];
    int rc = check_place(job, path);
    if (rc == 0) {
        rc = bk__key_generate(shared ? BK__KEY_SHARED : BK__KEY_RECIPIENT, key);
    }
    if (rc == 0) {
        rc = bk__key_save(path, key);
    }
    return rc != 0 ? rc : fill_result(job, path, key);
}

int bk__backup_key(struct bk__job *job) {
    struct bk__key_ring *ring = bk__key_ring_new();
    char *path = bk__file_absolute(bk__job_text(job, "to"));
    int rc = ring == NULL || path == NULL ? bk__fail_memory() : make(job, path, ring);
    free(path);
    bk__key_ring_free(ring);
    return rc;
}
