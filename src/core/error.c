/*
 * The calling thread's error text, and errno turned into the public errors with advice.
 * It keeps no list of past errors and prints nothing. Every room from core upwards calls
 * it.
 */
#include <core/error.h>

#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define TEXT_SIZE 2048

static _Thread_local char error_text[TEXT_SIZE];

/* How many bytes the UTF-8 character at the text's start has; 0: it is none. */
static size_t character(const unsigned char *at) {
    size_t length = at[0] < 0x80   ? 1
                    : at[0] < 0xC2 ? 0
                    : at[0] < 0xE0 ? 2
                    : at[0] < 0xF0 ? 3
                    : at[0] < 0xF5 ? 4
                                   : 0;
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
    }
    bool bad = (at[0] == 0xE0 && at[1] < 0xA0) || (at[0] == 0xED && at[1] > 0x9F) ||
               (at[0] == 0xF0 && at[1] < 0x90) || (at[0] == 0xF4 && at[1] > 0x8F);
    return bad ? 0 : length;
}

/* A shortened text may end, and a %.100s may have been cut, inside a character. */
static void repair_utf8(char *text) {
    for (char *at = text; *at;) {
        size_t length = character((unsigned char *)at);
        if (length == 0) {
            *at = '?';
            length = 1;
        }
        at += length;
    }
}

int bk__fail(int code, const char *format, ...) {
    /* The arguments may contain this thread's own text (a failure told inside another
     * one). */
    char text[TEXT_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length < 0) {
        text[0] = '\0';
    }
    repair_utf8(text);
    memcpy(error_text, text, strlen(text) + 1);
    return code;
}

int bk__fail_memory(void) {
    return bk__fail(BK_ENOMEM,
                    "Out of memory. Nothing was changed by the step that failed. Free "
                    "some memory and try again.");
}

struct errno_row {
    int err;
    int code;
    const char *advice;
};

static const struct errno_row errno_rows[] = {
    {ENOSPC, BK_ENOSPC, "Free some space on that disk and try again."},
    {EDQUOT, BK_ENOSPC, "Free some of the quota and try again."},
    {EFBIG, BK_ENOSPC, "The file is larger than the system or botkeep allows."},
    {EACCES, BK_EDENIED, "Give this user access to it."},
    {EPERM, BK_EDENIED, "Give this user access to it."},
    {EROFS, BK_EDENIED,
     "The file system is read-only: choose another folder or remount it."},
    {ENOENT, BK_ENOTFOUND, "Check the path."},
    {ENOTDIR, BK_EINVAL, "A part of the path is a file, not a folder: check the path."},
    {EISDIR, BK_EINVAL, "It is a folder, not a file: check the path."},
    {ENAMETOOLONG, BK_EINVAL, "The path is too long: choose a shorter one."},
    {ELOOP, BK_EINVAL, "The path leads through too many symbolic links: check the path."},
    {EEXIST, BK_EBUSY,
     "Something of that name already exists: remove it or choose another."},
    {EWOULDBLOCK, BK_EBUSY, "Another process holds the lock: try again later."},
    {EBUSY, BK_EBUSY, "Something else uses it: try again later."},
    {ECANCELED, BK_ECANCELLED, "Nothing of the unfinished step is kept."},
    {ENOMEM, BK_ENOMEM, "Free some memory and try again."},
    {EMFILE, BK_EIO, "Too many files are open: raise the limit (ulimit -n)."},
    {ENFILE, BK_EIO, "Too many files are open on this machine."},
    {EAGAIN, BK_EIO,
     "The system is short of a resource (threads, locks): try again later."},
};

static const struct errno_row *find_errno(int err) {
    for (size_t i = 0; i < sizeof errno_rows / sizeof errno_rows[0]; i++) {
        if (errno_rows[i].err == err) {
            return &errno_rows[i];
        }
    }
    static const struct errno_row other = {
        0, BK_EIO, "Check the disk and the system's log, then try again."};
    return &other;
}

int bk__fail_errno(int err, const char *doing, const char *path, const char *advice) {
    int positive = err < 0 ? -err : err;
    const struct errno_row *row = find_errno(positive);
    char reason[128];
    const char *said =
        strerror_r(positive, reason, sizeof reason); /* GNU: may ignore reason */
    const char *next = advice ? advice : row->advice;
    if (path) {
        return bk__fail(row->code, "Botkeep %s \"%s\": %s. %s", doing, path, said, next);
    }
    return bk__fail(row->code, "Botkeep %s: %s. %s", doing, said, next);
}

const char *bk__error_name(int error) {
    switch (error) {
#define E(name, number, text)                                                            \
    case BK_##name:                                                                      \
        return "BK_" #name;
        BK_ERRORS(E)
#undef E
    default:
        return error >= 0 ? "BK_OK" : "BK_EUNKNOWN";
    }
}

const char *bk__error_text(void) {
    return error_text;
}

void bk__error_clear(void) {
    error_text[0] = '\0';
}
