/*
 * Calls every exported function with hostile arguments through libffi: NULL, junk and stale
 * keepers, broken UTF-8, huge text, the ends of int. Not a test of what the functions do.
 * tests/abi/run calls it: hostile LIBRARY < lines "name returns type:argument ...".
 */
#include <dlfcn.h>
#include <ffi.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MOST_ARGUMENTS 6
#define MOST_CALLS 4000 /* of one function; more combinations are drawn at random */
#define HUGE_SIZE (1 << 20)
#define COUNT(list) (sizeof(list) / sizeof *(list))

/* How a keeper of the list came to be; only the last two may be used. */
enum keeper_kind { NONE, LOW, HIGH, ON_STACK, STALE, FRESH, OPEN, KEEPER_KINDS };

struct function {
    char name[64];
    char returns[16];
    char types[MOST_ARGUMENTS][16];
    char names[MOST_ARGUMENTS][32];
    int count;
    void *address;
};

union value {
    void *pointer;
    int number;
    double real;
};

static void *library;
static const char *texts[16];
static size_t text_count;
static void *keepers[KEEPER_KINDS];
static int failures;

static void *symbol(const char *name) {
    void *found = dlsym(library, name);
    if (!found) {
        printf("not ok hostile %s - it is not exported\n", name);
        exit(1);
    }
    return found;
}

/* Function pointers of the few functions the test itself needs. */
static struct {
    void *(*fresh)(void);
    int (*set)(void *keeper, const char *option, const char *value);
    int (*open)(void *keeper);
    int (*close)(void *keeper);
    const char *(*last_error)(void);
    const char *(*error_name)(int error);
    void (*free)(char *text);
} call;

static void find_calls(void) {
    *(void **)&call.fresh = symbol("bk_new");
    *(void **)&call.set = symbol("bk_set");
    *(void **)&call.open = symbol("bk_open");
    *(void **)&call.close = symbol("bk_close");
    *(void **)&call.last_error = symbol("bk_last_error");
    *(void **)&call.error_name = symbol("bk_error_name");
    *(void **)&call.free = symbol("bk_free");
}

static void make_texts(void) {
    static char deep[4096];
    char *huge = malloc(HUGE_SIZE + 1);
    if (!huge)
        exit(2);
    memset(huge, 'a', HUGE_SIZE);
    huge[HUGE_SIZE] = '\0';
    memset(deep, '[', sizeof deep - 1);
    static const char *const small[] = {"",
                                        "x",
                                        "database",
                                        "health.snapshot",
                                        "{}",
                                        "{\"name\":\"../../x\"}",
                                        "\xff\xfe{",
                                        "{\"a\":",
                                        "../../../etc/passwd",
                                        "%s%n%n%s",
                                        "result.a[99999999999].b"};
    texts[text_count++] = NULL;
    for (size_t i = 0; i < COUNT(small); i++)
        texts[text_count++] = small[i];
    texts[text_count++] = deep;
    texts[text_count++] = huge;
}

static void *fresh_keeper(bool open) {
    void *keeper = call.fresh();
    call.set(keeper, "database", "hostile.db");
    call.set(keeper, "env.file", "");
    call.set(keeper, "backup.enabled", "false");
    if (open && call.open(keeper) != 0) {
        printf("not ok hostile - bk_open: %s\n", call.last_error());
        exit(1);
    }
    return keeper;
}

/* A call may have closed or shut down the keepers that can be used: new ones. */
static void renew_keepers(void) {
    static char junk[256];
    call.close(keepers[FRESH]);
    call.close(keepers[OPEN]);
    keepers[LOW] = (void *)(intptr_t)1;
    keepers[HIGH] = (void *)(intptr_t)-1;
    keepers[ON_STACK] = junk;
    keepers[STALE] = fresh_keeper(false);
    call.close(keepers[STALE]);
    keepers[FRESH] = fresh_keeper(false);
    keepers[OPEN] = fresh_keeper(true);
}

