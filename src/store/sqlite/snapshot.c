/*
 * The whole database under one read transaction into a new file. In WAL mode nobody waits for it;
 * in the other modes the bot's writers wait until it is done. Backup calls it.
 */
#include <store/sqlite/internal.h>

#include <stdlib.h>
#include <string.h>

#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <store/growth.h>

#define DOING "cannot back up"
#define MEGABYTE (1024 * 1024)

/* How far the held read transaction may go. */
struct bounds {
    struct bk__sqlite *sqlite;
    int64_t end_ms;
    int64_t limit_ms;
    int64_t wal_bytes;
    int64_t wal_limit;
};

static void set_bounds(struct bounds *ret, struct bk__sqlite *sqlite) {
    const struct bk__config *config = bk__job_config(sqlite->link.job);

    ret->sqlite = sqlite;
    ret->limit_ms = bk__config_int(config, BK__OPT_SNAPSHOT_LIMIT);
    ret->end_ms = bk__job_mono(sqlite->link.job) + ret->limit_ms;
    ret->wal_limit = bk__config_int(config, BK__OPT_SNAPSHOT_WAL_LIMIT);
    ret->wal_bytes = bk__sqlite_wal_bytes(sqlite) + ret->wal_limit * MEGABYTE;
}

/* While we read, the host's checkpoints cannot reset its WAL; this keeps that in bounds. */
static int within(void *context) {
    struct bounds *b = context;
    const char *path = b->sqlite->link.path;

    if (bk__job_mono(b->sqlite->link.job) > b->end_ms) {
        return bk__fail(
            BK_EBUSY,
            DOING " %s: the snapshot took longer than %lld ms. The database is as it "
                  "was before. Raise snapshot.limit, or look why the disk is slow.",
            path, (long long)b->limit_ms);
    }
    if (bk__sqlite_wal_bytes(b->sqlite) > b->wal_bytes) {
        return bk__fail(
            BK_EBUSY,
            DOING " %s: its WAL grew by more than %lld MB during the snapshot. The "
                  "database is as it was before. Try again when the bot writes less, "
                  "or raise snapshot.wal.limit.",
            path, (long long)b->wal_limit);
    }
    return 0;
}

/* Opens the read transaction and says how large the state it sees is. */
static int hold(struct bk__sqlite *sqlite, struct bk__image *ret) {
    struct bk__link *link = &sqlite->link;
    int64_t ignored, page_size, pages;
    int rc;

    rc = bk__link_exec(link, "BEGIN");
    if (rc == SQLITE_OK) {
        rc = bk__link_int(link, "SELECT count(*) FROM sqlite_schema", &ignored);
    }
    if (rc == SQLITE_OK) {
        rc = bk__link_int(link, "PRAGMA page_size", &page_size);
    }
    if (rc == SQLITE_OK) {
        rc = bk__link_int(link, "PRAGMA page_count", &pages);
    }
    if (rc != SQLITE_OK) {
        return bk__link_fail(link, rc, DOING);
    }
    if (pages == 0) {
        return bk__fail(BK_ECORRUPT,
                        DOING
                        " %s: it is empty, not even a schema is in it. Nothing was made.",
                        link->path);
    }
    ret->page_size = (int)page_size;
    ret->pages = pages;
    ret->bytes = pages * page_size;
    return 0;
}

/*
 * The same, and which state it is. Two looks, one in a transaction that ends before the snapshot's
 * begins: in WAL mode somebody may commit between the beginning of a transaction and a look in it,
 * and the look would be at a newer state than the snapshot. Where both are the same, nobody did.
 */
