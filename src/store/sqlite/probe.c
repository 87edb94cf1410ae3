/*
 * The quick look at a database for health: one page read, sizes, and whether the path still leads
 * to the open file. It changes nothing and never creates a file. The operation store.probe.
 */
#include <store/sqlite/internal.h>

#include <unistd.h>

#include <base/json.h>
#include <core/error.h>
#include <os/clock.h>
#include <os/file.h>
#include <os/holder.h>

#define DOING "cannot read"
#define WAIT_MOST_MS 2000 /* an answer late is no answer for a health check */

struct numbers {
    int64_t schema_version;
    int64_t page_size;
    int64_t pages;
    int64_t tables;
    int64_t started_ms;
    int64_t response_ms;
    char journal_mode[16];
    int moved;
};

static int measure(struct bk__link *link, struct numbers *n) {
    int rc;

    n->started_ms = bk__clock_mono();
    rc = bk__link_int(link, "PRAGMA schema_version", &n->schema_version);
    n->response_ms = bk__clock_mono() - n->started_ms;
    if (rc == SQLITE_OK) {
        rc = bk__link_int(link, "PRAGMA page_size", &n->page_size);
    }
    if (rc == SQLITE_OK) {
        rc = bk__link_int(link, "PRAGMA page_count", &n->pages);
    }
    if (rc == SQLITE_OK) {
        rc = bk__link_text(link, "PRAGMA journal_mode", n->journal_mode,
                           sizeof(n->journal_mode));
    }
    if (rc == SQLITE_OK) {
        rc = bk__link_int(
            link,
            "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name "
            "NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
            &n->tables);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_file_control(link->db, "main", SQLITE_FCNTL_HAS_MOVED, &n->moved);
    }
    return rc;
}

/*
 * Whether the bot, too, has the file at the path. Our own connection is new and cannot tell: who
 * moved another file over the database leaves the bot with the old one, deleted and still open.
 * The bot is this process, or the one that started the helper.
 */
static bool is_same_file(const struct numbers *n, const char *path) {
    return n->moved == 0 && !bk__holder_of_deleted(getpid(), path) &&
           !bk__holder_of_deleted(getppid(), path);
}

int bk__sqlite_probe(struct bk__store *store, struct json_object *ret_report) {
    struct bk__sqlite *sqlite = (struct bk__sqlite *)store;
    struct bk__link *link = &sqlite->link;
    struct numbers n = {0};
    int64_t wait_ms = link->wait_ms;
    int64_t bytes = bk__file_size_of(link->path);
    int rc;

    link->wait_ms = wait_ms < WAIT_MOST_MS ? wait_ms : WAIT_MOST_MS;
    rc = measure(link, &n);
    link->wait_ms = wait_ms;
    if (rc != SQLITE_OK) {
        return bk__link_fail(link, rc, DOING);
    }
    if (!bk__json_add_text(ret_report, "path", link->path) ||
        !bk__json_add_int(ret_report, "bytes", bytes < 0 ? 0 : bytes) ||
        !bk__json_add_int(ret_report, "wal_bytes", bk__sqlite_wal_bytes(sqlite)) ||
        !bk__json_add_int(ret_report, "page_size", n.page_size) ||
        !bk__json_add_int(ret_report, "pages", n.pages) ||
        !bk__json_add_text(ret_report, "journal_mode", n.journal_mode) ||
        !bk__json_add_int(ret_report, "schema_version", n.schema_version) ||
        !bk__json_add_bool(ret_report, "same_file", is_same_file(&n, link->path)) ||
        !bk__json_add_int(ret_report, "tables", n.tables) ||
        !bk__json_add_int(ret_report, "response_ms", n.response_ms)) {
        return bk__fail_memory();
    }
    return 0;
}
