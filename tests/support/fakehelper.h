/*
 * Helper programs that are not the helper: shell scripts which greet as told and then do as told.
 * The tests of the guest room use them to see what becomes of a helper that misbehaves.
 */
#ifndef BK_TESTS_FAKEHELPER_H
#define BK_TESTS_FAKEHELPER_H

/* A line the script may start with: the greeting of a helper of this version. */
#define GREETING "echo '{\"event\":\"helper\",\"version\":\"" BK_VERSION "\"}'\n"

/* Writes a script into dir and names it in BOTKEEP_HELPER. */
void use_fake_helper(const char *dir, const char *script);

#endif