static int hold_known(struct bk__sqlite *sqlite, struct bk__image *ret) {
    char before[BK__FINGERPRINT_SIZE];
    bool settled;
    int code = hold(sqlite, ret);

    if (code != 0) {
        return code;
    }
    bk__sqlite_look(sqlite, before, &settled);
    if (!settled) {
        return 0;
    }
    bk__link_exec(&sqlite->link, "ROLLBACK");
    code = hold(sqlite, ret);
    if (code == 0) {
        bk__sqlite_look(sqlite, ret->fingerprint, &settled);
    }
    if (!settled || strcmp(before, ret->fingerprint) != 0) {
        ret->fingerprint[0] = '\0';
    }
    return code;
}

/*
 * The same, with page 1 as it is, which goes first. That needs the page's size before it is read;
 * where it is not seen, nobody reads along, and page 1 is what SQLite makes of it.
 */
static int hold_front(struct bk__sqlite *sqlite, struct bk__image *ret,
                      struct bk__front *front) {
    int64_t page_size = 0;
    bool seen = false;
    int code;

    if (bk__link_int(&sqlite->link, "PRAGMA page_size", &page_size) == SQLITE_OK) {
        front->page = malloc((size_t)page_size);
        front->size = (int)page_size;
        sqlite3_db_release_memory(sqlite->link.db); /* so that page 1 is read again */
        bk__sqlite_watch(front->page, front->size);
    }
    code = hold_known(sqlite, ret);
    seen = bk__sqlite_watch(NULL, 0);
    front->seen = seen && ret->page_size == front->size;
    front->growth = sqlite->base.growth;
    if (code == 0) {
        bk__growth_plan(front->growth, ret->page_size, ret->pages);
    }
    return code;
}

static int copy_into(struct bk__sqlite *sqlite, struct bk__link *target,
                     const struct bk__image *image) {
    struct bk__reader reader = {.job = sqlite->link.job};
    struct bounds bounds;
    struct bk__copy copy = {
        .to = target,
        .from = &sqlite->link,
        .phase = "snapshot",
        .doing = "cannot copy the database into",
        .page_size = image->page_size,
        .between = within,
        .context = &bounds,
    };
    int code, rc;

    set_bounds(&bounds, sqlite);
    rc = bk__sqlite_read(sqlite->link.db, &reader);
    if (rc != SQLITE_OK) {
        return bk__link_fail(&sqlite->link, rc, DOING);
    }
    code = bk__sqlite_copy(&copy);
    bk__sqlite_read(sqlite->link.db, NULL);
    if (code != 0) {
        return code;
    }
    rc = bk__sqlite_sink_flush(target->db);
    return rc == SQLITE_OK ? 0 : bk__link_fail(target, rc, "cannot write");
}

static int check_size(const char *path, const struct bk__image *image) {
    int64_t size = bk__file_size_of(path);

    if (size < 0) {
        return bk__fail_errno((int)size, "cannot look at the snapshot", path, NULL);
    }
    if (size != image->bytes) {
        return bk__fail(
            BK_EIO,
            "the snapshot %s has %lld bytes instead of %lld. The database is as it "
            "was before. Check the disk of the backup folder.",
            path, (long long)size, (long long)image->bytes);
    }
    return 0;
}

int bk__sqlite_snapshot(struct bk__store *store, const char *path,
                        struct bk__image *ret) {
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;
    struct bk__image image = {0};
    struct bk__link target = {0};
    struct bk__front front = {0};
    bool existed = bk__file_exists(path);
    int code;

    code = hold_front(sqlite, &image, &front);
    if (code == 0) {
        code = bk__link_open(&target, sqlite->link.job, path, BK__LINK_TARGET);
    }
    if (code == 0 && front.seen) {
        bk__sqlite_sink_front(target.db, &front);
    }
    if (code == 0) {
        code = copy_into(sqlite, &target, &image);
    }
    /* The bot's writers are freed before anything else is done. */
    bk__link_exec(&sqlite->link, "ROLLBACK");
    bk__link_close(&target);
    free(front.page);
    if (code == 0) {
        code = check_size(path, &image);
    }
    if (code != 0 && !existed) {
        bk__file_remove(path);
    }
    if (code == 0) {
        *ret = image;
    }
    return code;
}
