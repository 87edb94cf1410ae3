/*
 * Proof that a file is a whole database: header, size, SQLite's quick_check (in a rehearsal its
 * integrity_check), rows per table. Not a comparison with anything: the manifest's business. Only for files that nobody has open. Backup
 * calls it.
 */
#include <store/sqlite/internal.h>

#include <stdio.h>
#include <string.h>

#include <base/bytes.h>
#include <base/json.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

#define DOING "cannot check"
#define HEADER 100
#define FUNCTIONS_MOST 1000
#define PASSES                                                                           \
    3 /* quick_check walks the file twice, counting reads it again at most once */
#define UNTOUCHED "The bot's database was not touched. Use another backup."

struct proof {
    struct bk__link link;
    struct bk__reader reader;
    int64_t bytes;
    int64_t page_size;
    int64_t pages;
    struct json_object *tables;
    bool deep;    /* indexes are compared with their tables, too */
    bool strange; /* the schema needs functions or collations that only the bot has */
};

static int damaged(const char *path, const char *why) {
    return bk__fail(BK_ECORRUPT, "the database image %s is damaged: %s. " UNTOUCHED, path,
                    why);
}

static bool is_page_size(int64_t size) {
    return size >= 512 && size <= 65536 && (size & (size - 1)) == 0;
}

/* The header tells how many pages there must be: a file cut short, even to nothing, is seen here. */
static int check_header(struct proof *p, const char *path, const unsigned char *header) {
    char why[128];

    if (p->bytes < HEADER || memcmp(header, "SQLite format 3", 16) != 0) {
        snprintf(why, sizeof(why), "its %lld bytes do not begin like a SQLite database",
                 (long long)p->bytes);
        return damaged(path, why);
    }
    p->page_size = (int64_t)bk__get_be(header + 16, 2);
    if (p->page_size == 1) {
        p->page_size = 65536;
    }
    if (!is_page_size(p->page_size)) {
        return damaged(path, "its header names an impossible page size");
    }
    /* The count is in force when its stamp (at 92) is the change counter (at 24). */
    p->pages = memcmp(header + 24, header + 92, 4) == 0
                   ? (int64_t)bk__get_be(header + 28, 4)
                   : 0;
    if (p->pages == 0) {
        p->pages = p->bytes / p->page_size;
    }
    if (p->pages * p->page_size != p->bytes) {
        snprintf(why, sizeof(why), "it has %lld bytes, its header says %lld",
                 (long long)p->bytes, (long long)(p->pages * p->page_size));
        return damaged(path, why);
    }
    return 0;
}

static int read_header(struct proof *p, const char *path) {
    unsigned char header[HEADER] = {0};
    int64_t got;
    int fd = bk__file_open_read(path);

    if (fd < 0) {
        return bk__fail_errno(fd, "cannot open the database image", path, NULL);
    }
    got = bk__file_pread(fd, header, sizeof(header), 0);
    p->bytes = bk__file_size(fd);
    bk__file_close(fd);
    if (got < 0 || p->bytes < 0) {
        return bk__fail_errno((int)(got < 0 ? got : p->bytes),
                              "cannot read the database image", path, NULL);
    }
    return check_header(p, path, header);
}

/* What went wrong below SQLite is not the image's fault. */
static int fail(struct proof *p, int rc) {
    if (bk__job_check(p->link.job) != 0) {
        return BK_ECANCELLED;
    }
    if (p->reader.failed != 0) {
        return bk__link_fail(&p->link, p->reader.failed, DOING);
    }
    if ((rc & 0xff) == SQLITE_CORRUPT || (rc & 0xff) == SQLITE_NOTADB) {
        return damaged(p->link.path, sqlite3_errmsg(p->link.db));
    }
    return bk__link_fail(&p->link, rc, DOING);
}

/* quick_check also tells of rows that break the schema's own rules; such a file is whole. */
static bool is_about_rules(const char *message) {
    return bk__text_starts(message, "NULL value in ") ||
           bk__text_starts(message, "CHECK constraint failed in ") ||
           bk__text_starts(message, "NUMERIC value in ") ||
           bk__text_starts(message, "TEXT value in ") || bk__text_starts(message, "non-");
}

static int take_message(struct proof *p, const char *message) {
    if (strcmp(message, "ok") == 0) {
        return 0;
    }
    if (is_about_rules(message)) {
        bk__job_log(p->link.job, "warning", "the database breaks its own rules: %s",
                    message);
        return 0;
    }
    return p->reader.failed != 0 || bk__job_check(p->link.job) != 0
               ? fail(p, p->reader.failed)
               : damaged(p->link.path, message);
}

/* ---- what the schema may need and only the bot has ---------------------------------- */

static void no_value(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    (void)values;
    sqlite3_result_null(context);
}

static int by_bytes(void *context, int a_size, const void *a, int b_size, const void *b) {
    int order = memcmp(a, b, (size_t)(a_size < b_size ? a_size : b_size));

    (void)context;
    return order != 0 ? order : a_size - b_size;
}

static void on_collation(void *context, sqlite3 *db, int encoding, const char *name) {
    struct proof *p = context;
    p->strange = true;
    sqlite3_create_collation_v2(db, name, encoding, NULL, by_bytes, NULL);
}

/* SQLite's message names the function that is missing: a stand-in lets the check go on. */
static bool stand_in(struct proof *p) {
    static const char *const says[] = {"no such function: ", "unknown function: "};
    const char *message = sqlite3_errmsg(p->link.db);
    size_t i;

    for (i = 0; i < sizeof(says) / sizeof(says[0]); i++) {
        if (bk__text_starts(message, says[i])) {
            char name[256];
            const char *from = message + strlen(says[i]);

            snprintf(name, sizeof(name), "%.*s", (int)strcspn(from, "("), from);
            p->strange = true;
            return sqlite3_create_function_v2(p->link.db, name, -1,
                                              SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                              no_value, NULL, NULL, NULL) == SQLITE_OK;
        }
    }
    return false;
}

