/*
 * The table of this room's operations: names, arguments, results and words for each.
 * No work is done here. api/tables.c lists it; docs, flags and bindings are made from it.
 */
#include <backup/backup.h>

#include <stddef.h>

#include <backup/operations.h>

#define KINDS "manual|auto|startup|shutdown|pre_restore|pre_migration"

#define STORES "database|redis"

static const struct bk__field create_arguments[] = {
    {"kind", "text", "manual", KINDS,
     "Why it is made. Retention counts each kind separately."},
    {"note", "text", "", "", "A text of your own, kept with the backup."},
    {"compress", "text", "", "auto|gzip|zstd|none",
     "Instead of the option backup.compress."},
    {"store", "text", "", STORES, "Only this store, if the bot has several."},
    {"gap", "int", "0", "",
     "In minutes: no backup is made if a verified one of this kind is younger. 0: always "
     "make one."},
    {0}};

static const struct bk__field create_result[] = {
    {"name", "text", "", "", "The backup's name, for backup.restore and backup.verify."},
    {"path", "text", "", "", "The archive's whole path."},
    {"kind", "text", "", KINDS, "Why it was made."},
    {"created_at", "text", "", "", "When the snapshot began."},
    {"sequence", "int", "", "",
     "Grows with each backup in the folder, whatever the clock does."},
    {"bytes", "int", "", "", "Size of the archive."},
    {"database_bytes", "int", "", "", "Size of the database inside."},
    {"page_size", "int", "", "", "Bytes of one page of the database."},
    {"pages", "int", "", "", "Pages of the database."},
    {"sha256", "text", "", "", "SHA-256 of the database inside."},
    {"archive_sha256", "text", "", "", "SHA-256 of the archive."},
    {"compression", "text", "", "gzip|zstd|none", "How the archive is packed."},
    {"encryption", "text", "", "none|key|recipient", "How the archive is encrypted."},
    {"key_id", "text~", "", "", "The key it is encrypted with."},
    {"tables", "object", "", "", "Rows of each table, by name."},
    {"chain", "int", "", "", "How many other backups it needs; 0: it holds everything."},
    {"parent", "text~", "", "",
     "If it holds only changes: how the name of the backup it builds on begins."},
    {"parent_sha256", "text~", "", "", "SHA-256 of the database in that backup."},
    {"payload_bytes", "int~", "", "", "Size of the changes before they were packed."},
    {"note", "text~", "", "", "The note, if there is one."},
    {"remark", "text~", "", "",
     "Something worth knowing that was found while it was checked."},
    {"verified", "bool", "", "", "Always true: what cannot be read back is no backup."},
    {"verified_at", "text", "", "", "When it was read back."},
    {"snapshot_ms", "int", "", "", "How long the database was read."},
    {"verify_ms", "int", "", "", "How long packing, proving and reading back took."},
    {"total_ms", "int", "", "", "How long all of it took."},
    {"pruned[]", "text", "", "", "Names of old backups that retention deleted."},
    {"recent", "bool~", "", "",
     "True if no backup was made because this one is younger than gap."},
    {"unchanged", "bool", "", "",
     "True if no backup was needed: this one holds all of the database."},
    {"unchanged_since", "text~", "", "", "If unchanged: when its snapshot began."},
    {"status", "text~", "", "complete|partial",
     "Of a set of several stores. If it is partial, the job fails with BK_EPARTIAL and "
     "gives this result beside the error."},
    {"server_version", "text~", "", "", "Of a database server: its version."},
    {"client_version", "text~", "", "", "The version of the program that dumped it."},
    {"skew_ms", "int~", "", "", "Of a set: the time between its snapshots."},
    {"stores", "list~", "", "",
     "Of a set: its stores, each with what a backup of it alone would have."},
    {"stores[].store", "text", "", STORES, "Which store."},
    {"stores[].driver", "text", "", "", "What kind of store it is."},
    {"stores[].name", "text", "", "", "Its archive, in the set."},
    {"stores[].snapshot_at", "text", "", "", "When its snapshot began."},
    {"stores[].bytes", "int", "", "", "Size of its archive."},
    {"stores[].database_bytes", "int", "", "", "Size of what is inside."},
    {"stores[].sha256", "text", "", "", "SHA-256 of what is inside."},
    {0}};

