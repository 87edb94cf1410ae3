/*
 * What is remembered about backups between runs, in state.dir/backup.json: the last success, the
 * last failure, the last rehearsal, and counts. create.c and rehearse.c write it, status.c reads it.
 */
#ifndef BK_BACKUP_RECORD_H
#define BK_BACKUP_RECORD_H

struct bk__job;
struct bk__manifest;
struct json_object;

/* The record as it stands; an empty object where there is none or it is broken. NULL: ENOMEM,
   with the text set. */
struct json_object *bk__record_load(struct bk__job *job);

/* Note how a run of backup.create ended. Nothing fails because of it: what cannot be saved is
   told in the log. */
void bk__record_success(struct bk__job *job, const struct bk__manifest *manifest);
void bk__record_failure(struct bk__job *job, int code, const char *message);

/* Note how a rehearsal ended: {at, name, ok, ms, error?}, which is taken. */
void bk__record_rehearsal(struct bk__job *job, struct json_object *rehearsal);

/* The counts and sizes of a record as the event "metrics" tells them. NULL: out of memory. */
struct json_object *bk__record_metrics(struct json_object *record);

#endif
