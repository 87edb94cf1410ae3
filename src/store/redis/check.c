/*
 * Whether a server may and can take a dump: everything that speaks against it is found here, before
 * the server is told anything. Not the dump's own proof: image.c. restore.c calls it.
 */
#include <store/redis/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/clock.h>
#include <store/redis/rdb.h>

#define DOING "cannot be restored"
#define UNTOUCHED "The server was not touched. "
#define LEAVE_MS 5000
#define PAUSE_MS 100

/* What the checks look at. */
struct checking {
    struct bk__redis *redis;
    const struct bk__rdb_facts *facts;
    char *info; /* all of it, as it was at the beginning */
};

static int refuse(const struct checking *c, const char *why, const char *advice) {
    return bk__fail(
        BK_EUNSUPPORTED,
        "The Redis server %s cannot be restored while it lives: %s. " UNTOUCHED "%s",
        c->redis->at.shown, why, advice);
}

/* ---- what the server is --------------------------------------------------------------- */

static int check_role(struct checking *c) {
    const char *info = c->info;
    char mode[32];
    char role[32];

    bk__redis_info_text(info, "redis_mode", mode, sizeof mode);
    bk__redis_info_text(info, "role", role, sizeof role);
    if (strcmp(mode, "cluster") == 0 ||
        bk__redis_info_int(info, "cluster_enabled") == 1) {
        return refuse(c, "it is a node of a cluster",
                      "Restore each node from its own dump while it is stopped.");
    }
    if (bk__redis_info_is_loading(info)) {
        return bk__fail(BK_EBUSY,
                        "The Redis server %s is still loading its data. " UNTOUCHED
                        "Restore again when it is done.",
                        c->redis->at.shown);
    }
    if (strcmp(role, "master") != 0) {
        return refuse(c, "it is itself a replica", "Restore its master, and it follows.");
    }
    return 0;
}

static int count_replicas(struct checking *c, int64_t *ret) {
    char *info = NULL;
    int rc = bk__redis_info(&c->redis->link, "replication", &info);

    *ret = rc == 0 ? bk__redis_info_int(info, "connected_slaves") : 0;
    free(info);
    return rc;
}

/* Somebody else's replicas would be emptied and filled with it. The one that we were for a backup a
   moment ago may still be seen. */
static int check_replicas(struct checking *c) {
    int64_t until = bk__clock_mono() + LEAVE_MS;
    int64_t replicas = 0;
    char why[96];
    int rc = count_replicas(c, &replicas);

    while (rc == 0 && replicas > 0 && bk__clock_mono() < until) {
        bk__clock_sleep(PAUSE_MS);
        rc = count_replicas(c, &replicas);
    }
    if (rc != 0 || replicas <= 0) {
        return rc;
    }
    snprintf(why, sizeof why, "%lld replicas are attached to it", (long long)replicas);
    return refuse(c, why,
                  "Detach them (REPLICAOF NO ONE on each), restore, and attach them "
                  "again.");
}

/* ---- what it can read ----------------------------------------------------------------- */

struct version {
    int major, minor;
};

static bool is_at_least(struct version one, struct version other) {
    return one.major > other.major ||
           (one.major == other.major && one.minor >= other.minor);
}

/* Redis and Valkey count apart, and Valkey calls itself Redis 7.2 as well. */
static struct version version_of(const char *info, bool valkey) {
    struct version version = {0, 0};
    char text[32];

    bk__redis_info_text(info, valkey ? "valkey_version" : "redis_version", text,
                        sizeof text);
    if (sscanf(text, "%d.%d", &version.major, &version.minor) != 2) {
        version = (struct version){0, 0};
    }
    return version;
}

/* What the server wrote it can read; else its version says what it reads, as far as that is known. */
static int rdb_version_of(const struct bk__redis *redis, const char *info) {
    static const struct {
        struct version version;
        int rdb;
    } known[] = {{{8, 0}, 12}, {{7, 4}, 12}, {{7, 2}, 11},
                 {{7, 0}, 10}, {{5, 0}, 9},  {{4, 0}, 8}};
    struct version version = version_of(info, false);

    if (redis->rdb_version > 0) {
        return redis->rdb_version;
    }
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (is_at_least(version, known[i].version)) {
            return known[i].rdb;
        }
    }
    return 0;
}

/* For servers that are later than the table: they read what their like of no later version wrote. */
static bool is_its_own(const char *info, const struct bk__rdb_facts *facts) {
    struct version valkey = version_of(info, true);
    struct version redis = version_of(info, false);
    struct version wrote = {0, 0};

    if (facts->valkey != (valkey.major > 0) ||
        sscanf(facts->server, "%d.%d", &wrote.major, &wrote.minor) != 2) {
        return false;
    }
    return facts->valkey ? valkey.major >= 9 && is_at_least(valkey, wrote)
                         : redis.major >= 8 && is_at_least(redis, wrote);
}

