/*
 * Finding pg_dump and pg_restore that understand the server: an older one refuses, so the oldest
 * that is not older is taken, in whatever folder it stands. Not running them on data: run.c.
 * driver.c and restore.c call it.
 */
#include <store/postgres/internal.h>

#include <ctype.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <base/text.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

#define ANSWER_MS 5000

/* Where packages put them; PATH comes after these. */
static const char *const places[] = {"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin",
                                     "/usr/local/pgsql*/bin", "/opt/postgresql*/bin"};

int bk__pg_series(const char *version) {
    int major = 0, minor = 0;
    if (sscanf(version, "%4d.%4d", &major, &minor) < 1 || major <= 0) {
        return 0;
    }
    return major * 100 + (major < 10 ? minor : 0);
}

void bk__pg_tools_free(struct bk__pg_tools *tools) {
    free(tools->dump);
    free(tools->restore);
    free(tools->found);
    memset(tools, 0, sizeof *tools);
}

int bk__pg_tools_missing(const struct bk__pg_tools *tools, const char *why) {
    bool some = tools->found != NULL && *tools->found != '\0';
    int major = tools->wanted / 100;
    return bk__fail(
        BK_EUNSUPPORTED,
        "%s: pg_dump and pg_restore of version %d or newer are needed, and %s%.500s. "
        "Nothing was touched. Install the Debian package postgresql-client-%d.",
        why, major, some ? "there is only " : "none was found", some ? tools->found : "",
        major);
}

/* ---- asking one ---------------------------------------------------------------------------- */

/* Debian's /usr/bin/pg_dump is a script that picks one of the others by rules of its own. */
static bool is_program(const char *path) {
    char *real = access(path, X_OK) == 0 ? realpath(path, NULL) : NULL;
    bool good = real != NULL && !bk__text_ends(real, "/pg_wrapper");
    free(real);
    return good;
}

/* "15.20" out of "pg_dump (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)"; "" when it says none. */
static int ask_version(struct bk__job *job, const char *program, char ret[32]) {
    const char *const argv[] = {program, "--version", NULL};
    const char *const environment[] = {"LC_ALL=C", "PATH=/usr/bin:/bin", NULL};
    const struct bk__child_plan plan = {
        .argv = argv, .environment = environment, .fd = -1};
    struct bk__child child;
    ret[0] = '\0';
    if (bk__child_start(&child, &plan) != 0) {
        return 0;
    }
    int left = ANSWER_MS / 50;
    while (!bk__child_wait(&child, 50) && left-- > 0 && bk__job_check(job) == 0) {
    }
    bk__child_stop(&child);
    const char *at =
        child.said.data == NULL ? NULL : strstr(child.said.data, "(PostgreSQL) ");
    if (at != NULL && WIFEXITED(child.status) && WEXITSTATUS(child.status) == 0) {
        at += strlen("(PostgreSQL) ");
        snprintf(ret, 32, "%.*s", (int)strcspn(at, " \n"), at);
    }
    bk__child_free(&child);
    return bk__job_check(job);
}

/* ---- the search ---------------------------------------------------------------------------- */

struct search {
    struct bk__job *job;
    int wanted;
    struct bk__pg_tools best;
    struct bk__buf found;
};

static bool has_program(const char *folder, const char *name, char path[PATH_MAX]) {
    int size = snprintf(path, PATH_MAX, "%s/%s", folder, name);
    return size > 0 && size < PATH_MAX && is_program(path);
}

static int take(struct search *search, const char *dump, const char *restore,
                const char *version) {
    struct bk__pg_tools *best = &search->best;
    free(best->dump);
    free(best->restore);
    best->dump = strdup(dump);
    best->restore = strdup(restore);
    best->series = bk__pg_series(version);
    snprintf(best->version, sizeof best->version, "%s", version);
    return best->dump == NULL || best->restore == NULL ? bk__fail_memory() : 0;
}

static int look_into(struct search *search, const char *folder) {
    char dump[PATH_MAX], restore[PATH_MAX], version[32];
    if (!has_program(folder, "pg_dump", dump) ||
        !has_program(folder, "pg_restore", restore)) {
        return 0;
    }
    int rc = ask_version(search->job, dump, version);
    int series = bk__pg_series(version);
    if (rc != 0 || series == 0) {
        return rc;
    }
    bk__buf_printf(&search->found, "%s%s %s", search->found.size > 0 ? ", " : "", dump,
                   version);
    bool better = search->best.dump == NULL || series < search->best.series;
    return series >= search->wanted && better ? take(search, dump, restore, version) : 0;
}

static int look_at_places(struct search *search) {
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof places / sizeof places[0]; i++) {
        glob_t paths;
        int found = glob(places[i], 0, NULL, &paths);
        if (found == GLOB_NOSPACE) {
            return bk__fail_memory();
        }
        for (size_t j = 0; found == 0 && rc == 0 && j < paths.gl_pathc; j++) {
            rc = look_into(search, paths.gl_pathv[j]);
        }
        if (found == 0) {
            globfree(&paths);
        }
    }
    return rc;
}

static int look_along_path(struct search *search) {
    const char *at = getenv("PATH");
    int rc = 0;
    while (rc == 0 && at != NULL && *at != '\0') {
        size_t size = strcspn(at, ":");
        char *folder = strndup(at, size);
        if (folder == NULL) {
            return bk__fail_memory();
        }
        if (folder[0] == '/') {
            rc = look_into(search, folder);
        }
        free(folder);
        at += size;
        at += *at == ':';
    }
    return rc;
}

int bk__pg_tools_find(struct bk__job *job, int series, struct bk__pg_tools *ret) {
    struct search search = {.job = job, .wanted = series};
    int rc = look_at_places(&search);
    if (rc == 0) {
        rc = look_along_path(&search);
    }
    if (rc == 0 && search.found.failed) {
        rc = bk__fail_memory();
    }
    search.best.wanted = series;
    search.best.found = bk__buf_take(&search.found);
    bk__buf_free(&search.found);
    if (rc != 0) {
        bk__pg_tools_free(&search.best);
        return rc;
    }
    *ret = search.best;
    return 0;
}
