#include "antares_file.h"
#include <fcntl.h>
#include <linux/fs.h>
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