static int check_version(struct checking *c) {
    const struct bk__rdb_facts *facts = c->facts;
    int reads = rdb_version_of(c->redis, c->info);
    char why[160];

    if (reads == 0) {
        return refuse(c, "it is older than Redis 4, or does not tell its version",
                      "Stop it, put the dump in the place of its own, and start it.");
    }
    if (facts->version <= reads || is_its_own(c->info, facts)) {
        return 0;
    }
    snprintf(why, sizeof why,
             "the dump is of RDB version %d (%s %s), and it reads up to version %d",
             facts->version, facts->valkey ? "Valkey" : "Redis",
             facts->server[0] != '\0' ? facts->server : "of unknown version", reads);
    return refuse(c, why, "Restore into a server of that version or a later one.");
}

/* What a server does not understand ends it. */
static int check_understood(struct checking *c) {
    const struct bk__rdb_facts *facts = c->facts;
    char why[160];

    if (facts->counted || facts->version > BK__RDB_VERSION_KNOWN) {
        return 0;
    }
    snprintf(why, sizeof why,
             "the dump holds what its version does not know (%s), and a server that "
             "reads it ends itself",
             facts->unknown);
    return refuse(c, why, "Use another backup.");
}

static int check_modules(struct checking *c) {
    return !c->facts->modules
               ? 0
               : refuse(c,
                        "the dump holds data of modules, and a server that lacks one of "
                        "them ends itself",
                        "Stop it, put the dump in the place of its own, and start it "
                        "with these modules.");
}

/* ---- what it has room for ------------------------------------------------------------- */

/* The first number of INFO that is a limit; *ret_name is what people call it. */
static int64_t memory_limit(const char *info, const char **ret_name) {
    int64_t limit = bk__redis_info_int(info, "maxmemory");

    *ret_name = "maxmemory";
    if (limit <= 0) {
        limit = bk__redis_info_int(info, "total_system_memory");
        *ret_name = "its machine's memory";
    }
    return limit;
}

/* A replica takes more than maxmemory; as a master it would then drop keys or refuse writes. What
   the dump says of itself counts buffers, too: an eighth more is let through. */
static int check_memory(struct checking *c) {
    const char *name;
    int64_t limit = memory_limit(c->info, &name);
    int64_t wanted = c->facts->memory;
    char why[160];

    if (limit <= 0 || wanted <= limit + limit / 8) {
        return 0;
    }
    snprintf(why, sizeof why, "the dump took %lld MB of memory, and %s is %lld MB",
             (long long)(wanted >> 20), name, (long long)(limit >> 20));
    return refuse(c, why, "Give it more memory, or restore into a larger server.");
}

/* A server ends itself over a database whose number it does not have. */
static int check_databases(struct checking *c) {
    struct bk__redis_link *link = &c->redis->link;
    char number[24];
    char why[96];
    const char *const words[] = {"SELECT", number, NULL};
    redisReply *reply = NULL;
    int rc;

    if (c->facts->last_db == 0) {
        return 0;
    }
    snprintf(number, sizeof number, "%lld", (long long)c->facts->last_db);
    rc = bk__redis_ask(link, words, &reply);
    if (rc == 0 && reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, sizeof why, "the dump has a database %s, and the server has none",
                 number);
        rc = strstr(reply->str, "out of range") != NULL
                 ? refuse(c, why, "Raise its setting databases.")
                 : bk__redis_refused(link, DOING, reply->str);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return rc;
}

/* ---- what it lets us do --------------------------------------------------------------- */

/* As far as the user may ask for them. */
static int check_settings(struct checking *c) {
    static const struct {
        const char *name, *bad, *why, *advice;
    } settings[] = {{"tls-replication", "yes",
                     "it takes data only over TLS (tls-replication yes)",
                     "Turn that off for the restore."},
                    {"repl-diskless-load", "flush-before-load",
                     "it drops its data before the new is there (repl-diskless-load "
                     "flush-before-load)",
                     "Set that to disabled for the restore."},
                    {"replica-read-only", "no",
                     "it would take writes that are lost (replica-read-only no)",
                     "Set that to yes for the restore."}};
    char value[32];
    int rc = 0;

    for (size_t i = 0; rc == 0 && i < sizeof settings / sizeof *settings; i++) {
        rc = bk__redis_setting(&c->redis->link, settings[i].name, value, sizeof value);
        if (rc == 0 && strcmp(value, settings[i].bad) == 0) {
            rc = refuse(c, settings[i].why, settings[i].advice);
        }
    }
    return rc;
}

/* A master that follows nobody is told to follow nobody: nothing changes, but a user who may not say
   it is found now, and not by the watch when it is needed. */
static int check_permission(struct checking *c) {
    static const char *const words[] = {"REPLICAOF", "NO", "ONE", NULL};
    return bk__redis_order(&c->redis->link, words, DOING);
}

int bk__redis_check(struct bk__redis *redis, const struct bk__rdb_facts *facts) {
    static int (*const checks[])(struct checking *) = {
        check_role,      check_version,  check_understood, check_modules,   check_memory,
        check_databases, check_replicas, check_settings,   check_permission};
    struct checking c = {redis, facts, NULL};
    int rc = bk__redis_info(&redis->link, "everything", &c.info);

    for (size_t i = 0; rc == 0 && i < sizeof checks / sizeof *checks; i++) {
        rc = checks[i](&c);
    }
    free(c.info);
    return rc;
}