static const struct bk__field list_arguments[] = {
    {"kind", "text", "", KINDS, "Only backups of this kind."},
    {"limit", "int", "", "", "At most this many, the newest."},
    {"foreign", "bool", "false", "", "Also list the backups that other tools made."},
    {0}};

static const struct bk__field list_result[] = {
    {"backups", "list", "", "", "The backups, newest first."},
    {"backups[].name", "text", "", "", "Its name."},
    {"backups[].kind", "text", "", KINDS, "Why it was made."},
    {"backups[].created_at", "text", "", "", "When the snapshot began."},
    {"backups[].sequence", "int", "", "", "Its number in the order of all backups."},
    {"backups[].bytes", "int", "", "", "Size of the archive."},
    {"backups[].database_bytes", "int", "", "", "Size of the database inside."},
    {"backups[].compression", "text", "", "gzip|zstd|none", "How it is packed."},
    {"backups[].encryption", "text", "", "none|key|recipient", "How it is encrypted."},
    {"backups[].key_id", "text~", "", "", "The key it is encrypted with."},
    {"backups[].sha256", "text", "", "", "SHA-256 of the database inside."},
    {"backups[].verified", "bool", "", "",
     "False once backup.verify has found it damaged."},
    {"backups[].verified_at", "text", "", "", "When it was last read back whole."},
    {"backups[].note", "text~", "", "", "Its note, if it has one."},
    {"backups[].remark", "text~", "", "",
     "Something worth knowing that was found while it was checked."},
    {"backups[].adopted_from", "text~", "", "",
     "The other tool's backup it was made from."},
    {"backups[].error", "text~", "", "", "If it is damaged: what backup.verify found."},
    {"backups[].chain", "int", "", "",
     "How many other backups it needs; 0: it holds everything."},
    {"backups[].parent", "text~", "", "",
     "If it holds only changes: how the name of the backup it builds on begins."},
    {"backups[].status", "text~", "", "complete|partial",
     "Of a set of several stores: whether it has them all."},
    {"backups[].skew_ms", "int~", "", "", "Of a set: the time between its snapshots."},
    {"backups[].stores", "list~", "", "",
     "Of a set: its stores. One that could not be saved has an error."},
    {"backups[].stores[].store", "text", "", STORES, "Which store."},
    {"backups[].stores[].snapshot_at", "text~", "", "", "When its snapshot began."},
    {"backups[].stores[].bytes", "int~", "", "", "Size of its archive."},
    {"backups[].stores[].error", "text~", "", "", "Why it could not be saved."},
    {"total", "int", "", "", "How many there are, whatever the limit."},
    {"total_bytes", "int", "", "", "Their size together."},
    {"dir", "text", "", "", "The folder they are in."},
    {"foreign_total", "int", "", "", "How many backups of other tools there are."},
    {"foreign_bytes", "int", "", "", "Their size together."},
    {"foreign", "list~", "", "", "Those, newest first, if they were asked for."},
    {"foreign[].name", "text", "", "",
     "Its name, for backup.verify, restore, adopt and query."},
    {"foreign[].format", "text", "", "sqlite|sql|postgres|redis|tar|folder|empty|?",
     "What it is; before it is verified, going by its name."},
    {"foreign[].tool", "text", "", "", "The tool that makes such names; empty: any."},
    {"foreign[].bytes", "int", "", "",
     "Its size, including the files that belong to it."},
    {"foreign[].created_at", "text", "", "", "When it was made."},
    {"foreign[].time_from", "text", "", "name|file",
     "Where that comes from: its name, or the file system."},
    {"foreign[].state", "text", "", "unknown|whole|torn|unsupported",
     "What backup.verify found. Unknown before that, and after the file changed. "
     "Unsupported: of a kind that cannot be looked into."},
    {"foreign[].adopted", "text?", "", "", "Our backup that was made from it."},
    {"foreign[].checked_at", "text", "", "", "When it was verified."},
    {"foreign[].error", "text~", "", "",
     "Why it is torn, or what it is that is not supported."},
    {"foreign[].link", "text~", "", "", "A symbolic link that leads to it."},
    {0}};

