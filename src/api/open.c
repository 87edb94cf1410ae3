/*
 * bk_open(): options resolved, isolation proven, threads started, the run noted, a staged restore
 * applied, the schedule begun; after a failure the keeper is as new. Called by hosts alone.
 */
#include <botkeep.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <api/check.h>
#include <api/plans.h>
#include <base/json.h>
#include <core/calendar.h>
#include <core/config.h>
#include <core/operation.h>
#include <guest/guest.h>
#include <guest/hold.h>
#include <os/file.h>
#include <store/store.h>

/* Left in state.dir by src/backup, and by src/store/redis. */
#define STAGED_FILE "restore.json"
#define LEFT_FILE "redis-restore.json"

static int start_thread(void *context, pthread_t *ret, const char *name,
                        void *(*entry)(void *), void *arg) {
    const enum bk__guest_mode *mode = context;
    return bk__guest_start(*mode, ret, name, entry, arg);
}

/* Constants, because lanes of any keeper may still need them while it ends. */
static const enum bk__guest_mode thread_mode = BK__GUEST_THREAD;
static const enum bk__guest_mode process_mode = BK__GUEST_PROCESS;
static const enum bk__guest_mode own_mode = BK__GUEST_OWN;

static struct bk__lanes lanes_of(enum bk__guest_mode mode) {
    const enum bk__guest_mode *kept = mode == BK__GUEST_THREAD    ? &thread_mode
                                      : mode == BK__GUEST_PROCESS ? &process_mode
                                                                  : &own_mode;
    return (struct bk__lanes){.start = start_thread,
                              .start_apart = bk__guest_start_apart,
                              .hold_begin = bk__hold_begin,
                              .hold_ask = bk__hold_ask,
                              .hold_end = bk__hold_end,
                              .context = (void *)(uintptr_t)kept,
                              .relay = mode == BK__GUEST_PROCESS ? bk__guest_relay : NULL,
                              .isolation = bk__guest_mode_name(mode)};
}

/* An unknown kind of store, or a URL that nobody can read, is refused before anything is made. */
static int check_store(const char *url) {
    const struct bk__store_driver *driver = bk__store_driver_for(url);
    if (!driver) {
        return BK_EUNSUPPORTED;
    }
    return driver->check ? driver->check(url) : 0;
}

static int check_redis(const struct bk__config *config) {
    const char *url = bk__config_text(config, BK__OPT_REDIS);
    int code = check_store(url);
    if (code == 0 && strcmp(bk__store_driver_for(url)->name, "redis") == 0) {
        return 0;
    }
    char *why = code == 0 ? NULL : strdup(bk__error_text());
    code =
        bk__fail(code == 0 ? BK_EINVAL : code, "The option redis (%s): %s",
                 bk__config_source(config, BK__OPT_REDIS),
                 why ? why
                     : "That is not the address of a Redis server. Nothing was touched. "
                       "Write redis://[[user]:password@]host[:port] or unix:///path.");
    free(why);
    return code;
}

static int check_stores(const struct bk__config *config) {
    const char *database = bk__config_text(config, BK__OPT_DATABASE);
    int code = database[0] ? check_store(database) : 0;
    return code == 0 && bk__config_text(config, BK__OPT_REDIS)[0] ? check_redis(config)
                                                                  : code;
}

/*
 * "own" drops the very protection this library is made for, so one option, perhaps out of an
 * environment, is not enough: a program that says it is the bot itself does not get it.
 */
static int check_isolation(const struct bk__config *config) {
    const char *wish = bk__config_text(config, BK__OPT_GUEST_ISOLATION);
    if (strcmp(wish, "own") != 0 || !bk__config_bool(config, BK__OPT_RUN_TRACK)) {
        return 0;
    }
    return bk__fail(BK_EINVAL,
                    "guest.isolation is own (%s), which is for tools that hold no other "
                    "SQLite and set run.track=false. Beside a bot's SQLite it would lose "
                    "committed rows, so nothing was touched. Leave it at auto.",
                    bk__config_source(config, BK__OPT_GUEST_ISOLATION));
}

