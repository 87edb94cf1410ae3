/*
 * What is remembered about backups between runs, in state.dir/backup.json: the last success, the
 * last failure, the last rehearsal, and counts. create.c and rehearse.c write it, status.c reads it.
 */
#ifndef BK_BACKUP_RECORD_H
#define BK_BACKUP_RECORD_H

#include <backup/catalogue/name.h>

struct bk__job;
struct bk__manifest;
struct bk__set;
struct json_object;

/* A member of the record: {name, sha256, settings, fingerprints:{store:text}} of what the newest
   backup was made. One of a single store of several has its own, "state_database". */
#define BK__RECORD_STATE "state"
#define BK__RECORD_FINGERPRINTS "fingerprints"

struct bk__record_state {
    const char *settings;         /* their sum */
    const struct bk__set *stores; /* with their fingerprints */
};

/* The record as it stands; an empty object where there is none or it is broken. NULL: ENOMEM,
   with the text set. */
struct json_object *bk__record_load(struct bk__job *job);

/* The state that was noted of the newest backup of just these stores, borrowed; NULL: none. */
struct json_object *bk__record_state(struct bk__job *job, struct json_object *record,
                                     const struct bk__set *stores);

/* Note how a run of backup.create ended. Nothing fails because of it: what cannot be saved is
   told in the log. */
void bk__record_success(struct bk__job *job, const struct bk__manifest *manifest,
                        const struct bk__record_state *state);
/* Nothing was made, because the manifest's backup still holds all of the database. kind: the one
   that was asked for. */
void bk__record_unchanged(struct bk__job *job, const struct bk__manifest *manifest,
                          const struct bk__record_state *state, const char *kind);
void bk__record_failure(struct bk__job *job, int code, const char *message);

/* Note how a rehearsal ended: {at, name, ok, ms, error?}, which is taken. */
void bk__record_rehearsal(struct bk__job *job, struct json_object *rehearsal);

/* The backup that stands for the last one before migrations, "" when that is one of its own kind:
   retention spares it. */
void bk__record_pinned(struct bk__job *job, char ret_name[BK__NAME_SIZE]);

/* The counts and sizes of a record as the event "metrics" tells them. NULL: out of memory. */
struct json_object *bk__record_metrics(struct json_object *record);

#endif