static const struct bk__field verify_arguments[] = {
    {"name", "text", "", "", "Which one; without it the newest."},
    {"all", "bool", "false", "", "All of them."},
    {"foreign", "bool", "false", "", "All that other tools made."},
    {"depth", "text", "full", "full|sample|structure",
     "full: every byte. structure: where each block begins and ends. sample: that, and "
     "parts chosen at random until deadline_ms is over."},
    {"deadline_ms", "int", "1000", "", "How long a sample may take, for each backup."},
    {0}};

static const struct bk__field verify_result[] = {
    {"backups", "list", "", "", "What was read."},
    {"backups[].name", "text", "", "", "Its name."},
    {"backups[].state", "text", "", "good|damaged|torn|unreadable|unsupported",
     "damaged: its bytes are not what its manifest says. torn: a part of it or its "
     "manifest is missing. unreadable: the system does not let it be read. "
     "unsupported: of another kind, or of a later version."},
    {"backups[].verified", "bool", "", "", "Whether its state is good."},
    {"backups[].depth", "text", "", "full|sealed|sample|structure",
     "sealed: it is encrypted and its key is not here, so only SHA-256 and frames were "
     "read."},
    {"backups[].checked_bytes", "int", "", "",
     "How many bytes of the archive were compared with what the manifest says."},
    {"backups[].damaged_from", "int~", "", "",
     "Of a damaged archive: the first byte of the damaged place."},
    {"backups[].damaged_to", "int~", "", "", "The first byte after that place."},
    {"backups[].error", "text~", "", "", "What is wrong, if anything is."},
    {"backups[].status", "text~", "", "complete|partial",
     "Of a set of several stores: whether it has them all."},
    {"backups[].format", "text~", "", "", "Of another tool: what it turned out to be."},
    {"backups[].tables", "object~", "", "", "Of another tool: the rows of each table."},
    {"backups[].note", "text~", "", "", "Of another tool: something to know about it."},
    {"backups[].by_hand", "text~", "", "",
     "Of another tool: how to restore it without botkeep."},
    {"verified", "int", "", "", "How many are good."},
    {"failed", "int", "", "",
     "How many are not. If there are any, the job fails and gives this result beside the "
     "error."},
    {0}};

static const struct bk__field rehearse_arguments[] = {
    {"name", "text", "", "", "Which one; without it the newest verified one."}, {0}};

static const struct bk__field rehearse_result[] = {
    {"name", "text", "", "", "The backup that was restored and thrown away."},
    {"bytes", "int", "", "", "Size of the restored database."},
    {"depth", "text", "", "full|sealed",
     "sealed: it is encrypted and its key is not here, so it was only verified."},
    {"tables", "object", "", "", "Rows of each table, as its manifest says."},
    {"ms", "int", "", "", "How long it took."},
    {0}};

static const struct bk__field restore_arguments[] = {
    {"name", "text", "", "",
     "Which one; without it the newest verified one, but none of the kind pre_restore."},
    {"mode", "text", "auto", "auto|live|staged",
     "live: into the open database. staged: when the bot starts next. auto: live, or as "
     "a whole file if the database does not open."},
    {"to", "text", "", "",
     "A path that does not exist: restore into this file instead. A set becomes a folder "
     "of files."},
    {"store", "text", "", STORES, "Of a set: only this store; without it, all of them."},
    {0}};

