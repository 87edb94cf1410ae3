/*
 * A host that has called setlocale() with a decimal comma, without any locale being installed.
 * Not a sandbox of its own (sandbox.h). The tests of numbers call it.
 */
#ifndef BK_TESTS_COMMA_H
#define BK_TESTS_COMMA_H

/* Within a sandboxed test: makes such a locale and sets it for the process. Ends the program
   where printf() does not write "1,5" afterwards. */
void comma_begin(void);
void comma_end(void); /* back to "C" */

#endif
