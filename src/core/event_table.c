/*
 * The table of events: what bk_next() may give, member by member. The queue is event.c.
 * describe.c prints it; the reference and the bindings' declarations come from it.
 */
#include <core/event.h>

#define END                                                                              \
    { 0 }
#define F(name, type, values, doc)                                                       \
    { name, type, "", values, doc }

static const struct bk__field done_fields[] = {
    F("job", "int", "", "The job that ended."),
    F("operation", "text", "", "Its operation."),
    F("ok", "bool", "", "Whether it did what it was asked."),
    F("result", "object?", "",
      "The operation's result; with ok false only where it says so: what it found or did "
      "before it failed."),
    F("error", "object?", "", "With ok false: what failed."),
    F("error.code", "text?", "", "The error's name, for example BK_ENOSPC."),
    F("error.message", "text?", "",
      "What happened, whether data is safe, what to do next."),
    END};

static const struct bk__field progress_fields[] = {
    F("job", "int", "", "The job that goes on."),
    F("operation", "text", "", "Its operation."),
    F("phase", "text", "", "What it does now."),
    F("done", "int", "", "Bytes or steps done in this phase."),
    F("total", "int", "", "Bytes or steps of this phase in all; 0: not known."),
    END};

static const struct bk__field log_fields[] = {
    F("level", "text", "debug|info|warning|error", "How much it matters."),
    F("message", "text", "", "One line for a human."),
    F("time", "text", "", "When, UTC."),
    F("job", "int?", "", "The job that said it, if one did."), END};

static const struct bk__field scheduled_fields[] = {
    F("operation", "text", "", "The operation the schedule ran."),
    F("ok", "bool", "", "Whether it did what it should."),
    F("result", "object?", "", "With ok true: the operation's result."),
    F("error", "object?", "", "With ok false: what failed."),
    F("error.code", "text?", "", "The error's name."),
    F("error.message", "text?", "",
      "What happened, whether data is safe, what to do next."),
    F("next_due_at", "text", "", "When it runs again, UTC."),
    END};

static const struct bk__field run_fields[] = {
    F("run_id", "text", "", "This run's name."),
    F("started_at", "text", "", "When it began, UTC."),
    F("previous", "object?", "", "The run before it; null: there was none."),
    F("previous.run_id", "text?", "", "That run's name."),
    F("previous.started_at", "text?", "", "When it began, UTC."),
    F("previous.ended", "text?", "clean|crash|killed|reboot|unknown", "How it ended."),
    F("previous.uptime_ms", "int?", "", "How long it was seen alive."),
    F("previous.last_seen_at", "text?", "", "When it was last seen alive, UTC."),
    END};

static const struct bk__field health_fields[] = {
    F("from", "text", "healthy|degraded|unhealthy|unknown", "The level until now."),
    F("to", "text", "healthy|degraded|unhealthy|unknown",
      "The level from now on; the same where only the issues changed."),
    F("time", "text", "", "When it was measured, UTC."),
    F("issues", "list?", "", "What is wrong."),
    F("issues[].code", "text?", "", "The issue's code."),
    F("issues[].check", "text?", "", "The check that found it."),
    F("issues[].message", "text?", "", "One line for a human."),
    END};

static const struct bk__field metrics_fields[] = {
    F("backup_total", "int", "", "Counter: backups made."),
    F("backup_failures_total", "int", "", "Counter: attempts that failed."),
    F("backup_duration_seconds", "number", "", "Gauge: how long the last one took."),
    F("backup_size_bytes", "int", "", "Gauge: the size of the last archive."),
    F("backup_last_success_timestamp_seconds", "number?", "",
      "Gauge: when one last succeeded or was not needed, in seconds since 1970."),
    END};

static const struct bk__field overflow_fields[] = {
    F("dropped", "int", "", "How many events were lost because nobody took them."), END};

static const struct bk__field no_fields[] = {END};

const struct bk__event_row bk__event_rows[] = {
    {"done", "A job ended; exactly one for each bk_run().", done_fields},
    {"progress", "A job goes on; at most ten a second.", progress_fields},
    {"log", "A line for the host's log, at log.level or above.", log_fields},
    {"scheduled", "Work of the schedule ended (backup.every).", scheduled_fields},
    {"run", "This run of the bot began; how the one before it ended.", run_fields},
    {"health", "The overall level of health changed.", health_fields},
    {"metrics", "A backup ended, well or not: the numbers for a monitoring system.",
     metrics_fields},
    {"overflow",
     "More than 1024 events waited; the oldest were dropped, done events never.",
     overflow_fields},
    {"closed", "The keeper has ended; nothing comes after it.", no_fields},
    {0}};
