/*
 * The operation of this room, for api/tables.c, which lists it. Not its code, which stands in
 * doctor.c and look.c.
 */
#ifndef BK_DOCTOR_OPERATIONS_H
#define BK_DOCTOR_OPERATIONS_H

#include <core/operation.h>

extern const struct bk__operation bk__doctor_operations[];

#endif
