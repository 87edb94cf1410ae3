/*
 * The lock held by a helper program (cli/hold.c is its other side). Not the lock that a thread of
 * ours holds itself: core/leader.c, which calls this by way of api/open.c.
 */
#include <guest/hold.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <base/json.h>
#include <guest/helper.h>

#define END_WAIT_MS 2000

struct hold {
    struct bk__helper helper;
    bool held;
};

static char *request_for(const char *path) {
    struct json_object *request = bk__json_object();
    char *text = NULL;
    if (request != NULL && bk__json_add_text(request, "path", path) &&
        bk__json_add_int(request, "pid", getpid())) {
        text = bk__json_print(request);
    }
    json_object_put(request);
    return text;
}

static int tell(struct hold *hold, const char *path) {
    char *text = request_for(path);
    int result =
        text != NULL ? bk__helper_say(&hold->helper, text, strlen(text), NULL) : -ENOMEM;
    if (result == 0) {
        result = bk__helper_say(&hold->helper, "\n", 1, NULL);
    }
    free(text);
    return result;
}

void *bk__hold_begin(const char *path) {
    struct hold *hold = calloc(1, sizeof *hold);
    char *why = NULL;
    if (hold == NULL) {
        return NULL;
    }
    if (bk__helper_start_hold(&hold->helper, &why) != 0) {
        free(why);
        free(hold);
        return NULL;
    }
    if (tell(hold, path) != 0) {
        bk__hold_end(hold);
        return NULL;
    }
    return hold;
}

int bk__hold_ask(void *hold, int wait_ms) {
    struct hold *mine = hold;
    struct json_object *news = NULL;
    int result = bk__helper_hear(&mine->helper, wait_ms, &news);
    if (result == 1) {
        mine->held = strcmp(bk__json_text(news, "event", ""), "held") == 0;
    }
    json_object_put(news);
    return result < 0 ? -EPIPE : mine->held;
}

void bk__hold_end(void *hold) {
    struct hold *mine = hold;
    bk__helper_end(&mine->helper, END_WAIT_MS);
    free(mine);
}
