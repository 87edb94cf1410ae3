/*
 * The operation table of migrate: names, docs, arguments and result fields. Not their
 * code: up.c and status.c. api/tables.c lists it.
 */
#include <migrate/operations.h>

#include <stddef.h>

#include <migrate/migrate.h>

#define DIR_ARGUMENT                                                                     \
    { "dir", "text", "", "", "The folder of NNNN_name.sql files; without: migrate.dir." }

#define CURRENT_FIELD                                                                    \
    { "current", "int?", NULL, "", "The highest applied version; null: none." }

#define PENDING_FIELDS                                                                   \
    {"pending", "list", NULL, "", "Files that are not applied yet, in order."},          \
        {"pending[].version", "int", NULL, "", "The file's number."},                    \
        {"pending[].name", "text", NULL, "", "Its name without number and .sql."},       \
        {"pending[].file", "text", NULL, "", "The file in the folder."}, {               \
        "pending[].transaction", "bool", NULL, "",                                       \
            "false: it says transaction:false and runs outside a transaction."           \
    }

#define PROBLEM_FIELDS                                                                   \
    {"problems", "list", NULL, "",                                                       \
     "Where files and history disagree; with any of them migrate.up refuses."},          \
        {"problems[].code", "text", NULL,                                                \
         "edited|missing|out_of_order|newer_than_code|duplicate", "The kind."},          \
        {"problems[].version", "int", NULL, "", "The version it is about."},             \
        {"problems[].file", "text?", NULL, "", "The file; null: there is none."}, {      \
        "problems[].message", "text", NULL, "", "What is wrong and what to do next."     \
    }

#define END                                                                              \
    { NULL, NULL, NULL, NULL, NULL }

static const struct bk__field dir_arguments[] = {DIR_ARGUMENT, END};

static const struct bk__field up_arguments[] = {
    DIR_ARGUMENT,
    {"to", "int", "", "", "Apply up to this version; without: all."},
    END,
};

static const struct bk__field plan_result[] = {
    CURRENT_FIELD,
    PENDING_FIELDS,
    PROBLEM_FIELDS,
    {"applied", "int", NULL, "", "How many migrations are applied."},
    END,
};

static const struct bk__field up_result[] = {
    {"applied", "list", NULL, "", "What was applied now, in order."},
    {"applied[].version", "int", NULL, "", "The migration's number."},
    {"applied[].name", "text", NULL, "", "Its name."},
    {"applied[].ms", "int", NULL, "", "How long it took, in milliseconds."},
    CURRENT_FIELD,
    {"backup", "text?", NULL, "", "The backup made before; null: none was needed."},
    {"total_ms", "int", NULL, "", "How long all took, in milliseconds."},
    END,
};

static const struct bk__field status_result[] = {
    CURRENT_FIELD,
    {"applied", "list", NULL, "", "The history, in order of version."},
    {"applied[].version", "int", NULL, "", "The migration's number."},
    {"applied[].name", "text", NULL, "", "Its name."},
    {"applied[].state", "text", NULL, "applied|partial",
     "partial: a transaction:false file that began and has not ended."},
    {"applied[].applied_at", "text", NULL, "", "When, UTC."},
    {"applied[].ms", "int", NULL, "", "How long it took, in milliseconds."},
    {"applied[].checksum", "text", NULL, "", "SHA-256 of its text, line ends ignored."},
    PENDING_FIELDS,
    PROBLEM_FIELDS,
    {"attempts", "list", NULL, "", "Attempts that failed, newest first, at most 100."},
    {"attempts[].version", "int", NULL, "", "The migration's number."},
    {"attempts[].file", "text", NULL, "", "Its file."},
    {"attempts[].at", "text", NULL, "", "When it began, UTC."},
    {"attempts[].ended_at", "text?", NULL, "", "When it ended, UTC."},
    {"attempts[].outcome", "text", NULL, "failed|cancelled|interrupted", "How it ended."},
    {"attempts[].error", "text?", NULL, "", "Why, in the database engine's words."},
    {"attempts[].line", "int?", NULL, "", "The line in the file."},
    {"attempts[].statement", "int?", NULL, "", "The statement in the file, from 1."},
    {"attempts[].statement_text", "text?", NULL, "", "How that statement begins."},
    {"attempts[].host", "text", NULL, "", "The machine."},
    {"attempts[].pid", "int", NULL, "", "The process."},
    {"attempts[].backup", "text?", NULL, "", "The backup of that batch."},
    END,
};

const struct bk__operation bk__migrate_operations[] = {
    {"migrate.plan",
     "Says what migrate.up would apply, and what is wrong; writes nothing.", "owner",
     BK__LANE_QUICK, BK__PLACE_STORE, dir_arguments, plan_result, bk__migrate_plan},
    {"migrate.up", "Applies all pending migrations, or leaves everything as it was.",
     "owner", BK__LANE_WORK, BK__PLACE_STORE, up_arguments, up_result, bk__migrate_up},
    {"migrate.status",
     "Shows what is applied, pending, wrong, and what failed; writes nothing.", "owner",
     BK__LANE_QUICK, BK__PLACE_STORE, dir_arguments, status_result, bk__migrate_status},
    {NULL, NULL, NULL, BK__LANE_QUICK, BK__PLACE_STORE, NULL, NULL, NULL},
};
