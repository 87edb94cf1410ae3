/*
 * backup.query and backup.extract: reading a backup without restoring it, as rows or as a file of its
 * own. Not SQL: the driver's. Called as jobs.
 */
#include <backup/operations.h>

#include <stdlib.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/store.h>
#include <backup/extract.h>
#include <backup/look.h>

#define ROWS_MOST 100000
#define BYTES_MOST (4 << 20) /* of values in one answer */
#define LIMIT_MS 60000       /* where the caller says nothing */

static int check_limit(struct bk__job *job, struct bk__question *question) {
    question->rows = bk__job_int(job, "limit", 1000);
    question->limit_ms = bk__job_int(job, "timeout_ms", LIMIT_MS);
    if (question->rows < 1 || question->rows > ROWS_MOST || question->limit_ms < 1) {
        return bk__fail(BK_EINVAL,
                        "\"limit\" must be from 1 to %d, and \"timeout_ms\" at least 1. "
                        "Nothing was done. Correct them.",
                        ROWS_MOST);
    }
    return 0;
}

int bk__backup_query(struct bk__job *job) {
    struct bk__look look = {0};
    struct bk__question question = {.sql = bk__job_text(job, "sql"),
                                    .parameters =
                                        bk__json_member(bk__job_args(job), "parameters"),
                                    .bytes = BYTES_MOST};
    struct json_object *result = bk__job_result(job);
    int rc = check_limit(job, &question);
    if (rc == 0) {
        rc = bk__look_open(job, bk__job_text(job, "name"), &look);
    }
    if (rc == 0) {
        rc = look.driver->ask(job, look.image, &question, result);
    }
    if (rc == 0 && !bk__json_add_text(result, "name", look.name)) {
        rc = bk__fail_memory();
    }
    bk__look_close(&look);
    return rc;
}

/* ---- into a file ------------------------------------------------------------------------ */

struct extraction {
    struct bk__job *job;
    struct bk__look look;
    struct bk__portion portion;
    struct json_object *report;
};

static int fill(void *context, int fd, const char *aside) {
    struct extraction *e = context;
    (void)fd;
    return e->look.driver->portion(e->job, e->look.image, &e->portion, aside, e->report);
}

static int extract(struct extraction *e, const char *to) {
    char *path = bk__file_absolute(to);
    if (path == NULL) {
        return bk__fail_memory();
    }
    int64_t size = bk__file_size_of(e->look.image);
    int rc = bk__extract_file(e->job, path, size < 0 ? 0 : size, fill, e);
    if (rc == 0 && !(bk__json_add_text(e->report, "name", e->look.name) &&
                     bk__json_add_text(e->report, "path", path) &&
                     bk__json_add_int(e->report, "bytes", bk__file_size_of(path)))) {
        rc = bk__fail_memory();
    }
    free(path);
    return rc;
}

int bk__backup_extract(struct bk__job *job) {
    struct extraction e = {.job = job, .report = bk__job_result(job)};
    e.portion.table = bk__job_text(job, "table");
    e.portion.query = bk__job_text(job, "query");
    e.portion.limit_ms = bk__job_int(job, "timeout_ms", 0);
    if ((e.portion.table == NULL) == (e.portion.query == NULL)) {
        return bk__fail(BK_EINVAL,
                        "backup.extract needs either \"table\" or \"query\". Nothing was "
                        "done. For the whole database use backup.restore with \"to\".");
    }
    int rc = bk__look_open(job, bk__job_text(job, "name"), &e.look);
    if (rc == 0) {
        rc = extract(&e, bk__job_text(job, "to"));
    }
    bk__look_close(&e.look);
    return rc;
}
