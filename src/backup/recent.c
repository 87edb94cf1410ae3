/*
 * The backup that is young enough. Only the newest of the kind is looked at: its place is certain,
 * whatever the clock did, and one that is dated in the future counts as old, because nobody knows
 * when that was. Not unchanged data: unchanged.c. create.c calls it.
 */
#include <backup/recent.h>

#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <backup/catalogue/catalogue.h>

#define MINUTE_MS INT64_C(60000)
#define GAP_LIMIT 525600 /* a year */

static bool is_recent(const struct bk__manifest *item, int64_t now, int64_t gap) {
    return item->verified && !bk__manifest_is_partial(item) && item->created_ms <= now &&
           now - item->created_ms < gap * MINUTE_MS;
}

int bk__recent_find(struct bk__job *job, const char *dir, struct bk__manifest *ret) {
    struct bk__catalogue catalogue;
    int64_t gap = bk__job_int(job, "gap", 0);
    int found = 0;
    if (gap < 0 || gap > GAP_LIMIT) {
        return bk__fail(BK_EINVAL,
                        "\"gap\" takes a whole number of minutes from 0 to %d. No backup "
                        "was made.",
                        GAP_LIMIT);
    }
    int rc = gap == 0 ? 0 : bk__catalogue_load(dir, &catalogue);
    if (gap == 0 || rc != 0) {
        return rc;
    }
    for (size_t i = 0; i < catalogue.count; i++) {
        struct bk__manifest *item = &catalogue.items[i];
        if (strcmp(item->kind, bk__job_text(job, "kind")) == 0) {
            found = is_recent(item, bk__job_wall(job), gap);
            if (found) {
                *ret = *item;
                *item = (struct bk__manifest){0}; /* what it holds is the caller's now */
            }
            break;
        }
    }
    bk__catalogue_free(&catalogue);
    return found;
}
