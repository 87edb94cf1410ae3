/*
 * Running pg_dump and pg_restore: led to the very server that our connection reached, their
 * password in a file that has no name, is never on a disk and ends with them. Not which
 * programs (tools.c) nor what for. snapshot.c and restore.c call it.
 */
#include <store/postgres/internal.h>

#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/buf.h>
#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

#define VARIABLES 96

/* ---- the password ------------------------------------------------------------------------ */

/* One line for any server, with what ends a field escaped. */
static int write_password(int fd, const char *password) {
    struct bk__buf line = {0};
    bk__buf_text(&line, "*:*:*:*:");
    for (const char *at = password; *at != '\0'; at++) {
        if (*at == ':' || *at == '\\') {
            bk__buf_text(&line, "\\");
        }
        bk__buf_add(&line, at, 1);
    }
    bk__buf_text(&line, "\n");
    int err = line.failed ? -ENOMEM : bk__file_write(fd, line.data, line.size);
    if (line.data != NULL) {
        explicit_bzero(line.data, line.size);
    }
    bk__buf_free(&line);
    return err;
}

/* A file in memory, readable by this user alone as libpq demands. -1: there is no password. */
static int password_file(const char *password, int *ret) {
    *ret = -1;
    if (password == NULL || *password == '\0') {
        return 0;
    }
    if (strpbrk(password, "\n\r") != NULL) {
        return bk__fail(
            BK_EUNSUPPORTED,
            "The database's password holds a line break, which pg_dump cannot "
            "read from a file. Nothing was touched. Choose another password.");
    }
    int fd = memfd_create("pgpass", MFD_CLOEXEC);
    int err = fd < 0 ? -errno : fchmod(fd, 0600) != 0 ? -errno : 0;
    if (err == 0) {
        err = write_password(fd, password);
    }
    if (err != 0) {
        if (fd >= 0) {
            bk__file_close(fd);
        }
        return bk__fail_errno(err, "cannot hand the password to pg_dump", NULL, NULL);
    }
    *ret = fd;
    return 0;
}

/* ---- the environment ----------------------------------------------------------------------- */

struct environment {
    char *variables[VARIABLES + 1];
    int count;
    bool failed;
};

static void add(struct environment *to, const char *name, const char *value) {
    char *variable =
        value == NULL || *value == '\0' ? NULL : bk__text_printf("%s=%s", name, value);
    if (variable != NULL && to->count < VARIABLES) {
        to->variables[to->count++] = variable;
    } else if (value != NULL && *value != '\0') {
        to->failed = true;
        free(variable);
    }
}

/* Nothing of the host's but what finds libraries, keys and tickets: its environment may be full of
   other secrets, and a child's is another place to read them. */
static void add_common(struct environment *to) {
    static const char *const kept[] = {"PATH",
                                       "HOME",
                                       "USER",
                                       "LOGNAME",
                                       "TMPDIR",
                                       "TZ",
                                       "LD_LIBRARY_PATH",
                                       "KRB5CCNAME",
                                       "KRB5_CONFIG",
                                       "KRB5_KTNAME",
                                       "OPENSSL_CONF",
                                       "SSL_CERT_FILE",
                                       "SSL_CERT_DIR",
                                       "PGPASSFILE",
                                       "PGSYSCONFDIR"};
    for (size_t i = 0; i < sizeof kept / sizeof kept[0]; i++) {
        add(to, kept[i], getenv(kept[i]));
    }
    add(to, "LC_ALL", "C"); /* its words are read by us */
}

/* A later variable of the same name would lose to an earlier one. */
static void replace(struct environment *to, const char *name, const char *value) {
    size_t size = strlen(name);
    for (int i = 0; i < to->count; i++) {
        if (strncmp(to->variables[i], name, size) == 0 && to->variables[i][size] == '=') {
            free(to->variables[i]);
            to->variables[i] = to->variables[--to->count];
            to->variables[to->count] = NULL;
            break;
        }
    }
    add(to, name, value);
}

/* What our own connection came to use: of the URL, of a service, of variables. Not where it was looked
   for: the service would have its own database win over ours. */
static void add_settings(struct environment *to, const struct bk__pq *pq, PGconn *conn) {
    PQconninfoOption *all = pq->conninfo(conn);
    to->failed = to->failed || all == NULL;
    for (const PQconninfoOption *at = all; at != NULL && at->keyword != NULL; at++) {
        bool secret = at->dispchar[0] == '*';
        bool looked =
            strcmp(at->keyword, "service") == 0 || strcmp(at->keyword, "passfile") == 0;
        if (at->envvar != NULL && !secret && !looked) {
            replace(to, at->envvar, at->val);
        }
    }
    pq->conninfoFree(all);
}

static void make_environment(struct environment *to, const struct bk__pg_link *link,
                             const char *database) {
    const struct bk__pq *pq = &link->pq;
    const char *host = pq->host(link->conn);
    add_common(to);
    add_settings(to, pq, link->conn);
    replace(to, "PGHOST", host);
    replace(to, "PGPORT", pq->port(link->conn));
    replace(to, "PGUSER", pq->user(link->conn));
    replace(to, "PGDATABASE", database);
    if (host != NULL && host[0] != '/') {
        replace(to, "PGHOSTADDR", pq->hostaddr(link->conn));
    }
}

/* ---- running ---------------------------------------------------------------------------------- */

