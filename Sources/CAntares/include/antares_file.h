#pragma once
#include <linux/openat2.h>
#include <stdint.h>

// Values of the kernel's interface (include/uapi/linux/fcntl.h) that Swift sees only behind _GNU_SOURCE.
enum {
	ANT_O_PATH = 010000000,
	ANT_SEAL_SEAL = 0x1,
	ANT_SEAL_SHRINK = 0x2,
	ANT_SEAL_GROW = 0x4,
	ANT_SEAL_WRITE = 0x8,
};

int ant_open(const char *path, int flags, unsigned mode);
int ant_openat(int dirfd, const char *path, int flags, unsigned mode);
/// openat2(2); resolve is a set of RESOLVE_ flags.
int ant_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve);
int ant_dup_cloexec(int fd, int lowest);
int ant_set_nonblocking(int fd, int on);
/// The inode flags of FS_IOC_GETFLAGS, or -1.
int ant_get_inode_flags(int fd, unsigned *flags);
int ant_set_inode_flags(int fd, unsigned flags);
/// memfd_create(2), always close-on-exec and sealable.
int ant_memfd(const char *name);
int ant_add_seals(int fd, unsigned seals);
int ant_get_seals(int fd);
/// Exclusive, non-blocking flock(2).
int ant_try_lock(int fd);
/// eventfd(2), close-on-exec; `semaphore` makes each read take one.
int ant_eventfd(int nonblocking, int semaphore);
/// pipe2(2), close-on-exec; asks for `size` bytes of buffer (F_SETPIPE_SZ), and makes do with less.
int ant_pipe(int ends[2], int size);
