/*
 * What every exported function does first: forget the last error, check texts, find the keeper.
 * Only files of api include it.
 */
#ifndef BK_API_CHECK_H
#define BK_API_CHECK_H

#include <stdbool.h>

#include <botkeep.h>
#include <core/error.h>
#include <core/keeper.h>

/* 0, or BK_EINVAL naming the argument: NULL, longer than 1 MiB, not UTF-8. */
int bk__api_text(const char *text, const char *argument);
int bk__api_text_or_null(const char *text, const char *argument);
int bk__api_timeout(int timeout_ms);

/* Clears the error and takes a reference: bk__keeper_put() after. BK_EHANDLE, BK_EFORK. */
int bk__api_enter(const bk_keeper *k, struct bk__keeper **ret);

#endif
