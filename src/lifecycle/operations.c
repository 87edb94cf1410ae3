/*
 * The table of lifecycle operations. What they do: run.c. api/tables.c lists it.
 */
#include <lifecycle/operations.h>

#include <stddef.h>

#include <lifecycle/run.h>

#define F(name, type, values, doc)                                                       \
    { name, type, "", values, doc }
#define ENDS "clean|crash|killed|reboot|unknown"

static const struct bk__field status_result[] = {
    F("run_id", "text", "", "This run's name."),
    F("started_at", "text", "", "When it began, UTC."),
    F("uptime_ms", "int", "", "How long ago that is."),
    F("previous", "object?", "", "The run before it; null: none is known."),
    F("previous.run_id", "text", "", "That run's name."),
    F("previous.started_at", "text", "", "When it began, UTC."),
    F("previous.ended", "text", ENDS, "How it ended."),
    F("previous.uptime_ms", "int", "", "How long it was seen alive."),
    F("previous.last_seen_at", "text", "", "When it was last seen alive, UTC."),
    F("operations", "int", "", "Operations of the host in flight."),
    F("recorded", "bool", "",
      "False: run.track is off, or another process of this bot runs."),
    F("leader", "bool", "", "Whether this process runs the schedule of the bot."),
    F("leader_pid", "int?", "", "The process that does; null: none."),
    {0}};

const struct bk__operation bk__lifecycle_operations[] = {
    {.name = "lifecycle.start",
     .doc = "Notes that a run of the bot begins, and how the one before it ended.",
     .who = "internal",
     .lane = BK__LANE_QUICK,
     .place = BK__PLACE_HOST,
     .run = bk__run_start},
    {.name = "lifecycle.seen",
     .doc = "Notes that the run is alive.",
     .who = "internal",
     .lane = BK__LANE_QUICK,
     .place = BK__PLACE_HOST,
     .run = bk__run_seen},
    {.name = "lifecycle.stop",
     .doc = "Notes that the run ends cleanly.",
     .who = "internal",
     .lane = BK__LANE_QUICK,
     .place = BK__PLACE_HOST,
     .run = bk__run_stop},
    {.name = "lifecycle.status",
     .doc = "Says how long this run has lasted and how the one before it ended.",
     .who = "anyone",
     .lane = BK__LANE_QUICK,
     .place = BK__PLACE_HOST,
     .result = status_result,
     .run = bk__run_status},
    {0}};