/* Prepares a statement; for each function that only the bot defines, tries once more. */
static int prepare(struct proof *p, const char *sql, sqlite3_stmt **ret) {
    int tries = 0;
    int rc;

    do {
        rc = sqlite3_prepare_v2(p->link.db, sql, -1, ret, NULL);
    } while (rc == SQLITE_ERROR && tries++ < FUNCTIONS_MOST && stand_in(p));
    return rc == SQLITE_OK ? SQLITE_ROW : rc;
}

/* ---- the check and the counting ------------------------------------------------------ */

/* Comparing indexes means nothing where a stand-in of ours would have to compute or to order. */
static int prepare_check(struct proof *p, sqlite3_stmt **ret) {
    if (p->deep) {
        int rc = prepare(p, "PRAGMA main.integrity_check(100)", ret);
        if (rc != SQLITE_ROW || !p->strange) {
            return rc;
        }
        sqlite3_finalize(*ret);
        *ret = NULL;
    }
    return prepare(p, "PRAGMA main.quick_check(100)", ret);
}

static int check(struct proof *p) {
    sqlite3_stmt *row = NULL;
    int code = 0;
    int rc = prepare_check(p, &row);

    while (rc == SQLITE_ROW && code == 0) {
        rc = sqlite3_step(row);
        if (rc == SQLITE_ROW) {
            code = take_message(p, (const char *)sqlite3_column_text(row, 0));
        }
    }
    if (code == 0 && rc != SQLITE_DONE) {
        code = fail(p, rc);
    }
    sqlite3_finalize(row);
    return code;
}

static int count_table(struct proof *p, const char *name, bool is_virtual) {
    char *sql = sqlite3_mprintf("SELECT count(*) FROM main.\"%w\"", name);
    int64_t rows = 0;
    int rc = sql == NULL ? SQLITE_NOMEM : bk__link_int(&p->link, sql, &rows);

    sqlite3_free(sql);
    /* A virtual table may need a module, a tokenizer or a file that only the bot has; what it
       keeps in this database stands in ordinary tables, which are counted. */
    if (is_virtual && rc != SQLITE_OK && (rc & 0xff) != SQLITE_NOMEM &&
        p->reader.failed == 0 && bk__job_check(p->link.job) == 0) {
        return 0;
    }
    if (rc != SQLITE_OK) {
        return fail(p, rc);
    }
    return bk__json_add_int(p->tables, name, rows) ? 0 : bk__fail_memory();
}

static int count_tables(struct proof *p) {
    sqlite3_stmt *row = NULL;
    int code = 0;
    int rc =
        prepare(p,
                "SELECT name, rootpage = 0 FROM main.sqlite_schema WHERE type = 'table' "
                "AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
                &row);

    while (rc == SQLITE_ROW && code == 0) {
        rc = sqlite3_step(row);
        if (rc == SQLITE_ROW) {
            code = count_table(p, (const char *)sqlite3_column_text(row, 0),
                               sqlite3_column_int(row, 1) != 0);
        }
    }
    if (code == 0 && rc != SQLITE_DONE) {
        code = fail(p, rc);
    }
    sqlite3_finalize(row);
    return code;
}

/* Everything that needs SQLite. */
static int examine(struct proof *p) {
    int rc = bk__sqlite_read(p->link.db, &p->reader);

    if (rc == SQLITE_OK) {
        rc = sqlite3_collation_needed(p->link.db, p, on_collation);
    }
    if (rc == SQLITE_OK) {
        /* Whether the rows keep the schema's own rules is not the question here. */
        rc = bk__link_exec(&p->link,
                           "PRAGMA ignore_check_constraints = ON; " BK__SMALL_CACHE);
    }
    if (rc != SQLITE_OK) {
        return fail(p, rc);
    }
    rc = check(p);
    return rc != 0 ? rc : count_tables(p);
}

static int report(struct proof *p, struct json_object *ret) {
    bool good = bk__json_add_int(ret, "page_size", p->page_size) &&
                bk__json_add_int(ret, "pages", p->pages) &&
                bk__json_add_int(ret, "bytes", p->bytes) &&
                bk__json_put(ret, "tables", json_object_get(p->tables));

    return good ? 0 : bk__fail_memory();
}

static int prove(struct bk__job *job, const char *image_path, bool deep,
                 struct json_object *ret_report) {
    struct proof proof = {.deep = deep,
                          .reader = {.job = job, .phase = deep ? "rehearse" : "prove"}};
    int code = read_header(&proof, image_path);

    if (code != 0) {
        return code;
    }
    proof.reader.total = proof.bytes * PASSES;
    proof.tables = bk__json_object();
    if (proof.tables == NULL) {
        return bk__fail_memory();
    }
    code = bk__link_open(&proof.link, job, image_path, BK__LINK_IMAGE);
    if (code == 0) {
        code = examine(&proof);
    }
    if (code == 0) {
        code = report(&proof, ret_report);
    }
    bk__link_close(&proof.link);
    json_object_put(proof.tables);
    return code;
}

int bk__sqlite_prove(struct bk__job *job, const char *image_path,
                     struct json_object *ret_report) {
    return prove(job, image_path, false, ret_report);
}

int bk__sqlite_rehearse(struct bk__job *job, const char *image_path,
                        struct json_object *ret_report) {
    return prove(job, image_path, true, ret_report);
}
