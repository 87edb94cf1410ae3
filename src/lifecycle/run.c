/*
 * Which run of the bot this is: its record, the kernel's lock that says it lives, and the verdict
 * on the run before. The lock's descriptor belongs to the lanes (in the guest table no fork ever
 * copies it). Operations.c lists these functions.
 */
#include <lifecycle/run.h>

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <lifecycle/record.h>
#include <os/file.h>
#include <os/system.h>

/* With run.track off there is no room; all of it is of the quick lane alone. */
struct room {
    struct bk__run_record record;
    struct json_object *previous; /* NULL: none */
    char *path;                   /* run.json */
    int lock;                     /* the descriptor of run.lock, -1: not held */
    bool recorded;                /* run.json is ours */
};

static void leave_room(void *data) {
    struct room *room = data;
    if (room->lock >= 0) {
        bk__file_close(room->lock);
        room->lock = -1;
    }
}

static void free_room(void *data) {
    struct room *room = data;
    json_object_put(room->previous);
    free(room->path);
    free(room);
}

static char *state_file(struct bk__job *job, const char *name) {
    return bk__file_join(bk__config_text(bk__job_config(job), BK__OPT_STATE_DIR), name);
}

static void begin_record(struct bk__job *job, struct bk__run_record *record) {
    char stamp[BK__STAMP_SIZE];
    memset(record, 0, sizeof *record);
    record->pid = (int)getpid();
    record->started_wall = bk__job_wall(job);
    record->started_mono = bk__job_mono(job);
    record->seen_wall = record->started_wall;
    record->oom_kills = bk__system_oom_kills("");
    bk__stamp_file(record->started_wall, stamp);
    snprintf(record->run_id, sizeof record->run_id, "%s-%d-%03d", stamp, record->pid,
             (int)(record->started_mono % 1000));
    snprintf(record->version, sizeof record->version, "%s", BK_VERSION);
    snprintf(record->isolation, sizeof record->isolation, "%s",
             bk__keeper_isolation(bk__job_keeper(job)));
    if (!bk__system_boot_id(record->boot_id)) {
        record->boot_id[0] = '\0';
    }
}

/* The lock is held by somebody. Lanes in the guest table never give theirs to a forked child, so
   then it is a living run; elsewhere a child may have kept it beyond its parent's death. */
static bool lives(const struct bk__run_record *record) {
    return strcmp(record->isolation, "thread") == 0 || kill(record->pid, 0) == 0 ||
           errno == EPERM;
}

/* When the run before was last seen alive, by its sign of life. */
static void read_sign(const struct room *room, struct bk__run_record *previous) {
    char text[BK__STAMP_SIZE] = "";
    int64_t wall = 0;
    int64_t size =
        room->lock < 0 ? 0 : bk__file_pread(room->lock, text, sizeof text - 1, 0);
    if (size > 0 && bk__stamp_parse(text, &wall) && wall > previous->seen_wall &&
        wall <= room->record.started_wall) {
        previous->seen_wall = wall;
    }
}

/* The record of the run before, judged; and whether that one still lives. */
static int judge_previous(struct bk__job *job, struct room *room, bool held,
                          bool *ret_lives) {
    struct bk__run_record previous;
    int code = bk__run_load(room->path, &previous);
    *ret_lives = held && (code < 0 || lives(&previous));
    if (code == BK_ECORRUPT) {
        bk__job_log(job, "warning", "The record of the run before cannot be read: %s",
                    room->path);
    }
    if (code < 0) {
        return 0;
    }
    if (*ret_lives) {
        bk__job_log(
            job, "warning",
            "Another process (%d) runs this bot with the same state folder; this run is "
            "not recorded.",
            previous.pid);
        return 0;
    }
    if (!previous.ended[0]) {
        read_sign(room, &previous);
    }
    room->previous =
        bk__run_summary(&previous, bk__run_ended(&previous, room->record.boot_id,
                                                 room->record.oom_kills));
    return room->previous ? 0 : bk__fail_memory();
}

static int take_lock(struct bk__job *job, struct room *room, bool *ret_held) {
    char *path = state_file(job, "run.lock");
    if (!path) {
        return bk__fail_memory();
    }
    int fd = bk__file_lock(path, 0, NULL);
    *ret_held = fd == -EWOULDBLOCK;
    room->lock = fd >= 0 ? fd : -1;
    int code =
        fd >= 0 || *ret_held
            ? 0
            : bk__fail_errno(fd, "cannot lock", path,
                             "Data is safe. Give this user the right to write there, or "
                             "set run.track to false.");
    free(path);
    return code;
}

static bool add_started(struct json_object *to, const struct room *room) {
    char started[BK__STAMP_SIZE];
    bk__stamp_iso(room->record.started_wall, started);
    return bk__json_add_text(to, "run_id", room->record.run_id) &&
           bk__json_add_text(to, "started_at", started) &&
           bk__json_put(to, "previous", json_object_get(room->previous));
}

