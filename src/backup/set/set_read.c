/*
 * Where the archive of a part is, and reading it there: in the folder as a file, in a tar as a
 * stream.
 * Not the reading of archives (archive.c) and tars (set_tar.c). Called by extract.c and verify.c.
 */
#include <backup/set/set_read.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <base/buf.h>
#include <core/error.h>
#include <core/job.h>
#include <os/file.h>
#include <backup/archive/archive.h>
#include <backup/catalogue/catalogue.h>
#include <backup/set/set_stream.h>
#include <backup/set/set_tar.h>

/* A file of its own, or a part that lies in a tar as it is, from some byte on. */
static int read_there(struct bk__job *job, const char *dir,
                      const struct bk__manifest *manifest, struct bk__archive_sink sink) {
    char what[2 * BK__NAME_SIZE + 16];
    char *path = bk__catalogue_archive(dir, manifest);
    if (path == NULL) {
        return BK_ENOMEM;
    }
    if (manifest->set[0] != '\0') {
        snprintf(what, sizeof what, "%s, part %s,", manifest->set, manifest->name);
        sink.what = what;
    }
    int rc = bk__archive_check(job, path, manifest, sink);
    free(path);
    return rc;
}

/* ---- parts in a tar ------------------------------------------------------------------- */

/* A tar that is not packed: each part lies in it as in a folder. */
static bool is_open(const struct bk__manifest *set) {
    return set->form.compression == BK__PLAIN;
}

static int read_within(struct bk__job *job, const char *dir,
                       const struct bk__manifest *part, const struct bk__manifest *set,
                       struct bk__archive_sink sink) {
    sink.from = bk__set_stream_at(set, part->part);
    sink.size = part->bytes;
    int rc = read_there(job, dir, part, sink);
    if (rc == BK_ECORRUPT && sink.damage != NULL && sink.damage->to > 0) {
        sink.damage->from += sink.from;
        sink.damage->to += sink.from;
    }
    return rc;
}

/* What a packed tar holds is not packed again: the part is the image. */
static int take_out(struct bk__job *job, const char *dir, const struct bk__manifest *part,
                    const struct bk__manifest *set, const struct bk__archive_sink *sink) {
    const struct bk__set_tar_out out = {.phase = sink->phase,
                                        .part = bk__manifest_part(set, part->part),
                                        .fd = sink->out_fd,
                                        .path = sink->out_path,
                                        .damage = sink->damage};
    char *tar = bk__catalogue_archive(dir, part);
    int rc = tar == NULL ? BK_ENOMEM : bk__set_tar_read(job, tar, set, &out);
    free(tar);
    return rc;
}

static int read_tar(struct bk__job *job, const char *dir, const struct bk__manifest *part,
                    const struct bk__archive_sink *sink) {
    struct bk__manifest set;
    char why[160];
    int rc = bk__catalogue_read(dir, part->set, &set, why, sizeof why);
    if (rc != 0) {
        return rc < 0 ? rc
                      : bk__fail(BK_ECORRUPT,
                                 "Backup %s cannot be used: %s. Nothing was touched. Use "
                                 "another one of backup.list.",
                                 part->set, why);
    }
    rc = is_open(&set) ? read_within(job, dir, part, &set, *sink)
                       : take_out(job, dir, part, &set, sink);
    bk__manifest_clear(&set);
    return rc;
}

int bk__set_read(struct bk__job *job, const char *dir,
                 const struct bk__manifest *manifest,
                 const struct bk__archive_sink *sink) {
    struct bk__form form = {0};
    bool in_tar = manifest->set[0] != '\0' &&
                  bk__name_parse(manifest->set, NULL, &form) &&
                  !bk__form_is_folder(&form);
    return in_tar ? read_tar(job, dir, manifest, sink)
                  : read_there(job, dir, manifest, *sink);
}

/* ---- checking all ----------------------------------------------------------------------- */