/* The value number "at" of an argument, and how many there are. */
struct choice {
    size_t count;
    union value value;
};

/* The ends of int; but -1 waits for ever where it is a timeout, as promised. */
static struct choice choose_int(const char *name, size_t at) {
    static const int plain[] = {0, 1, -1, INT_MAX, INT_MIN, 7};
    static const int timeout[] = {0, 1, -2, INT_MIN};
    bool waits = strcmp(name, "timeout_ms") == 0;
    size_t count = waits ? COUNT(timeout) : COUNT(plain);
    const int *list = waits ? timeout : plain;
    return (struct choice){count, {.number = list[at % count]}};
}

static struct choice choose(const struct function *function, int argument, size_t at) {
    static const double reals[] = {0, -1e308, 1e308, 0.5};
    const char *type = function->types[argument];
    if (strcmp(type, "keeper") == 0)
        return (struct choice){KEEPER_KINDS, {.pointer = keepers[at % KEEPER_KINDS]}};
    if (strcmp(type, "text") == 0)
        return (struct choice){text_count,
                               {.pointer = (void *)(uintptr_t)texts[at % text_count]}};
    if (strcmp(type, "int") == 0)
        return choose_int(function->names[argument], at);
    if (strcmp(type, "double") == 0)
        return (struct choice){COUNT(reals), {.real = reals[at % COUNT(reals)]}};
    return (struct choice){1,
                           {NULL}}; /* what bk_free() gets must have come from us: NULL */
}

static ffi_type *ffi_of(const char *type) {
    if (strcmp(type, "int") == 0)
        return &ffi_type_sint;
    if (strcmp(type, "double") == 0)
        return &ffi_type_double;
    return strcmp(type, "void") == 0 ? &ffi_type_void : &ffi_type_pointer;
}

static void complain(const struct function *function, const size_t at[],
                     const char *why) {
    printf("    %s(", function->name);
    for (int i = 0; i < function->count; i++)
        printf("%s%s no. %zu", i ? ", " : "", function->types[i], at[i]);
    printf("): %s\n", why);
    failures++;
}

static bool is_utf8(const char *text) {
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        int more = *at < 0x80    ? 0
                   : *at >= 0xF0 ? 3
                   : *at >= 0xE0 ? 2
                   : *at >= 0xC2 ? 1
                                 : -1;
        if (more < 0)
            return false;
        for (at++; more > 0; more--, at++)
            if ((*at & 0xC0) != 0x80)
                return false;
    }
    return true;
}

static bool is_usable(const struct function *function, const size_t at[]) {
    bool takes_keeper = function->count > 0 && strcmp(function->types[0], "keeper") == 0;
    return !takes_keeper || at[0] % KEEPER_KINDS >= FRESH;
}

static void judge_int(const struct function *function, const size_t at[], int number) {
    bool usable = is_usable(function, at);
    if (number >= 0) {
        if (!usable)
            complain(function, at, "a keeper that is none was taken");
        if (strcmp(function->name, "bk_wakeup_fd") == 0)
            close(number);
        return;
    }
    if (strcmp(call.error_name(number), "BK_EUNKNOWN") == 0)
        complain(function, at, "an error without a name");
}

/* An answer's promises; what is ours to give back is given back. */
static void judge(const struct function *function, const size_t at[], ffi_arg *answer) {
    const char *error = call.last_error();
    if (!error || !is_utf8(error))
        complain(function, at, "bk_last_error() is no text");
    if (strcmp(function->returns, "int") == 0) {
        judge_int(function, at, (int)*answer);
        if ((int)*answer < 0 && error && !*error)
            complain(function, at, "an error without a text");
    } else if (strcmp(function->returns, "own") == 0) {
        char *text = (char *)*answer;
        if (text && !is_usable(function, at))
            complain(function, at, "a keeper that is none gave a text");
        if (text && !is_utf8(text))
            complain(function, at, "a text that is not UTF-8");
        call.free(text);
    } else if (strcmp(function->returns, "text") == 0) {
        if (!*answer)
            complain(function, at, "NULL where a text was promised");
    } else if (strcmp(function->returns, "keeper") == 0) {
        call.close((void *)*answer);
    }
}

