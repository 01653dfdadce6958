#include "antares_file.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <sys/xattr.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int ant_open(const char *path, int flags, unsigned mode)
{
	return open(path, flags | O_CLOEXEC, mode);
}

int ant_openat(int dirfd, const char *path, int flags, unsigned mode)
{
	return openat(dirfd, path, flags | O_CLOEXEC, mode);
}

int ant_openat2(int dirfd, const char *path, uint64_t flags, uint64_t mode, uint64_t resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .mode = mode, .resolve = resolve};
	return (int)syscall(SYS_openat2, dirfd, path, &how, sizeof how);
}

int ant_rename(int from, const char *name, int to, const char *new_name, int replace)
{
	return renameat2(from, name, to, new_name, replace ? 0 : RENAME_NOREPLACE);
}

int ant_reserve(int fd, uint64_t size)
{
	return fallocate(fd, 0, 0, (off_t)size);
}

int ant_dup_cloexec(int fd, int lowest)
{
	return fcntl(fd, F_DUPFD_CLOEXEC, lowest);
}

int ant_set_nonblocking(int fd, int on)
{
	int flags = fcntl(fd, F_GETFL);
	if (flags < 0)
		return -1;
	return fcntl(fd, F_SETFL, on ? flags | O_NONBLOCK : flags & ~O_NONBLOCK);
}

int ant_get_inode_flags(int fd, unsigned *flags)
{
	return ioctl(fd, FS_IOC_GETFLAGS, flags);
}

int ant_set_inode_flags(int fd, unsigned flags)
{
	return ioctl(fd, FS_IOC_SETFLAGS, &flags);
}

int64_t ant_xattr(int fd, const char *attribute, void *value, uint64_t size)
{
	return fgetxattr(fd, attribute, value, size);
}

int64_t ant_xattr_at(int dirfd, const char *name, const char *attribute, void *value, uint64_t size)
{
	char path[32 + NAME_MAX + 1];
	int length = snprintf(path, sizeof path, "/proc/self/fd/%d/%s", dirfd, name);
	if (length < 0 || (size_t)length >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return lgetxattr(path, attribute, value, size);
}

int ant_xattr_remove_below(int dirfd, const char *path, const char *attribute)
{
	char whole[32 + PATH_MAX];
	int length = snprintf(whole, sizeof whole, "/proc/self/fd/%d/%s", dirfd, path);
	if (length < 0 || (size_t)length >= sizeof whole) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return lremovexattr(whole, attribute);
}

int ant_memfd(const char *name)
{
	return memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

int ant_add_seals(int fd, unsigned seals)
{
	return fcntl(fd, F_ADD_SEALS, seals);
}

int ant_get_seals(int fd)
{
	return fcntl(fd, F_GET_SEALS);
}

int64_t ant_cached_pages(int fd)
{
	// cachestat(2), one number on all architectures; the headers of Linux 6.1 do not have it yet. A length of 0 means to the end.
	enum { cachestat = 451 };
	uint64_t range[2] = {0, 0};
	struct {
		uint64_t cached, dirty, writeback, evicted, recently_evicted;
	} found;
	return syscall(cachestat, fd, range, &found, 0) == 0 ? (int64_t)found.cached : -1;
}

int ant_try_lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB);
}

int ant_eventfd(int nonblocking, int semaphore)
{
	return eventfd(0, EFD_CLOEXEC | (nonblocking ? EFD_NONBLOCK : 0) | (semaphore ? EFD_SEMAPHORE : 0));
}

int ant_pipe(int ends[2], int size)
{
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	if (size > 0)
		(void)fcntl(ends[1], F_SETPIPE_SZ, size);
	return 0;
}

int64_t ant_xattr_list_size(int fd)
{
	return flistxattr(fd, NULL, 0);
}

int ant_xattr_set(int fd, const char *name, const void *value, uint64_t size)
{
	// Not fsetxattr(2): that refuses descriptors that were opened with O_PATH.
	char path[32];
	snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
	return setxattr(path, name, value, size, 0);
}
