/*
 * The proof of a dump in a file: walked from end to end under progress and cancel, keys counted.
 * Not a comparison with anything: the manifest's business. Backup and the restore call it.
 */
#include <store/redis/internal.h>

#include <stdio.h>

#include <base/json.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/redis/rdb.h>

struct reading {
    struct bk__job *job;
    const char *path;
    int fd;
    int64_t done, total;
};

static int64_t read_piece(void *context, unsigned char *bytes, size_t room) {
    struct reading *r = context;
    int rc = bk__job_check(r->job);
    int64_t got;

    if (rc != 0) {
        return rc;
    }
    got = bk__file_read(r->fd, bytes, room);
    if (got < 0) {
        return bk__fail_errno((int)got, "cannot read the dump", r->path, NULL);
    }
    r->done += got;
    bk__job_progress(r->job, "prove", r->done, r->total);
    return got;
}

int bk__redis_image_walk(struct bk__job *job, const char *path,
                         struct bk__rdb_facts *ret) {
    struct reading reading = {.job = job, .path = path};
    const struct bk__rdb_source source = {&reading, read_piece};
    char why[192] = "";
    int rc;

    reading.fd = bk__file_open_read(path);
    if (reading.fd < 0) {
        return bk__fail_errno(reading.fd, "cannot open the dump", path, NULL);
    }
    reading.total = bk__file_size(reading.fd);
    rc = bk__rdb_walk(&source, ret, why, sizeof why);
    bk__file_close(reading.fd);
    if (rc == BK_ECORRUPT) {
        return bk__fail(rc,
                        "The Redis dump %s is damaged: %s. No server was touched. Use "
                        "another backup.",
                        path, why);
    }
    return rc == BK_ENOMEM ? bk__fail_memory() : rc;
}

static struct json_object *keys_of(const struct bk__rdb_facts *facts) {
    struct json_object *keys = bk__json_object();
    char name[24];

    for (size_t i = 0; keys != NULL && i < facts->db_count; i++) {
        snprintf(name, sizeof name, "db%lld", (long long)facts->dbs[i].number);
        if (!bk__json_add_int(keys, name, facts->dbs[i].keys)) {
            json_object_put(keys);
            return NULL;
        }
    }
    return keys;
}

/* What somebody who finds the backup should know of it. */
static bool add_remark(const struct bk__rdb_facts *facts, struct json_object *ret) {
    char text[256];

    if (!facts->counted) {
        snprintf(text, sizeof text,
                 "The keys are not counted: a dump of RDB version %d with %s, which this "
                 "botkeep does not know.",
                 facts->version, facts->unknown);
        return bk__json_add_text(ret, "remark", text);
    }
    return facts->summed ||
           bk__json_add_text(ret, "remark",
                             "The dump has no checksum of the server's (rdbchecksum no): "
                             "nothing proves its bytes as they were before the SHA-256.");
}

static int report(const struct bk__rdb_facts *facts, struct json_object *ret) {
    struct json_object *keys = keys_of(facts);
    bool good = keys != NULL && bk__json_put(ret, "tables", keys) &&
                bk__json_add_int(ret, "page_size", 0) &&
                bk__json_add_int(ret, "pages", 0) &&
                bk__json_add_int(ret, "bytes", facts->bytes) && add_remark(facts, ret);

    return good ? 0 : bk__fail_memory();
}

int bk__redis_prove(struct bk__job *job, const char *image_path,
                    struct json_object *ret_report) {
    struct bk__rdb_facts facts = {0};
    int rc = bk__redis_image_walk(job, image_path, &facts);

    if (rc != 0) {
        return rc;
    }
    if (!facts.counted) {
        bk__job_log(job, "warning",
                    "The dump of Redis %s (version %d) holds what only a later botkeep "
                    "understands, %s: its keys are not counted",
                    facts.server, facts.version, facts.unknown);
    }
    rc = report(&facts, ret_report);
    bk__rdb_facts_free(&facts);
    return rc;
}
