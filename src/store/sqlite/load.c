/*
 * A dump of SQL text becomes a database file: read piece by piece, run statement by statement, in the
 * dump's own transaction. Not a migration: script.c. Only into a new file of ours. Backup calls it
 * through store.h.
 */
#include <store/sqlite/internal.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <base/buf.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

#define PIECE 65536
#define STATEMENT_LIMIT ((size_t)256 << 20)

/* One dump on its way in. */
struct load {
    struct bk__link *link;
    const char *script;
    int fd;
    int64_t size, done;
    int64_t line;          /* of the statement's beginning */
    int64_t lines;         /* seen so far */
    struct bk__buf text;   /* of the statement that is being gathered */
    bool began, committed; /* its transaction */
    const char *refused;
};

static int broken(const struct load *load, const char *why) {
    return bk__fail(BK_ECORRUPT,
                    "the dump does not run: line %lld: %s. The bot's database was not "
                    "touched. Use another backup.",
                    (long long)load->line, why);
}

/* What a dump says beside its tables and rows. */
static bool is_of_dumps(const char *pragma) {
    static const char *const known[] = {
        "foreign_keys",   "writable_schema", "encoding",    "user_version",
        "application_id", "page_size",       "auto_vacuum", "table_info",
        "synchronous",    "schema_version",  "cache_size",  NULL};
    for (int i = 0; known[i] != NULL; i++) {
        if (strcasecmp(pragma, known[i]) == 0) {
            return true;
        }
    }
    return false;
}

static int on_authorize(void *context, int action, const char *first, const char *second,
                        const char *database, const char *trigger) {
    struct load *load = context;

    (void)database;
    (void)trigger;
    if ((action == SQLITE_ATTACH && (first == NULL || *first != '\0')) ||
        action == SQLITE_DETACH) {
        load->refused = "it attaches another file, which no dump does";
    } else if (action == SQLITE_PRAGMA && (first == NULL || !is_of_dumps(first))) {
        load->refused = "it has a PRAGMA that no dump has";
    } else if (action == SQLITE_FUNCTION && second != NULL &&
               bk__reading_forbids(second)) {
        load->refused = "it loads an extension, which no dump does";
    } else {
        return SQLITE_OK;
    }
    return SQLITE_DENY;
}

static int fail(struct load *load, int rc) {
    int primary = rc & 0xff;

    if (bk__job_check(load->link->job) != 0) {
        return BK_ECANCELLED;
    }
    if (primary == SQLITE_NOMEM || primary == SQLITE_IOERR || primary == SQLITE_FULL ||
        primary == SQLITE_CANTOPEN) {
        return bk__link_fail(load->link, rc, "cannot load the dump into");
    }
    return broken(load,
                  load->refused != NULL ? load->refused : sqlite3_errmsg(load->link->db));
}

/* All statements of a complete text. */
static int run_text(struct load *load, const char *sql) {
    while (*sql != '\0') {
        sqlite3_stmt *statement = NULL;
        int rc = sqlite3_prepare_v2(load->link->db, sql, -1, &statement, &sql);

        while (rc == SQLITE_OK || rc == SQLITE_ROW) {
            if (statement == NULL) {
                return 0;
            }
            rc = sqlite3_step(statement);
        }
        if (rc != SQLITE_DONE) {
            int code = fail(load, rc);
            sqlite3_finalize(statement);
            return code;
        }
        sqlite3_finalize(statement);
        /* A transaction that was open and is not: COMMIT, or the ROLLBACK of a dump that met errors. */
        if (sqlite3_get_autocommit(load->link->db) == 0) {
            load->began = true;
        } else if (load->began) {
            load->committed = true;
        }
    }
    return 0;
}

/* "ROLLBACK; -- due to errors" is how SQLite's own dump of a damaged database ends. */
static bool is_rollback(const char *sql) {
    sql += strspn(sql, " \t\r\n;");
    return strncasecmp(sql, "ROLLBACK", 8) == 0;
}

