/*
 * Which backup needs which: a backup of changes and those it was made against, its parents.
 */
#ifndef BK_BACKUP_CATALOGUE_LINEAGE_H
#define BK_BACKUP_CATALOGUE_LINEAGE_H

struct bk__catalogue;
struct bk__manifest;

/* The backup of that stem whose image has that SHA-256, or NULL. It belongs to the catalogue. */
struct bk__manifest *bk__lineage_find(const struct bk__catalogue *catalogue,
                                      const char *stem, const char *sha256);

/* Says of each backup how many others it needs, and takes out what lacks one (into the broken ones)
   and what a full archive of the same stem has replaced. The items are in their order. */
int bk__lineage_link(struct bk__catalogue *catalogue);

#endif
