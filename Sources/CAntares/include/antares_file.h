#pragma once
#include <linux/openat2.h>
#include <stdint.h>

// Values of the kernel's interface (include/uapi/linux/fcntl.h) that Swift sees only behind _GNU_SOURCE.
enum {
	ANT_O_PATH = 010000000,
	ANT_O_NOATIME = 01000000,
	ANT_SEAL_SEAL = 0x1,
	ANT_SEAL_SHRINK = 0x2,
	ANT_SEAL_GROW = 0x4,
	ANT_SEAL_WRITE = 0x8,
};

int ant_open(const char *path, int flags, unsigned mode);
int ant_openat(int dirfd, const char *path, int flags, unsigned mode);
/// openat2(2); resolve is a set of RESOLVE_ flags.
int ant_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
/// renameat2(2), with RENAME_NOREPLACE unless `replace`.
int ant_rename(int from, const char *name, int to, const char *new_name, int replace);
/// fallocate(2) from the begin of the file.
int ant_reserve(int fd, uint64_t size);
int ant_dup_cloexec(int fd, int lowest);
int ant_set_nonblocking(int fd, int on);
/// The inode flags of FS_IOC_GETFLAGS, or -1.
int ant_get_inode_flags(int fd, unsigned *flags);
int ant_set_inode_flags(int fd, unsigned flags);
/// Bytes of the list of extended attributes (flistxattr(2)), or -1.
int64_t ant_xattr_list_size(int fd);
/// The value of an extended attribute, its length or -1 (fgetxattr(2)).
int64_t ant_xattr(int fd, const char *attribute, void *value, uint64_t size);
/// As ant_xattr, of an entry of a directory, which may be a link and is not opened (lgetxattr(2) below /proc/self/fd).
int64_t ant_xattr_at(int dirfd, const char *name, const char *attribute, void *value, uint64_t size);
/// lremovexattr(2) of what is at a path below an open directory; ENODATA if it has no such attribute.
int ant_xattr_remove_below(int dirfd, const char *path, const char *attribute);
/// setxattr(2) of the file behind a descriptor, also one of O_PATH, whether the attribute is there or not.
int ant_xattr_set(int fd, const char *name, const void *value, uint64_t size);
/// memfd_create(2), always close-on-exec and sealable.
int ant_memfd(const char *name);
int ant_add_seals(int fd, unsigned seals);
int ant_get_seals(int fd);
/// Pages of the file that the page cache holds, by cachestat(2), or -1.
int64_t ant_cached_pages(int fd);
/// Exclusive, non-blocking flock(2).
int ant_try_lock(int fd);
/// eventfd(2), close-on-exec; `semaphore` makes each read take one.
int ant_eventfd(int nonblocking, int semaphore);
/// pipe2(2), close-on-exec; asks for `size` bytes of buffer (F_SETPIPE_SZ), and makes do with less.
int ant_pipe(int ends[2], int size);
