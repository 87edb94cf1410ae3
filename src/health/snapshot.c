/*
 * A snapshot of health: the measured parts, the board, the worst level, printed as one JSON text.
 * bk_health() wants it at once, the operation health.snapshot probes the stores first. Not the
 * schedule.
 */
#include <health/operations.h>

#include <stdlib.h>

#include <base/json.h>
#include <base/stamp.h>
#include <core/config.h>
#include <core/error.h>
#include <core/job.h>
#include <core/keeper.h>
#include <health/board.h>
#include <health/level.h>
#include <health/measure.h>
#include <os/clock.h>

/* After this many missed intervals the last probe of a store says nothing any more. */
#define STALE_INTERVALS 3

struct room {
    struct bk__health_board *board;
    struct bk__meter *meter;
};

static void free_room(void *data) {
    struct room *room = data;
    if (room) {
        bk__health_board_free(room->board);
        bk__meter_free(room->meter);
        free(room);
    }
}

int bk__health_attach(struct bk__keeper *k) {
    struct room *room = calloc(1, sizeof *room);
    if (room) {
        room->board = bk__health_board_new();
        room->meter = bk__meter_new();
    }
    if (!room || !room->board || !room->meter) {
        free_room(room);
        return bk__fail_memory();
    }
    bk__keeper_attach(k, BK__ROOM_HEALTH, room, NULL, free_room);
    return 0;
}

struct bk__health_board *bk__health_board_of(struct bk__keeper *k) {
    struct room *room = bk__keeper_room(k, BK__ROOM_HEALTH);
    return room->board;
}

static int64_t stale_after(const struct bk__config *config) {
    double minutes = bk__config_number(config, BK__OPT_HEALTH_EVERY);
    return (int64_t)(STALE_INTERVALS * minutes * 60000) + 1;
}

static void print_run(struct bk__keeper *k, const struct bk__clock *clock,
                      struct bk__buf *out) {
    char stamp[BK__STAMP_SIZE];
    int64_t oldest = -1;
    int active = bk__keeper_active(k, &oldest);
    int64_t opened = bk__keeper_opened_mono(k);
    bk__stamp_iso(clock->wall_ms(clock->context), stamp);
    bk__buf_printf(out, ",\"checked_at\":\"%s\",\"uptime_ms\":%lld,\"isolation\":\"%s\"",
                   stamp,
                   opened ? (long long)(clock->mono_ms(clock->context) - opened) : 0,
                   bk__keeper_isolation(k));
    bk__buf_printf(out, ",\"operations\":{\"active\":%d,\"oldest_ms\":", active);
    if (oldest < 0) {
        bk__buf_text(out, "null},");
    } else {
        bk__buf_printf(out, "%lld},", (long long)oldest);
    }
}

static void add_part(struct bk__buf *out, const char *before, const struct bk__buf *part,
                     const char *after) {
    bk__buf_text(out, before);
    bk__buf_add(out, part->data ? part->data : "", part->size);
    bk__buf_text(out, after);
    out->failed = out->failed || part->failed;
}

static void print(struct bk__keeper *k, struct bk__buf *out) {
    const struct bk__config *config = bk__keeper_config(k);
    const struct bk__clock *clock = bk__keeper_clock(k);
    struct room *room = bk__keeper_room(k, BK__ROOM_HEALTH);
    struct bk__verdict verdict = {BK__HEALTHY, {0}, {0}};
    struct bk__buf measured = {0};
    struct bk__board_view view = {
        .mono_ms = clock->mono_ms(clock->context),
        .stale_ms = stale_after(config),
        .wanted = {*bk__config_text(config, BK__OPT_DATABASE) != '\0',
                   *bk__config_text(config, BK__OPT_REDIS) != '\0'}};
    bk__meter_print(room->meter, config, &measured, &verdict);
    bk__health_board_read(room->board, &verdict, &view);
    bk__buf_printf(out, "{\"status\":\"%s\"", bk__level_name(verdict.worst));
    print_run(k, clock, out);
    add_part(out, "", &measured, ",");
    add_part(out, "\"database\":", &view.stores[BK__HEALTH_DATABASE], ",");
    add_part(out, "\"redis\":", &view.stores[BK__HEALTH_REDIS], ",");
    add_part(out, "\"loops\":{", &view.loops, "},");
    add_part(out, "\"checks\":{", &verdict.checks, "},");
    add_part(out, "\"issues\":[", &verdict.issues, "]}");
    bk__buf_free(&measured);
    bk__buf_free(&view.loops);
    for (int i = 0; i < BK__HEALTH_STORES; i++) {
        bk__buf_free(&view.stores[i]);
    }
    bk__verdict_free(&verdict);
}

char *bk__health_now(struct bk__keeper *k) {
    struct bk__buf out = {0};
    print(k, &out);
    char *text = bk__buf_take(&out);
    bk__buf_free(&out);
    if (!text) {
        bk__fail_memory();
    }
    return text;
}

int bk__health_snapshot(struct bk__job *job) {
    int error = bk__health_probe(job);
    error = error ? error : bk__health_backups(job);
    char *text = error ? NULL : bk__health_now(bk__job_keeper(job));
    if (!text) {
        return error ? error : BK_ENOMEM;
    }
    struct json_object *snapshot = bk__json_parse(text, NULL);
    free(text);
    if (!snapshot) {
        return bk__fail(BK_EINTERNAL,
                        "The health snapshot could not be printed. The data is not "
                        "touched; please report it.");
    }
    bool good = true;
    json_object_object_foreach(snapshot, name, value) {
        good = good && bk__json_put(bk__job_result(job), name, json_object_get(value));
    }
    json_object_put(snapshot);
    return good ? 0 : bk__fail_memory();
}
