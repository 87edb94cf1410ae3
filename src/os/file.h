/*
 * Files and folders of our own, durable by construction. Every int is 0 (or a descriptor or
 * count) on success and -errno on failure; EINTR and short writes are handled here. Never used on
 * a store's own files from a host thread: see src/guest.
 */
#ifndef BK_OS_FILE_H
#define BK_OS_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

int bk__file_open_read(const char *path); /* O_CLOEXEC | O_NOFOLLOW is not set */
int bk__file_create(const char *path);    /* 0600, O_EXCL: -EEXIST when it exists */
int bk__file_close(int fd);               /* reports the error of close() */
int bk__file_write(int fd, const void *bytes, size_t size); /* all of it */
int bk__file_pwrite(int fd, const void *bytes, size_t size, int64_t at);
int64_t bk__file_read(int fd, void *bytes,
                      size_t size); /* fills size unless the file ends */
int64_t bk__file_pread(int fd, void *bytes, size_t size, int64_t at);
int bk__file_sync(int fd); /* fsync: final, never retried */
void bk__file_sync_begin(int fd, int64_t at,
                         int64_t size); /* a hint: fsync will follow */
int64_t bk__file_size(int fd);
int bk__file_rename(const char *from, const char *to);
int bk__file_rename_new(const char *from, const char *to); /* never over one: -EEXIST */
int bk__file_exchange(const char *one,
                      const char *other);   /* at once; -EINVAL: it cannot */
int bk__file_remove(const char *path);      /* 0 also when there was none */
bool bk__file_exists(const char *path);     /* by stat(), never opens */
int64_t bk__file_size_of(const char *path); /* by stat(), never opens */
bool bk__file_is_plain(const char *path); /* by stat(): neither folder, pipe nor device */
int bk__file_same(const char *path, uint64_t dev, uint64_t ino,
                  bool *ret_same); /* by stat() */

/* The whole file as NUL-ended text, at most limit bytes (-EFBIG). The caller frees it. */
int bk__file_load(const char *path, size_t limit, char **ret_text, size_t *ret_size);

/* Writes aside (PATH.tmp), fsyncs, renames over path, fsyncs the folder. 0600. */
int bk__file_save(const char *path, const void *bytes, size_t size);

int bk__file_make_dir(const char *path);    /* with its parents, 0700; 0 when it exists */
int bk__file_remove_dir(const char *path);  /* a file, or a folder of files; 0: none */
int bk__file_sync_dir(const char *path);    /* fsync of a folder */
int bk__file_sync_parent(const char *path); /* fsync of the folder that holds path */
int bk__file_list(const char *dir, char ***ret_names,
                  size_t *ret_count); /* sorted, no . and .. */
void bk__file_list_free(char **names, size_t count);
int bk__file_space(const char *path, int64_t *ret_free_bytes, int64_t *ret_total_bytes);
char *bk__file_absolute(const char *path); /* against the current folder; NULL: ENOMEM */
char *bk__file_join(const char *dir, const char *name);
char *bk__file_dir(const char *path); /* the folder part, "." where there is none */

/* An exclusive lock on a file of ours (flock; the kernel drops it when the holder dies).
   wait_ms: how long to poll for it. A descriptor to close, or -EWOULDBLOCK. */
int bk__file_lock(const char *path, int wait_ms, const bool *cancel);
int bk__file_lock_dir(
    const char *path); /* the same on a folder that exists, without waiting */

/* Whether somebody holds that lock: 1 and what is written in the file, 0, or -errno. */
int bk__file_lock_look(const char *path, char *ret_text, size_t room);

#endif
