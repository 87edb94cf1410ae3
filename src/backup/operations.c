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
     "Why it is made; retention counts each kind for itself."},
    {"note", "text", "", "", "A text of yours that is kept with the backup."},
    {"compress", "text", "", "auto|gzip|zstd|none",
     "Instead of the option backup.compress."},
    {"store", "text", "", STORES, "Only this store, where the bot has more than one."},
    {"gap", "int", "0", "",
     "Minutes: a verified backup of this kind that is younger is enough; 0: none is."},
    {0}};

static const struct bk__field create_result[] = {
    {"name", "text", "", "", "The backup's name, for backup.restore and backup.verify."},
    {"path", "text", "", "", "The archive's whole path."},
    {"kind", "text", "", KINDS, "Why it was made."},
    {"created_at", "text", "", "", "When the snapshot began."},
    {"sequence", "int", "", "",
     "Grows with each backup of the folder, whatever the clock does."},
    {"bytes", "int", "", "", "Size of the archive."},
    {"database_bytes", "int", "", "", "Size of the database inside."},
    {"page_size", "int", "", "", "Bytes of one page of the database."},
    {"pages", "int", "", "", "Pages of the database."},
    {"sha256", "text", "", "", "SHA-256 of the database inside."},
    {"archive_sha256", "text", "", "", "SHA-256 of the archive."},
    {"compression", "text", "", "gzip|zstd|none", "How the archive is packed."},
    {"encryption", "text", "", "none|key|recipient", "How the archive is encrypted."},
    {"key_id", "text~", "", "", "With which key, where it is."},
    {"tables", "object", "", "", "Rows of each table, by name."},
    {"chain", "int", "", "", "How many other backups it needs; 0: it holds all."},
    {"parent", "text~", "", "",
     "Of one that holds only changes: how the name of the one it changes begins."},
    {"parent_sha256", "text~", "", "", "SHA-256 of the database in that one."},
    {"payload_bytes", "int~", "", "", "Size of the changes before they were packed."},
    {"note", "text~", "", "", "The note, where one was given."},
    {"remark", "text~", "", "", "What its proof found worth knowing."},
    {"verified", "bool", "", "", "Always true: what cannot be read back is no backup."},
    {"verified_at", "text", "", "", "When it was read back."},
    {"snapshot_ms", "int", "", "", "How long the database was read."},
    {"verify_ms", "int", "", "", "How long packing, proving and reading back took."},
    {"total_ms", "int", "", "", "From the beginning to the manifest."},
    {"pruned[]", "text", "", "", "Names of old backups that retention deleted."},
    {"recent", "bool~", "", "",
     "True when none was made because the one told of is younger than gap."},
    {"unchanged", "bool", "", "",
     "True when none was needed: the one told of holds all of the database."},
    {"unchanged_since", "text~", "", "", "When its snapshot began, where unchanged."},
    {"status", "text~", "", "complete|partial",
     "Of a set of several stores; with partial the job ends with BK_EPARTIAL, and tells "
     "this result beside it."},
    {"server_version", "text~", "", "", "Of a store that is a server: which one it was."},
    {"client_version", "text~", "", "", "Of the program that dumped it, where one did."},
    {"skew_ms", "int~", "", "", "Of a set: the time between its snapshots."},
    {"stores", "list~", "", "",
     "Of a set: each store, with what a backup of it alone would tell."},
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
    {"limit", "int", "", "", "At most so many, the newest."},
    {"foreign", "bool", "false", "", "Also list the backups that other tools made."},
    {0}};

