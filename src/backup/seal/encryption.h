/*
 * What the options backup.key.file and backup.recipient ask for, and which key opens an archive.
 * Not the bytes: seal.h. What asks for encryption is never written plain: make.c begins here.
 */
#ifndef BK_BACKUP_SEAL_ENCRYPTION_H
#define BK_BACKUP_SEAL_ENCRYPTION_H

#include <stdbool.h>

#include <backup/seal/seal.h>

struct bk__config;
struct bk__job;

/* Do the options ask for encrypted backups? */
bool bk__encryption_wanted(const struct bk__config *config);

/* A seal for a new archive, made with the recipient's public key, else with the key file's first
   key. Every setting is checked first, so that nothing is written with a wrong one. BK_EINVAL,
   BK_EDENIED, BK_ENOTFOUND. */
int bk__encryption_begin(struct bk__job *job, struct bk__seal *ret);

/* The seal of an archive, by the key its header names; what is the backup's name. 1: there is no
   such key, with the text that says so set (as BK_EDENIED); or an error. */
int bk__encryption_open(struct bk__job *job, const char *what,
                        const unsigned char header[BK__SEAL_HEADER],
                        struct bk__seal *ret);

/* Is the key of that id here, with its secret half? A key file that cannot be read counts as one:
   whoever then opens an archive is told what is wrong with it. */
bool bk__encryption_reads(struct bk__job *job, const char *key_id);

/* Is the file, which may not exist yet, somewhere below the folder? Links are followed; a folder
   that does not exist holds nothing. */
bool bk__encryption_inside(const char *file, const char *folder);

#endif