static const struct bk__field restore_result[] = {
    {"name", "text", "", "", "The backup that was restored."},
    {"mode", "text", "", "live|staged|path", "What was done."},
    {"applied", "bool", "", "", "False if it waits for the next start."},
    {"pre_restore", "text?", "", "", "The backup of what was there before."},
    {"kept", "text~", "", "",
     "Where the files of a damaged database were set aside; PostgreSQL: the name of the "
     "database that was there before."},
    {"bytes", "int", "", "", "Size of the restored database."},
    {"note", "text~", "", "", "Of another tool: something to know about it."},
    {"stores", "list~", "", "", "Of a set: what was restored, in this order."},
    {"stores[].store", "text", "", STORES, "Which store."},
    {"stores[].bytes", "int", "", "", "Size of what was restored."},
    {"stores[].kept", "text?", "", "", "Where its old state was set aside."},
    {"message", "text", "", "", "What happens next, for people."},
    {0}};

static const struct bk__field prune_arguments[] = {
    {"keep", "int", "", "", "Instead of the option backup.keep."},
    {"days", "int", "", "", "Instead of backup.keep.days."},
    {"daily", "int", "", "", "Instead of backup.keep.daily."},
    {"weekly", "int", "", "", "Instead of backup.keep.weekly."},
    {"monthly", "int", "", "", "Instead of backup.keep.monthly."},
    {"dry_run", "bool", "false", "", "Only say what would be deleted."},
    {0}};

static const struct bk__field prune_result[] = {
    {"deleted", "list", "", "", "What was deleted, or would be."},
    {"deleted[].name", "text", "", "", "Its name."},
    {"deleted[].bytes", "int", "", "", "Size of its archive."},
    {"deleted[].reason", "text", "", "", "Why it goes."},
    {"kept_because", "list", "", "", "What stays, newest first."},
    {"kept_because[].name", "text", "", "", "Its name."},
    {"kept_because[].bytes", "int", "", "", "Size of its archive."},
    {"kept_because[].reason", "text", "", "", "Why it stays: every rule that holds it."},
    {"kept", "int", "", "", "How many stay."},
    {"dry_run", "bool", "", "", "Whether nothing was really deleted."},
    {"freed_bytes", "int", "", "", "Size of what was deleted, or would be."},
    {0}};

static const struct bk__field status_result[] = {
    {"enabled", "bool", "", "", "Whether backups are made automatically."},
    {"every_hours", "number", "", "", "Hours between them, if cron is null."},
    {"cron", "text?", "", "", "The cron expression by which they are made."},
    {"timezone", "text?", "", "", "The zone of cron and of retention."},
    {"leader", "bool", "", "", "Whether this process runs the schedule of the bot."},
    {"leader_pid", "int?", "", "", "The process that does; null: none."},
    {"keep", "int", "", "", "How many of each kind stay; 0: all."},
    {"keep_days", "int", "", "",
     "Up to which age, in days, all stay as well; 0: age keeps none."},
    {"keep_daily", "int", "", "",
     "For how many days the last one of each stays as well."},
    {"keep_weekly", "int", "", "",
     "For how many weeks the last one of each stays as well."},
    {"keep_monthly", "int", "", "",
     "For how many months the last one of each stays as well."},
    {"dir", "text", "", "", "The folder of the backups."},
    {"total", "int", "", "", "How many there are."},
    {"total_bytes", "int", "", "", "Their size together."},
    {"encrypts", "bool", "", "", "Whether new backups are encrypted."},
    {"newest", "object?", "", "", "The newest one, as in backup.list."},
    {"oldest", "object?", "", "", "The oldest one."},
    {"last_success_at", "text?", "", "", "When a backup was last made."},
    {"last_verified_at", "text?", "", "",
     "The last moment at which all data is known to be in a backup that was read back."},
    {"failing", "bool", "", "", "Whether the last attempt failed."},
    {"last_failure", "object?", "", "",
     "When and why one last failed, however long ago: at, code, message."},
    {"last_checked_at", "text?", "", "",
     "When it was last found that nothing had changed since the newest backup."},
    {"unchanged_since", "text?", "", "",
     "Since when nothing has changed, according to that."},
    {"rehearsal", "object?", "", "",
     "How the last rehearsal of a restore went: at, name, ok, depth, ms, error."},
    {"metrics", "object", "", "",
     "The numbers for a monitoring system, as in the event metrics."},
    {"next_due_at", "text?", "", "", "When the next automatic one is due."},
    {"free_bytes", "int?", "", "", "Free space for them."},
    {"isolation", "text", "", "", "How the database is reached: thread, process or own."},
    {"staged", "text?", "", "",
     "The backup that waits to be restored at the next start."},
    {"broken", "list", "", "", "Backups that cannot be used and are never deleted."},
    {"broken[].name", "text", "", "", "Its name."},
    {"broken[].error", "text", "", "", "What is wrong with it."},
    {0}};