/* Runs what is gathered once it is a whole statement, and begins the next. */
static int end_statement(struct load *load) {
    int code = 0;

    if (load->text.failed) {
        return bk__fail_memory();
    }
    if (load->text.size == 0 || sqlite3_complete(load->text.data) == 0) {
        return load->text.size > STATEMENT_LIMIT
                   ? broken(load, "a statement of more than 256 MB begins there")
                   : 0;
    }
    if (is_rollback(load->text.data)) {
        return broken(load, "it ends with ROLLBACK: the tool that wrote it met errors");
    }
    code = run_text(load, load->text.data);
    bk__buf_clear(&load->text);
    load->line = load->lines + 1;
    return code;
}

/* Takes a piece of the dump, line by line; a statement can only end where a line does. */
static int take_piece(struct load *load, const char *piece, size_t size) {
    while (size > 0) {
        const char *newline = memchr(piece, '\n', size);
        size_t length = newline == NULL ? size : (size_t)(newline - piece) + 1;
        int code = 0;

        if (memchr(piece, '\0', length) != NULL) {
            return broken(load, "a NUL byte, which no text has");
        }
        bk__buf_add(&load->text, piece, length);
        if (newline != NULL) {
            load->lines++;
            /* Only where it can be the end; asking is as long as the statement. */
            if (length == 1 || (length >= 2 && newline[-1] == ';') ||
                (length >= 3 && newline[-1] == '\r' && newline[-2] == ';') ||
                load->text.size < PIECE) {
                code = end_statement(load);
            }
        }
        if (code != 0) {
            return code;
        }
        piece += length;
        size -= length;
    }
    return 0;
}

static int read_all(struct load *load) {
    char piece[PIECE];
    int code = bk__job_check(load->link->job);
    int64_t got = 0;

    while (code == 0 && (got = bk__file_read(load->fd, piece, sizeof(piece))) > 0) {
        load->done += got;
        bk__job_progress(load->link->job, "load", load->done, load->size);
        code = take_piece(load, piece, (size_t)got);
        code = code == 0 ? bk__job_check(load->link->job) : code;
    }
    if (code == 0 && got < 0) {
        code = bk__fail_errno((int)got, "cannot read the dump", load->script, NULL);
    }
    if (code == 0) {
        bk__buf_text(&load->text, "\n");
        code = end_statement(load);
    }
    return code;
}

/* Something behind the last whole statement, or no COMMIT: the dump was cut off. */
static int check_end(struct load *load) {
    const char *rest = load->text.size == 0 ? "" : load->text.data;

    rest += strspn(rest, " \t\r\n;");
    if (*rest != '\0' && strncmp(rest, "--", 2) != 0) {
        return broken(load, "it ends in the middle of this statement");
    }
    if (!load->committed || sqlite3_get_autocommit(load->link->db) == 0) {
        return broken(load, "it ends without COMMIT: the dump was cut off");
    }
    return 0;
}

static int run(struct load *load) {
    int code = 0;
    int rc =
        bk__link_exec(load->link, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = "
                                  "OFF; " BK__SMALL_CACHE);

    if (rc == SQLITE_OK) {
        rc = sqlite3_create_function_v2(load->link->db, "unistr", 1,
                                        SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                        bk__sqlite_unistr, NULL, NULL, NULL);
    }
    if (rc == SQLITE_OK) {
        rc = sqlite3_set_authorizer(load->link->db, on_authorize, load);
    }
    if (rc != SQLITE_OK) {
        return bk__link_fail(load->link, rc, "cannot load the dump into");
    }
    code = read_all(load);
    return code != 0 ? code : check_end(load);
}

int bk__sqlite_load(struct bk__job *job, const char *script_path, const char *path) {
    struct bk__link link = {0};
    struct load load = {.link = &link, .script = script_path, .line = 1};
    int code;

    load.fd = bk__file_open_read(script_path);
    if (load.fd < 0) {
        return bk__fail_errno(load.fd, "cannot open the dump", script_path, NULL);
    }
    load.size = bk__file_size(load.fd);
    code = bk__link_open(&link, job, path, BK__LINK_CREATE);
    if (code == 0) {
        code = run(&load);
    }
    bk__buf_free(&load.text);
    bk__link_close(&link);
    bk__file_close(load.fd);
    return code;
}