static const struct bk__field list_result[] = {
    {"backups", "list", "", "", "The backups, newest first."},
    {"backups[].name", "text", "", "", "Its name."},
    {"backups[].kind", "text", "", KINDS, "Why it was made."},
    {"backups[].created_at", "text", "", "", "When the snapshot began."},
    {"backups[].sequence", "int", "", "", "Its place in the order of all."},
    {"backups[].bytes", "int", "", "", "Size of the archive."},
    {"backups[].database_bytes", "int", "", "", "Size of the database inside."},
    {"backups[].compression", "text", "", "gzip|zstd|none", "How it is packed."},
    {"backups[].encryption", "text", "", "none|key|recipient", "How it is encrypted."},
    {"backups[].key_id", "text~", "", "", "With which key, where it is."},
    {"backups[].sha256", "text", "", "", "SHA-256 of the database inside."},
    {"backups[].verified", "bool", "", "", "False once backup.verify found it damaged."},
    {"backups[].verified_at", "text", "", "", "When it was last read back whole."},
    {"backups[].note", "text~", "", "", "Its note, where one was given."},
    {"backups[].remark", "text~", "", "", "What its proof found worth knowing."},
    {"backups[].adopted_from", "text~", "", "",
     "The other tool's backup it was made from."},
    {"backups[].error", "text~", "", "",
     "What backup.verify found, where it is damaged."},
    {"backups[].chain", "int", "", "",
     "How many other backups it needs; 0: it holds all."},
    {"backups[].parent", "text~", "", "",
     "Of one that holds only changes: how the name of the one it changes begins."},
    {"backups[].status", "text~", "", "complete|partial",
     "Of a set of several stores: whether it has them all."},
    {"backups[].skew_ms", "int~", "", "", "Of a set: the time between its snapshots."},
    {"backups[].stores", "list~", "", "",
     "Of a set: its stores; one that could not be saved has no name, but an error."},
    {"backups[].stores[].store", "text", "", STORES, "Which store."},
    {"backups[].stores[].snapshot_at", "text~", "", "", "When its snapshot began."},
    {"backups[].stores[].bytes", "int~", "", "", "Size of its archive."},
    {"backups[].stores[].error", "text~", "", "", "Why it could not be saved."},
    {"total", "int", "", "", "How many there are, whatever the limit."},
    {"total_bytes", "int", "", "", "Their size together."},
    {"dir", "text", "", "", "The folder they are in."},
    {"foreign_total", "int", "", "", "How many backups of other tools there are."},
    {"foreign_bytes", "int", "", "", "Their size together."},
    {"foreign", "list~", "", "", "Those, newest first, where they were asked for."},
    {"foreign[].name", "text", "", "",
     "Its name, for backup.verify, restore, adopt, query."},
    {"foreign[].format", "text", "", "sqlite|sql|postgres|redis|tar|folder|empty|?",
     "What it is, by its name until it is verified."},
    {"foreign[].tool", "text", "", "", "Whose tool makes such names; empty: anybody's."},
    {"foreign[].bytes", "int", "", "", "Its size, with what belongs to it."},
    {"foreign[].created_at", "text", "", "", "When it was made."},
    {"foreign[].time_from", "text", "", "name|file",
     "Where that stands: in its name, or only in the file system."},
    {"foreign[].state", "text", "", "unknown|whole|torn|unsupported",
     "What backup.verify found; unknown before, and when the file changed. "
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
     "parts chosen at random until deadline_ms."},
    {"deadline_ms", "int", "1000", "", "How long a sample may take, for each backup."},
    {0}};

static const struct bk__field verify_result[] = {
    {"backups", "list", "", "", "What was read."},
    {"backups[].name", "text", "", "", "Its name."},
    {"backups[].state", "text", "", "good|damaged|torn|unreadable|unsupported",
     "damaged: its bytes are not those its manifest tells of. torn: a part of it is "
     "missing, or its manifest. unreadable: the system does not let it be read. "
     "unsupported: another kind, or of a later version."},
    {"backups[].verified", "bool", "", "", "Whether its state is good."},
    {"backups[].depth", "text", "", "full|sealed|sample|structure",
     "sealed: it is encrypted and its key is not here, so only SHA-256 and frames were "
     "read."},
    {"backups[].checked_bytes", "int", "", "",
     "Of the archive: how many were compared with what the manifest says."},
    {"backups[].damaged_from", "int~", "", "",
     "Of a damaged archive: the first byte of the place that the error names."},
    {"backups[].damaged_to", "int~", "", "", "And the first one after that place."},
    {"backups[].error", "text~", "", "", "What is wrong, where something is."},
    {"backups[].status", "text~", "", "complete|partial",
     "Of a set of several stores: whether it has them all."},
    {"backups[].format", "text~", "", "", "Another tool's: what it turned out to be."},
    {"backups[].tables", "object~", "", "", "Another tool's: rows of each table."},
    {"backups[].note", "text~", "", "", "Another tool's: what should be known of it."},
    {"backups[].by_hand", "text~", "", "",
     "Another tool's: how to restore it without us."},
    {"verified", "int", "", "", "How many are good."},
    {"failed", "int", "", "",
     "How many are not. The job then fails, and tells this result beside its error."},
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
    {"name", "text", "", "", "Which one; without it the newest verified one."},
    {"mode", "text", "auto", "auto|live|staged",
     "live: into the open database; staged: when the bot starts next; auto: live, or as "
     "a whole "
     "file where the database does not open."},
    {"to", "text", "", "",
     "A path that does not exist: restore into that file instead; a set becomes a folder "
     "of "
     "files."},
    {"store", "text", "", STORES, "Of a set: only this store; without it all of them."},
    {0}};

