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
#define LEAVE_MS                                                                         \
    5000 /* the replica that we were for a backup of before may still be seen */
#define PAUSE_MS 100

static int refuse(const struct bk__redis *redis, const char *why, const char *advice) {
    return bk__fail(
        BK_EUNSUPPORTED,
        "The Redis server %s cannot be restored while it lives: %s. " UNTOUCHED "%s",
        redis->at.shown, why, advice);
}

/* ---- what the server is --------------------------------------------------------------- */

static int check_role(const struct bk__redis *redis, const char *info) {
    char mode[32];
    char role[32];

    bk__redis_info_text(info, "redis_mode", mode, sizeof mode);
    bk__redis_info_text(info, "role", role, sizeof role);
    if (strcmp(mode, "cluster") == 0 ||
        bk__redis_info_int(info, "cluster_enabled") == 1) {
        return refuse(redis, "it is a node of a cluster",
                      "Restore each node from its own dump while it is stopped.");
    }
    if (bk__redis_info_is_loading(info)) {
        return bk__fail(BK_EBUSY,
                        "The Redis server %s is still loading its data. " UNTOUCHED
                        "Restore again when it is done.",
                        redis->at.shown);
    }
    if (strcmp(role, "master") != 0) {
        return refuse(redis, "it is itself a replica",
                      "Restore its master, and it follows.");
    }
    return 0;
}

/* Somebody else's replicas would be emptied and filled with it. */
static int check_replicas(struct bk__redis *redis, int64_t until) {
    char *info = NULL;
    char why[96];
    int64_t replicas;
    int rc = bk__redis_info(&redis->link, "replication", &info);

    if (rc != 0) {
        return rc;
    }
    replicas = bk__redis_info_int(info, "connected_slaves");
    free(info);
    if (replicas <= 0) {
        return 0;
    }
    if (bk__clock_mono() < until) {
        bk__clock_sleep(PAUSE_MS);
        return 1;
    }
    snprintf(why, sizeof why, "%lld replicas are attached to it", (long long)replicas);
    return refuse(redis, why,
                  "Detach them (REPLICAOF NO ONE on each), restore, and attach them "
                  "again.");
}

