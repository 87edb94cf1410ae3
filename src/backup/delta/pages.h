/*
 * The sums of all pages of one backup's image, in state.dir/backup.pages: what tells the next backup
 * which pages changed. Losing the file loses no data: the next backup is a full one.
 * changes.c reads and writes it, differ.c keeps it.
 */
#ifndef BK_BACKUP_DELTA_PAGES_H
#define BK_BACKUP_DELTA_PAGES_H

#include <stdbool.h>
#include <stdint.h>

#include <base/hash.h>
#include <backup/catalogue/name.h>

struct bk__job;
struct bk__pages;

/* Whose pages the file knows. */
struct bk__pages_of {
    char stem[BK__NAME_SIZE];    /* of the backup */
    char sha256[BK__SHA256_HEX]; /* of its image */
    int64_t pages;
};

bool bk__pages_exist(struct bk__job *job); /* is there a file of sums? */

/* Begins a pass over an image: the old sums are read along where there are any of this page size, new
   ones are written aside. 0 or an error. */
int bk__pages_open(struct bk__job *job, int page_size, struct bk__pages **ret);
void bk__pages_free(struct bk__pages *pages); /* NULL is fine; what is not kept goes */

/* Whose the old sums are; NULL: there are none. */
const struct bk__pages_of *bk__pages_old(const struct bk__pages *pages);

/* The next page, in order: is it another than it was, or new? */
bool bk__pages_changed(struct bk__pages *pages, const unsigned char *page);

/* After the last page: could the old sums be believed? */
bool bk__pages_end(struct bk__pages *pages);

/* The new sums are those of this backup, from now on. A failure is only told in the log. */
void bk__pages_keep(struct bk__pages *pages, const struct bk__pages_of *of);

#endif
