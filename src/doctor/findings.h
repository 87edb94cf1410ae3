/*
 * The list of findings a doctor's run builds. Not the looking (look.c). Both files of
 * looking and the operation use it.
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

const char *bk__weight_name(enum bk__weight weight);

/* Each looks at one subject; 0, or an error that ends the run (cancelled, out of memory).
 */
int bk__doctor_stores(struct bk__job *job, struct bk__findings *findings);
int bk__doctor_backups(struct bk__job *job, struct bk__findings *findings);
int bk__doctor_disks(struct bk__job *job, struct bk__findings *findings);
int bk__doctor_sqlite(struct bk__job *job, struct bk__findings *findings);
int bk__doctor_migrations(struct bk__job *job, struct bk__findings *findings);

#endif