static const struct bk__field restore_result[] = {
    {"name", "text", "", "", "The backup that was restored."},
    {"mode", "text", "", "live|staged|path", "What was done."},
    {"applied", "bool", "", "", "False when it waits for the next start."},
    {"pre_restore", "text?", "", "", "The backup of what was there before."},
    {"kept", "text~", "", "",
     "Where the files of a damaged database were set aside; PostgreSQL: the name of the "
     "database that was there before."},
    {"bytes", "int", "", "", "Size of the restored database."},
    {"note", "text~", "", "", "Another tool's backup: what should be known of it."},
    {"stores", "list~", "", "", "Of a set: what was restored, in this order."},
    {"stores[].store", "text", "", STORES, "Which store."},
    {"stores[].bytes", "int", "", "", "Size of what it got."},
    {"stores[].kept", "text?", "", "", "What of its old state was set aside."},
    {"message", "text", "", "", "What happens next, for people."},
    {0}};

static const struct bk__field prune_arguments[] = {
    {"keep", "int", "", "", "Instead of the option backup.keep."},
    {"days", "int", "", "", "Instead of backup.keep.days."},
    {"daily", "int", "", "", "Instead of backup.keep.daily."},
    {"weekly", "int", "", "", "Instead of backup.keep.weekly."},
    {"monthly", "int", "", "", "Instead of backup.keep.monthly."},
    {"dry_run", "bool", "false", "", "Only tell what would be deleted."},
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
    {"enabled", "bool", "", "", "Whether backups are made on their own."},
    {"every_hours", "number", "", "", "Hours between them, where cron is null."},
    {"cron", "text?", "", "", "The cron expression they go by."},
    {"timezone", "text?", "", "", "The zone of cron and of retention."},
    {"leader", "bool", "", "", "Whether this process runs the schedule of the bot."},
    {"leader_pid", "int?", "", "", "The process that does; null: none."},
    {"keep", "int", "", "", "How many of each kind stay; 0: all."},
    {"keep_days", "int", "", "", "Up to which age all stay besides; 0: none."},
    {"keep_daily", "int", "", "", "Of how many days the last one stays."},
    {"keep_weekly", "int", "", "", "Of how many weeks the last one stays."},
    {"keep_monthly", "int", "", "", "Of how many months the last one stays."},
    {"dir", "text", "", "", "The folder of the backups."},
    {"total", "int", "", "", "How many there are."},
    {"total_bytes", "int", "", "", "Their size together."},
    {"encrypts", "bool", "", "", "Whether new backups are encrypted."},
    {"newest", "object?", "", "", "The newest one, as in backup.list."},
    {"oldest", "object?", "", "", "The oldest one."},
    {"last_success_at", "text?", "", "", "When a backup was last made."},
    {"last_verified_at", "text?", "", "",
     "Until when the data is known to be in a backup that was read back whole."},
    {"failing", "bool", "", "", "Whether the last attempt failed."},
    {"last_failure", "object?", "", "",
     "When and why one last failed, be it long ago: at, code, message."},
    {"last_checked_at", "text?", "", "",
     "When it was last seen that nothing had changed since the newest backup."},
    {"unchanged_since", "text?", "", "", "Since when, as that check found."},
    {"rehearsal", "object?", "", "",
     "How the last rehearsal of a restore went: at, name, ok, depth, ms, error."},
    {"metrics", "object", "", "",
     "The numbers for a monitoring system, as in the event metrics."},
    {"next_due_at", "text?", "", "", "When the next one of its own is due."},
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
    {"name", "text", "", "", "Which one of another tool's."},
    {"all", "bool", "false", "", "All that are whole and hold a SQLite database."},
    {"kind", "text", "", KINDS, "Its kind from now on; without it as its name tells."},
    {"move", "bool", "false", "", "Delete the original once ours is made and proven."},
    {0}};

