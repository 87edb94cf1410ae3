/*
 * What the schedule runs. Not when: core/schedule.h. open.c and shutdown.c include it.
 */
#ifndef BK_API_PLANS_H
#define BK_API_PLANS_H

struct bk__keeper;

/* The schedule begins once the keeper is open. */
int bk__api_plan(struct bk__keeper *k);

#endif
