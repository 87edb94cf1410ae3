/*
 * Proof that a file is a whole dump: read to its end by ourselves, or, where its format is newer
 * than we know, listed by a pg_restore that knows it. Not a comparison with anything: the
 * manifest's business. Backup calls it.
 */
#include <store/postgres/internal.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>

#define PIECE_MS 50

/* pg_restore, with how it is asked to read; what it writes goes nowhere. */
static int read_by(struct bk__job *job, const struct bk__pg_tools *tools, const char *how,
                   const char *path) {
    const char *const argv[] = {tools->restore, how, path, NULL};
    const char *const environment[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
    const struct bk__child_plan plan = {
        .argv = argv, .environment = environment, .fd = -1};
    struct bk__child child = {.said_fd = -1};
    int err = bk__child_start(&child, &plan);
    int rc = err == 0 ? 0 : bk__fail_errno(err, "cannot start", tools->restore, NULL);
    while (rc == 0 && !bk__child_wait(&child, PIECE_MS)) {
        rc = bk__job_check(job);
    }
    if (err == 0) {
        bk__child_stop(&child);
    }
    if (rc == 0 && (!WIFEXITED(child.status) || WEXITSTATUS(child.status) != 0)) {
        rc = bk__fail(BK_ECORRUPT, "pg_restore %s does not read the dump %s: %.500s",
                      tools->version, path,
                      child.said.data == NULL ? "" : child.said.data);
    }
    bk__child_free(&child);
    return rc;
}

/* Any pg_restore may know it; the newest does if one does. */
static int ask_others(struct bk__job *job, const char *path) {
    struct bk__pg_tools tools = {0};
    int rc = bk__pg_tools_find(job, 1800, &tools);
    if (rc == 0 && tools.restore == NULL) {
        rc =
            bk__pg_tools_missing(&tools, "The dump's format is newer than botkeep knows");
    }
    if (rc == 0) {
        rc = read_by(job, &tools, "--list", path);
    }
    bk__pg_tools_free(&tools);
    return rc;
}

int bk__postgres_prove(struct bk__job *job, const char *image_path,
                       struct json_object *ret_report) {
    struct bk__pg_image image = {0};
    int rc = bk__pg_image_read(job, image_path, &image);
    if (rc == 0 && image.minor > BK__PG_FORMAT_KNOWN) {
        rc = ask_others(job, image_path);
    }
    if (rc == 0 && !(bk__json_add_int(ret_report, "page_size", 0) &&
                     bk__json_add_int(ret_report, "pages", 0) &&
                     bk__json_add_int(ret_report, "bytes", image.bytes) &&
                     bk__json_put(ret_report, "tables", json_object_get(image.tables)))) {
        rc = bk__fail_memory();
    }
    bk__pg_image_free(&image);
    return rc;
}

/*
 * Besides our own reading: pg_restore makes SQL of all of it, to nowhere. Not into a server: a second
 * copy of the data, every day, on the server that the bot needs, is nobody's to order but the bot's owner's.
 */
int bk__postgres_rehearse(struct bk__job *job, const char *image_path,
                          struct json_object *ret_report) {
    struct bk__pg_image image = {0};
    struct bk__pg_tools tools = {0};
    int rc = bk__postgres_prove(job, image_path, ret_report);
    if (rc == 0) {
        rc = bk__pg_image_read(job, image_path, &image);
    }
    if (rc == 0) {
        rc = bk__pg_tools_find(job, bk__pg_series(image.client), &tools);
    }
    if (rc == 0 && tools.restore == NULL) {
        rc = bk__pg_tools_missing(&tools, "The dump cannot be tried");
    }
    if (rc == 0) {
        rc = read_by(job, &tools, "--file=/dev/null", image_path);
    }
    bk__pg_tools_free(&tools);
    bk__pg_image_free(&image);
    return rc;
}
