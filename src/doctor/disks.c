/*
 * What the doctor looks at where files lie: file systems that do not last or are shared, one disk for the
 * database and its backups, room for the next one, git. Not what is in the files. doctor.c calls it.
 */
#include <doctor/findings.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <base/text.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <os/system.h>

#define GITIGNORE_LIMIT ((size_t)1 << 20)

/* The nearest existing folder at or above path, without symbolic links; the caller frees it. */
static char *existing(const char *path) {
    char *at = strdup(path);
    struct stat info;
    while (at && stat(at, &info) != 0 && strcmp(at, "/") != 0 && strcmp(at, ".") != 0) {
        char *parent = bk__file_dir(at);
        free(at);
        at = parent;
    }
    char *real = at ? realpath(at, NULL) : NULL;
    if (real) {
        free(at);
        return real;
    }
    return at;
}

/* ---- file systems --------------------------------------------------------------------- */

static int judge_lasting(struct bk__findings *findings, const char *what,
                         const char *path) {
    bool ephemeral = false;
    bool network = false;
    const char *type = bk__system_filesystem(path, &ephemeral, &network);
    if (ephemeral) {
        return bk__find(
            findings,
            (struct bk__advice){"ephemeral_disk", BK__WARNING,
                                "Put it on a volume that outlives the container."},
            "The %s %s is on %s, which is lost when the container or machine is "
            "replaced.",
            what, path, type);
    }
    return 0;
}

static int judge_data(struct bk__findings *findings, const char *path) {
    bool ephemeral = false;
    bool network = false;
    const char *type = bk__system_filesystem(path, &ephemeral, &network);
    if (network) {
        return bk__find(
            findings,
            (struct bk__advice){"network_disk", BK__WARNING,
                                "Keep a live SQLite database on a local disk."},
            "The database %s is on %s, where file locks are not to be trusted.", path,
            type);
    }
    return judge_lasting(findings, "database", path);
}

/* Another machine's disk is a good place for backups, as long as one machine alone writes them. */
static int judge_backups(struct bk__findings *findings, const char *folder) {
    bool ephemeral = false;
    bool network = false;
    const char *type = bk__system_filesystem(folder, &ephemeral, &network);
    if (network) {
        return bk__find(
            findings,
            (struct bk__advice){"network_backups", BK__NOTE,
                                "Let no two machines write into one backup folder."},
            "The backup folder %s is on %s: while its server is away no backup is made.",
            folder, type);
    }
    return judge_lasting(findings, "backup folder", folder);
}

static bool same_device(const char *one, const char *other) {
    struct stat a;
    struct stat b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev;
}

static int judge_apart(struct bk__findings *findings, const char *data,
                       const char *backups) {
    if (!same_device(data, backups)) {
        return 0;
    }
    return bk__find(
        findings,
        (struct bk__advice){"same_disk", BK__NOTE,
                            "Copy backups to another disk or machine as well."},
        "The backups are on the same disk as the database: they do not "
        "survive that disk.");
}

/* ---- git ------------------------------------------------------------------------------ */

/* The work tree a folder is in, which the caller frees; NULL: none. Its .git is a folder, or a file in
   submodules and in further work trees of one repository. */
static char *find_work_tree(const char *folder) {
    char *at = strdup(folder);
    while (at) {
        char *git = bk__file_join(at, ".git");
        bool found = git && bk__file_exists(git);
        free(git);
        if (found) {
            return at;
        }
        char *parent = bk__file_dir(at);
        bool top = !parent || strcmp(parent, at) == 0;
        free(at);
        at = top ? NULL : parent;
        if (top) {
            free(parent);
        }
    }
    return NULL;
}

/* Whether a line of a .gitignore is about a folder on the way from the tree to the backups: all of it, or
   a folder's name with what may stand around it. */
static bool names_part(const char *line, size_t size, const char *way) {
    while (size > 0 && strchr("/*", *line)) {
        line++;
        size--;
    }
    while (size > 0 && strchr("/* \r", line[size - 1])) {
        size--;
    }
    for (const char *at = way; size > 0 && (at = strstr(at, "/")) != NULL; at++) {
        char after = strncmp(at + 1, line, size) == 0 ? at[1 + size] : 'x';
        if (after == '\0' || after == '/') {
            return true;
        }
    }
    return false;
}

/* A look, not git's own judgement: enough to tell who thought of it from who did not. */
static bool is_ignored(const char *tree, const char *backups) {
    char *path = bk__file_join(tree, ".gitignore");
    char *text = NULL;
    bool found = false;
    if (path && bk__file_is_plain(path) &&
        bk__file_load(path, GITIGNORE_LIMIT, &text, NULL) == 0) {
        const char *way = backups + (strcmp(tree, "/") == 0 ? 0 : strlen(tree));
        for (const char *at = text; !found && *at != '\0';) {
            size_t size = strcspn(at, "\n");
            found = names_part(at, size, way) || (size == 1 && *at == '*');
            at += size + (at[size] == '\n');
        }
    }
    free(text);
    free(path);
    return found;
}

