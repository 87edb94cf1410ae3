/*
 * The thread's error text, and how errno becomes one of the public errors. Every room below api
 * returns bk__fail(...) where something failed; the job runner or api carries the text out.
 */
#ifndef BK_CORE_ERROR_H
#define BK_CORE_ERROR_H

#include <botkeep.h>

/*
 * Sets this thread's error text and returns code. The text says what happened, whether the data
 * is safe, and what to do next. Never put a secret into it (bk__text_redact).
 */
int bk__fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The same for a failed system call: err is a positive errno or a negative one. "doing" reads
   like "cannot write the backup"; path may be NULL; advice may be NULL (one is chosen). */
int bk__fail_errno(int err, const char *doing, const char *path, const char *advice);

int bk__fail_memory(void);

const char *bk__error_name(int error); /* as bk_error_name() */
const char *bk__error_text(void);      /* this thread's, "" when none */
void bk__error_clear(void);

#endif