int bk__pg_run_start(const struct bk__pg_link *link, const struct bk__pg_program *program,
                     struct bk__child *ret) {
    struct environment environment = {.count = 0};
    char passfile[32];
    int fd = -1;
    int rc = password_file(link->pq.pass(link->conn), &fd);
    if (rc != 0) {
        return rc;
    }
    make_environment(&environment, link, program->database);
    if (program->name != NULL) {
        replace(&environment, "PGAPPNAME", program->name);
    }
    if (fd >= 0) {
        snprintf(passfile, sizeof passfile, "/proc/self/fd/%d", BK__CHILD_FD);
        replace(&environment, "PGPASSFILE", passfile);
    }
    const struct bk__child_plan plan = {.argv = program->argv,
                                        .environment =
                                            (const char *const *)environment.variables,
                                        .fd = fd,
                                        .pipes = program->pipes};
    int err = environment.failed ? -ENOMEM : bk__child_start(ret, &plan);
    for (int i = 0; i < environment.count; i++) {
        free(environment.variables[i]);
    }
    if (fd >= 0) {
        bk__file_close(fd);
    }
    return err == 0 ? 0 : bk__fail_errno(err, "cannot start", program->argv[0], NULL);
}

/* A short password is taken for itself only where it stands alone: masked inside of other words it
   would garble them, and so be told. */
#define LONG 8
static bool is_secret(const char *said, const char *at, const char *secret, size_t size) {
    if (size == 0 || strncmp(at, secret, size) != 0) {
        return false;
    }
    bool joined =
        (at > said && isalnum((unsigned char)at[-1])) || isalnum((unsigned char)at[size]);
    return size >= LONG || !joined;
}

/* What it said on one line, and never the password: a server may repeat what it was told. */
static char *words(const struct bk__pg_link *link, const struct bk__child *child) {
    const char *said = child->said.data == NULL ? "" : child->said.data;
    const char *secret = link->pq.pass(link->conn);
    size_t size = secret == NULL ? 0 : strlen(secret);
    struct bk__buf line = {0};
    for (const char *at = said; *at != '\0';) {
        if (is_secret(said, at, secret, size)) {
            bk__buf_text(&line, "***");
            at += size;
        } else {
            bk__buf_add(&line, *at == '\n' ? " " : at, 1);
            at++;
        }
    }
    char *text = bk__buf_take(&line);
    char *clean = text == NULL ? NULL : bk__text_clean(text);
    bk__buf_free(&line);
    free(text);
    return clean;
}

#define DAMAGED                                                                          \
    "The server's own files are damaged. Earlier backups stay: look at its disk, then "  \
    "restore the newest one."

/* Which of our errors it is, by the few causes that have one. */
static int meaning(const char *said, const char **ret_advice) {
    static const struct {
        const char *words;
        int code;
        const char *advice;
    } causes[] = {
        {"No space left on device", BK_ENOSPC, "Free some space."},
        {"Disk quota exceeded", BK_ENOSPC, "Free some space."},
        {"statement timeout", BK_EBUSY,
         "Something holds a table; try again, or raise busy.wait."},
        {"lock timeout", BK_EBUSY,
         "Something holds a table; try again, or raise busy.wait."},
        {"server version mismatch", BK_EUNSUPPORTED,
         "Install a newer postgresql-client."},
        {"unsupported version", BK_EUNSUPPORTED, "Install a newer postgresql-client."},
        {"row-level security policy", BK_EDENIED,
         "Rows that this user may not see would be missing. Back up as a superuser, or "
         "let an administrator run ALTER ROLE ... BYPASSRLS."},
        {"permission denied", BK_EDENIED,
         "Give the database's user the right, or back up as the owner of all tables."},
        {"must be owner", BK_EDENIED,
         "Restore as a user who may own what is in the dump."},
        {"must be able to SET ROLE", BK_EDENIED,
         "Restore as a user who may own what is in the dump."},
        {"must be member of role", BK_EDENIED,
         "Restore as a user who may own what is in the dump."},
        {"invalid page in block", BK_ECORRUPT, DAMAGED},
        {"could not read block", BK_ECORRUPT, DAMAGED},
        {"missing chunk number", BK_ECORRUPT, DAMAGED},
        {"too many connections", BK_EBUSY,
         "Close other connections, or raise the limit."},
        {"connection slots", BK_EBUSY, "Close other connections, or raise the limit."},
        {"password authentication failed", BK_EDENIED, "Check the password."},
        {"role \"", BK_EIO,
         "If a role is missing, create it first: a dump carries no roles."},
    };
    for (size_t i = 0; i < sizeof causes / sizeof causes[0]; i++) {
        if (strstr(said, causes[i].words) != NULL) {
            *ret_advice = causes[i].advice;
            return causes[i].code;
        }
    }
    *ret_advice = "Look at the server's log.";
    return BK_EIO;
}

int bk__pg_run_end(struct bk__pg_link *link, struct bk__child *child, const char *doing) {
    int status = child->status;
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    char *said = good ? NULL : words(link, child);
    bk__child_free(child);
    if (good) {
        return 0;
    }
    const char *advice = "";
    const char *text = said == NULL || *said == '\0' ? "it said nothing" : said;
    int code = meaning(text, &advice);
    char how[48] = "";
    if (WIFSIGNALED(status)) {
        snprintf(how, sizeof how, "it was killed by signal %d; ", WTERMSIG(status));
    }
    /* Causes stand in the beginning, but for the restore's, whose last line names the statement. */
    int rc =
        bk__fail(code, "%s %.300s: %s%.1200s. %s", doing, link->shown, how, text, advice);
    free(said);
    return rc;
}
