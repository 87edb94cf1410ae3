/*
 * What api needs of this room: its operations, what it keeps with a keeper, and a snapshot at
 * once. Not the measuring (measure.h).
 */
#ifndef BK_HEALTH_OPERATIONS_H
#define BK_HEALTH_OPERATIONS_H

#include <core/operation.h>

struct bk__health_board;
struct bk__keeper;

extern const struct bk__operation bk__health_operations[];

/* Hangs the room's data into a keeper that is not open yet. BK_ENOMEM. */
int bk__health_attach(struct bk__keeper *k);

/* The board of a keeper it was hung into. */
struct bk__health_board *bk__health_board_of(struct bk__keeper *k);

/* See bk_health(): measured on the caller's thread, the database as last probed. NULL: ENOMEM. */
char *bk__health_now(struct bk__keeper *k);

int bk__health_snapshot(struct bk__job *job);

#endif