static int make_state_dir(const struct bk__config *config) {
    const char *path = bk__config_text(config, BK__OPT_STATE_DIR);
    int err = bk__file_make_dir(path);
    return err < 0 ? bk__fail_errno(
                         err, "cannot make its folder", path,
                         "Data is safe. Give this user the right to write there, or "
                         "set the option state.dir to another folder.")
                   : 0;
}

static int start_threads(struct bk__keeper *k) {
    const struct bk__config *config = bk__keeper_config(k);
    enum bk__guest_mode mode = BK__GUEST_PROCESS;
    char *why = NULL;
    int code = bk__guest_choose(bk__config_text(config, BK__OPT_GUEST_ISOLATION),
                                bk__config_text(config, BK__OPT_STATE_DIR), &mode, &why);
    if (code < 0) {
        free(why);
        return code;
    }
    struct bk__lanes lanes = lanes_of(mode);
    return bk__keeper_start(k, &lanes, why);
}

static bool is_left(const struct bk__config *config, const char *name) {
    char *path = bk__file_join(bk__config_text(config, BK__OPT_STATE_DIR), name);
    bool left = path && bk__file_exists(path);
    free(path);
    return left;
}

/* A restore of Redis was killed together with its watch: opening the server makes it a master again,
   without which the bot could not write. A server that is away is the bot's to wait for. */
static void free_redis(struct bk__keeper *k) {
    bool beside = bk__config_text(bk__keeper_config(k), BK__OPT_REDIS)[0] != '\0';
    struct json_object *args = bk__json_object();
    if (args && bk__json_add_text(args, "store", beside ? "redis" : "database")) {
        bk__keeper_call(k, "store.probe", args, -1, NULL);
    } else {
        json_object_put(args);
    }
}

/* A bot whose backups could not be encrypted is told at its start, not at night. On a lane, because
   a key file is opened, and the option may name the database by mistake. */
static int check_encryption(struct bk__keeper *k) {
    const struct bk__config *config = bk__keeper_config(k);
    bool asked = bk__config_text(config, BK__OPT_BACKUP_KEY_FILE)[0] != '\0' ||
                 bk__config_text(config, BK__OPT_BACKUP_RECIPIENT)[0] != '\0';
    return asked ? bk__keeper_call(k, "backup.keys", NULL, -1, NULL) : 0;
}

/* Before the host can migrate or write anything. One that fails is told and recorded; a bot that
   does not start because a disk is full would be worse. */
static void startup_backup(struct bk__keeper *k) {
    const struct bk__config *config = bk__keeper_config(k);
    struct json_object *args = bk__json_object();
    if (!args || !bk__json_add_text(args, "kind", "startup") ||
        !bk__json_add_int(args, "gap",
                          bk__config_int(config, BK__OPT_BACKUP_START_GAP))) {
        json_object_put(args);
        return;
    }
    if (bk__keeper_call(k, "backup.create", args, -1, NULL) < 0) {
        bk__keeper_log(k, "error", "The startup backup failed: %s", bk__error_text());
    }
}

static bool wants_startup_backup(const struct bk__config *config) {
    return bk__config_bool(config, BK__OPT_BACKUP_ENABLED) &&
           bk__config_bool(config, BK__OPT_BACKUP_ON_START) &&
           bk__config_has_data(config);
}

/* Whether there is no database that could be opened. What a lock or a full disk hides is there. */
static bool is_lost(struct bk__keeper *k) {
    int code = bk__keeper_call(k, "store.probe", NULL, -1, NULL);
    return code == BK_ENOTFOUND || code == BK_ECORRUPT;
}

/* The newest one was damaged since it was verified: all are read, so that the next try takes one that
   is whole. */
static void mark_damaged(struct bk__keeper *k) {
    struct json_object *args = bk__json_object();
    if (args && bk__json_add_bool(args, "all", true)) {
        bk__keeper_call(k, "backup.verify", args, -1, NULL);
    } else {
        json_object_put(args);
    }
}

/* The database alone: what other stores hold is not lost. */
static int restore_newest(struct bk__keeper *k, struct json_object **ret) {
    struct json_object *args = bk__json_object();
    if (!args || !bk__json_add_text(args, "store", "database")) {
        json_object_put(args);
        return bk__fail_memory();
    }
    return bk__keeper_call(k, "backup.restore", args, -1, ret);
}

