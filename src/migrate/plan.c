/*
 * The plan: the folder's files and the database's history compared, version by version.
 * Pure: no disk, no database, no clock. up.c and status.c call it.
 */
#include <migrate/migrate.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <base/text.h>
#include <core/error.h>

/* What the comparison walks over and fills. */
struct walk {
    struct bk__migration_plan *plan;
    const struct bk__migrations *files;
    const struct bk__history *history;
    bool failed; /* out of memory */
};

void bk__plan_free(struct bk__migration_plan *plan) {
    for (size_t i = 0; i < plan->problem_count; i++) {
        free(plan->problems[i].message);
    }
    free(plan->problems);
    free(plan->pending);
    *plan = (struct bk__migration_plan){0};
}

static bool is_partial(const struct bk__applied *row) {
    return strcmp(row->state, "partial") == 0;
}

/* A row that is kept as a record of a migration which was taken back counts for nothing.
 */
static bool is_applied(const struct bk__applied *row) {
    return !is_partial(row) && strcmp(row->state, "reverted") != 0;
}

/* Takes the message, from bk__text_printf(). */
static void add_problem(struct walk *w, const char *code, int64_t version,
                        const char *file, char *message) {
    if (!message) {
        w->failed = true;
        return;
    }
    w->plan->problems[w->plan->problem_count++] = (struct bk__problem){
        .code = code, .version = version, .file = file, .message = message};
}

static int64_t newest_file(const struct walk *w) {
    return w->files->count > 0 ? w->files->items[w->files->count - 1].version : -1;
}

/* As many digits as the file's own number has, so that names keep their width. */
static int width_of(const char *file) {
    return (int)strspn(file, "0123456789");
}

static void check_edited(struct walk *w, const struct bk__migration *m,
                         const struct bk__applied *row) {
    if (row->checksum[0] == '\0' || strcmp(row->checksum, m->checksum) == 0) {
        return;
    }
    add_problem(
        w, "edited", m->version, m->file,
        bk__text_printf(
            "%s (version %" PRId64 ") was changed after it was applied on %s: its "
            "checksum is %.12s, the applied one %.12s. Put the applied text back (git "
            "checkout %s) and write the change as a new migration, then run: botkeep "
            "migrate plan",
            m->file, m->version, row->applied_at, m->checksum, row->checksum, m->file));
}

static void check_newer(struct walk *w, const struct bk__applied *row) {
    add_problem(
        w, "newer_than_code", row->version, NULL,
        bk__text_printf(
            "The database is newer than this code: version %" PRId64 " (%s) was applied "
            "on %s, and the folder has no %04" PRId64 "_%s.sql. Start the release that "
            "has it, or go back to a backup made before it: botkeep backup list --kind "
            "pre_migration",
            row->version, row->name, row->applied_at, row->version, row->name));
}

static void check_missing(struct walk *w, const struct bk__applied *row) {
    add_problem(
        w, "missing", row->version, NULL,
        bk__text_printf(
            "Version %" PRId64 " (%s) was applied on %s, but its file %04" PRId64
            "_%s.sql is gone from the folder. Bring it back (git checkout), then run: "
            "botkeep migrate plan",
            row->version, row->name, row->applied_at, row->version, row->name));
}

static void check_out_of_order(struct walk *w, const struct bk__migration *m) {
    int64_t current = w->plan->current;
    int64_t next = newest_file(w) > current ? newest_file(w) + 1 : current + 1;
    if (m->version >= current) {
        return;
    }
    add_problem(
        w, "out_of_order", m->version, m->file,
        bk__text_printf(
            "%s (version %" PRId64 ") is not applied, but version %" PRId64 " already "
            "is. Give it a number above that: mv %s %0*" PRId64 "_%s.sql, then run: "
            "botkeep migrate up",
            m->file, m->version, current, m->file, width_of(m->file), next, m->name));
}

static void check_duplicate(struct walk *w, const struct bk__migration *m) {
    const struct bk__migration *first = m - 1;
    add_problem(w, "duplicate", m->version, m->file,
                bk__text_printf("%s and %s have the same version %" PRId64
                                ". Give one of them a number of "
                                "its own: mv %s %0*" PRId64
                                "_%s.sql, then run: botkeep migrate plan",
                                first->file, m->file, m->version, m->file,
                                width_of(m->file), newest_file(w) + 1, m->name));
}

static void take_pending(struct walk *w, const struct bk__migration *m) {
    w->plan->pending[w->plan->pending_count++] = m;
    check_out_of_order(w, m);
}

static void take_both(struct walk *w, const struct bk__migration *m,
                      const struct bk__applied *row) {
    if (is_partial(row)) {
        w->plan->partial = row;
        w->plan->pending[w->plan->pending_count++] = m;
    } else if (is_applied(row)) {
        w->plan->applied++;
        check_edited(w, m, row);
    } else {
        take_pending(w, m);
    }
}

/* A row without a file. */
static void take_row(struct walk *w, const struct bk__applied *row) {
    if (!is_applied(row) && !is_partial(row)) {
        return;
    }
    w->plan->applied += is_applied(row);
    if (is_partial(row)) {
        w->plan->partial = row;
    }
    if (row->version > newest_file(w)) {
        check_newer(w, row);
    } else {
        check_missing(w, row);
    }
}

static void walk(struct walk *w) {
    size_t f = 0;
    size_t h = 0;
    while (f < w->files->count || h < w->history->count) {
        const struct bk__migration *m = f < w->files->count ? &w->files->items[f] : NULL;
        const struct bk__applied *row =
            h < w->history->count ? &w->history->items[h] : NULL;
        if (m && f > 0 && m[-1].version == m->version) {
            check_duplicate(w, m);
            f++;
        } else if (m && row && m->version == row->version) {
            take_both(w, m, row);
            f++;
            h++;
        } else if (m && (!row || m->version < row->version)) {
            take_pending(w, m);
            f++;
        } else {
            take_row(w, row);
            h++;
        }
    }
}

bool bk__plan_make(struct bk__migration_plan *ret, const struct bk__migrations *files,
                   const struct bk__history *history) {
    struct bk__migration_plan plan = {.current = -1};
    struct walk w = {.plan = &plan, .files = files, .history = history};
    size_t most = files->count + history->count + 1; /* at most one problem for each */
    plan.pending = calloc(most, sizeof *plan.pending);
    plan.problems = calloc(most, sizeof *plan.problems);
    w.failed = !plan.pending || !plan.problems;
    for (size_t i = 0; i < history->count; i++) {
        if (is_applied(&history->items[i])) {
            plan.current = history->items[i].version;
        }
    }
    if (!w.failed) {
        walk(&w);
    }
    if (w.failed) {
        bk__plan_free(&plan);
        return false;
    }
    *ret = plan;
    return true;
}

int bk__plan_check(const struct bk__migration_plan *plan) {
    struct bk__buf text = {0};
    if (plan->problem_count == 0) {
        return 0;
    }
    for (size_t i = 0; i < plan->problem_count; i++) {
        bk__buf_text(&text, plan->problems[i].message);
        bk__buf_text(&text, "\n");
    }
    bk__buf_text(&text, "Nothing was changed.");
    int rc = text.failed ? bk__fail_memory() : bk__fail(BK_EMIGRATION, "%s", text.data);
    bk__buf_free(&text);
    return rc;
}
