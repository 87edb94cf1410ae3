/*
 * What the doctor looks at in the backups: how old the newest verified one is, whether the last attempt
 * failed, whether a restore was ever rehearsed. Not the disks they lie on: disks.c. doctor.c calls it.
 */
#include <doctor/findings.h>

#include <string.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/calendar.h>
#include <core/error.h>
#include <core/job.h>

#define HOUR_MS INT64_C(3600000)
#define DAY_MS (24 * HOUR_MS)
#define REHEARSAL_MS (30 * DAY_MS)
#define SLACK_MS (5 * INT64_C(60000)) /* clocks are set right all the time */

static int judge_age(struct bk__job *job, struct bk__findings *findings, const char *last,
                     int64_t at) {
    int64_t now = bk__job_wall(job);
    int64_t stale = bk__calendar_stale_at(bk__job_config(job), at);
    if (at > now + SLACK_MS) {
        return bk__find(
            findings,
            (struct bk__advice){"backup_ahead", BK__WARNING,
                                "Set the clock right, then run: botkeep backup create"},
            "The newest verified backup is from %s, which lies ahead: the clock was "
            "wrong then, or is now.",
            last);
    }
    if (stale >= 0 && now > stale) {
        return bk__find(
            findings,
            (struct bk__advice){"backup_old", BK__WARNING,
                                "Check that the bot runs and backup.every is set."},
            "For %lld hours no verified backup has held all of the data.",
            (long long)((now - at) / HOUR_MS));
    }
    return bk__find(findings, (struct bk__advice){"backup", BK__OK, ""},
                    "A verified backup holds the data of %s.", last);
}

/* A database that did not change needs no new backup: what counts is until when its data is known to be
   in one. */
static int judge_newest(struct bk__job *job, struct bk__findings *findings,
                        struct json_object *status) {
    struct json_object *newest = bk__json_member(status, "newest");
    const char *last = bk__json_text(status, "last_verified_at", "");
    int64_t at = 0;
    if (!newest) {
        return bk__find(
            findings,
            (struct bk__advice){"no_backup", BK__WARNING, "Run: botkeep backup create"},
            "There is no backup yet.");
    }
    if (!bk__stamp_parse(last, &at)) {
        return bk__find(findings,
                        (struct bk__advice){"no_verified_backup", BK__PROBLEM,
                                            "Run: botkeep backup create"},
                        "No backup is whole; the newest one, %s, is damaged or partial.",
                        bk__json_text(newest, "name", ""));
    }
    return judge_age(job, findings, last, at);
}

/* What was never restored is a hope. A month is what a bot's owner should not go beyond. */
static int judge_rehearsal(struct bk__job *job, struct bk__findings *findings,
                           struct json_object *status) {
    static const struct bk__advice advice = {"no_rehearsal", BK__WARNING,
                                             "Run: botkeep backup rehearse"};
    struct json_object *rehearsal = bk__json_member(status, "rehearsal");
    int64_t at = 0;
    if (bk__json_member(status, "newest") == NULL) {
        return 0; /* said already */
    }
    if (!rehearsal || !bk__stamp_parse(bk__json_text(rehearsal, "at", ""), &at)) {
        return bk__find(findings, advice, "No backup was ever restored to try it.");
    }
    int64_t age = bk__job_wall(job) - at;
    if (!bk__json_bool(rehearsal, "ok", false)) {
        return bk__find(
            findings,
            (struct bk__advice){"rehearsal_failed", BK__PROBLEM,
                                "Mend what it names, or make a new backup; then "
                                "run: botkeep backup rehearse"},
            "The last rehearsal of a restore said: %s",
            bk__json_text(rehearsal, "error", ""));
    }
    if (age < -SLACK_MS) {
        return bk__find(findings, advice,
                        "The last rehearsal of a restore is from a time ahead: the clock "
                        "was wrong then, or is now.");
    }
    if (age > REHEARSAL_MS) {
        return bk__find(findings, advice,
                        "The last rehearsal of a restore is %lld days old.",
                        (long long)(age / DAY_MS));
    }
    bool shut = strcmp(bk__json_text(rehearsal, "depth", "full"), "sealed") == 0;
    return bk__find(findings, (struct bk__advice){"rehearsal", BK__OK, ""},
                    shut ? "Backup %s is what was made; only who has the secret key can "
                           "rehearse a restore of it."
                         : "Backup %s was restored and checked.",
                    bk__json_text(rehearsal, "name", ""));
}

int bk__doctor_backups(struct bk__job *job, struct bk__findings *findings) {
    static const struct bk__question question = {
        "backup.status",
        NULL,
        {"backup_dir", BK__PROBLEM, "Set backup.dir to a folder this user may write."},
        "The backup folder cannot be used"};
    struct json_object *status = NULL;
    int error = bk__doctor_ask(job, findings, &question, &status);
    if (error || !status) {
        return error;
    }
    error = judge_newest(job, findings, status);
    error = error ? error : judge_rehearsal(job, findings, status);
    struct json_object *failure = bk__json_member(status, "last_failure");
    if (!error && failure && bk__json_bool(status, "failing", false)) {
        error = bk__find(
            findings,
            (struct bk__advice){"backup_failed", BK__WARNING,
                                "Mend the cause, then run: botkeep backup create"},
            "The last backup failed: %s", bk__json_text(failure, "message", ""));
    }
    json_object_put(status);
    return error;
}
