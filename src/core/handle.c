/*
 * Tickets: the numbers that hosts hold as bk_keeper *, and the table of those that are
 * live. No ticket is ever used twice, so a stale one meets nothing, and none is ever
 * followed as a pointer. api goes through bk__keeper_get() in every call.
 */
#include <core/keeper_inside.h>

#include <stdlib.h>
#include <unistd.h>

/* Above anything a sentinel would be, apart by 16 so that they look like aligned
 * addresses. */
#define FIRST_TICKET ((uintptr_t)0x10000)
#define STEP 16

struct entry {
    struct entry *next;
    uintptr_t ticket;
    struct bk__keeper *k;
};

/*
 * One table for each process: a forked child must not wait for a lock that a thread of
 * its parent holds for ever, so it gets a new one, and all tickets below its first are
 * the parent's.
 */
struct table {
    pid_t pid;
    uintptr_t first;
    pthread_mutex_t lock;
    struct entry *entries;
};

static struct table *process_table;          /* atomic */
static uintptr_t next_ticket = FIRST_TICKET; /* atomic */

static struct table *make_table(struct table *old) {
    struct table *table = calloc(1, sizeof *table);
    if (!table) {
        return NULL;
    }
    table->pid = getpid();
    table->first = __atomic_load_n(&next_ticket, __ATOMIC_SEQ_CST);
    pthread_mutex_init(&table->lock, NULL);
    if (!__atomic_compare_exchange_n(&process_table, &old, table, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST)) {
        pthread_mutex_destroy(&table->lock);
        free(table);
        table = __atomic_load_n(&process_table, __ATOMIC_SEQ_CST);
    }
    return table;
}

static struct table *this_table(void) {
    struct table *table = __atomic_load_n(&process_table, __ATOMIC_SEQ_CST);
    return table && table->pid == getpid() ? table : make_table(table);
}

static int refuse(const struct table *table, uintptr_t ticket) {
    if (ticket >= FIRST_TICKET && ticket < table->first && ticket % STEP == 0) {
        return bk__fail(BK_EFORK,
                        "This keeper belongs to the process that made it, and this is a "
                        "forked child. Data is safe. Open a keeper of the child's own.");
    }
    return bk__fail(BK_EHANDLE,
                    "This is not a live keeper: it was closed, or never was one. Nothing "
                    "was done. Make a new one.");
}

int bk__keeper_get(const bk_keeper *ticket, struct bk__keeper **ret) {
    struct table *table = this_table();
    if (!table) {
        return bk__fail_memory();
    }
    struct bk__keeper *k = NULL;
    pthread_mutex_lock(&table->lock);
    for (struct entry *entry = table->entries; entry && !k; entry = entry->next) {
        if (entry->ticket == (uintptr_t)ticket) {
            k = entry->k;
            bk__keeper_hold(k);
        }
    }
    pthread_mutex_unlock(&table->lock);
    if (!k) {
        return refuse(table, (uintptr_t)ticket);
    }
    *ret = k;
    return 0;
}

int bk__keeper_new(const struct bk__clock *clock, bk_keeper **ret_ticket) {
    struct table *table = this_table();
    struct entry *entry = table ? calloc(1, sizeof *entry) : NULL;
    struct bk__keeper *k = entry ? bk__keeper_make(clock) : NULL;
    if (!k) {
        free(entry);
        return bk__fail_memory();
    }
    entry->ticket = __atomic_fetch_add(&next_ticket, STEP, __ATOMIC_SEQ_CST);
    entry->k = k;
    *ret_ticket = (bk_keeper *)entry->ticket; /* before anybody can close it */
    pthread_mutex_lock(&table->lock);
    entry->next = table->entries;
    table->entries = entry;
    pthread_mutex_unlock(&table->lock);
    return 0;
}

int bk__keeper_close(const bk_keeper *ticket) {
    struct table *table = this_table();
    if (!table) {
        return bk__fail_memory();
    }
    struct entry *found = NULL;
    pthread_mutex_lock(&table->lock);
    for (struct entry **at = &table->entries; *at; at = &(*at)->next) {
        if ((*at)->ticket == (uintptr_t)ticket) {
            found = *at;
            *at = found->next;
            break;
        }
    }
    pthread_mutex_unlock(&table->lock);
    if (!found) {
        return refuse(table, (uintptr_t)ticket);
    }
    bk__keeper_give_up(found->k);
    bk__keeper_put(found->k);
    free(found);
    return 0;
}
