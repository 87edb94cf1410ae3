/*
 * The backups that other tools made: found by their names, never written, never deleted. Beside ours
 * in backup.dir, in its folders, and (DATABASE.pre_restore) beside the database.
 * Not what is inside: examine.h. list, verify, restore, adopt and look use it.
 */
#ifndef BK_BACKUP_FOREIGN_FOREIGN_H
#define BK_BACKUP_FOREIGN_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include <backup/catalogue/name.h>
#include <backup/foreign/pattern.h>

struct bk__catalogue;
struct bk__job;
struct json_object;

enum bk__foreign_state { BK__UNKNOWN, BK__WHOLE, BK__TORN, BK__UNSUPPORTED };
extern const char *const bk__foreign_states[]; /* their names, in lower case */

struct bk__foreign {
    /* In backup.dir, "daily/x.db.gz"; of a file beside the database its name alone. */
    char *name;
    char *path;
    char *link; /* a symbolic link that leads to it; NULL: none */
    struct bk__guess guess;
    int64_t bytes;   /* with what belongs to it */
    int64_t time_ms; /* of guess.moment, else when it was last changed */
    int64_t changed_ms;
    dev_t dev; /* of the file itself, so that it is known again */
    ino_t ino;
    bool has_wal, has_journal;
    /* from the last verify, when it is still the same file */
    enum bk__foreign_state state;
    int64_t checked_ms;
    char *error;
    char adopted[BK__NAME_SIZE]; /* our backup made from it; "": none */
};

struct bk__foreigners {
    struct bk__foreign *items; /* newest first */
    size_t count;
    int64_t bytes;
};

/* Looks by names and stat() alone; nothing is opened but folders. The catalogue is of the same
   folder. */
int bk__foreign_list(struct bk__job *job, const struct bk__catalogue *catalogue,
                     struct bk__foreigners *ret);
void bk__foreign_free(struct bk__foreigners *list);

/* The one of that name, or to which the link of that name leads; NULL: none. */
struct bk__foreign *bk__foreign_find(const struct bk__foreigners *list, const char *name);

/* For the list: {name, format, tool, bytes, created_at, time_from, state, ...}. NULL: ENOMEM. */
struct json_object *bk__foreign_show(const struct bk__foreign *foreign);

void bk__foreign_clear(struct bk__foreign *foreign);

#endif
