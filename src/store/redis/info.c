/*
 * The server's INFO and settings: asked for, and fields out of the text. Not what they mean: probe.c and the
 * restore decide that.
 */
#include <store/redis/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/json.h>
#include <base/text.h>
#include <core/error.h>

int bk__redis_info(struct bk__redis_link *link, const char *section, char **ret) {
    const char *const words[] = {"INFO", section, NULL};
    redisReply *reply = NULL;
    int rc = bk__redis_ask(link, words, &reply);

    if (rc != 0) {
        return rc;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        rc = bk__redis_refused(link, "does not tell its INFO", reply->str);
    } else if (reply->type != REDIS_REPLY_STRING) {
        rc = bk__fail(BK_EIO,
                      "The server %s answers INFO in a way of its own, so it is "
                      "no Redis. Nothing was changed.",
                      link->at->shown);
    } else {
        *ret = strndup(reply->str, (size_t)reply->len);
        rc = *ret == NULL ? bk__fail_memory() : 0;
    }
    freeReplyObject(reply);
    return rc;
}

int bk__redis_setting(struct bk__redis_link *link, const char *name, char *ret,
                      size_t room) {
    const char *const words[] = {"CONFIG", "GET", name, NULL};
    redisReply *reply = NULL;
    int rc = bk__redis_ask(link, words, &reply);

    ret[0] = '\0';
    if (rc == 0 && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
        reply->element[1]->type == REDIS_REPLY_STRING) {
        snprintf(ret, room, "%s", reply->element[1]->str);
    }
    if (reply != NULL) {
        freeReplyObject(reply);
    }
    return rc;
}

/* Where the value begins, or NULL. */
static const char *find(const char *info, const char *field) {
    size_t size = strlen(field);

    while (*info != '\0') {
        if (strncmp(info, field, size) == 0 && info[size] == ':') {
            return info + size + 1;
        }
        info += strcspn(info, "\n");
        info += *info == '\n';
    }
    return NULL;
}

void bk__redis_info_text(const char *info, const char *field, char *out, size_t room) {
    const char *value = find(info, field);

    snprintf(out, room, "%.*s", value == NULL ? 0 : (int)strcspn(value, "\r\n"),
             value == NULL ? "" : value);
}

int64_t bk__redis_info_int(const char *info, const char *field) {
    char text[32];
    int64_t value = -1;

    bk__redis_info_text(info, field, text, sizeof text);
    return bk__text_int(text, &value) ? value : -1;
}

bool bk__redis_info_is_loading(const char *info) {
    return bk__redis_info_int(info, "loading") == 1 ||
           bk__redis_info_int(info, "async_loading") == 1;
}

/* "db0:keys=12,expires=3,avg_ttl=0" */
struct json_object *bk__redis_info_keys(const char *info) {
    struct json_object *keys = bk__json_object();

    for (const char *at = info; keys != NULL && *at != '\0';) {
        char name[24];
        long long count = 0;

        if (sscanf(at, "%20[db0-9]:keys=%lld", name, &count) == 2 &&
            bk__text_starts(name, "db") && !bk__json_add_int(keys, name, count)) {
            json_object_put(keys);
            return NULL;
        }
        at += strcspn(at, "\n");
        at += *at == '\n';
    }
    return keys;
}
