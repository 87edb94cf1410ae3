/*
 * An image into the live database as one transaction: open connections and prepared statements go
 * on and see the restored rows. Not for a database that cannot be opened: replace.c. Backup calls
 * it.
 */
#include <store/sqlite/internal.h>

#include <string.h>

#include <core/error.h>
#include <core/job.h>

#define DOING "cannot restore into"

/* The two sides, as far as they must agree. */
struct sides {
    struct bk__link *live;
    struct bk__link *image;
    struct bk__reader reader; /* of the image */
    int64_t live_page;
    int64_t image_page;
    bool wal;      /* the live database is in WAL mode, and must be so afterwards */
    bool switched; /* ... and was taken out of it for the time of the copy */
};

static int journal_is_wal(struct bk__link *link, const char *sql, bool *ret) {
    char mode[16] = "";
    int rc = bk__link_text(link, sql, mode, sizeof(mode));

    *ret = strcmp(mode, "wal") == 0;
    return rc;
}

static int look_at_live(struct sides *s) {
    /* page_size alone does not read the file; schema_version does. */
    int rc = bk__link_int(s->live, "PRAGMA schema_version", &s->live_page);

    if (rc == SQLITE_OK) {
        rc = bk__link_int(s->live, "PRAGMA page_size", &s->live_page);
    }
    if (rc == SQLITE_OK) {
        rc = journal_is_wal(s->live, "PRAGMA journal_mode", &s->wal);
    }
    return rc == SQLITE_OK ? 0 : bk__link_fail(s->live, rc, DOING);
}

/* The image may come from a database with another journal mode; the live one keeps its own. So
   page 1 is shown with the live mode, from the first read on: SQLite keeps what it read. */
static int look_at_image(struct sides *s) {
    int rc;

    s->reader.journal = s->wal ? 2 : 1;
    rc = bk__sqlite_read(s->image->db, &s->reader);
    if (rc == SQLITE_OK) {
        rc = bk__link_exec(s->image, BK__SMALL_CACHE);
    }
    if (rc == SQLITE_OK) {
        rc = bk__link_int(s->image, "PRAGMA schema_version", &s->image_page);
    }
    if (rc == SQLITE_OK) {
        rc = bk__link_int(s->image, "PRAGMA page_size", &s->image_page);
    }
    return rc == SQLITE_OK ? 0 : bk__link_fail(s->image, rc, "cannot restore from");
}

/* A WAL holds pages of one size. Without one any size goes; SQLite gives it up for who is alone. */
static int leave_wal(struct sides *s) {
    bool wal = true;
    int rc = journal_is_wal(s->live, "PRAGMA journal_mode = DELETE", &wal);

    if ((rc != SQLITE_OK && (rc & 0xff) != SQLITE_BUSY) ||
        bk__job_check(s->live->job) != 0) {
        return bk__link_fail(s->live, rc, DOING);
    }
    if (rc != SQLITE_OK || wal) {
        return bk__fail(BK_EUNSUPPORTED,
                        DOING
                        " %s: its pages have %lld bytes, those of the backup %lld, and a "
                        "WAL database that others have open cannot change that. Nothing "
                        "was changed. Restore it with mode staged: it is applied at the "
                        "bot's next start.",
                        s->live->path, (long long)s->live_page, (long long)s->image_page);
    }
    s->switched = true;
    return 0;
}

static void back_to_wal(struct bk__link *live) {
    sqlite3_progress_handler(live->db, 0, NULL,
                             NULL); /* a cancelled job stops this not */
    bk__link_exec(live, "PRAGMA journal_mode = WAL");
    bk__link_guard(live);
}

static int copy_over(struct sides *s) {
    struct bk__copy copy = {
        .to = s->live,
        .from = s->image,
        .phase = "restore",
        .doing = DOING,
        .page_size = (int)s->image_page,
    };

    return bk__sqlite_copy(&copy);
}

int bk__sqlite_restore(struct bk__store *store, const char *image_path, char **ret_kept) {
    *ret_kept = NULL; /* one transaction: nothing is left of what was there */
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;
    struct bk__link image = {0};
    struct sides sides = {
        .live = &sqlite->link, .image = &image, .reader = {.job = sqlite->link.job}};
    int code;

    code = look_at_live(&sides);
    if (code == 0) {
        code = bk__link_open(&image, sqlite->link.job, image_path, BK__LINK_IMAGE);
    }
    if (code == 0) {
        code = look_at_image(&sides);
    }
    if (code == 0 && sides.wal && sides.live_page != sides.image_page) {
        code = leave_wal(&sides);
    }
    if (code == 0) {
        code = copy_over(&sides);
    }
    if (code != 0 && sides.switched) {
        back_to_wal(&sqlite->link);
    }
    bk__link_close(&image);
    return code;
}
