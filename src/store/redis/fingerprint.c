/*
 * What is the same only while nothing was written: the server's replication offset, which every write
 * that replicas would see moves, and what else it counts. A server forgets the offset when nobody
 * followed it for repl-backlog-ttl, and takes a new id then; a replica's own writes move nothing.
 */
#include <store/redis/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/hash.h>
#include <base/json.h>
#include <base/text.h>

int bk__redis_look(struct bk__redis_link *link, struct bk__redis_look *ret) {
    char role[16];
    char *info = NULL;
    int rc = bk__redis_info(link, "everything", &info);

    *ret = (struct bk__redis_look){0};
    if (rc != 0) {
        return rc;
    }
    bk__redis_info_text(info, "role", role, sizeof role);
    if (strcmp(role, "master") == 0) {
        bk__redis_info_text(info, "master_replid", ret->id, sizeof ret->id);
    }
    ret->offset = bk__redis_info_int(info, "master_repl_offset");
    ret->changes = bk__redis_info_int(info, "rdb_changes_since_last_save");
    struct json_object *keys = bk__redis_info_keys(info);
    char *text = keys == NULL ? NULL : bk__json_print(keys);
    if (text == NULL) {
        ret->id[0] = '\0'; /* then it cannot be told */
    } else {
        bk__hash_bytes(text, strlen(text), ret->keys);
    }
    free(text);
    json_object_put(keys);
    free(info);
    return 0;
}

void bk__redis_look_text(const struct bk__redis_look *look,
                         char ret[BK__FINGERPRINT_SIZE]) {
    bool told = look->id[0] != '\0' && look->offset >= 0 && look->changes >= 0;

    ret[0] = '\0';
    if (told) {
        snprintf(ret, BK__FINGERPRINT_SIZE, "%s %lld %lld %s", look->id,
                 (long long)look->offset, (long long)look->changes, look->keys);
    }
}

/* Scripts may write what no replica is to see: the count of changes tells that, until the server
   itself saves, which some do for a dump: then it begins anew. */
bool bk__redis_look_same(const struct bk__redis_look *before,
                         const struct bk__redis_look *after, const char *resync) {
    char now[BK__REDIS_RESYNC];
    bool counted = after->changes == 0 || after->changes == before->changes;

    snprintf(now, sizeof now, "+FULLRESYNC %s %lld", after->id, (long long)after->offset);
    return after->id[0] != '\0' && counted && strcmp(now, resync) == 0;
}

int bk__redis_fingerprint(struct bk__store *store, char ret[BK__FINGERPRINT_SIZE]) {
    struct bk__redis_look look;
    int rc = bk__redis_look(&((struct bk__redis *)store)->link, &look);

    ret[0] = '\0';
    if (rc == 0) {
        bk__redis_look_text(&look, ret);
    }
    return rc;
}