static const struct bk__field apply_result[] = {
    {"applied", "bool", "", "", "False when no restore waited."},
    {"name", "text?", "", "", "The backup that was restored."},
    {"pre_restore", "text?", "", "", "The backup of what was there before."},
    {"kept", "text?", "", "",
     "Where the files of a damaged database were set aside; PostgreSQL: the name of the "
     "database that was there before."},
    {0}};

static const struct bk__field adopt_arguments[] = {
    {"name", "text", "", "", "Which of the other tools' backups."},
    {"all", "bool", "false", "", "All that are whole and hold a SQLite database."},
    {"kind", "text", "", KINDS, "Its kind from now on; without it, what its name says."},
    {"move", "bool", "false", "", "Delete the original once ours is made and proven."},
    {0}};

static const struct bk__field adopt_result[] = {
    {"adopted", "list", "", "", "What was adopted."},
    {"adopted[].original", "text", "", "", "The other tool's name."},
    {"adopted[].name", "text", "", "", "Its name from now on."},
    {"adopted[].bytes", "int", "", "", "Size of our archive."},
    {"adopted[].moved", "bool", "", "", "Whether the original was deleted."},
    {"adopted[].note", "text~", "", "", "Something to know about it."},
    {"skipped", "list", "", "", "What was not adopted."},
    {"skipped[].name", "text", "", "", "Its name."},
    {"skipped[].reason", "text", "", "", "Why."},
    {"count", "int", "", "", "How many were adopted."},
    {0}};

static const struct bk__field query_arguments[] = {
    {"name", "text", "", "", "Which backup; without it the newest verified one."},
    {"sql", "text", NULL, "", "One statement that reads, with ? for parameters."},
    {"parameters", "list", "", "", "Its parameters, in their order."},
    {"limit", "int", "1000", "", "At most this many rows, up to 100000."},
    {"timeout_ms", "int", "60000", "", "How long the statement may take."},
    {0}};

static const struct bk__field query_result[] = {
    {"name", "text", "", "", "The backup that was asked."},
    {"columns[]", "text", "", "", "The names of the columns."},
    {"rows[]", "list", "", "",
     "The rows, each a list of values; a BLOB is {\"hex\": \"00ff\"}."},
    {"truncated", "bool", "", "",
     "Whether there are more rows: the limit, or 4 MB, was reached."},
    {0}};

static const struct bk__field extract_arguments[] = {
    {"name", "text", "", "", "Which backup; without it the newest verified one."},
    {"to", "text", NULL, "", "The new SQLite file; the path must not exist."},
    {"table", "text", "", "", "The table to take, with its indexes."},
    {"query", "text", "", "", "Or a statement whose rows go into a table named result."},
    {"timeout_ms", "int", "", "",
     "How long it may take; without it, as long as it needs."},
    {0}};

