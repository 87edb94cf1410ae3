/*
 * Finding, starting and hearing the helper program. Not its own side of the talk, which
 * is cli/helper.c. relay.c and guest.c call it, always on a thread of ours: a write to a
 * helper that is gone raises SIGPIPE, which threads of ours block.
 */
#include <guest/helper.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/json.h>
#include <base/text.h>
#include <os/clock.h>
#include <os/file.h>
#include <botkeep.h>

#define GREETING_WAIT_MS 10000
#define SAY_POLL_MS 50
#define READ_PIECE 65536
#define HEARD_LIMIT ((size_t)256 << 20) /* no result is near it: a broken helper is */

/* Where the program stands, seen from the folder of the library. */
static const char *const places[] = {"botkeep", "../bin/botkeep", "../../bin/botkeep"};

/* A folder may well be called botkeep, too. */
static bool is_program(const char *path) {
    struct stat status;

    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

static char *find_beside(const char *library) {
    char *found = NULL;
    char *dir = bk__file_dir(library);

    for (size_t i = 0; dir != NULL && i < sizeof places / sizeof *places; i++) {
        found = bk__file_join(dir, places[i]);
        if (found == NULL || is_program(found))
            break;
        free(found);
        found = NULL;
    }
    free(dir);
    return found;
}

static char *find_program(char **ret_why) {
    char *library = NULL;
    char *found = NULL;
    const char *named = secure_getenv("BOTKEEP_HELPER");

    if (named != NULL && *named != '\0') {
        found = is_program(named) ? bk__file_absolute(named) : NULL;
        if (found == NULL)
            *ret_why =
                bk__text_printf("BOTKEEP_HELPER names %s, which is no program", named);
        return found;
    }
    library = bk__process_library();
    found = library != NULL ? find_beside(library) : NULL;
    if (found == NULL)
        *ret_why = bk__text_printf("there is no program botkeep beside %s nor in ../bin",
                                   library != NULL ? library : "the library");
    free(library);
    return found;
}

static int read_piece(struct bk__helper *helper) {
    char piece[READ_PIECE];
    ssize_t got = read(helper->process.from, piece, sizeof piece);

    if (got == 0)
        return -EPIPE;
    if (got < 0)
        return errno == EINTR || errno == EAGAIN ? 0 : -errno;
    bk__buf_add(&helper->heard, piece, (size_t)got);
    if (helper->heard.failed)
        return -ENOMEM;
    return helper->heard.size > HEARD_LIMIT ? -EMSGSIZE : 0;
}

/* Takes the first whole line out of what was heard. */
static int take_line(struct bk__helper *helper, struct json_object **ret) {
    struct bk__buf *heard = &helper->heard;
    char *end = NULL;
    size_t size;

    if (heard->size > helper->looked)
        end = memchr(heard->data + helper->looked, '\n', heard->size - helper->looked);
    helper->looked = heard->size;
    if (end == NULL)
        return 0;
    *end = '\0';
    *ret = bk__json_parse(heard->data, NULL);
    size = (size_t)(end - heard->data) + 1;
    heard->size -= size;
    memmove(heard->data, heard->data + size, heard->size);
    helper->looked = 0;
    return *ret != NULL ? 1 : -EPROTO;
}

int bk__helper_hear(struct bk__helper *helper, int wait_ms, struct json_object **ret) {
    struct pollfd from = {.fd = helper->process.from, .events = POLLIN};
    int64_t until = bk__clock_mono() + wait_ms;
    int result = take_line(helper, ret);

    while (result == 0) {
        int64_t left = until - bk__clock_mono();

        if (poll(&from, 1, left > 0 ? (int)left : 0) > 0)
            result = read_piece(helper);
        else if (left <= 0)
            break;
        if (result == 0)
            result = take_line(helper, ret);
    }
    return result;
}

int bk__helper_say(struct bk__helper *helper, const char *text, size_t size,
                   const bool *cancel) {
    struct pollfd to = {.fd = helper->process.to, .events = POLLOUT};
    size_t said = 0;

    while (said < size) {
        ssize_t put = write(to.fd, text + said, size - said);

        if (put > 0)
            said += (size_t)put;
        else if (errno != EINTR && errno != EAGAIN)
            return -errno;
        else if (cancel != NULL && __atomic_load_n(cancel, __ATOMIC_RELAXED))
            return -ECANCELED;
        else
            (void)poll(&to, 1, SAY_POLL_MS);
    }
    return 0;
}

/* A pipe that nobody reads must never hold a thread of ours for good. */
static int set_nonblocking(int fd) {
    int flags = fcntl(fd, F_GETFL);

    return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0 ? -errno : 0;
}

static char *describe_end(int status) {
    if (status >= 0 && WIFSIGNALED(status))
        return bk__text_printf("it was killed by signal %d", WTERMSIG(status));
    if (status >= 0 && WIFEXITED(status))
        return bk__text_printf("it ended with status %d", WEXITSTATUS(status));
    return bk__text_printf("it did not answer");
}

static bool is_ours(struct json_object *greeting) {
    return strcmp(bk__json_text(greeting, "event", ""), "helper") == 0 &&
           strcmp(bk__json_text(greeting, "version", ""), BK_VERSION) == 0;
}

static int hear_greeting(struct bk__helper *helper, const char *path, char **ret_why) {
    struct json_object *greeting = NULL;
    int result = set_nonblocking(helper->process.to);

    if (result == 0)
        result = bk__helper_hear(helper, GREETING_WAIT_MS, &greeting);
    if (result == 1 && is_ours(greeting)) {
        json_object_put(greeting);
        return 0;
    }
    if (result == 1) {
        *ret_why = bk__text_printf("%s is of version %s, the library is " BK_VERSION,
                                   path, bk__json_text(greeting, "version", "unknown"));
        json_object_put(greeting);
        (void)bk__helper_end(helper, 0);
    } else {
        char *end = describe_end(bk__helper_end(helper, 0));

        *ret_why = bk__text_printf("%s is no helper: %s", path, end != NULL ? end : "");
        free(end);
    }
    return BK_EISOLATION;
}

static int start_as(struct bk__helper *helper, const char *role, char **ret_why) {
    const char *argv[] = {NULL, role, NULL};
    bool bare = strcmp(role, "helper") != 0;
    int result;
    char *path;

    *ret_why = NULL;
    path = find_program(ret_why);
    if (path == NULL)
        return BK_EISOLATION;
    argv[0] = path;
    result = bare ? bk__process_start_bare(&helper->process, argv)
                  : bk__process_start(&helper->process, argv);
    if (result != 0) {
        *ret_why = bk__text_printf("%s does not start (%s)", path, strerror(-result));
        result = BK_EISOLATION;
    } else {
        result = hear_greeting(helper, path, ret_why);
    }
    free(path);
    return result;
}

int bk__helper_start(struct bk__helper *helper, char **ret_why) {
    return start_as(helper, "helper", ret_why);
}

int bk__helper_start_watch(struct bk__helper *helper, char **ret_why) {
    return start_as(helper, "watch", ret_why);
}

int bk__helper_start_hold(struct bk__helper *helper, char **ret_why) {
    return start_as(helper, "hold", ret_why);
}

void bk__helper_leave(struct bk__helper *helper) {
    bk__process_leave(&helper->process);
    bk__buf_free(&helper->heard);
    helper->looked = 0;
}

int bk__helper_end(struct bk__helper *helper, int wait_ms) {
    int status;

    bk__process_close_input(&helper->process);
    status = bk__process_end(&helper->process, wait_ms);
    bk__buf_free(&helper->heard);
    helper->looked = 0;
    return status;
}