/* What the parts were found to be. */
struct checking {
    int64_t now;
    int rc;    /* BK_ECORRUPT once one is damaged, else what one could not be read for */
    bool shut; /* one of them is */
    struct bk__buf why; /* of those that failed */
};

/* What was found of a part is noted in it, and is not the end: the others are read too. What could
   not be read may be good: it stays as it was. */
static int note(struct checking *all, struct bk__manifest *part, int rc) {
    if (rc == BK_ECANCELLED || rc == BK_ENOMEM) {
        return rc;
    }
    if (rc < 0) {
        all->rc = all->rc == 0 || rc == BK_ECORRUPT ? rc : all->rc;
        bk__buf_printf(&all->why, "%s%s", all->why.size > 0 ? " " : "", bk__error_text());
    }
    if (rc < 0 && rc != BK_ECORRUPT) {
        return 0;
    }
    free(part->error);
    part->error = rc < 0 ? strdup(bk__error_text()) : NULL;
    part->verified = rc >= 0;
    part->verified_ms = rc == 0 ? all->now : part->verified_ms;
    all->shut = all->shut || rc == 1;
    return rc < 0 && part->error == NULL ? bk__fail_memory() : 0;
}

static int check_parts(struct bk__job *job, const char *dir, struct bk__manifest *set,
                       struct bk__damage *ret_damage, struct checking *all) {
    bool in_tar = !bk__form_is_folder(&set->form);
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < set->part_count; i++) {
        struct bk__manifest *part = &set->parts[i];
        const struct bk__archive_sink sink = {
            .phase = "verify", .out_fd = -1, .may_be_shut = true, .damage = ret_damage};
        if (part->name[0] != '\0') {
            rc = note(all, part,
                      in_tar ? read_within(job, dir, part, set, sink)
                             : read_there(job, dir, part, sink));
        }
    }
    return rc;
}

static int check_tar(struct bk__job *job, const char *dir, const struct bk__manifest *set,
                     struct bk__damage *ret_damage) {
    const struct bk__set_tar_out nowhere = {
        .phase = "verify", .fd = -1, .damage = ret_damage};
    char *path = bk__catalogue_archive(dir, set);
    int rc = path == NULL ? BK_ENOMEM : bk__set_tar_read(job, path, set, &nowhere);
    free(path);
    return rc;
}

int bk__set_check(struct bk__job *job, const char *dir, struct bk__manifest *set,
                  struct bk__damage *ret_damage) {
    struct checking all = {.now = bk__job_wall(job)};
    bool in_tar = !bk__form_is_folder(&set->form);
    int rc = in_tar && !is_open(set) ? 0 : check_parts(job, dir, set, ret_damage, &all);
    if (rc == 0 && all.rc < 0) {
        rc = all.why.failed ? bk__fail_memory() : bk__fail(all.rc, "%s", all.why.data);
    } else if (rc == 0 && in_tar) {
        rc = check_tar(job, dir, set, ret_damage);
    }
    bk__buf_free(&all.why);
    return rc == 0 ? all.shut : rc;
}

int bk__set_check_bytes(struct bk__job *job, const char *dir,
                        const struct bk__manifest *set) {
    const struct bk__archive_facts written = {.bytes = set->bytes, .places = set->places};
    struct bk__damage damage = {0, 0};
    if (bk__form_is_folder(&set->form) || set->places.bytes == 0) {
        return 0;
    }
    char *path = bk__catalogue_archive(dir, set);
    int rc = path == NULL ? BK_ENOMEM : bk__archive_reread(job, path, &written, &damage);
    free(path);
    return rc != 0 || damage.to == 0
               ? rc
               : bk__fail(BK_ECORRUPT,
                          "Backup %s is damaged between bytes %" PRId64 " and %" PRId64
                          ". Nothing was changed. Use another backup, or see with "
                          "\"store\" which of its stores is whole, and look at the disk.",
                          set->name, damage.from, damage.to);
}