/* Ours keeps the folder that we made out of commits, and nothing keeps it safe from "git clean". */
static int judge_git(struct bk__findings *findings, const char *asked,
                     const char *backups) {
    char *tree = find_work_tree(backups);
    char *own = bk__file_join(asked, ".gitignore");
    int error = 0;
    if (tree && own) {
        bool bare =
            bk__file_exists(asked) && !bk__file_exists(own) && !is_ignored(tree, backups);
        error = bk__find(
            findings,
            (struct bk__advice){"git_work_tree", bare ? BK__WARNING : BK__NOTE,
                                "Keep backups out of the repository's folder."},
            "The backup folder lies inside the git work tree %s: %s \"git clean -dfx\" "
            "deletes it.",
            tree,
            bare ? "git add takes the backups in, and" : "even where it is ignored,");
    }
    free(tree);
    free(own);
    return error;
}

/* ---- room ----------------------------------------------------------------------------- */

static int judge_access(struct bk__findings *findings, const char *backups) {
    if (access(backups, W_OK) == 0) {
        return 0;
    }
    return bk__find(findings,
                    (struct bk__advice){"backup_dir_denied", BK__PROBLEM,
                                        "Set backup.dir to a folder this user may "
                                        "write."},
                    "This user may not write to %s.", backups);
}

/* With what is still in its -wal. -1: it is no file. */
static int64_t database_size(const char *path) {
    int64_t bytes = *path ? bk__file_size_of(path) : -1;
    char *wal = bytes < 0 ? NULL : bk__text_printf("%s-wal", path);
    int64_t more = wal ? bk__file_size_of(wal) : 0;
    free(wal);
    return bytes < 0 ? -1 : bytes + (more > 0 ? more : 0);
}

/* A backup needs the database's size for the snapshot, and half of that to at most as much for the
   archive: with less than the half it is refused, with less than as much it may fail. */
static int judge_room(struct bk__job *job, struct bk__findings *findings,
                      const char *backups) {
    int64_t free_bytes = 0;
    int64_t total_bytes = 0;
    const char *path = bk__config_text(bk__job_config(job), BK__OPT_DATABASE);
    int64_t database = database_size(path);
    if (database < 0 || bk__file_space(backups, &free_bytes, &total_bytes) != 0) {
        return 0;
    }
    if (free_bytes < 2 * database) {
        bool refused = free_bytes < database + database / 2;
        return bk__find(
            findings,
            (struct bk__advice){"no_space", refused ? BK__PROBLEM : BK__WARNING,
                                "Free space, or set backup.dir to a larger disk."},
            "The next backup %s: %lld MB are free, %lld MB may be needed.",
            refused ? "does not fit" : "may not fit", (long long)(free_bytes >> 20),
            (long long)(2 * database >> 20));
    }
    return bk__find(findings, (struct bk__advice){"space", BK__OK, ""},
                    "There is room for the next backup (%lld MB free).",
                    (long long)(free_bytes >> 20));
}

/* Rehearsals and what is encrypted need the database's size in state.dir. */
static int judge_scratch(struct bk__job *job, struct bk__findings *findings,
                         const char *backups) {
    const struct bk__config *config = bk__job_config(job);
    int64_t free_bytes = 0;
    int64_t total_bytes = 0;
    int64_t database = database_size(bk__config_text(config, BK__OPT_DATABASE));
    char *state = existing(bk__config_text(config, BK__OPT_STATE_DIR));
    int error = state ? 0 : bk__fail_memory();
    if (state && !same_device(state, backups) &&
        bk__file_space(state, &free_bytes, &total_bytes) == 0 && free_bytes < database) {
        error =
            bk__find(findings,
                     (struct bk__advice){"no_scratch", BK__PROBLEM,
                                         "Free space, or set state.dir to a larger "
                                         "disk."},
                     "A rehearsal of a restore does not fit into %s: %lld MB are "
                     "free, %lld MB are needed.",
                     state, (long long)(free_bytes >> 20), (long long)(database >> 20));
    }
    free(state);
    return error;
}

/* ---- all ------------------------------------------------------------------------------ */

static bool is_apart(const struct bk__config *config) {
    return bk__config_on_server(config) ||
           *bk__config_text(config, BK__OPT_DATABASE) == '\0';
}

/* What of this machine's holds the data: the database's file, or the folder it will be made in; of one
   on a server, whose disk is out of sight, what is ours. */
static char *find_data(const struct bk__config *config) {
    return existing(
        bk__config_text(config, is_apart(config) ? BK__OPT_STATE_DIR : BK__OPT_DATABASE));
}

int bk__doctor_disks(struct bk__job *job, struct bk__findings *findings) {
    const struct bk__config *config = bk__job_config(job);
    const char *asked = bk__config_text(config, BK__OPT_BACKUP_DIR);
    bool apart = is_apart(config);
    char *data = find_data(config);
    char *backups = existing(asked);
    int error = data && backups ? 0 : bk__fail_memory();
    error = error   ? error
            : apart ? judge_lasting(findings, "state folder", data)
                    : judge_data(findings, data);
    error = error ? error : judge_backups(findings, backups);
    error = error || apart ? error : judge_apart(findings, data, backups);
    error = error ? error : judge_git(findings, asked, backups);
    error = error ? error : judge_access(findings, backups);
    error = error ? error : judge_room(job, findings, backups);
    error = error || apart ? error : judge_scratch(job, findings, backups);
    free(data);
    free(backups);
    return error;
}
