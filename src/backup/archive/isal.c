/*
 * libisal.so.2 by dlopen(): not linked, because it is on few machines and 300 KB. Not inflating:
 * libdeflate is as fast at that.
 * Called by gzip.c, on the pipeline's workers.
 */
#include <backup/archive/isal.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <isa-l/igzip_lib.h>

#define LIBRARY "libisal.so.2" /* the 2 is the version of the structures in igzip_lib.h */
#define LEVEL 1

struct bk__isal {
    struct isal_zstream stream;
    unsigned char room[ISAL_DEF_LVL1_DEFAULT];
};

/* Set once, read by all. */
static void (*stateless_init)(struct isal_zstream *);
static int (*stateless)(struct isal_zstream *);

/* dlsym() gives a pointer to data; the copy is what POSIX says to do with one to code. */
static bool find(void *library, const char *name, void *ret, size_t size) {
    void *found = dlsym(library, name);
    memcpy(ret, &found, size);
    return found != NULL;
}

/* Never closed: a worker of another keeper may be inside. */
static void open_library(void) {
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
    if (library == NULL) {
        return;
    }
    if (!find(library, "isal_deflate_stateless_init", &stateless_init,
              sizeof stateless_init) ||
        !find(library, "isal_deflate_stateless", &stateless, sizeof stateless)) {
        stateless = NULL;
        dlclose(library);
    }
}

bool bk__isal_there(void) {
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, open_library);
    return stateless != NULL;
}

struct bk__isal *bk__isal_new(void) {
    return bk__isal_there() ? calloc(1, sizeof(struct bk__isal)) : NULL;
}

void bk__isal_free(struct bk__isal *isal) {
    free(isal);
}

size_t bk__isal_deflate(struct bk__isal *isal, const unsigned char *in, size_t in_size,
                        unsigned char *out, size_t room) {
    struct isal_zstream *stream = &isal->stream;
    stateless_init(stream);
    stream->level = LEVEL;
    stream->level_buf = isal->room;
    stream->level_buf_size = sizeof isal->room;
    stream->end_of_stream = 1;
    stream->flush = NO_FLUSH;
    stream->next_in = (unsigned char *)(uintptr_t)in; /* it is only read */
    stream->avail_in = (uint32_t)in_size;
    stream->next_out = out;
    stream->avail_out = (uint32_t)room;
    return stateless(stream) == COMP_OK && stream->avail_in == 0 ? stream->total_out : 0;
}
