/*
 * health.snapshot: calls each measuring part, then says the worst level. Not the
 * measuring, not the schedule. Runs as a job in the host's process.
 */
#include <health/operations.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <health/board.h>
#include <health/level.h>
#include <health/measure.h>

static int measure_board(struct bk__job *job, struct bk__health_verdict *verdict) {
    struct json_object *loops = bk__json_object();
    if (!loops) {
        return bk__fail_memory();
    }
    struct bk__health_board *board =
        bk__keeper_room(bk__job_keeper(job), BK__ROOM_HEALTH);
    int error = bk__health_board_read(board, bk__job_mono(job), verdict, loops);
    if (error) {
        json_object_put(loops);
        return error;
    }
    return bk__json_put(bk__job_result(job), "loops", loops) ? 0 : bk__fail_memory();
}

static int measure_all(struct bk__job *job, struct bk__health_verdict *verdict) {
    int error = bk__health_run(job);
    error = error ? error : bk__health_memory(job, verdict);
    error = error ? error : bk__health_cpu(job);
    error = error ? error : bk__health_disks(job, verdict);
    error = error ? error : bk__health_database(job, verdict);
    return error ? error : measure_board(job, verdict);
}

/* Takes the verdict's objects, on failure too. */
static int report(struct bk__job *job, struct bk__health_verdict *verdict) {
    struct json_object *result = bk__job_result(job);
    char stamp[BK__STAMP_SIZE];
    bk__stamp_iso(bk__job_wall(job), stamp);
    bool good = bk__json_put(result, "checks", verdict->checks);
    good = bk__json_put(result, "issues", verdict->issues) && good;
    good =
        good && bk__json_add_text(result, "status", bk__level_name(verdict->worst)) &&
        bk__json_add_text(result, "checked_at", stamp) &&
        bk__json_add_text(result, "isolation", bk__keeper_isolation(bk__job_keeper(job)));
    return good ? 0 : bk__fail_memory();
}

int bk__health_snapshot(struct bk__job *job) {
    struct bk__health_verdict verdict = {BK__HEALTHY, bk__json_object(), bk__json_list()};
    int error =
        verdict.checks && verdict.issues ? measure_all(job, &verdict) : bk__fail_memory();
    if (error) {
        json_object_put(verdict.checks);
        json_object_put(verdict.issues);
        return error;
    }
    return report(job, &verdict);
}
