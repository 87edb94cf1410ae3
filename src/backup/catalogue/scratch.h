/*
 * A folder for files that live as long as one operation, in state.dir: what is unpacked to be looked
 * into, or sealed. Not backup.dir's temporary files: folder.h, which uses it as query.c and others do.
 */
#ifndef BK_BACKUP_CATALOGUE_SCRATCH_H
#define BK_BACKUP_CATALOGUE_SCRATCH_H

struct bk__job;

struct bk__scratch {
    char *path;
    int lock_fd;
};

/* Each has a folder of its own, so that they can be at work side by side. */
enum bk__scratch_use {
    BK__SCRATCH_LOOK,     /* looking into one backup */
    BK__SCRATCH_HIDDEN,   /* plain copies of what is or becomes encrypted */
    BK__SCRATCH_REHEARSAL /* a restore that is thrown away */
};

/* Makes the folder (0700), takes its lock (waits backup.lock.wait, cancellable) and empties it: what
   is in it was left by a run that was killed. BK_EBUSY. */
int bk__scratch_open(struct bk__job *job, enum bk__scratch_use use,
                     struct bk__scratch *ret);
void bk__scratch_empty(struct bk__scratch *scratch);
/* Empties it again and lets go; {0} and a closed one are fine. */
void bk__scratch_close(struct bk__scratch *scratch);
void bk__scratch_sweep(
    struct bk__job *job); /* removes what killed runs left in all of them */

/* A path in it; the caller frees it. NULL: out of memory, text set. */
char *bk__scratch_file(const struct bk__scratch *scratch, const char *name);

/* The lock of a folder that is written to, be it this one or another: a descriptor to close, or an
   error. Waits backup.lock.wait, cancellable. BK_EBUSY. */
int bk__scratch_lock(struct bk__job *job, const char *dir, const char *name);

#endif