/* Restores the newest verified backup over nothing. A bot that never had one starts as it always
   did; one whose backup cannot be restored must not begin with an empty database. */
static int rescue(struct bk__keeper *k) {
    struct json_object *result = NULL;
    if (!is_lost(k)) {
        return 0;
    }
    int code = restore_newest(k, &result);
    if (code == BK_ECORRUPT) {
        mark_damaged(k);
        code = restore_newest(k, &result);
    }
    if (code == 0) {
        bk__keeper_log(k, "warning",
                       "The database was missing, or was no database; backup %s was "
                       "restored. What was there is kept as %s.",
                       bk__json_text(result, "name", "?"),
                       bk__json_text(result, "kept", "nothing"));
    } else if (code == BK_ENOTFOUND) {
        bk__keeper_log(k, "info", "There is no database and no backup of one.");
        code = 0;
    }
    json_object_put(result);
    return code;
}

static bool wants_rescue(const struct bk__config *config) {
    return bk__config_bool(config, BK__OPT_BACKUP_RESCUE) &&
           bk__config_text(config, BK__OPT_DATABASE)[0] && !bk__config_on_server(config);
}

/* What has to be done before the host opens its database. */
static int first_work(struct bk__keeper *k) {
    const struct bk__config *config = bk__keeper_config(k);
    /* A tool beside a running bot, or the bot's own helper, must not apply what waits for the
       bot's next start. */
    if (!bk__config_bool(config, BK__OPT_RUN_TRACK)) {
        return 0;
    }
    int code = check_encryption(k);
    if (code == 0) {
        code = bk__keeper_call(k, "lifecycle.start", NULL, -1, NULL);
    }
    if (code == 0 && is_left(config, LEFT_FILE)) {
        free_redis(k);
    }
    if (code == 0 && is_left(config, STAGED_FILE)) {
        code = bk__keeper_call(k, "backup.apply", NULL, -1, NULL);
    }
    if (code == 0 && wants_rescue(config)) {
        code = rescue(k);
    }
    if (code == 0 && wants_startup_backup(config)) {
        startup_backup(k);
    }
    return code;
}

/* The keeper is as new again: its options can be set and it can be opened once more. */
static int abandon(struct bk__keeper *k, int code, bool started) {
    char text[2048];
    snprintf(text, sizeof text, "%s", bk__error_text());
    if (started) {
        bk__keeper_stop(k, false, -1);
    } else {
        bk__keeper_pass(k, BK__LIFE_OPENING, BK__LIFE_NEW, "opened");
    }
    return bk__fail(code, "%s", text);
}

static int open_keeper(struct bk__keeper *k) {
    int code = bk__keeper_resolve(k);
    if (code == 0) {
        code = check_stores(bk__keeper_config(k));
    }
    if (code == 0) {
        code = check_isolation(bk__keeper_config(k));
    }
    if (code == 0) {
        code = bk__calendar_check(bk__keeper_config(k));
    }
    if (code == 0) {
        code = make_state_dir(bk__keeper_config(k));
    }
    if (code == 0) {
        code = start_threads(k);
    }
    if (code < 0) {
        return abandon(k, code, false);
    }
    code = first_work(k);
    if (code == 0 && bk__config_bool(bk__keeper_config(k), BK__OPT_RUN_TRACK)) {
        code = bk__api_plan(k); /* tools have no schedule of their own */
    }
    if (code == 0) {
        code = bk__keeper_pass(k, BK__LIFE_OPENING, BK__LIFE_OPEN, "opened");
    }
    return code < 0 ? abandon(k, code, true) : 0;
}

int bk_open(bk_keeper *k) {
    struct bk__keeper *keeper = NULL;
    int code = bk__api_enter(k, &keeper);
    if (code < 0) {
        return code;
    }
    code = bk__keeper_pass(keeper, BK__LIFE_NEW, BK__LIFE_OPENING, "opened");
    if (code == 0) {
        code = open_keeper(keeper);
    }
    bk__keeper_put(keeper);
    return code;
}
