/*
 * Opening a shared library beside a host that exports symbols of the same names. Node carries its
 * own OpenSSL and exports it; a library bound to half of that and half of the system's crashes.
 * Whoever needs an optional library calls it.
 */
#include <os/module.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <base/text.h>

/* Whether the global symbol comes from a file whose name has that in it. */
static bool comes_from(const char *symbol, const char *file) {
    void *address = dlsym(RTLD_DEFAULT, symbol);
    Dl_info info;

    return address && dladdr(address, &info) && info.dli_fname &&
           strstr(info.dli_fname, file);
}

static bool is_defined(const char *symbol) {
    return dlsym(RTLD_DEFAULT, symbol) != NULL;
}

/*
 * RTLD_DEEPBIND lets the library see its own dependencies before the host's symbols. Not where the
 * host replaced malloc(): libc's strdup() would take memory from one and free() give it to another.
 * Sanitizers replace it as well, and refuse the flag.
 */
static int binding(void) {
    bool foreign_tls =
        is_defined("SSL_CTX_new") && !comes_from("SSL_CTX_new", "libssl.so");
    bool plain_memory = comes_from("malloc", "libc.so") || comes_from("malloc", "libc-");

    return foreign_tls && plain_memory ? RTLD_DEEPBIND : 0;
}

void *bk__module_open(const char *name, char **ret_why) {
    void *module = dlopen(name, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE | binding());

    *ret_why = NULL;
    if (!module) {
        const char *why = dlerror();
        *ret_why = bk__text_printf("%s", why ? why : name);
    }
    return module;
}

void *bk__module_find(void *module, const char *function) {
    return dlsym(module, function);
}