static const struct bk__field extract_result[] = {
    {"name", "text", "", "", "The backup it came from."},
    {"path", "text", "", "", "The new file's whole path."},
    {"bytes", "int", "", "", "Its size."},
    {"table", "text", "", "", "The table in it."},
    {"rows", "int", "", "", "How many rows it has."},
    {"columns[]", "text", "", "", "The columns that were written."},
    {"indexes[]", "text", "", "", "The indexes that were made."},
    {"left_out[]", "text", "", "",
     "What belongs to the table but is not in the file: triggers and the like."},
    {0}};

static const struct bk__field key_arguments[] = {
    {"to", "text", NULL, "",
     "A path that does not exist, outside of backup.dir and state.dir."},
    {"kind", "text", "shared", "shared|recipient",
     "shared: one key encrypts and reads; recipient: a pair whose public half encrypts."},
    {0}};

static const struct bk__field key_result[] = {
    {"path", "text", "", "", "The new key file's whole path."},
    {"kind", "text", "", "shared|recipient", "Which kind it is."},
    {"public", "text?", "", "", "The public half, for the option backup.recipient."},
    {"key_id", "text", "", "", "Names the key in manifests and errors; no secret."},
    {"message", "text", "", "", "What to do with it, for people."},
    {0}};

const struct bk__operation bk__backup_operations[] = {
    {"backup.create",
     "Makes a backup of the database, proves it, and deletes what is too old.", "owner",
     BK__LANE_WORK, BK__PLACE_STORE, create_arguments, create_result, bk__backup_create},
    {"backup.list", "Lists the backups, newest first.", "owner", BK__LANE_QUICK,
     BK__PLACE_HOST, list_arguments, list_result, bk__backup_list},
    {"backup.verify",
     "Reads backups to the end and compares every byte with their manifests.", "owner",
     BK__LANE_WORK, BK__PLACE_STORE, verify_arguments, verify_result, bk__backup_verify},
    {"backup.rehearse",
     "Restores a backup into a file that is thrown away, and checks every page, every "
     "index and the rows of every table.",
     "owner", BK__LANE_WORK, BK__PLACE_STORE, rehearse_arguments, rehearse_result,
     bk__backup_rehearse},
    {"backup.restore",
     "Restores a backup, after verifying it and saving what is there now.", "owner",
     BK__LANE_WORK, BK__PLACE_STORE, restore_arguments, restore_result,
     bk__backup_restore},
    {"backup.prune", "Deletes backups that are too old, and says why each goes or stays.",
     "owner", BK__LANE_WORK, BK__PLACE_HOST, prune_arguments, prune_result,
     bk__backup_prune},
    {"backup.status",
     "Says how the backups are doing: the newest, the last failure, the next one.",
     "owner", BK__LANE_QUICK, BK__PLACE_HOST, NULL, status_result, bk__backup_status},
    {"backup.adopt",
     "Takes over backups that other tools made: each gets a manifest and comes under "
     "retention.",
     "owner", BK__LANE_WORK, BK__PLACE_STORE, adopt_arguments, adopt_result,
     bk__backup_adopt},
    {"backup.query", "Reads from a backup with SQL, without restoring it.", "owner",
     BK__LANE_WORK, BK__PLACE_STORE, query_arguments, query_result, bk__backup_query},
    {"backup.extract",
     "Puts one table of a backup, or the rows of a query, into a file of its own.",
     "owner", BK__LANE_WORK, BK__PLACE_STORE, extract_arguments, extract_result,
     bk__backup_extract},
    {"backup.apply", "Applies a staged restore.", "internal", BK__LANE_WORK,
     BK__PLACE_STORE, NULL, apply_result, bk__backup_apply},
    {"backup.key", "Makes a key file for encrypted backups.", "owner", BK__LANE_QUICK,
     BK__PLACE_HOST, key_arguments, key_result, bk__backup_key},
    {"backup.keys", "Checks the options of encryption.", "internal", BK__LANE_WORK,
     BK__PLACE_STORE, NULL, NULL, bk__backup_keys},
    {0}};
