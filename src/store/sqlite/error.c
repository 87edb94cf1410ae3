/*
 * SQLite's result codes as ours, with texts that say what happened, that the data is safe, and what
 * to do next. Not for scripts of migrations, which carry their own. The driver's files call it.
 */
#include <store/sqlite/internal.h>

#include <errno.h>
#include <string.h>

#include <core/error.h>
#include <core/job.h>
#include <os/file.h>

#define UNCHANGED "The database is as it was before."

struct meaning {
    int rc; /* an extended code stands before its primary code */
    int code;
    const char *why;
    const char *advice;
};

static const struct meaning meanings[] = {
    {SQLITE_BUSY, BK_EBUSY, "another connection holds its lock",
     "Try again when it has ended its transaction, or raise busy.wait. A program that "
     "uses PRAGMA locking_mode=EXCLUSIVE never lets go."},
    {SQLITE_LOCKED, BK_EBUSY, "it is in use by this operation itself", "Try again."},
    {SQLITE_NOTADB, BK_ECORRUPT, "the file is not a SQLite database (or it is encrypted)",
     "Check the option database; if this is the bot's database, restore a backup."},
    {SQLITE_CORRUPT, BK_ECORRUPT, "the database is damaged", "Restore a backup."},
    {SQLITE_FULL, BK_ENOSPC, "the disk is full", "Free some space and try again."},
    {SQLITE_NOMEM, BK_ENOMEM, "out of memory", "Try again."},
    {SQLITE_IOERR_NOMEM, BK_ENOMEM, "out of memory", "Try again."},
    {SQLITE_READONLY_DBMOVED, BK_EBUSY, "the file was moved or replaced meanwhile",
     "Restart whatever still uses the old file, then try again."},
    {SQLITE_READONLY_DIRECTORY, BK_EDENIED, "no file can be made in its folder",
     "SQLite keeps its journal beside the database: give the bot's user write access to "
     "the folder."},
    {SQLITE_READONLY_CANTINIT, BK_EDENIED, "its -shm file cannot be made or written",
     "A database in WAL mode needs a writable folder: give the bot's user write access "
     "to it."},
    {SQLITE_READONLY, BK_EDENIED, "it may only be read",
     "Give the bot's user write access to the file and its folder."},
    {SQLITE_PERM, BK_EDENIED, "access is refused",
     "Check the owner and mode of the file."},
    {SQLITE_AUTH, BK_EDENIED, "the statement is not allowed here", "Take it out."},
    {SQLITE_CANTOPEN, BK_EIO, "the file, its -wal or its -shm cannot be opened",
     "Check that the file and its folder exist and can be written: a database in WAL "
     "mode needs "
     "both even for reading."},
    {SQLITE_PROTOCOL, BK_EBUSY, "its WAL stays locked", "Try again."},
    {SQLITE_TOOBIG, BK_EINVAL, "a text or a row is too large for SQLite", "Split it."},
    {SQLITE_IOERR, BK_EIO, "the disk or the system failed",
     "Look at the system's log, and check the disk before anything else."},
};

static const struct meaning *meaning_of(int rc) {
    size_t i;

    for (i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].rc == rc || meanings[i].rc == (rc & 0xff)) {
            return &meanings[i];
        }
    }
    return NULL;
}

/* What the system said where SQLite says only that it could not. */
static int code_of_errno(int error, int otherwise) {
    switch (error) {
    case EACCES:
    case EPERM:
    case EROFS:
        return BK_EDENIED;
    case ENOSPC:
    case EDQUOT:
        return BK_ENOSPC;
    case ENOMEM:
        return BK_ENOMEM;
    case ENOENT:
    case ENOTDIR:
        return BK_ENOTFOUND;
    default:
        return otherwise;
    }
}

static int fail_system(struct bk__link *link, const struct meaning *m,
                       const char *doing) {
    int error = link->db == NULL ? 0 : sqlite3_system_errno(link->db);
    int code = code_of_errno(error, m->code);

    /* SQLite tries a -wal or -journal it could not make once more without making it, and then
       tells of that: a database that is there is not missing. */
    if (code == BK_ENOTFOUND && bk__file_exists(link->path)) {
        code = m->code;
        error = 0;
    }
    if (error == 0) {
        return bk__fail(code, "%s %s: %s. %s %s", doing, link->path, m->why, UNCHANGED,
                        m->advice);
    }
    return bk__fail(code, "%s %s: %s (%s). %s %s", doing, link->path, m->why,
                    strerror(error), UNCHANGED, m->advice);
}

int bk__link_fail(struct bk__link *link, int rc, const char *doing) {
    const struct meaning *m = meaning_of(rc);
    const char *said = link->db == NULL ? sqlite3_errstr(rc) : sqlite3_errmsg(link->db);

    if (bk__job_check(link->job) != 0) {
        return BK_ECANCELLED;
    }
    if (m == NULL) {
        return bk__fail(BK_EINVAL,
                        "%s %s: %s. %s Check the statement and the database's schema.",
                        doing, link->path, said, UNCHANGED);
    }
    if (m->code == BK_ENOMEM) {
        return bk__fail_memory();
    }
    if (m->rc == SQLITE_CANTOPEN || m->rc == SQLITE_IOERR) {
        return fail_system(link, m, doing);
    }
    return bk__fail(m->code, "%s %s: %s. %s %s", doing, link->path, m->why, UNCHANGED,
                    m->advice);
}

int bk__link_fail_scratch(struct bk__link *link, int rc, const char *doing) {
    if ((rc & 0xff) != SQLITE_READONLY) {
        return bk__link_fail(link, rc, doing);
    }
    return bk__fail(BK_EIO,
                    "%s %s: unable to open database file or its -wal for writing. The "
                    "bot's database was not touched. Look at the disk: is it full?",
                    doing, link->path);
}
