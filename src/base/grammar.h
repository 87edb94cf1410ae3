/*
 * Whether a text is JSON to the letter (RFC 8259): the gate before json-c, which
 * forgives. It builds nothing. json.c alone calls it.
 */
#ifndef BK_BASE_GRAMMAR_H
#define BK_BASE_GRAMMAR_H

/* NULL: one whole JSON object, nested at most depth containers deep, and it holds no NUL
   (escaped, it would cut a C text short). Otherwise a constant text saying what is wrong.
 */
const char *bk__grammar_check(const char *text, int depth);

#endif