static const struct bk__field adopt_result[] = {
    {"adopted", "list", "", "", "What became ours."},
    {"adopted[].original", "text", "", "", "The other tool's name."},
    {"adopted[].name", "text", "", "", "Ours."},
    {"adopted[].bytes", "int", "", "", "Size of our archive."},
    {"adopted[].moved", "bool", "", "", "Whether the original was deleted."},
    {"adopted[].note", "text~", "", "", "What should be known of it."},
    {"skipped", "list", "", "", "What was not adopted."},
    {"skipped[].name", "text", "", "", "Its name."},
    {"skipped[].reason", "text", "", "", "Why."},
    {"count", "int", "", "", "How many were adopted."},
    {0}};

static const struct bk__field query_arguments[] = {
    {"name", "text", "", "", "Which backup; without it the newest verified one."},
    {"sql", "text", NULL, "", "One statement that reads, with ? for parameters."},
    {"parameters", "list", "", "", "Its parameters, in their order."},
    {"limit", "int", "1000", "", "At most so many rows, up to 100000."},
    {"timeout_ms", "int", "60000", "", "How long the statement may take."},
    {0}};

static const struct bk__field query_result[] = {
    {"name", "text", "", "", "The backup that was asked."},
    {"columns[]", "text", "", "", "The names of the columns."},
    {"rows[]", "list", "", "",
     "The rows, each a list of values; a BLOB is {\"hex\": \"00ff\"}."},
    {"truncated", "bool", "", "",
     "Whether there are more: the limit, or 4 MB, is reached."},
    {0}};

static const struct bk__field extract_arguments[] = {
    {"name", "text", "", "", "Which backup; without it the newest verified one."},
    {"to", "text", NULL, "", "The new SQLite file; the path must not exist."},
    {"table", "text", "", "", "The table to take, with its indexes."},
    {"query", "text", "", "", "Or a statement whose rows go into the table result."},
    {"timeout_ms", "int", "", "",
     "How long it may take; without it as long as it needs."},
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
     "What belongs to the table and is not there: triggers, ..."},
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
     "Restores a backup into a file that is thrown away, and checks all of it: every "
     "page, every index, the rows of every table.",
     "owner", BK__LANE_WORK, BK__PLACE_STORE, rehearse_arguments, rehearse_result,
     bk__backup_rehearse},
    {"backup.restore",
     "Restores a backup, after verifying it and saving what is there now.", "owner",
     BK__LANE_WORK, BK__PLACE_STORE, restore_arguments, restore_result,
     bk__backup_restore},
    {"backup.prune", "Deletes backups that are too old, and tells why each.", "owner",
     BK__LANE_WORK, BK__PLACE_HOST, prune_arguments, prune_result, bk__backup_prune},
    {"backup.status",
     "Tells how the backups stand: the newest, the last failure, the next.", "owner",
     BK__LANE_QUICK, BK__PLACE_HOST, NULL, status_result, bk__backup_status},
    {"backup.adopt",
     "Makes backups of other tools ours: proven, with a manifest, under retention.",
     "owner", BK__LANE_WORK, BK__PLACE_STORE, adopt_arguments, adopt_result,
     bk__backup_adopt},
    {"backup.query", "Reads from a backup with SQL, without restoring it.", "owner",
     BK__LANE_WORK, BK__PLACE_STORE, query_arguments, query_result, bk__backup_query},
    {"backup.extract",
     "Puts one table of a backup, or what a query finds in it, into a file of its own.",
     "owner", BK__LANE_WORK, BK__PLACE_STORE, extract_arguments, extract_result,
     bk__backup_extract},
    {"backup.apply", "Applies a staged restore.", "internal", BK__LANE_WORK,
     BK__PLACE_STORE, NULL, apply_result, bk__backup_apply},
    {"backup.key", "Makes a key file for encrypted backups.", "owner", BK__LANE_QUICK,
     BK__PLACE_HOST, key_arguments, key_result, bk__backup_key},
    {"backup.keys", "Checks the options of encryption.", "internal", BK__LANE_WORK,
     BK__PLACE_STORE, NULL, NULL, bk__backup_keys},
    {0}};