static void call_once(const struct function *function, ffi_cif *cif, const size_t at[]) {
    union value values[MOST_ARGUMENTS];
    void *places[MOST_ARGUMENTS];
    union {
        ffi_arg integer;
        double real;
    } answer = {0};
    for (int i = 0; i < function->count; i++) {
        values[i] = choose(function, i, at[i]).value;
        places[i] = &values[i];
    }
    ffi_call(cif, FFI_FN(function->address), &answer, places);
    judge(function, at, &answer.integer);
}

/* Every combination where there are few, a fixed random choice of them where there are many. */
static int call_all(const struct function *function, ffi_cif *cif) {
    size_t total = 1, at[MOST_ARGUMENTS] = {0};
    bool ends = strstr("bk_open bk_close bk_shutdown", function->name) != NULL;
    for (int i = 0; i < function->count; i++)
        total *= choose(function, i, 0).count;
    size_t calls = total < MOST_CALLS ? total : MOST_CALLS;
    for (size_t n = 0; n < calls; n++) {
        size_t rest =
            total < MOST_CALLS ? n : ((size_t)rand() << 16 ^ (size_t)rand()) % total;
        for (int i = 0; i < function->count; i++) {
            size_t count = choose(function, i, 0).count;
            at[i] = rest % count;
            rest /= count;
        }
        if (ends)
            renew_keepers();
        call_once(function, cif, at);
    }
    return (int)calls;
}

static void try_function(struct function *function) {
    ffi_type *types[MOST_ARGUMENTS];
    ffi_cif cif;
    int before = failures;
    for (int i = 0; i < function->count; i++)
        types[i] = ffi_of(function->types[i]);
    if (ffi_prep_cif(&cif, FFI_DEFAULT_ABI, (unsigned)function->count,
                     ffi_of(function->returns), types) != FFI_OK)
        exit(2);
    function->address = symbol(function->name);
    renew_keepers();
    int calls = call_all(function, &cif);
    if (failures == before)
        printf("ok hostile %s survives %d calls\n", function->name, calls);
    else
        printf("not ok hostile %s - %d of %d calls\n", function->name, failures - before,
               calls);
    fflush(stdout);
}

/* "bk_wait own keeper:k int:job int:timeout_ms" */
static bool read_function(char *line, struct function *function) {
    *function = (struct function){.count = 0};
    char *word = strtok(line, " \n");
    char *returns = strtok(NULL, " \n");
    if (!word || !returns)
        return false;
    snprintf(function->name, sizeof function->name, "%s", word);
    snprintf(function->returns, sizeof function->returns, "%s", returns);
    while ((word = strtok(NULL, " \n")) && function->count < MOST_ARGUMENTS) {
        char *name = strchr(word, ':');
        if (!name)
            return false;
        *name++ = '\0';
        snprintf(function->types[function->count], 16, "%s", word);
        snprintf(function->names[function->count++], 32, "%s", name);
    }
    return true;
}

int main(int argc, char **argv) {
    char line[512];
    int functions = 0;
    library = argc > 1 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
    if (!library) {
        printf("not ok hostile - %s\n", argc > 1 ? dlerror() : "name a library");
        return 1;
    }
    find_calls();
    make_texts();
    while (fgets(line, sizeof line, stdin)) {
        struct function function;
        if (!read_function(line, &function))
            return 2;
        try_function(&function);
        functions++;
    }
    call.close(keepers[FRESH]);
    call.close(keepers[OPEN]);
    return failures > 0 || functions == 0;
}
