/*
 * Checks at the public edge, done once so that nothing inside repeats them. Not JSON arguments
 * of operations: core/operation_args.c. Every exported function calls it.
 */
#include <api/check.h>

#include <string.h>

#include <base/text.h>

#define TEXT_LIMIT (1024 * 1024)

int bk__api_text(const char *text, const char *argument) {
    if (!text) {
        return bk__fail(BK_EINVAL,
                        "The argument %s is NULL. Nothing was done. Give a text.",
                        argument);
    }
    if (strnlen(text, TEXT_LIMIT + 1) > TEXT_LIMIT) {
        return bk__fail(BK_EINVAL,
                        "The argument %s is longer than 1 MiB. Nothing was done. Give a "
                        "shorter text.",
                        argument);
    }
    if (!bk__text_utf8(text)) {
        return bk__fail(BK_EINVAL,
                        "The argument %s is not valid UTF-8. Nothing was done. Encode it "
                        "as UTF-8.",
                        argument);
    }
    return 0;
}

int bk__api_text_or_null(const char *text, const char *argument) {
    return text ? bk__api_text(text, argument) : 0;
}

int bk__api_timeout(int timeout_ms) {
    return timeout_ms >= -1 ? 0
                            : bk__fail(BK_EINVAL,
                                       "The argument timeout_ms is %d. Nothing was done. "
                                       "Give -1 (no end), 0 (poll) or milliseconds.",
                                       timeout_ms);
}

int bk__api_enter(const bk_keeper *k, struct bk__keeper **ret) {
    bk__error_clear();
    return bk__keeper_get(k, ret);
}
