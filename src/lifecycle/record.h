/*
 * What is written down of a run in state.dir/run.json, and how its end is judged from that by the
 * next one. Not who writes it and when: run.c, the only caller.
 */
#ifndef BK_LIFECYCLE_RECORD_H
#define BK_LIFECYCLE_RECORD_H

#include <stdbool.h>
#include <stdint.h>

struct json_object;

struct bk__run_record {
    char run_id[64];
    char boot_id[64]; /* "" where the system tells none */
    char version[32];
    char isolation[16];
    char ended[16]; /* "clean", or "" while it runs or when nobody was there to say so */
    int pid;
    int64_t started_wall;
    int64_t started_mono;
    int64_t seen_wall; /* when it was last seen alive */
    int64_t oom_kills; /* as it began, -1: unknown */
};

/* run.json: 0, BK_ENOTFOUND (none), BK_ECORRUPT (not a record). No error text is set. */
int bk__run_load(const char *path, struct bk__run_record *ret);
/* Saved atomically. 0 or an error with its text. */
int bk__run_save(const char *path, const struct bk__run_record *record);

/* How it ended, judged by what is so now: "clean" "reboot" "killed" "crash" "unknown". "killed"
   needs evidence: the kernel's count of kills for want of memory has grown meanwhile. */
const char *bk__run_ended(const struct bk__run_record *record, const char *boot_id,
                          int64_t oom_kills);

/* {run_id, started_at, ended, uptime_ms, last_seen_at} of a run that ended. NULL: ENOMEM. */
struct json_object *bk__run_summary(const struct bk__run_record *record,
                                    const char *ended);

#endif
