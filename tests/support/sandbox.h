/*
 * A folder of its own for each test, under $TMPDIR, and files in it. Not assertions: what fails
 * here ends the program with a word. Any test may call it.
 */
#ifndef BK_TESTS_SANDBOX_H
#define BK_TESTS_SANDBOX_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* For cmocka_unit_test_setup_teardown(). */
int sandbox_setup(void **state);
int sandbox_teardown(void **state);

/* The folder, and paths in it; each of these lives until the thread's eighth
   call after. */
const char *sandbox_dir(void);
const char *sandbox_path(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Writes a file in the folder, making the folders above it. */
void sandbox_write(const char *name, const char *text);

#endif