static int send_run(struct bk__job *job, const struct room *room) {
    struct json_object *members = bk__json_object();
    if (!members || !add_started(members, room)) {
        json_object_put(members);
        return bk__fail_memory();
    }
    bk__job_event(job, "run", members);
    return 0;
}

/* A full disk must not keep a bot from starting: then this run is not recorded, and says so. */
static void save_start(struct bk__job *job, struct room *room) {
    if (room->recorded && bk__run_save(room->path, &room->record) < 0) {
        room->recorded = false;
        bk__job_log(job, "error", "This run is not recorded: %s", bk__error_text());
        bk__error_clear();
    }
}

static int start(struct bk__job *job, struct room *room) {
    bool held = false;
    bool other_lives = false;
    room->path = state_file(job, "run.json");
    int code = room->path ? take_lock(job, room, &held) : bk__fail_memory();
    if (code == 0) {
        code = judge_previous(job, room, held, &other_lives);
    }
    if (code < 0) {
        return code;
    }
    room->recorded = !other_lives;
    save_start(job, room);
    return send_run(job, room);
}

int bk__run_start(struct bk__job *job) {
    struct room *room = calloc(1, sizeof *room);
    if (!room) {
        return bk__fail_memory();
    }
    room->lock = -1;
    begin_record(job, &room->record);
    int code = start(job, room);
    if (code < 0) {
        leave_room(room);
        free_room(room);
        return code;
    }
    bk__keeper_attach(bk__job_keeper(job), BK__ROOM_LIFECYCLE, room, leave_room,
                      free_room);
    return 0;
}

static struct room *room_of(struct bk__job *job) {
    return bk__keeper_room(bk__job_keeper(job), BK__ROOM_LIFECYCLE);
}

static int save(struct bk__job *job, struct room *room) {
    room->record.seen_wall = bk__job_wall(job);
    return room->recorded ? bk__run_save(room->path, &room->record) : 0;
}

/* Into the lock's own file and without fsync: a process that dies leaves it in the system's
   cache, and the disk is not worn for it. */
int bk__run_seen(struct bk__job *job) {
    struct room *room = room_of(job);
    if (!room || room->lock < 0) {
        return 0;
    }
    char now[BK__STAMP_SIZE];
    bk__stamp_iso(bk__job_wall(job), now);
    int err = bk__file_pwrite(room->lock, now, strlen(now), 0);
    return err < 0 ? bk__fail_errno(err, "cannot note the run's sign of life", NULL, NULL)
                   : 0;
}

int bk__run_stop(struct bk__job *job) {
    struct room *room = room_of(job);
    if (!room) {
        return 0;
    }
    snprintf(room->record.ended, sizeof room->record.ended, "clean");
    return save(job, room);
}

/* A tool tells of the bot's run, as recorded by the bot. */
static int read_recorded(struct bk__job *job, struct room *ret) {
    char *path = state_file(job, "run.json");
    if (!path) {
        return bk__fail_memory();
    }
    int code = bk__run_load(path, &ret->record);
    free(path);
    ret->recorded = code == 0;
    return code == 0
               ? 0
               : bk__fail(
                     BK_ENOTFOUND,
                     "No run of the bot is recorded in its state folder. Data is safe. "
                     "It appears when the bot opens its keeper with run.track on.");
}

/* Of all processes of the bot one runs the schedule. */
static bool add_leader(struct bk__job *job, struct json_object *result) {
    struct bk__keeper *k = bk__job_keeper(job);
    int pid = bk__keeper_leader_pid(k);
    return bk__json_add_bool(result, "leader", bk__keeper_leads(k)) &&
           (pid > 0 ? bk__json_add_int(result, "leader_pid", pid)
                    : bk__json_put(result, "leader_pid", NULL));
}

/* Whether it may go on, and our monotonic clock is the one it has noted: that begins anew with the
   machine. */
static bool shares_our_clock(const struct bk__run_record *record) {
    char boot_id[64] = "";
    return !record->ended[0] && bk__system_boot_id(boot_id) &&
           strcmp(boot_id, record->boot_id) == 0;
}

int bk__run_status(struct bk__job *job) {
    struct room *room = room_of(job);
    struct room other = {0};
    if (!room) {
        int code = read_recorded(job, &other);
        if (code < 0) {
            return code;
        }
        room = &other;
    }
    int64_t oldest = 0;
    struct bk__keeper *k = bk__job_keeper(job);
    struct json_object *result = bk__job_result(job);
    bool steady = room != &other || shares_our_clock(&other.record);
    int64_t uptime = steady ? bk__job_mono(job) - room->record.started_mono
                            : bk__job_wall(job) - room->record.started_wall;
    bool good =
        add_started(result, room) && bk__json_add_int(result, "uptime_ms", uptime) &&
        bk__json_add_int(result, "operations", bk__keeper_active(k, &oldest)) &&
        bk__json_add_bool(result, "recorded", room->recorded) && add_leader(job, result);
    return good ? 0 : bk__fail_memory();
}
