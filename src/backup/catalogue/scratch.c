/*
 * state.dir/scratch, hidden and rehearsal: made, locked, emptied. Nothing that anybody needs later is in
 * them. Called by look.c, rehearse.c, the foreign backups, and folder.c for what is or becomes encrypted.
 */
#include <backup/catalogue/scratch.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

/* A folder in state.dir and its lock beside it. */
struct place {
    const char *folder;
    const char *lock;
};
static const struct place places[] = {{"scratch", "scratch.lock"},
                                      {"hidden", "hidden.lock"},
                                      {"rehearsal", "rehearsal.lock"}};

static const char *state_dir(struct bk__job *job) {
    return bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR);
}

int bk__scratch_lock(struct bk__job *job, const char *dir, const char *name) {
    int64_t wait_ms = bk__config_int(bk__job_config(job), BK__OPT_BACKUP_LOCK_WAIT);
    char *path = bk__file_join(dir, name);
    if (path == NULL) {
        return bk__fail_memory();
    }
    int fd = bk__file_lock(path, (int)wait_ms, bk__job_cancel_flag(job));
    if (fd < 0 && bk__job_check(job) != 0) {
        fd = BK_ECANCELLED;
    } else if (fd == -EWOULDBLOCK) {
        fd = bk__fail(BK_EBUSY,
                      "Another process is working in %s and did not finish in %" PRId64
                      " ms. Nothing was changed. Try again, or raise backup.lock.wait.",
                      dir, wait_ms);
    } else if (fd < 0) {
        fd = bk__fail_errno(fd, "cannot write to the folder", dir,
                            "Give this user write access to it, or set backup.dir or "
                            "state.dir to another folder.");
    }
    free(path);
    return fd;
}

/* What cannot be removed now is tried again by the next one. */
static void empty(const char *dir, int deep) {
    char **names = NULL;
    size_t count = 0;
    if (bk__file_list(dir, &names, &count) != 0) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        char *path = bk__file_join(dir, names[i]);
        if (path != NULL && bk__file_remove(path) != 0 && deep > 0) {
            empty(path, deep - 1);
            rmdir(path);
        }
        free(path);
    }
    bk__file_list_free(names, count);
}

int bk__scratch_open(struct bk__job *job, enum bk__scratch_use use,
                     struct bk__scratch *ret) {
    const struct place *place = &places[use];
    char *path = bk__file_join(state_dir(job), place->folder);
    if (path == NULL) {
        return bk__fail_memory();
    }
    int fd = bk__scratch_lock(job, state_dir(job), place->lock);
    int err = fd < 0 ? 0 : bk__file_make_dir(path);
    if (fd < 0 || err != 0) {
        int rc = fd < 0 ? fd : bk__fail_errno(err, "cannot make the folder", path, NULL);
        if (fd >= 0) {
            bk__file_close(fd);
        }
        free(path);
        return rc;
    }
    empty(path, 1);
    *ret = (struct bk__scratch){.path = path, .lock_fd = fd};
    return 0;
}

/* Whoever holds the lock is at work there and empties it; without a lock nobody ever was. */
static void sweep(struct bk__job *job, const struct place *place) {
    char *lock = bk__file_join(state_dir(job), place->lock);
    char *path = bk__file_join(state_dir(job), place->folder);
    if (lock != NULL && path != NULL && bk__file_exists(lock)) {
        int fd = bk__file_lock(lock, 0, NULL);
        if (fd >= 0) {
            empty(path, 1);
            bk__file_close(fd);
        }
    }
    free(lock);
    free(path);
}

void bk__scratch_sweep(struct bk__job *job) {
    for (size_t i = 0; i < sizeof places / sizeof *places; i++) {
        sweep(job, &places[i]);
    }
}

void bk__scratch_empty(struct bk__scratch *scratch) {
    empty(scratch->path, 1);
}

void bk__scratch_close(struct bk__scratch *scratch) {
    if (scratch->path == NULL) {
        return;
    }
    empty(scratch->path, 1);
    bk__file_close(scratch->lock_fd);
    free(scratch->path);
    scratch->path = NULL;
}

char *bk__scratch_file(const struct bk__scratch *scratch, const char *name) {
    char *path = bk__file_join(scratch->path, name);
    if (path == NULL) {
        bk__fail_memory();
    }
    return path;
}
