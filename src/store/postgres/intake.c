/*
 * What pg_dump puts out, taken in on a thread: read as a dump, kept in a file, and told to whoever
 * packs it meanwhile. Not what a dump is (image.c) nor pg_dump itself. snapshot.c begins and ends it.
 */
#include <store/postgres/internal.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <core/error.h>
#include <os/file.h>
#include <os/thread.h>

struct bk__pg_intake {
    struct bk__job *job;
    struct bk__pg_stream stream;
    struct bk__pg_image image;
    int rc;
    char *text; /* the error's, because error texts belong to threads */
    pthread_t thread;
};

/* The pipe is closed at once: a pg_dump that nobody listens to must not wait. */
static void *take(void *context) {
    struct bk__pg_intake *intake = context;
    intake->rc = bk__pg_image_take(intake->job, &intake->stream, &intake->image);
    bk__file_close(intake->stream.from_fd);
    int closed = bk__file_close(intake->stream.to_fd);
    if (intake->rc == 0 && closed != 0) {
        intake->rc =
            bk__fail_errno(closed, "cannot finish writing", intake->stream.path, NULL);
    }
    intake->text = intake->rc == 0 ? NULL : strdup(bk__error_text());
    return NULL;
}

static int begin(struct bk__pg_intake *intake) {
    struct bk__pg_stream *stream = &intake->stream;
    stream->to_fd = bk__file_create(stream->path);
    if (stream->to_fd < 0) {
        return bk__fail_errno(stream->to_fd, "cannot create", stream->path, NULL);
    }
    int err = bk__thread_start(&intake->thread, "bk-intake", take, intake);
    if (err != 0) {
        bk__file_close(stream->to_fd);
        return bk__fail_errno(err, "cannot start", "a thread for pg_dump", NULL);
    }
    return 0;
}

int bk__pg_intake_begin(struct bk__pg_intake **ret, struct bk__job *job, int from_fd,
                        const char *path, struct bk__growth *growth) {
    struct bk__pg_intake *intake = calloc(1, sizeof *intake);
    int rc = intake == NULL ? bk__fail_memory() : 0;
    if (rc == 0) {
        intake->job = job;
        intake->stream =
            (struct bk__pg_stream){.from_fd = from_fd, .path = path, .growth = growth};
        rc = begin(intake);
    }
    if (rc != 0) {
        bk__file_close(from_fd);
        free(intake);
        return rc;
    }
    *ret = intake;
    return 0;
}

int bk__pg_intake_end(struct bk__pg_intake *intake, struct bk__pg_image *ret) {
    pthread_join(intake->thread, NULL);
    int rc = intake->rc;
    if (rc == 0) {
        *ret = intake->image;
    } else {
        bk__fail(rc, "%s", intake->text == NULL ? "out of memory" : intake->text);
    }
    free(intake->text);
    free(intake);
    return rc;
}