static int wait_for_no_replicas(struct bk__redis *redis) {
    int64_t until = bk__clock_mono() + LEAVE_MS;
    int rc;

    do {
        rc = check_replicas(redis, until);
    } while (rc == 1);
    return rc;
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

static int check_version(const struct bk__redis *redis, const char *info,
                         const struct bk__rdb_facts *facts) {
    int reads = rdb_version_of(redis, info);
    char why[160];

    if (reads == 0) {
        return refuse(redis, "it is older than Redis 4, or does not tell its version",
                      "Stop it, put the dump in the place of its own, and start it.");
    }
    if (facts->version <= reads || is_its_own(info, facts)) {
        return 0;
    }
    snprintf(why, sizeof why,
             "the dump is of RDB version %d (%s %s), and it reads up to version %d",
             facts->version, facts->valkey ? "Valkey" : "Redis",
             facts->server[0] != '\0' ? facts->server : "of unknown version", reads);
    return refuse(redis, why, "Restore into a server of that version or a later one.");
}

/* What a server does not understand ends it. */
static int check_understood(const struct bk__redis *redis,
                            const struct bk__rdb_facts *facts) {
    char why[160];

    if (facts->counted || facts->version > BK__RDB_VERSION_KNOWN) {
        return 0;
    }
    snprintf(why, sizeof why,
             "the dump holds what its version does not know (%s), and a server that "
             "reads it ends itself",
             facts->unknown);
    return refuse(redis, why, "Use another backup.");
}

static int check_modules(const struct bk__redis *redis,
                         const struct bk__rdb_facts *facts) {
    return !facts->modules
               ? 0
               : refuse(redis,
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
static int check_memory(const struct bk__redis *redis, const char *info,
                        const struct bk__rdb_facts *facts) {
    const char *name;
    int64_t limit = memory_limit(info, &name);
    char why[160];

    if (limit <= 0 || facts->memory <= limit + limit / 8) {
        return 0;
    }
    snprintf(why, sizeof why, "the dump took %lld MB of memory, and %s is %lld MB",
             (long long)(facts->memory >> 20), name, (long long)(limit >> 20));
    return refuse(redis, why, "Give it more memory, or restore into a larger server.");
}

/* A server ends itself over a database whose number it does not have. */
static int check_databases(struct bk__redis *redis, const struct bk__rdb_facts *facts) {
    int64_t last = facts->db_count == 0 ? 0 : facts->dbs[facts->db_count - 1].number;
    char number[24];
    char why[96];
    const char *const words[] = {"SELECT", number, NULL};
    redisReply *reply = NULL;
    int rc;

    if (last == 0) {
        return 0;
    }
    snprintf(number, sizeof number, "%lld", (long long)last);
    rc = bk__redis_ask(&redis->link, words, &reply);
    if (rc == 0 && reply->type == REDIS_REPLY_ERROR) {
        snprintf(why, sizeof why, "the dump has a database %s, and the server has none",
                 number);
        rc = strstr(reply->str, "out of range") != NULL
                 ? refuse(redis, why, "Raise its setting databases.")
                 : bk__redis_refused(&redis->link, DOING, reply->str);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return rc;
}

/* ---- what it lets us do --------------------------------------------------------------- */

static int check_settings(struct bk__redis *redis) {
    char value[32];
    int rc = bk__redis_setting(&redis->link, "tls-replication", value, sizeof value);

    if (rc == 0 && strcmp(value, "yes") == 0) {
        rc = refuse(redis, "it takes data only over TLS (tls-replication yes)",
                    "Turn that off for the restore.");
    }
    if (rc == 0) {
        rc = bk__redis_setting(&redis->link, "repl-diskless-load", value, sizeof value);
    }
    if (rc == 0 && strcmp(value, "flush-before-load") == 0) {
        rc = refuse(redis,
                    "it drops its data before the new is there (repl-diskless-load "
                    "flush-before-load)",
                    "Set that to disabled for the restore.");
    }
    if (rc == 0) {
        rc = bk__redis_setting(&redis->link, "replica-read-only", value, sizeof value);
    }
    if (rc == 0 && strcmp(value, "no") == 0) {
        rc = refuse(redis, "it would take writes that are lost (replica-read-only no)",
                    "Set that to yes for the restore.");
    }
    return rc;
}

/* A master that follows nobody is told to follow nobody: nothing changes, but a user who may not say
   it is found now, and not by the watch when it is needed. */
static int check_permission(struct bk__redis *redis) {
    static const char *const words[] = {"REPLICAOF", "NO", "ONE", NULL};
    return bk__redis_order(&redis->link, words, DOING);
}

/* What one look at INFO and at the dump tells. */
static int check_fit(struct bk__redis *redis, const struct bk__rdb_facts *facts) {
    char *info = NULL;
    int rc = bk__redis_info(&redis->link, "everything", &info);

    if (rc == 0) {
        rc = check_role(redis, info);
    }
    if (rc == 0) {
        rc = check_version(redis, info, facts);
    }
    if (rc == 0) {
        rc = check_understood(redis, facts);
    }
    if (rc == 0) {
        rc = check_modules(redis, facts);
    }
    if (rc == 0) {
        rc = check_memory(redis, info, facts);
    }
    free(info);
    return rc;
}

int bk__redis_check(struct bk__redis *redis, const struct bk__rdb_facts *facts) {
    int rc = check_fit(redis, facts);

    if (rc == 0) {
        rc = check_databases(redis, facts);
    }
    if (rc == 0) {
        rc = wait_for_no_replicas(redis);
    }
    if (rc == 0) {
        rc = check_settings(redis);
    }
    return rc == 0 ? check_permission(redis) : rc;
}
