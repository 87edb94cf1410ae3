/*
 * The list of findings a doctor's run builds, and asking the other rooms. Not the looking, which
 * every other file of this room does for one subject.
 */
#ifndef BK_DOCTOR_FINDINGS_H
#define BK_DOCTOR_FINDINGS_H

struct bk__job;
struct json_object;

enum bk__weight { BK__OK, BK__NOTE, BK__WARNING, BK__PROBLEM };

struct bk__findings {
    struct json_object *list;
    enum bk__weight worst;
};

struct bk__advice {
    const char *code; /* for programs, such as same_disk */
    enum bk__weight weight;
    const char *advice; /* what to do next; "" when nothing */
};

/* Adds a finding with a printed message. 0 or BK_ENOMEM. */
int bk__find(struct bk__findings *findings, struct bk__advice advice, const char *format,
             ...) __attribute__((format(printf, 3, 4)));

/* What is asked of another room, and the finding when it cannot answer. */
struct bk__question {
    const char *operation;
    const char *store; /* NULL: none in particular */
    struct bk__advice advice;
    const char *said; /* before the room's own words */
};

/* Asks. *ret_result is NULL when the room failed, which is a finding, not an error: that comes
   only when the job itself must end. */
int bk__doctor_ask(struct bk__job *job, struct bk__findings *findings,
                   const struct bk__question *question, struct json_object **ret_result);

const char *bk__weight_name(enum bk__weight weight);

/* Each looks at one subject; 0, or an error that ends the run (cancelled, out of memory).
 */
int bk__doctor_stores(struct bk__job *job, struct bk__findings *findings);
int bk__doctor_backups(struct bk__job *job, struct bk__findings *findings);
int bk__doctor_disks(struct bk__job *job, struct bk__findings *findings);
int bk__doctor_sqlite(struct bk__job *job, struct bk__findings *findings);
int bk__doctor_migrations(struct bk__job *job, struct bk__findings *findings);

#endif
