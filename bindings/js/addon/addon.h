/*
 * What the generated wrappers need: reading arguments, making answers. Not the library's header.
 * addon.c defines it, addon_gen.c uses it.
 */
#ifndef BOTKEEP_ADDON_H
#define BOTKEEP_ADDON_H

#include <stdbool.h>

#include <botkeep.h>
#include <node_api.h>

struct addon_function {
    const char *name;
    napi_callback call;
};
extern const struct addon_function addon_generated[]; /* ended by a NULL name */

/* Reads exactly count arguments; false with an exception pending. */
bool addon_arguments(napi_env env, napi_callback_info info, size_t count,
                     napi_value *argv);

/* One argument; false with a TypeError pending. A text is the caller's to free(); NULL for null
   and undefined. */
bool addon_get_int(napi_env env, napi_value value, int *ret);
bool addon_get_double(napi_env env, napi_value value, double *ret);
bool addon_get_text(napi_env env, napi_value value, char **ret);
/* Where the bytes of a typed array are, which stays the array's. */
bool addon_get_image(napi_env env, napi_value value, const char **ret);
bool addon_get_keeper(napi_env env, napi_value value, bk_keeper **ret);

/* An answer; NULL with an exception pending. A text of NULL becomes null. */
napi_value addon_int(napi_env env, int value);
napi_value addon_double(napi_env env, double value);
napi_value addon_text(napi_env env, const char *text);
napi_value addon_owned_text(napi_env env,
                            char *text); /* gives text back to the library */

#endif
